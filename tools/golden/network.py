"""`network_*`: the network on one tile."""

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from cellpose import transforms

from tools.golden.inputs import INPUTS, SEED
from tools.network import cellpose_model
from tools.store import Arrays

CORNER = 16
"""Rows and columns that are kept of a map on the way down."""


def files() -> Iterator[tuple[str, Arrays]]:
    """`network_nuclei` and `network_cyto`."""
    # Two tiles in one batch, of which the first is kept: alone, its last digits are others.
    tiles = np.stack([_tile(image.pixels()) for image in INPUTS["nuclei"][:2]])
    yield "network_nuclei", _run("nuclei", tiles, downs=True)
    noise = np.random.RandomState(SEED["cyto"]).randn(1, 2, 144, 208).astype(np.float32)
    yield "network_cyto", _run("cyto", noise, downs=False)


def _tile(rgb: np.ndarray) -> np.ndarray:
    """[2, 224, 224]: the mean of an image's channels, and an empty second channel."""
    gray = transforms.normalize99(rgb.astype(np.float32).mean(-1))
    gray = cv2.resize(gray, (224, 224), interpolation=cv2.INTER_LINEAR)
    return np.stack([gray, np.zeros_like(gray)]).astype(np.float32)


def _run(model: str, x: np.ndarray, downs: bool) -> Arrays:
    with torch.no_grad():
        y, style, maps = cellpose_model(model).net(torch.from_numpy(x))
    arrays = {"x": x[:1], "y": y[:1].numpy(), "style": style[:1].numpy()}
    if downs:
        corners = (part[:1, :, :CORNER, :CORNER].numpy().astype(np.float16) for part in maps)
        arrays |= {f"down_{level}": corner for level, corner in enumerate(corners)}
    return arrays
