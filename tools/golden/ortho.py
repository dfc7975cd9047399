"""`ortho`: a whole run with `do_3D` in which a second network sees the planes along z."""

from collections.abc import Iterator

import numpy as np

from tools.golden.compare import GOLDEN
from tools.network import cellpose_model
from tools.store import Arrays, load


def files() -> Iterator[tuple[str, Arrays]]:
    """`ortho`: of a corner of the stack of `volume`."""
    stack = load(GOLDEN / "volume.safetensors.gz")["stack"][:, :64, :72]
    model, second = cellpose_model("nuclei"), cellpose_model("cyto")
    arrays = {}
    for tag, net in (("one", None), ("two", second.net)):
        model.net_ortho = net
        masks, flows, style = model.eval(
            stack, z_axis=0, do_3D=True, channels=[0, 0], diameter=17.0, anisotropy=2.0, min_size=60
        )
        arrays[f"{tag}_masks"] = np.asarray(masks, np.uint8)
        arrays[f"{tag}_cellprob"] = np.asarray(flows[2], np.float32)[::5, ::9, ::9]
        arrays[f"{tag}_style"] = np.asarray(style, np.float32)[::40]
    yield "ortho", arrays
