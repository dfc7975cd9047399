"""New golden files against those in `tests/data/golden`."""

import json
from pathlib import Path

import numpy as np

from tools.environment import ROOT
from tools.store import load

GOLDEN = ROOT / "tests" / "data" / "golden"


def differences(path: Path) -> list[str]:
    """What the file `path` has other than the committed file of its name; nothing where they agree."""
    committed = GOLDEN / path.name
    if not committed.exists():
        return ["is new"]
    if path.suffix == ".json":
        return [] if json.loads(path.read_text()) == json.loads(committed.read_text()) else ["has other arguments"]
    new, old = load(path), load(committed)
    lines = [f"lacks {name}" for name in old if name not in new]
    for name, array in sorted(new.items()):
        if name not in old:
            lines.append(f"{name} is new")
        elif line := _difference(array, old[name]):
            lines.append(f"{name} {line}")
    return lines


def _difference(new: np.ndarray, old: np.ndarray) -> str:
    if (new.dtype, new.shape) != (old.dtype, old.shape):
        return f"is {new.dtype} {list(new.shape)}, was {old.dtype} {list(old.shape)}"
    differ = np.count_nonzero(new != old)
    if not differ:
        return ""
    largest = np.abs(new.astype(np.float64) - old.astype(np.float64)).max()
    return f"differs in {differ} of {new.size} elements, by at most {largest:.3g}"
