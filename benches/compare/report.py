"""What was measured, as numbers, as lines of text and as JSON."""

import json
import statistics

import numpy as np

THRESHOLDS = [0.5, 0.75, 0.9]


def summary(seconds):
    """Median and spread of the runs, in seconds."""
    return {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds), "seconds": seconds}


def duration(seconds):
    """Four digits or so, in the unit that suits."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.1f} us"
    if seconds < 1:
        return f"{seconds * 1e3:.1f} ms"
    return f"{seconds:.2f} s"


def spread(result):
    """Half the range of the runs, relative to the median."""
    return f"±{50 * (result['max'] - result['min']) / result['median']:.0f}%"


def memory(mebibytes):
    return "" if mebibytes is None else f"{mebibytes:.0f} MiB"


HEADER = ("stage", "on", "peer", "its", "", "memory", "flowmask", "", "memory", "ratio")


def row(result):
    """Stage, what on, peer, then the peer's and flowmask's time, spread and memory, and the ratio of the times."""
    names = (result["stage"], result["on"], result["peer"])
    theirs, ours = result["theirs"], result["ours"]
    if "failed" in result:
        return (*names, "failed", "", "", "", "", "", "")
    return (*names, duration(theirs["median"]), spread(theirs), memory(theirs.get("peak")),
            duration(ours["median"]), spread(ours), memory(ours.get("peak")), f"{result['ratio']:.2f}x")


WIDTHS = (13, 16, 37, 9, 5, 9, 9, 5, 9, 8)


def line(cells):
    """One line of the table: names to the left, numbers to the right."""
    aligned = [cell.ljust(width) if i < 3 else cell.rjust(width)
               for i, (cell, width) in enumerate(zip(cells, WIDTHS))]
    return " ".join(aligned).rstrip()


def ratio(theirs, ours):
    """Above 1: flowmask is faster."""
    return theirs["median"] / ours["median"]


def precision(true, found):
    """AP at the thresholds, TP / (TP + FP + FN), as `cellpose.metrics.average_precision` gives it, from the pairs
    that overlap alone: the original's matrix of all pairs would not fit for the largest images. At an IoU above a
    half a mask has one partner at most, so nothing has to be assigned. Without a cell on both sides it is 1."""
    true, found = renumbered(true), renumbered(found)
    n_true, n_found = int(true.max()), int(found.max())
    if n_true == 0 and n_found == 0:
        return [1.0] * len(THRESHOLDS)
    areas_true, areas_found = np.bincount(true.ravel()), np.bincount(found.ravel())
    pairs, overlap = np.unique(true.ravel() * (n_found + 1) + found.ravel(), return_counts=True)
    left, right = pairs // (n_found + 1), pairs % (n_found + 1)
    iou = overlap / (areas_true[left] + areas_found[right] - overlap)
    iou[(left == 0) | (right == 0)] = 0
    hits = [min(len(set(left[iou >= t])), len(set(right[iou >= t]))) for t in THRESHOLDS]
    return [tp / (n_true + n_found - tp) for tp in hits]


def renumbered(labels):
    """Without gaps: a number that is not used is no cell."""
    used, index = np.unique(np.concatenate([[0], labels.ravel()]), return_inverse=True)
    return index[1:].reshape(labels.shape).astype(np.int64)


def cells_of(labels):
    return len(np.setdiff1d(labels, 0))


def agreement(name, theirs, ours):
    """How far the results of both sides agree: labels by AP, anything else by its largest difference."""
    found = {"on": name}
    if theirs.shape != ours.shape:
        return {**found, "failed": f"shapes differ: {theirs.shape} there, {ours.shape} here"}
    if theirs.dtype.kind in "iu":
        cells = {"theirs": cells_of(theirs), "ours": cells_of(ours)}
        return {**found, "cells": cells, "ap": precision(theirs, ours)}
    difference = abs(theirs.astype("float64") - ours.astype("float64"))
    return {**found, "largest difference": float(difference.max(initial=0.0))}


def agreement_line(found):
    if "failed" in found:
        return f"{found['on']:54} {found['failed']}"
    if "ap" not in found:
        return f"{found['on']:54} largest difference {found['largest difference']:.2g}"
    cells = f"{found['cells']['theirs']} and {found['cells']['ours']} cells"
    return f"{found['on']:54} {cells:>21}   AP " + " ".join(f"{ap:.3f}" for ap in found["ap"])


def write(path, content):
    with open(path, "w") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
