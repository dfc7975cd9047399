"""Makes `tests/data/evaluate`: seven images that no network here was trained on, their true cells, and a list of them."""

import argparse
import sys
from pathlib import Path

from tools import environment

DATA = environment.ROOT / "tests" / "data" / "evaluate"
IMAGES = {
    "dsb2018_05040e2e": ("fluorescence", "nuclei"),
    "dsb2018_1bd0f2b3": ("fluorescence", "nuclei"),
    "dsb2018_953211bc": ("histology", "nuclei"),
    "dsb2018_9fb32aba": ("histology", "nuclei"),
    "endothelium_ec04": ("endothelium", "cyto"),
    "endothelium_ec20": ("endothelium", "cyto"),
    "usiigaci_set46": ("phase-contrast", "cyto"),
}
"""The folder of each image and the model for it."""
SIDE = 400
"""Pixels along y and x of the phase contrast image; the whole one is too large for the repository."""


def main() -> int:
    """Write the images; with `--check`, 1 where pixels, cells or the list are not the committed ones."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.evaluate", description=__doc__)
    parser.add_argument("sources", type=Path, help="folder that holds the three clones that tools/README.md names")
    parser.add_argument("out", type=Path, help="folder for the images, made if it is not there")
    parser.add_argument("--check", action="store_true", help="compare them with tests/data/evaluate as well")
    options = parser.parse_args()
    environment.enter("tools.evaluate")
    paths = _write(options.sources, options.out)
    if not options.check:
        return 0
    other = [path for path in paths if not _same(path, DATA / path.relative_to(options.out))]
    for path in other:
        print(f"{path}: differs from tests/data/evaluate/{path.relative_to(options.out)}")
    return 1 if other else 0


def _write(sources: Path, out: Path) -> list[Path]:
    import cv2
    import numpy as np
    from cellpose import utils

    paths, lines = [out / "images.txt"], []
    for name, (kind, model) in IMAGES.items():
        _, image, cells = _picture(sources, name)
        # No holes, no specks, and labels in the order of the rows.
        cells = utils.fill_holes_and_remove_small_masks(cells.astype(np.int32), min_size=10)
        # The diameter is that of the whole image's cells.
        lines.append(f"{kind} {name} {model} {round(float(utils.diameters(cells)[0]), 2)}\n")
        if image.ndim == 3:
            gray = (image == image[..., :1]).all()
            image = image[..., 0] if gray else image[..., ::-1]
        if kind == "phase-contrast":
            image, cells = _middle(image), _middle(cells)
            image = np.rint(image / 257).astype(np.uint8)  # 65535 becomes 255
        (out / kind).mkdir(parents=True, exist_ok=True)
        for content, path in (image, f"{name}.png"), (cells.astype(np.uint16), f"{name}_labels.png"):
            paths.append(out / kind / path)
            cv2.imwrite(str(paths[-1]), content)
    paths[0].write_text("".join(lines))
    return paths


def _picture(sources: Path, name: str):
    """The whole image and its cells, numbered as in the data set."""
    from tools.weights import collect

    source, key = name.split("_")
    if source == "dsb2018":
        folders = sources / "kaggle-dsbowl-2018-dataset-fixes" / "stage1_train"
        return collect.bowl_picture(min(folders.glob(f"{key}*"), default=folders / key))
    if source == "usiigaci":
        return collect.usiigaci_picture(sources / "Usiigaci" / "Mask R-CNN" / "val" / key)
    folder = sources / "endothelial-cell-seg" / "data" / "EC" / "train" / "image" / "all"
    return collect.endothelium_picture(folder / f"{int(key.removeprefix('ec'))}.bmp")


def _middle(pixels):
    top, left = ((size - SIDE) // 2 for size in pixels.shape)
    return pixels[top : top + SIDE, left : left + SIDE]


def _same(new: Path, old: Path) -> bool:
    """True where pixels and their type are equal; another PNG library may pack them otherwise."""
    if new.suffix == ".txt":
        return new.read_bytes() == old.read_bytes()
    import cv2

    ours, theirs = (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in (new, old))
    return theirs is not None and ours.dtype == theirs.dtype and ours.shape == theirs.shape and (ours == theirs).all()


if __name__ == "__main__":
    sys.exit(main())
