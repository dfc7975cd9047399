"""Masks in the files of cellpose's graphical program."""

import datetime
import os
from pathlib import Path

import numpy as np
from cellpose import io

CELLS = {1: np.s_[1:4, 1:6], 2: np.s_[5:8, 2:5], 5: np.s_[4:9, 7:11]}


def write(folder: Path) -> None:
    """`small_seg.npy`, as `io.masks_flows_to_seg` writes it, and `gui_seg.npy`, as the graphical program does."""
    masks = np.zeros((9, 12), np.int32)
    for label, box in CELLS.items():
        masks[box] = label
    size = masks.shape
    flows = [np.zeros((*size, 3), np.uint8), np.zeros((2, *size), np.float32), np.zeros(size, np.float32)]
    start = Path.cwd()
    try:
        os.chdir(folder)  # the file holds the name that it is given
        io.masks_flows_to_seg(np.zeros(size, np.uint8), masks, flows, "small.tif", diams=30.0)
    finally:
        os.chdir(start)
    small = np.load(folder / "small_seg.npy", allow_pickle=True).item()
    np.save(folder / "gui_seg.npy", small | _gui(masks))


def _gui(masks: np.ndarray) -> dict:
    """Numbers of 32 bits, columns first, and the entries that the graphical program adds."""
    return {
        "outlines": None,
        "masks": np.asfortranarray(masks * 70_000),
        "flows": None,
        "manual_changes": [[datetime.datetime(2026, 1, 2), "added mask", [1, 2]]],
        "est_diam": np.float64(3.0),
        "ratio": 1.0,
        "model_path": 0,
    }
