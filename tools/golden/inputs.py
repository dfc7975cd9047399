"""The images that the golden vectors begin with; `tests/data/inputs/README.md` says where they are from."""

from dataclasses import dataclass

import cv2
import numpy as np
from cellpose import utils

from tools.environment import ROOT

DATA = ROOT / "tests" / "data"


@dataclass(frozen=True)
class Input:
    """One image under `tests/data`.

    Attributes
    ----------
    path
        The image's file. Grey images of the Data Science Bowl are stored as one channel.
    diameter
        Median diameter of its true cells in pixels, which the runs are given.
    labels
        The file of its true cells, where a stage takes them.
    channels
        3 where the run is given an RGB image, as the Data Science Bowl has them.
    """

    path: str
    diameter: float
    labels: str | None = None
    channels: int = 1

    def pixels(self) -> np.ndarray:
        """[Y, X] or, of three channels, [Y, X, 3] in the order red, green, blue."""
        image = _read(self.path)
        if image.ndim == 3:
            return np.ascontiguousarray(image[..., 2::-1])
        return image if self.channels == 1 else np.repeat(image[..., None], self.channels, axis=-1)

    def gray(self) -> np.ndarray:
        """[Y, X]: the first channel."""
        pixels = self.pixels()
        return pixels if pixels.ndim == 2 else pixels[..., 0]

    def raw_labels(self) -> np.ndarray:
        """[Y, X]: the true cells, numbered as in the data set."""
        return _read(self.labels)

    def cells(self, side: int | None = None) -> np.ndarray:
        """[Y, X], int32: the true cells without holes and specks, of the top left corner of `side` pixels."""
        labels = self.raw_labels()[:side, :side].astype(np.int32)
        return utils.fill_holes_and_remove_small_masks(labels, min_size=5).astype(np.int32)


def _read(path: str) -> np.ndarray:
    image = cv2.imread(str(DATA / path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise SystemExit(f"{DATA / path}: not there, or not an image")
    return image


def _bowl(path: str, diameter: float, labels: str | None = None) -> Input:
    return Input(path, diameter, labels, channels=3)


_DBBFE08A = "nuclei.png", 19.48, "inputs/dsb2018_dbbfe08a_labels.png"

INPUTS = {
    "nuclei": [
        _bowl(*_DBBFE08A),
        _bowl("inputs/dsb2018_55f98f43.png", 20.06, "inputs/dsb2018_55f98f43_labels.png"),
        _bowl("inputs/dsb2018_87642352.png", 28.46, "inputs/dsb2018_87642352_labels.png"),
        _bowl(
            "evaluate/fluorescence/dsb2018_1bd0f2b3.png",
            48.1,
            "evaluate/fluorescence/dsb2018_1bd0f2b3_labels.png",
        ),
        _bowl("inputs/dsb2018_5d58600e.png", 18.05),
    ],
    "cyto": [
        Input(
            "evaluate/endothelium/endothelium_ec04.png",
            29.11,
            "evaluate/endothelium/endothelium_ec04_labels.png",
        ),
        Input("inputs/synthetic_1.png", 21.2, "inputs/synthetic_1_labels.png"),
        Input("inputs/usiigaci_set46.png", 41.34, "inputs/usiigaci_set46_labels.png"),
        Input("inputs/synthetic_3.png", 36.62, "inputs/synthetic_3_labels.png"),
        _bowl(*_DBBFE08A),
    ],
}
"""Per model the images `im0`, `im1`, … of its golden files."""

SEED = {"nuclei": 1, "cyto": 2}
"""Seeds of the random arrays in them."""

FOUND = "inputs/usiigaci_set46_found.png"
"""What the model cyto finds in the whole image of `usiigaci_set46`, of which only a part is here."""


def found() -> np.ndarray:
    """[Y, X]: the labels of `FOUND`."""
    return _read(FOUND)
