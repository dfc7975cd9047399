"""The images that both sides get: those of `tests/data`, and larger ones made of them."""

import gzip
import json
import math
from pathlib import Path

import cv2
import numpy as np
import tifffile

HERE = Path(__file__).resolve().parent
DATA = HERE.parent.parent / "tests" / "data"
TYPES = {"U8": np.uint8, "U16": np.uint16, "F16": np.float16, "F32": np.float32}
# With the diameters of their nuclei in pixels.
REAL = [(DATA / "dsb2018_175dbb36.png", 28.0), (DATA / "nuclei.png", 17.0)]
EXTENSIONS = {".tif", ".tiff", ".png", ".jpg", ".jpeg"}


def mosaic(side, seed=0):
    """A picture of `side` by `side`: `nuclei.png` repeated, each time mirrored, from a corner and with a noise of
    a few grey levels that depend on `seed` alone, so that no two tiles are the same."""
    nuclei = cv2.imread(str(DATA / "nuclei.png"), cv2.IMREAD_GRAYSCALE)
    random = np.random.default_rng(seed)
    top, left = (int(random.integers(0, length)) for length in nuclei.shape) if seed else (0, 0)
    padding = [(0, top + side), (0, left + side)]
    picture = np.pad(nuclei, padding, mode="symmetric")[top:top + side, left:left + side]
    noise = random.integers(-2, 3, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def write_mosaic(folder, side, seed=0):
    path = folder / f"mosaic_{side}_{seed}.tif"
    if not path.exists():
        tifffile.imwrite(path, mosaic(side, seed))
    return path


def in_folder(folder):
    found = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in EXTENSIONS)
    return [path.resolve() for path in found]


def network_tiles(batch):
    """`[batch, 2, 224, 224]`, normalised, as cellpose gives them to the network."""
    pictures = [mosaic(224, seed + 1).astype(np.float32) for seed in range(batch)]
    low_high = [np.percentile(picture, [1, 99]) for picture in pictures]
    tiles = np.zeros((batch, 2, 224, 224), np.float32)
    for tile, picture, (low, high) in zip(tiles, pictures, low_high):
        tile[0] = (picture - low) / (high - low)
    return tiles


def output_tiles(side):
    """Random outputs of the network for each tile of a square picture: `[tiles, 3, tile, tile]`."""
    padded = -(-side // 16) * 16 + 16
    across = 1 if padded <= 224 else math.ceil(1.2 * padded / 224)
    tile = min(224, padded)
    return np.random.default_rng(side).standard_normal((across**2, 3, tile, tile), np.float32)


def golden(name, *keys):
    """Arrays of a file of golden outputs (safetensors, compressed)."""
    with gzip.open(DATA / "golden" / f"{name}.safetensors.gz") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        values = file.read()
    found = (header[key] for key in keys)
    return [np.frombuffer(values[slice(*entry["data_offsets"])], TYPES[entry["dtype"]]).reshape(entry["shape"])
            for entry in found]


def volume():
    """A stack of 26 planes with 59 nuclei, whose planes lie two pixels apart, `[depth, height, width]`."""
    return golden("volume", "stack")[0].astype(np.float32)


def volume_maps(across):
    """What the original's network found in this stack: flows `[3, depth, height, width]` inside of cells, and a cell
    probability that is 1 there. There are `across` by `across` such volumes side by side."""
    inside, found = golden("volume_stages", "inside", "dP_inside")
    flows = np.zeros((3, *inside.shape), np.float32)
    flows[:, inside > 0] = found.reshape(3, -1)
    return np.tile(flows, (1, 1, across, across)), np.tile(inside.astype(np.float32), (1, across, across))
