"""`flows_*`: flows of true cells, their diameter, outlines, and the cells away from the edges."""

from collections.abc import Iterator

import numpy as np
from cellpose import dynamics, utils

from tools.golden.inputs import INPUTS
from tools.store import Arrays

IMAGES = 0, 2
SIDE = 300
"""Rows and columns, from the top left, that are used of a larger image."""


def files() -> Iterator[tuple[str, Arrays]]:
    """`flows_0` and `flows_2`."""
    for index in IMAGES:
        yield f"flows_{index}", _flows(INPUTS["nuclei"][index].cells(SIDE))


def _flows(labels: np.ndarray) -> Arrays:
    return {
        "lab": labels,
        "mu": dynamics.masks_to_flows(labels).astype(np.float32),
        "mu_niter37": dynamics.masks_to_flows(labels, niter=37).astype(np.float32),
        "mu_v3gpu": dynamics.masks_to_flows_gpu(labels)[0].astype(np.float32),
        "diam": np.array([utils.diameters(labels)[0]], np.float64),
        "outlines": utils.masks_to_outlines(labels),
        "no_edges": utils.remove_edge_masks(labels.copy()).astype(np.int32),
    }
