"""Golden files: safetensors behind gzip, the same bytes from the same arrays."""

import gzip
from pathlib import Path

import numpy as np
from safetensors.numpy import load as parse
from safetensors.numpy import save as serialize

Arrays = dict[str, np.ndarray]


def save(path: Path, arrays: Arrays) -> None:
    """Write named arrays as `path`, which ends in `.safetensors.gz`."""
    content = serialize({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    path.write_bytes(gzip.compress(content, 9, mtime=0))


def load(path: Path) -> Arrays:
    """Read what `save` wrote."""
    return parse(gzip.decompress(path.read_bytes()))
