"""Makes `tests/data/evaluate`: seven images that no network here was trained on, their true cells, and a list of them.

With `--all`, the 33 images of the second table of `weights/README.md`.
"""

import argparse
import sys
from pathlib import Path

from tools import check, environment

MODELS = {
    "fluorescence": "nuclei",
    "bright-field": "nuclei",
    "histology": "nuclei",
    "endothelium": "cyto",
    "phase-contrast": "cyto",
}
COMMITTED = {
    "fluorescence": "dsb2018_05040e2e dsb2018_1bd0f2b3",
    "histology": "dsb2018_953211bc dsb2018_9fb32aba",
    "endothelium": "endothelium_ec04 endothelium_ec20",
    "phase-contrast": "usiigaci_set46",
}
WHOLE = {
    "fluorescence": "dsb2018_05040e2e dsb2018_175dbb36 dsb2018_1bd0f2b3 dsb2018_243443ae dsb2018_29ea4f6e "
    "dsb2018_3a22fe59 dsb2018_483b89aa dsb2018_538b7673 dsb2018_724b6b70 dsb2018_7ba20aa7 dsb2018_87642352 "
    "dsb2018_a65bbfc5 dsb2018_b1f23c4d dsb2018_cdab367b dsb2018_dbbfe08a dsb2018_ee927e82",
    "bright-field": "dsb2018_2a1a294e dsb2018_5d58600e",
    "histology": "dsb2018_1631352d dsb2018_33a5b0ff dsb2018_55f98f43 dsb2018_6ab24e7e dsb2018_953211bc "
    "dsb2018_9fb32aba",
    "endothelium": "endothelium_ec04 endothelium_ec12 endothelium_ec20 endothelium_ec28",
    "phase-contrast": "usiigaci_set46 usiigaci_set47 usiigaci_set48 usiigaci_set49 usiigaci_set50",
}
SIDE = 400
"""Pixels along y and x of the committed phase contrast image; the whole one is too large for the repository."""


def main() -> int:
    """Write the images; with `--check`, 1 where pixels, cells or the list are not the committed ones."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.evaluate", description=__doc__)
    parser.add_argument("sources", type=Path, help="folder that holds the three clones that tools/README.md names")
    parser.add_argument("out", type=Path, help="folder for the images, made if it is not there")
    parser.add_argument("--check", action="store_true", help="compare them with tests/data/evaluate as well")
    parser.add_argument("--all", action="store_true", help="the 33 images of the second table of weights/README.md")
    options = parser.parse_args()
    if options.all and options.check:
        parser.error("--check is for the seven committed images, without --all")
    environment.enter("tools.evaluate")
    paths = _write(options.sources, options.out, whole=options.all)
    return check.report(paths, options.out, "tests/data/evaluate", _same) if options.check else 0


def _write(sources: Path, out: Path, *, whole: bool) -> list[Path]:
    import cv2
    import numpy as np

    paths, lines = [out / "images.txt"], []
    for kind, names in (WHOLE if whole else COMMITTED).items():
        (out / kind).mkdir(parents=True, exist_ok=True)
        for name in names.split():
            image, cells, diameter = _image(sources, name)
            if kind == "phase-contrast" and not whole:
                # 65535 becomes 255.
                image, cells = np.rint(_middle(image) / 257).astype(np.uint8), _middle(cells)
            lines.append(f"{kind} {name} {MODELS[kind]} {diameter}\n")
            for content, path in (image, f"{name}.png"), (cells.astype(np.uint16), f"{name}_labels.png"):
                paths.append(out / kind / path)
                cv2.imwrite(str(paths[-1]), content)
    paths[0].write_text("".join(lines))
    return paths


def _image(sources: Path, name: str):
    """A whole image as OpenCV writes it, its cells, and their median diameter."""
    import numpy as np
    from cellpose import utils

    _, image, cells = _picture(sources, name)
    # No holes, no specks, and labels in the order of the rows.
    cells = utils.fill_holes_and_remove_small_masks(cells.astype(np.int32), min_size=10)
    if image.ndim == 3:
        gray = (image == image[..., :1]).all()
        image = image[..., 0] if gray else image[..., ::-1]
    return image, cells, round(float(utils.diameters(cells)[0]), 2)


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
