"""What was measured, as numbers, as lines of text and as JSON."""

import json
import statistics

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


WIDTHS = (13, 16, 34, 9, 5, 9, 9, 5, 9, 8)


def line(cells):
    """One line of the table: names to the left, numbers to the right."""
    aligned = [cell.ljust(width) if i < 3 else cell.rjust(width)
               for i, (cell, width) in enumerate(zip(cells, WIDTHS))]
    return " ".join(aligned).rstrip()


def ratio(theirs, ours):
    """Above 1: flowmask is faster."""
    return theirs["median"] / ours["median"]


def precision(true, found):
    """AP at the thresholds, by the original's own metric; two pictures without a cell agree."""
    from cellpose import metrics
    if true.max() == 0 and found.max() == 0:
        return [1.0] * len(THRESHOLDS)
    return [float(ap) for ap in metrics.average_precision(true, found, threshold=THRESHOLDS)[0]]


def agreement(name, theirs, ours):
    """How far the results of both sides agree: labels by AP, anything else by its largest difference."""
    found = {"on": name}
    if theirs.shape != ours.shape:
        return {**found, "failed": f"shapes differ: {theirs.shape} there, {ours.shape} here"}
    if theirs.dtype.kind in "iu":
        cells = {"theirs": int(theirs.max()), "ours": int(ours.max())}
        return {**found, "cells": cells, "ap": precision(theirs.astype("int64"), ours.astype("int64"))}
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
