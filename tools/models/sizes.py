"""Size models: dictionaries in NumPy's files."""

import io
import pickle

import numpy as np

from tools.network import size_model


def nuclei_size() -> bytes:
    """`nuclei_size.npy`: that of the built-in `nuclei`, as NumPy 2 saves it."""
    return _saved(size_model("nuclei"), protocol=4)


def size_protocol2() -> bytes:
    """`size_protocol2.npy`: a made-up one in an older protocol, with NumPy 1's names of modules."""
    size = {
        "A": np.array([0.5, -0.25], np.float32),
        "smean": np.array([1.0, 200.5]),
        "diam_mean": np.float32(30.0),
        "ymean": np.float64(-0.125),
    }
    return _saved(size, protocol=2).replace(b"numpy._core", b"numpy.core")


def _saved(size: dict, protocol: int) -> bytes:
    """What `numpy.save` writes, in a protocol of our choice."""
    array = np.array(size, dtype=object)
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
    pickle.dump(array, file, protocol=protocol)
    return file.getvalue()
