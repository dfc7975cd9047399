"""The training of a network on a CPU."""

import copy
import math
import time
from pathlib import Path

import numpy as np
import torch
from cellpose import transforms
from cellpose.resnet_torch import CPnet

from tools.weights.examples import Example

BATCH = 8
TILE = 224
RATE = 2e-3
"""Highest learning rate."""


def train(examples: list[Example], diameter: float, batches: int, init: Path | None = None) -> CPnet:
    """A network that has seen `batches` batches of eight tiles, as the moving average of its weights.

    Parameters
    ----------
    examples
        What tiles are cut from.
    diameter
        Cells are scaled to about this, in pixels.
    batches
        Number of steps; the learning rate falls over them.
    init
        A `.pth` file to begin with.
    """
    torch.manual_seed(0)
    np.random.seed(0)
    rng = np.random.RandomState(0)
    net = CPnet([2, 32, 64, 128, 256], 3, sz=3, max_pool=True, diam_mean=diameter)
    if init:
        net.load_state_dict(torch.load(init, map_location="cpu") | {"diam_mean": torch.tensor([diameter])})
    net = net.train().to(memory_format=torch.channels_last)
    average = copy.deepcopy(net).eval()
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=1e-5)
    chance = np.array([example.chance() for example in examples])
    losses, start = [], time.monotonic()
    for step in range(batches):
        for group in optimizer.param_groups:
            group["lr"] = _rate(step, batches)
        losses.append(_step(net, optimizer, *_batch(examples, chance / chance.sum(), diameter, rng)))
        _follow(average, net, step + 1)
        if (step + 1) % 25 == 0:
            seconds = time.monotonic() - start
            print(f"batch {step + 1} of {batches}, loss {np.mean(losses[-100:]):.4f}, {seconds:.0f} s", flush=True)
    return average


def _rate(step: int, batches: int) -> float:
    """A hundred steps up, then down along a cosine to a fiftieth."""
    fall = 0.5 * (1 + math.cos(math.pi * step / batches)) * 0.98 + 0.02
    return RATE * min(1, (step + 1) / 100) * fall


def _step(net: CPnet, optimizer: torch.optim.Optimizer, x: torch.Tensor, label: torch.Tensor) -> float:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = net(x)[0]
    y, cell = y.float(), (label[:, 0] > 0.5).float()
    loss = torch.nn.functional.mse_loss(y[:, :2], 5 * label[:, 1:]) / 2
    loss = loss + torch.nn.functional.binary_cross_entropy_with_logits(y[:, 2], cell)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
    optimizer.step()
    return loss.item()


def _follow(average: CPnet, net: CPnet, step: int) -> None:
    """The moving average, which forgets faster in the beginning."""
    keep = min(0.995, (1 + step) / (20 + step))
    with torch.no_grad():
        for mean, new in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
            if mean.dtype.is_floating_point:
                mean.mul_(keep).add_(new, alpha=1 - keep)
            else:
                mean.copy_(new)


def _batch(
    examples: list[Example], chance: np.ndarray, diameter: float, rng: np.random.RandomState
) -> tuple[torch.Tensor, torch.Tensor]:
    """[8, 2, 224, 224] and [8, 3, 224, 224]: tiles, and whether there is a cell, and its flows."""
    images, labels, scales = [], [], []
    for index in rng.choice(len(examples), BATCH, p=chance):
        example = examples[index]
        scale = example.diameter / diameter
        image = example.image.astype(np.float32)
        label = np.concatenate([(example.labels > 0).astype(np.float32)[None], example.flow.astype(np.float32)])
        box = _crop(label.shape[1:], int(TILE * scale * 1.9) + 8, rng)
        images.append(image[:, *box])
        labels.append(label[:, *box])
        scales.append(scale)
    x, y, _ = transforms.random_rotate_and_resize(
        images, Y=labels, rescale=np.array(scales), scale_range=0.5, xy=(TILE, TILE)
    )[:3]
    for tile in x:
        _disturb(tile, rng)
    x = torch.from_numpy(x.astype(np.float32)).contiguous(memory_format=torch.channels_last)
    return x, torch.from_numpy(y.astype(np.float32))


def _crop(size: tuple[int, int], side: int, rng: np.random.RandomState) -> tuple[slice, slice]:
    """What a tile needs of a large image, so that turning it takes less time."""
    starts = [rng.randint(0, length - side) if length > side else 0 for length in size]
    return tuple(slice(start, start + side) for start in starts)


def _disturb(tile: np.ndarray, rng: np.random.RandomState) -> None:
    """Another contrast, noise, gamma, or light and dark exchanged, in the first channel."""
    if rng.rand() < 0.3:
        tile[0] = tile[0] * rng.uniform(0.6, 1.5) + rng.uniform(-0.1, 0.1)
    if rng.rand() < 0.25:
        tile[0] += rng.randn(*tile[0].shape) * rng.uniform(0, 0.15)
    if rng.rand() < 0.15:
        tile[0] = np.sign(tile[0]) * np.abs(tile[0]) ** rng.uniform(0.6, 1.6)
    if rng.rand() < 0.05:
        tile[0] = 1 - tile[0]
