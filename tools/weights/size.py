"""The size model: a linear regression from a network's style to the logarithm of the diameter."""

import numpy as np
import torch
from cellpose import transforms
from cellpose.resnet_torch import CPnet

from tools.weights.examples import Example

BATCH = 8
LARGEST = 640
"""Rows and columns that are used of an image."""


def fit(net: CPnet, examples: list[Example], diameter: float, crops: int) -> dict:
    """The regression over `crops` crops, as the dictionary that cellpose stores; prints the error on 15 % of them."""
    torch.set_num_threads(1)
    styles, ratios = _crops(net.eval(), examples, diameter, crops)
    part = int(len(styles) * 0.85)
    size = _ridge(styles[:part], ratios[:part])
    guess = (styles[part:] - size["smean"]) @ size["A"] + size["ymean"]
    print(f"size model: mean error of the logarithm {np.abs(guess - ratios[part:]).mean():.3f}", flush=True)
    return _ridge(styles, ratios) | {"diam_mean": diameter}


def _ridge(styles: np.ndarray, ratios: np.ndarray) -> dict:
    smean, ymean = styles.mean(0), ratios.mean()
    x = (styles - smean).T
    a = np.linalg.solve(x @ x.T + np.eye(len(x)), x @ (ratios - ymean))
    return {"A": a.astype(np.float32), "smean": smean.astype(np.float32), "ymean": float(ymean)}


def _crops(net: CPnet, examples: list[Example], diameter: float, crops: int) -> tuple[np.ndarray, np.ndarray]:
    """Styles, [crops, 256], and logarithms of diameter over the network's."""
    np.random.seed(3)
    rng = np.random.RandomState(3)
    chance = np.array([example.weight for example in examples])
    styles, ratios = [], []
    for _ in range(crops // BATCH):
        chosen = [examples[index] for index in rng.choice(len(examples), BATCH, p=chance / chance.sum())]
        images = [_part(example.image.astype(np.float32), rng) for example in chosen]
        # Zooms of about a half to two cover what users bring.
        zoom = np.exp(rng.uniform(np.log(0.45), np.log(2.4), BATCH))
        diameters = np.array([example.diameter for example in chosen])
        x, _, scale = transforms.random_rotate_and_resize(
            images, scale_range=0.0, rescale=diameters / diameter / zoom, xy=(256, 256)
        )[:3]
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            style = net(torch.from_numpy(x).contiguous(memory_format=torch.channels_last))[1]
        styles.append(style.float().numpy())
        ratios.append(np.log(diameters * np.asarray(scale)) - np.log(diameter))
    return np.concatenate(styles), np.concatenate(ratios)


def _part(image: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    if max(image.shape[1:]) <= LARGEST:
        return image
    top, left = (rng.randint(0, max(1, length - LARGEST)) for length in image.shape[1:])
    return image[:, top : top + LARGEST, left : left + LARGEST]
