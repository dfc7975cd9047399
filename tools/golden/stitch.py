"""`stitch`: masks of planes that become masks of a volume, and whole runs on a small stack."""

from collections.abc import Iterator

import numpy as np
from cellpose import utils

from tools.golden.compare import GOLDEN
from tools.network import cellpose_model
from tools.store import Arrays, load

THRESHOLDS = 0.25, 0.6
RUNS = {
    "stitch": {"stitch_threshold": 0.25},
    "3d": {"do_3D": True, "anisotropy": 1.5, "min_size": 50},
    "3d_smooth": {"do_3D": True, "flow3D_smooth": 1, "min_size": 50},
}


def files() -> Iterator[tuple[str, Arrays]]:
    """`stitch`."""
    # The inputs were made once, and are kept in the file itself.
    kept = load(GOLDEN / "stitch.safetensors.gz")
    arrays = {key: kept[key] for key in ("stitch_in", "stack")}
    for threshold in THRESHOLDS:
        planes = utils.stitch3D(arrays["stitch_in"].astype(np.int32), stitch_threshold=threshold)
        arrays[f"stitch_out_{round(100 * threshold)}"] = np.asarray(planes, np.uint8)
    model = cellpose_model("nuclei")
    for tag, arguments in RUNS.items():
        masks, _, _ = model.eval(arrays["stack"], channels=[0, 0], z_axis=0, diameter=17.0, **arguments)
        arrays[f"stack_{tag}_masks"] = np.asarray(masks, np.uint8)
    yield "stitch", arrays
