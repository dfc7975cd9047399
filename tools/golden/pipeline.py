"""`pipeline_*`: whole runs of `CellposeModel.eval`, their arguments beside them; `maps_*`: the flows of one run."""

from collections.abc import Iterator

import fastremap
import numpy as np
from cellpose import models, utils

from tools.golden.inputs import INPUTS, Input
from tools.network import cellpose_model, cellpose_size_model
from tools.store import Arrays

Runs = list[dict]


def files() -> Iterator[tuple[str, Arrays | Runs]]:
    """`pipeline_*` with its arguments, and `maps_*`, of both models."""
    for name in "nuclei", "cyto":
        model, images = cellpose_model(name), INPUTS[name]
        arrays, runs = _inputs(images), _runs(images)
        for run in runs:
            found, flows = _run(model, arrays, run)
            arrays |= found
            if run["tag"] == "im0_diam":
                dp, cellprob = (np.asarray(flows[index], np.float32).astype(np.float16) for index in (1, 2))
                yield f"maps_{name}", {"im0_diam_dP": dp, "im0_diam_cellprob": cellprob}
        arrays |= _sizes(name, model, images)
        yield f"pipeline_{name}", arrays
        yield f"pipeline_{name}", runs


def _inputs(images: list[Input]) -> Arrays:
    arrays = {f"im{index}": image.pixels() for index, image in enumerate(images)}
    gray = images[1].gray()
    return arrays | {"rgb": np.stack([gray, gray[::-1], gray[:, ::-1]], -1)}


def _runs(images: list[Input]) -> Runs:
    """Name and arguments of each run; what is not named has its default."""
    runs = []
    for index, image in enumerate(images):
        runs.append({"tag": f"im{index}_auto", "diameter": None})
        runs.append({"tag": f"im{index}_diam", "diameter": image.diameter})
        if index == 0:
            runs += _options(image.diameter)
    runs.append({"tag": "rgb_2_3", "channels": [2, 3], "diameter": 20.0})
    runs.append({"tag": "rgb_gray", "diameter": 20.0})
    return runs


def _options(diameter: float) -> Runs:
    """The first image with one option after the other."""
    changes = {
        "noresample": {"diameter": round(diameter * 1.3, 2), "resample": False},
        "augment": {"augment": True},
        "loose": {"flow_threshold": 0.0, "cellprob_threshold": -1.5, "min_size": -1},
        "invert": {"invert": True},
        "nointerp": {"interp": False, "niter": 150},
        "bsize128": {"bsize": 128, "tile_overlap": 0.25},
        "tilenorm": {"normalize": {"tile_norm_blocksize": 80}},
        "perc": {"normalize": {"percentile": [5.0, 95.0]}},
        "smooth": {"normalize": {"smooth_radius": 1, "sharpen_radius": 6}},
    }
    return [{"tag": f"im0_{tag}", "diameter": diameter} | change for tag, change in changes.items()]


def _run(model: models.CellposeModel, images: Arrays, run: dict) -> tuple[Arrays, list]:
    """Masks and style of one run, and its flows; completes `run` by the number of cells and the channels."""
    arguments = {"channels": [0, 0]} | {key: value for key, value in run.items() if key != "tag"}
    tag = run["tag"]
    image = images[tag.split("_")[0]]
    masks, flows, style = model.eval(image, **arguments)
    arrays = {f"{tag}_masks": np.asarray(masks), f"{tag}_style": np.asarray(style, np.float32)}
    fixed = _without_gaps(model, image, arguments)
    if not np.array_equal(masks, fixed):
        arrays[f"{tag}_masks_fixed"] = np.asarray(fixed)
    run.clear()
    run.update({"tag": tag, "n": int(np.max(masks))} | arguments)
    return arrays, flows


def _without_gaps(model: models.CellposeModel, image: np.ndarray, arguments: dict) -> np.ndarray:
    """The masks where the filter of small masks gets numbers without gaps, as it takes them to be."""
    original = utils.fill_holes_and_remove_small_masks

    def fixed(masks: np.ndarray, min_size: int = 15) -> np.ndarray:
        return original(fastremap.renumber(masks.copy())[0], min_size=min_size)

    utils.fill_holes_and_remove_small_masks = fixed
    try:
        return model.eval(image, **arguments)[0]
    finally:
        utils.fill_holes_and_remove_small_masks = original


def _sizes(name: str, model: models.CellposeModel, images: list[Input]) -> Arrays:
    """Per image the diameter that the size model finds, and its first estimate, from the style alone."""
    size = cellpose_size_model(name, model)
    found = [size.eval(image.pixels(), channels=[0, 0]) for image in images]
    return {
        "size_final": np.array([float(final) for final, _ in found]),
        "size_style": np.array([float(style) for _, style in found]),
    }
