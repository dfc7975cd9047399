"""`options`: intensities that are sharpened, smoothed and normalised in blocks, and whole runs with these options."""

from collections.abc import Iterator

import numpy as np
from cellpose import transforms

from tools.golden.compare import GOLDEN
from tools.golden.inputs import INPUTS
from tools.network import cellpose_model
from tools.store import Arrays, load

ROWS = slice(None, None, 8)
"""The rows that are kept of large arrays."""

IMAGE_RUNS = {
    "lowhigh": {"diameter": 19.48, "normalize": {"lowhigh": [12.0, 140.0]}},
    "rescale": {"diameter": None, "rescale": 0.8},
    "large": {"diameter": 19.48, "max_size_fraction": 0.006},
}
STACK_RUNS = {
    "planes": {"stitch_threshold": 0.25, "normalize": {"norm3D": False}},
    "blocks": {"stitch_threshold": 0.25, "normalize": {"tile_norm_blocksize": 60}},
    "3d_blocks": {"do_3D": True, "min_size": 50, "normalize": {"tile_norm_blocksize": 60, "sharpen_radius": 6}},
    "3d_lowhigh": {"do_3D": True, "min_size": 50, "normalize": {"lowhigh": [5.0, 110.0]}},
}


def files() -> Iterator[tuple[str, Arrays]]:
    """`options`."""
    plane = load(GOLDEN / "transforms.safetensors.gz")["norm_f32_in"]
    yield "options", _intensities(plane) | _runs()


def _intensities(plane: np.ndarray) -> Arrays:
    """Of `norm_f32_in`, and of a stack of four parts of it."""
    radii = {"smooth2": (2, 0), "sharpen6": (0, 6), "smooth2_sharpen6": (2, 6)}
    arrays = {
        name: transforms.smooth_sharpen_img(plane, smooth_radius=smooth, sharpen_radius=sharpen)[ROWS]
        for name, (smooth, sharpen) in radii.items()
    }
    two = np.stack([plane, plane * 0.5 + 1], -1)
    two[:40, :60, 1] = 3  # blocks without contrast
    # As `eval` calls it: in an image without planes, it would take the percentiles of the first row for all rows.
    arrays["blocks_40"] = transforms.normalize_img(two[np.newaxis].copy(), tile_norm_blocksize=40)[0, ROWS]
    stack = np.stack([plane[8 * z : 8 * z + 60, 10 * z : 10 * z + 90] * (z + 1) for z in range(4)])[..., None]
    for norm3d in True, False:
        found = transforms.normalize_img(
            stack.copy(), tile_norm_blocksize=25, tile_norm_smooth3D=2, norm3D=norm3d
        )
        arrays[f"stack_blocks_25_{'all' if norm3d else 'each'}"] = found[:, ROWS, :, 0]
    return arrays


def _runs() -> Arrays:
    model = cellpose_model("nuclei")
    image, stack = INPUTS["nuclei"][0].pixels(), load(GOLDEN / "stitch.safetensors.gz")["stack"]
    arrays = {}
    for tag, arguments in IMAGE_RUNS.items():
        arrays[f"{tag}_masks"] = np.asarray(model.eval(image, channels=[0, 0], **arguments)[0], np.uint8)
    for tag, arguments in STACK_RUNS.items():
        masks = model.eval(stack, channels=[0, 0], z_axis=0, diameter=17.0, **arguments)[0]
        arrays[f"stack_{tag}_masks"] = np.asarray(masks, np.uint8)
    return arrays
