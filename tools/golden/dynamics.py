"""`dynamics_*`: from the network's flows to masks, stage by stage; `holes`: the filter of small masks."""

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from cellpose import dynamics, metrics, models, utils

from tools.golden.inputs import INPUTS
from tools.network import cellpose_model
from tools.store import Arrays

IMAGES = ("nuclei", 0), ("cyto", 1)
STEPS = 200


def files() -> Iterator[tuple[str, Arrays]]:
    """`dynamics_nuclei_0`, `dynamics_cyto_1` and `holes`."""
    for name, index in IMAGES:
        model = cellpose_model(name)
        yield f"dynamics_{name}_{index}", _stages(model, INPUTS[name][index].pixels())
    yield "holes", _holes()


def _stages(model: models.CellposeModel, image: np.ndarray) -> Arrays:
    _, flows, _ = model.eval(image, channels=[0, 0], diameter=None, compute_masks=False)
    dp, cellprob = flows[1].astype(np.float32), flows[2].astype(np.float32)
    cells = np.nonzero(cellprob > 0)
    bilinear, nearest = (
        np.asarray(dynamics.follow_flows(dp * (cellprob > 0) / 5.0, inds=cells, niter=STEPS, interp=interp), np.float32)
        for interp in (True, False)
    )
    ends = torch.from_numpy(bilinear.copy()).int()
    raw = dynamics.get_masks_torch(ends, cells, dp.shape[1:])
    error, _ = metrics.flow_error(raw.copy(), dp, torch.device("cpu"))
    checked = dynamics.remove_bad_flow_masks(raw.copy(), dp, threshold=0.4)
    loose = dynamics.compute_masks(dp, cellprob, niter=137, cellprob_threshold=-2.0, flow_threshold=0.0)
    return {
        "dP": dp,
        "cellprob": cellprob,
        "p_interp1": bilinear,
        "p_interp0": nearest,
        "masks_raw": raw,
        "flow_error": np.asarray(error),
        "masks_qc": checked,
        "masks": utils.fill_holes_and_remove_small_masks(checked.copy(), min_size=15),
        "masks_prob-2_ft0_min5": utils.fill_holes_and_remove_small_masks(loose, min_size=5),
    }


def _holes() -> Arrays:
    """A ring around a cell, a hole with a cell in it, a notch, specks, and numbers with gaps."""
    ring = np.zeros((60, 80), np.uint8)
    cv2.circle(ring, (20, 20), 14, 1, 4)
    labels = ring.astype(np.uint16)
    boxes = [
        (17, 23, 17, 23, 2),
        (40, 58, 5, 30, 3),
        (44, 50, 9, 15, 0),
        (46, 48, 11, 13, 4),
        (0, 9, 50, 79, 5),
        (0, 4, 60, 66, 0),
        (30, 34, 50, 54, 7),
        (50, 51, 70, 75, 9),
    ]
    for top, bottom, left, right, label in boxes:
        labels[top:bottom, left:right] = label
    arrays = {"holes_in": labels}
    for size in 15, -1:
        arrays[f"holes_min{size}"] = utils.fill_holes_and_remove_small_masks(labels.copy(), min_size=size)
    return arrays
