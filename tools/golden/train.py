"""`train_*`: steps of training, the learning rates, augmentation and the size model's regression."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from cellpose import dynamics, resnet_torch, train, transforms

from tools.golden.compare import GOLDEN
from tools.golden.inputs import DATA, INPUTS
from tools.store import Arrays, load

SAMPLES = 16
"""At most so many values are kept of an array, at equal distances, after its norm."""

RUNS = 8
"""Runs in single precision, the first of which is as it is."""

OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1, weight_decay=1e-5, momentum=0.9),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=0.005, weight_decay=1e-5),
}

PART = slice(100, 196), slice(100, 180)
"""The part of the image that is augmented."""

CASES = [(0.5, 1.15, (64, 64)), (1.0, None, (48, 80)), (0.0, 1.7, (64, 64)), (0.5, 0.4, (64, 48))]
"""Of augmentation: the range of scales, the diameter over that of the model, and the size of the tile."""


def files() -> Iterator[tuple[str, Arrays]]:
    """`train_tiny`, `train_rates`, `train_augment` and `train_size`."""
    torch.set_num_threads(1)
    yield "train_tiny", _tiny()
    yield "train_rates", {f"lr_{epochs}": _rates(epochs, 0.2) for epochs in (20, 100, 150, 301, 500)}
    yield "train_augment", _augment()
    yield "train_size", _size()


def _tiny() -> Arrays:
    """A batch through `models/tiny.pth` in double precision.

    `single.NAME` is how far the original's single precision is from that, the norm of the difference: the most of some
    runs with the last bits of the batch and of the parameters moved, since rounding errors grow from step to step. The
    batch is that of the committed file.
    """
    kept = load(GOLDEN / "train_tiny.safetensors.gz")
    batch = {"x": kept["x"], "label": kept["label"]}
    double = _run(batch, torch.float64)
    singles = [_run(batch, torch.float32, seed) for seed in range(RUNS)]
    arrays = dict(batch)
    for name, array in double.items():
        errors = [single[name] - array for single in singles]
        if name.endswith(("loss", "losses")):
            arrays[name], arrays[f"single.{name}"] = array, np.abs(errors).max(axis=0)
        else:
            arrays[name] = _digest(array)
            arrays[f"single.{name}"] = np.array([max(np.linalg.norm(error) for error in errors)])
    return arrays


def _digest(array: np.ndarray) -> np.ndarray:
    """The norm of an array and some of its values."""
    values = array.ravel()
    return np.concatenate([[math.sqrt((values * values).sum())], values[:: math.ceil(values.size / SAMPLES)]])


def _run(batch: Arrays, precision: torch.dtype, seed: int = 0) -> Arrays:
    """Loss, gradients, running statistics, and the state after one and five steps of each optimizer."""
    batch = batch | {"x": _moved(torch.from_numpy(batch["x"]), np.random.default_rng(seed) if seed else None).numpy()}
    net = _net(precision, seed)
    loss = _loss(net, batch, precision)
    loss.backward()
    arrays = {"loss": np.array([loss.item()])}
    for name, parameter in net.named_parameters():
        if parameter.grad is not None:
            arrays[f"grad.{name}"] = parameter.grad.double().numpy()
    for name, buffer in net.named_buffers():
        if "running" in name:
            arrays[f"after_forward.{name}"] = buffer.double().numpy()
    for optimizer in OPTIMIZERS:
        arrays |= _steps(optimizer, batch, precision, seed)
    return arrays


def _steps(name: str, batch: Arrays, precision: torch.dtype, seed: int) -> Arrays:
    net, arrays, losses = _net(precision, seed), {}, []
    optimizer = OPTIMIZERS[name](net.parameters())
    for step in range(1, 6):
        loss = _loss(net, batch, precision)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step in (1, 5):
            for key, value in net.state_dict().items():
                if value.is_floating_point() and "diam" not in key:
                    arrays[f"{name}{step}.{key}"] = value.double().numpy().copy()
    return arrays | {f"{name}_losses": np.array(losses)}


def _moved(values: torch.Tensor, rng: np.random.Generator | None) -> torch.Tensor:
    """The values with their last bits moved at random; as they are without random numbers."""
    if rng is None:
        return values
    return (values.double() * torch.from_numpy(1 + rng.uniform(-6e-8, 6e-8, values.shape))).float()


def _net(precision: torch.dtype, seed: int) -> torch.nn.Module:
    net = resnet_torch.CPnet([2, 4, 8, 16, 32], 3, sz=3, max_pool=True)
    net.load_state_dict(torch.load(DATA / "models" / "tiny.pth"))
    net.mkldnn = False
    rng = np.random.default_rng(seed) if seed else None
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(_moved(parameter, rng))
    return net.to(precision).train()


def _loss(net: torch.nn.Module, batch: Arrays, precision: torch.dtype) -> torch.Tensor:
    """`train._loss_fn_seg`, which makes single precision of the labels."""
    y, label = net(torch.from_numpy(batch["x"]).to(precision))[0], torch.from_numpy(batch["label"])
    flow = torch.nn.MSELoss()(y[:, :2], 5.0 * label[:, 1:].to(precision)) / 2.0
    loss = flow + torch.nn.BCEWithLogitsLoss()(y[:, -1], (label[:, 0] > 0.5).to(precision))
    assert precision != torch.float32 or loss == train._loss_fn_seg(batch["label"], y, torch.device("cpu"))
    return loss


def _rates(epochs: int, rate: float) -> np.ndarray:
    """What `train.train_seg` computes within itself."""
    rates = np.append(np.linspace(0, rate, 10), rate * np.ones(max(0, epochs - 10)))
    length = 10 if epochs > 300 else 5 if epochs > 100 else 0
    if length:
        rates = rates[: -10 * length]
        for _ in range(10):
            rates = np.append(rates, rates[-1] / 2 * np.ones(length))
    return rates


def _augment() -> Arrays:
    """`transforms.random_rotate_and_resize` with the random numbers that it draws."""
    scene = INPUTS["nuclei"][0]
    image = transforms.normalize99(scene.gray()[PART].astype(np.float32))
    cells = scene.cells()[PART]
    labels = dynamics.labels_to_flows([cells], device=torch.device("cpu"))[0]
    arrays = {"image": image, "cells": cells, "labels": labels[1:].astype(np.float32)}
    for i, (scale_range, rescale, size) in enumerate(CASES):
        np.random.seed(i)
        draws = np.random.rand(5)
        np.random.seed(i)
        image_out, labels_out, scale = transforms.random_rotate_and_resize(
            [image[np.newaxis]],
            Y=[arrays["labels"]],
            scale_range=scale_range,
            rescale=None if rescale is None else [rescale],
            xy=size,
        )
        arrays[f"{i}_options"] = np.array([scale_range, rescale or 1.0, *draws])
        arrays[f"{i}_image"], arrays[f"{i}_labels"], arrays[f"{i}_scale"] = image_out[0], labels_out[0], scale
    return arrays


def _size() -> Arrays:
    """What `train.train_size` computes within itself, of random styles and logarithms of relative diameters."""
    rng = np.random.RandomState(7)
    styles = rng.randn(60, 32).astype(np.float32)
    styles /= np.linalg.norm(styles, axis=1, keepdims=True)
    sizes = (rng.randn(60) * 0.4 + 0.1).astype(np.float32)
    mean = styles.mean(axis=0)
    x = (styles - mean).T
    coefficients = np.linalg.solve(x @ x.T + 1.0 * np.eye(x.shape[0]), x @ (sizes - sizes.mean()))
    return {
        "styles": styles,
        "log_ratio": sizes,
        "A": coefficients,
        "smean": mean,
        "ymean": np.array([sizes.mean()]),
    }
