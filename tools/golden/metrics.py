"""`metrics_*`: the masks of a model against the true cells."""

from collections.abc import Iterator

import numpy as np
from cellpose import metrics, models, utils

from tools.golden.inputs import FOUND, INPUTS, Input, found
from tools.network import cellpose_model
from tools.store import Arrays

THRESHOLDS = np.arange(0.5, 1.0, 0.05)
SCALES = [0.025, 0.1, 0.25]


def files() -> Iterator[tuple[str, Arrays]]:
    """`metrics_nuclei` and `metrics_cyto`."""
    for name in "nuclei", "cyto":
        yield f"metrics_{name}", _scores(name)


def _scores(name: str) -> Arrays:
    model, images = cellpose_model(name), INPUTS[name][:4]
    true = [image.cells() for image in images]
    pred = [_masks(model, image, cells) for image, cells in zip(images, true, strict=True)]
    pred[3] = np.roll(pred[3], 3, axis=1)  # a worse result than the models give
    return _each(true, pred) | _all(true, pred)


def _masks(model: models.CellposeModel, image: Input, cells: np.ndarray) -> np.ndarray:
    if image.path == FOUND.replace("_found", ""):
        return found().astype(np.int32)
    masks, _, _ = model.eval(image.pixels(), channels=[0, 0], diameter=float(utils.diameters(cells)[0]))
    return np.asarray(masks, np.int32)


def _each(true: list[np.ndarray], pred: list[np.ndarray]) -> Arrays:
    arrays = {}
    for index, (cells, masks) in enumerate(zip(true, pred, strict=True)):
        iou, match = metrics.mask_ious(cells, masks)
        assert max(cells.max(), masks.max()) < 256, "the labels need more than 8 bits"
        arrays |= {
            f"{index}_true": cells.astype(np.uint8),
            f"{index}_pred": masks.astype(np.uint8),
            f"{index}_iou": iou,
            f"{index}_match": match.astype(np.int32),
        }
    return arrays


def _all(true: list[np.ndarray], pred: list[np.ndarray]) -> Arrays:
    ap, tp, fp, fn = metrics.average_precision(true, pred, threshold=list(THRESHOLDS))
    precision, recall, score = metrics.boundary_scores(true, pred, SCALES)
    return {
        "thresholds": THRESHOLDS,
        "ap": ap,
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "aji": metrics.aggregated_jaccard_index(true, pred),
        "scales": np.array(SCALES),
        "bprecision": precision,
        "brecall": recall,
        "bfscore": score,
    }
