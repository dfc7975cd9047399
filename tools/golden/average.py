"""`average`: overlapping tiles of random numbers, averaged."""

from collections.abc import Iterator

import numpy as np
from cellpose import transforms

from tools.store import Arrays

TILE = 64
OUTPUTS = 3


def files() -> Iterator[tuple[str, Arrays]]:
    """`average`."""
    rng = np.random.default_rng(5)
    arrays = _average(rng, "unaugment", (80, 112), augment=True)
    yield "average", arrays | _average(rng, "average", (96, 80), augment=False)


def _average(rng: np.random.Generator, name: str, size: tuple[int, int], augment: bool) -> Arrays:
    """Tiles of half precision, so that the file is small, and their average."""
    image = rng.standard_normal((2, *size))
    tiles, ys, xs, height, width = transforms.make_tiles(image, bsize=TILE, augment=augment, tile_overlap=0.1)
    grid = tiles.shape[:2] if augment else _grid(ys, xs)
    half = rng.standard_normal((*grid, OUTPUTS, TILE, TILE)).astype(np.float16)
    y = half.astype(np.float32)
    if augment:
        y = transforms.unaugment_tiles(y)
    out = transforms.average_tiles(y.reshape(-1, OUTPUTS, TILE, TILE), ys, xs, height, width)
    return {f"{name}_tiles": half, f"{name}_out": out.astype(np.float32)}


def _grid(ys: list, xs: list) -> tuple[int, int]:
    """Rows and columns of tiles."""
    return len({start for start, _ in ys}), len({start for start, _ in xs})
