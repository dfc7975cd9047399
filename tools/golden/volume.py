"""`volume`: whole runs with `do_3D`; `volume_stages`: from the flows of one of them to masks, stage by stage."""

from collections.abc import Iterator

import numpy as np
import torch
from cellpose import dynamics, models, utils

from tools.golden.compare import GOLDEN
from tools.network import cellpose_model
from tools.store import Arrays, load

RUNS = {
    "iso": {},
    "aniso": {"anisotropy": 2.0},
    "smooth": {"anisotropy": 2.0, "flow3D_smooth": 2},
    "scaled": {"anisotropy": 2.0, "diameter": 22.0},
    "augment": {"anisotropy": 2.0, "augment": True},
}
STEPS = 200


def files() -> Iterator[tuple[str, Arrays]]:
    """`volume` and `volume_stages`."""
    # Blurred ellipsoids, every second plane of them: it was made once, and is kept in the file itself.
    stack = load(GOLDEN / "volume.safetensors.gz")["stack"]
    model = cellpose_model("nuclei")
    arrays = {"stack": stack}
    for tag, changes in RUNS.items():
        masks, flows, style = _run(model, stack, changes)
        arrays[f"{tag}_masks"] = np.asarray(masks)
        if tag == "aniso":
            stages = _stages(flows[1].astype(np.float16), flows[2].astype(np.float16))
            arrays["aniso_style"] = np.asarray(style, np.float32)[::40]
    yield "volume", arrays
    yield "volume_stages", stages | _holes()


def _run(model: models.CellposeModel, stack: np.ndarray, changes: dict) -> tuple:
    arguments = {"channels": [0, 0], "diameter": 17.0, "min_size": 60} | changes
    return model.eval(stack, z_axis=0, do_3D=True, **arguments)


def _stages(dp: np.ndarray, cellprob: np.ndarray) -> Arrays:
    """The flows of the voxels in cells only, and every fourth or 32nd end point: the rest would be large."""
    inside = cellprob > 0
    cells = np.nonzero(inside)
    steps = dp.astype(np.float32) * inside / 5.0
    linear, nearest = (
        np.asarray(dynamics.follow_flows(steps, inds=cells, niter=STEPS, interp=interp), np.float32)
        for interp in (True, False)
    )
    raw = dynamics.get_masks_torch(torch.from_numpy(linear.copy()).int(), cells, dp.shape[1:])
    return {
        "inside": inside.astype(np.uint8),
        "dP_inside": dp[:, inside],
        "p_interp1": linear[:, ::4],
        "p_interp0": nearest[:, ::32],
        "masks_raw": raw,
    }


def _holes() -> Arrays:
    """Shells around nothing, a cell and another shell, a cup, a shell open at an edge, specks, and numbers with gaps."""
    labels = np.zeros((20, 24, 40), np.uint16)
    boxes = [
        (1, 8, 1, 8, 1, 8, 1),
        (2, 7, 2, 7, 2, 7, 0),
        (3, 5, 3, 5, 3, 5, 2),
        (1, 12, 10, 22, 1, 13, 3),
        (2, 11, 11, 21, 2, 12, 0),
        (4, 9, 13, 18, 4, 9, 4),
        (5, 8, 14, 17, 5, 8, 0),
        (10, 18, 1, 8, 1, 9, 6),
        (12, 18, 2, 7, 2, 8, 0),
        (2, 9, 2, 9, 20, 28, 7),
        (3, 8, 3, 8, 21, 27, 0),
        (2, 3, 2, 3, 20, 28, 0),
        (14, 20, 14, 24, 20, 40, 9),
        (15, 19, 15, 24, 21, 39, 0),
        (2, 4, 14, 16, 30, 33, 10),
        (6, 9, 14, 18, 30, 38, 11),
        (7, 8, 15, 17, 31, 37, 0),
    ]
    for front, back, top, bottom, left, right, label in boxes:
        labels[front:back, top:bottom, left:right] = label
    arrays = {"holes_in": labels}
    for size in 15, -1:
        arrays[f"holes_min{size}"] = utils.fill_holes_and_remove_small_masks(labels.copy(), min_size=size)
    return arrays
