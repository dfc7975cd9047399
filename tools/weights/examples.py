"""What a network is trained on: normalised images, their cells, and the flows that it is to predict."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from cellpose import dynamics, transforms, utils

from tools.weights import drawn

SHARE = {
    "drawn": 0.45,
    "usiigaci": 0.22,
    "dsb2018": 0.16,
    "endothelium": 0.07,
    "codex": 0.04,
    "yeast": 0.03,
    "plant": 0.03,
}
"""How often the network for whole cells sees each group; the group of a folder that is not there is left out."""


@dataclass
class Example:
    """One image.

    Attributes
    ----------
    group
        Folder that it is from.
    image
        [2, Y, X], float16: cells and nuclei, each from its 1st (0) to its 99th percentile (1).
    labels
        [Y, X]: its cells.
    diameter
        Their median diameter in pixels.
    flow
        [2, Y, X], float16: their flows.
    weight
        How often it is drawn, besides its size.
    """

    group: str
    image: np.ndarray
    labels: np.ndarray
    diameter: float
    flow: np.ndarray
    weight: float = 1.0

    def chance(self) -> float:
        """Relative frequency in the batches: large images hold more to see, but are not all that differs."""
        return self.weight * _size(self)


def nuclei(data: Path) -> list[Example]:
    """The examples of `nuclei`: the Data Science Bowl's."""
    return [example for picture in _pictures(data / "dsb2018") if (example := _bowl_example(*picture))]


def cyto(data: Path, count: int = 260) -> list[Example]:
    """The examples of `cyto`: all groups and `count` drawn scenes, each group as often as `SHARE` says."""
    examples = [example for group in SHARE for example in _group(data, group)]
    examples += nuclei(data) + list(_drawn(count))
    number = Counter(example.group for example in examples)
    for example in examples:
        example.weight = SHARE[example.group] / number[example.group] / _size(example)
    return examples


def _size(example: Example) -> float:
    return min(4.0, max(0.5, (example.labels.size / (224 * 224)) ** 0.5))


def _pictures(folder: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Images and cells of a folder: `NAME.png` and `NAME_masks.png`."""
    for path in sorted(folder.glob("*_masks.png")):
        image = path.with_name(path.name.replace("_masks.png", ".png"))
        planes = cv2.imread(str(image), cv2.IMREAD_UNCHANGED), cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if any(plane is None for plane in planes):
            raise SystemExit(f"{image}: it or its masks cannot be read")
        pixels = planes[0] if planes[0].ndim == 2 else planes[0][..., 2::-1]
        yield pixels.astype(np.float32), planes[1].astype(np.int32)


def _bowl_example(pixels: np.ndarray, labels: np.ndarray) -> Example | None:
    labels = utils.fill_holes_and_remove_small_masks(labels, min_size=10) if labels.max() else labels
    gray = pixels if pixels.ndim == 2 else pixels.mean(-1)
    return _example("dsb2018", [gray], labels)


def _group(data: Path, group: str) -> Iterator[Example]:
    if group in ("dsb2018", "drawn"):
        return
    for pixels, labels in _pictures(data / group):
        for channels, part in _parts(group, pixels, labels):
            cells = utils.fill_holes_and_remove_small_masks(part.copy(), min_size=8)
            if cells.max() >= 3 and (example := _example(group, *_smaller(channels, cells))):
                yield example


def _parts(group: str, pixels: np.ndarray, labels: np.ndarray) -> Iterator[tuple[list[np.ndarray], np.ndarray]]:
    """Channels and cells; CODEX fields are cut into four, with membranes and nuclei as channels."""
    if group != "codex":
        yield [pixels if pixels.ndim == 2 else pixels.mean(-1)], labels
        return
    for top in 0, 504:
        for left in 0, 672:
            box = np.s_[top : top + 504, left : left + 672]
            yield [pixels[box][..., 0], pixels[box][..., 1]], labels[box]


def _smaller(channels: list[np.ndarray], labels: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Images of large cells, brought near the size of training, so that flows and crops take less time."""
    scale = 30.0 / utils.diameters(labels)[0]
    if scale >= 0.8:
        return channels, labels
    size = int(labels.shape[1] * scale * 1.25), int(labels.shape[0] * scale * 1.25)
    channels = [cv2.resize(channel, size, interpolation=cv2.INTER_AREA) for channel in channels]
    labels = cv2.resize(labels.astype(np.float32), size, interpolation=cv2.INTER_NEAREST).astype(np.int32)
    return channels, utils.fill_holes_and_remove_small_masks(labels, min_size=8)


def _drawn(count: int) -> Iterator[Example]:
    rng = np.random.RandomState(0)
    for _ in range(count):
        if scene := drawn.scene(rng):
            nuclei = rng.rand() < 0.45 and scene.stain != "dark"
            yield _example("drawn", [scene.cells, scene.nuclei] if nuclei else [scene.cells], scene.labels)


def _example(group: str, channels: list[np.ndarray], labels: np.ndarray) -> Example | None:
    diameter = float(utils.diameters(labels)[0]) if labels.max() >= 3 else 0.0
    if diameter <= 4:
        return None
    empty = np.zeros(labels.shape, np.float32)
    planes = [transforms.normalize99(plane.astype(np.float32)) if np.ptp(plane) else empty for plane in channels]
    image = np.stack([*planes, empty][:2]).astype(np.float16)
    flow = dynamics.masks_to_flows(labels).astype(np.float16)
    return Example(group, image, labels.astype(np.uint16), diameter, flow)
