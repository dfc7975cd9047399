"""`transforms`: normalisation, resizing, tapers, tiles and padding."""

from collections.abc import Iterator

import cv2
import numpy as np
from cellpose import transforms

from tools.golden.inputs import INPUTS, SEED, Input
from tools.store import Arrays

TILE = 224
TAPERS = (144, 208), (224, 96)
SIZES = (256, 256), (224, 300), (513, 700), (96, 1000), (1040, 1388)
SCALES = 0.43, 0.8125, 1.7


def files() -> Iterator[tuple[str, Arrays]]:
    """`transforms`."""
    image = INPUTS["nuclei"][0]
    random = _gamma()
    yield "transforms", _normalized(image, random) | _resized(image, random) | _tapers() | _grids()


def _gamma() -> np.ndarray:
    """[97, 141]: a random image, as skewed as fluorescence is."""
    rng = np.random.RandomState(SEED["nuclei"])
    rng.randn(1, 2, 144, 208)  # drawn for another array, once
    return rng.gamma(2.0, 3.0, (97, 141)).astype(np.float32)


def _normalize(plane: np.ndarray, **options) -> np.ndarray:
    return transforms.normalize_img(plane[..., None].astype(np.float32), **options)[..., 0]


def _normalized(image: Input, random: np.ndarray) -> Arrays:
    deep = (image.gray().astype(np.uint16) * 131 + 7)[:120, :133]
    return {
        "norm_u16_in": deep,
        "norm_u16_out": _normalize(deep),
        "norm_f32_in": random,
        "norm_f32_out_1_99": _normalize(random),
        "norm_f32_out_3_98_invert": _normalize(random, percentile=(3.0, 98.0), invert=True),
        "norm_f32_lowhigh_1_12": _normalize(random, lowhigh=[1.0, 12.0]),
    }


def _resized(image: Input, random: np.ndarray) -> Arrays:
    two = np.stack([random, random[::-1]], -1)
    arrays = {f"resize_linear_{scale}": transforms.resize_image(two, rsz=scale) for scale in SCALES}
    labels = image.raw_labels().astype(np.uint16)
    height, width = int(labels.shape[0] * 0.61), int(labels.shape[1] * 1.37)
    nearest = transforms.resize_image(labels, height, width, interpolation=cv2.INTER_NEAREST, no_channels=True)
    return arrays | {"label_in": labels, "resize_nearest_label": nearest}


def _tapers() -> Arrays:
    return {f"taper_{height}_{width}": transforms._taper_mask(height, width) for height, width in TAPERS}


def _grids() -> Arrays:
    arrays = {}
    for height, width in SIZES:
        arrays[f"pad_{height}_{width}"] = np.array(transforms.get_pad_yx(height, width), np.int32)
        for augment, word in (False, "plain"), (True, "aug"):
            empty = np.zeros((1, height, width), np.float32)
            _, ys, xs, _, _ = transforms.make_tiles(empty, bsize=TILE, augment=augment, tile_overlap=0.1)
            rows = np.concatenate([np.array(ys), np.array(xs)], 1)
            arrays[f"tiles_{height}_{width}_{word}"] = rows.astype(np.int32)
    return arrays
