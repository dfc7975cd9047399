"""`restore`: whole runs of `DenoiseModel.eval` and `CellposeDenoiseModel.eval` with small networks of random weights.

The published networks have a licence of their own, and the numbers do not depend on what a network has learned.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from cellpose import core, denoise
from cellpose.resnet_torch import CPnet

from tools.golden.compare import GOLDEN
from tools.golden.inputs import DATA, Input
from tools.network import cellpose_model
from tools.store import Arrays, load

NETS = {"tiny_1in_1out.pth": [1, 4, 8, 12, 20], "tiny_restore.safetensors": [1, 2, 4, 6]}
STEP = 7
"""Every so many rows and columns of a restored image are kept."""

RUNS = {
    "mean": {"channels": [0, 0], "diameter": 30.0},
    "none": {"channels": [2, 0], "diameter": None},
    "larger": {"channels": [1, 0], "diameter": 17.0},
    "smaller": {"channels": [1, 0], "diameter": 50.0},
    "two": {"channels": [1, 2], "diameter": 40.0},
    "tiles": {"channels": [1, 0], "diameter": 25.0, "bsize": 96, "tile_overlap": 0.3},
    "invert": {"channels": [1, 0], "diameter": 30.0, "normalize": {"invert": True}},
    "percentile": {"channels": [1, 0], "diameter": 30.0, "normalize": {"percentile": (5.0, 90.0)}},
    "raw": {"channels": [1, 0], "diameter": 30.0, "normalize": False},
    "upsample": {"channels": [1, 2], "diameter": 20.0},
    "upsample_large": {"channels": [1, 0], "diameter": 35.0},
}

STACKS = {"3d": {"do_3D": True, "anisotropy": 1.5}, "stitch": {"stitch_threshold": 0.25}}


def files() -> Iterator[tuple[str, Arrays]]:
    """`restore`."""
    image = Input("nuclei.png", 19.48).pixels()[:150, :170].copy()
    # Its channels are the same: the second becomes another image.
    image[..., 1] = image[::-1, :, 1]
    first, second = (_net(name) for name in NETS)
    arrays = {}
    for tag, arguments in RUNS.items():
        arrays[tag] = _kept(_denoise(first, tag).eval(image.copy(), **_copy(arguments)))
    # The original has a second network for the second channel, but gives that channel to the first one.
    alone = _denoise(second, "two").eval(image[..., [1, 1]].copy(), **_copy(RUNS["two"]))
    arrays["two_second"] = _kept(alone)[..., 1:]
    for tag in "larger", "upsample":
        arrays[f"{tag}_masks"] = _segmented(_denoise(second, tag), image, RUNS[tag])
    stack = load(GOLDEN / "stitch.safetensors.gz")["stack"]
    arguments = {"channels": [0, 0], "diameter": 17.0, "z_axis": 0, "min_size": 30}
    for tag, more in STACKS.items():
        arrays[f"stack_{tag}_masks"] = _segmented(_denoise(second, tag), stack, arguments | more)
    yield "restore", arrays


def _copy(arguments: dict) -> dict:
    # The original writes the options of a call into its own defaults.
    normalize = arguments.get("normalize", True)
    return arguments | {"normalize": {"normalize": normalize} if isinstance(normalize, bool) else normalize}


def _kept(image: np.ndarray) -> np.ndarray:
    return np.array(image[::STEP, ::STEP], np.float32)


def _segmented(dn: denoise.DenoiseModel, image: np.ndarray, arguments: dict) -> np.ndarray:
    model = denoise.CellposeDenoiseModel.__new__(denoise.CellposeDenoiseModel)
    model.dn, model.cp = dn, cellpose_model("nuclei")
    masks = model.eval(image.copy(), **_copy(arguments))[0]
    return np.asarray(masks, np.uint8)


def _denoise(net: CPnet, name: str) -> denoise.DenoiseModel:
    model = denoise.DenoiseModel(gpu=False)
    model.net, model.pretrained_model = net, name
    return model


def _net(name: str) -> CPnet:
    torch.set_num_threads(1)
    # `run_net` has room for styles of 256 numbers only. Restoration does not use them.
    forward = core._forward if not hasattr(core, "_own") else core._own
    core._own = forward

    def padded(net: CPnet, x: np.ndarray) -> tuple:
        y, style = forward(net, x)
        return y, np.pad(style, ((0, 0), (0, 256 - style.shape[1])))

    core._forward = padded
    path = DATA / "models" / name
    net = CPnet(NETS[name], 1, sz=3, max_pool=True, diam_mean=30.0)
    if path.suffix == ".pth":
        net.load_state_dict(torch.load(path, weights_only=True), strict=False)
    else:
        _random(net, path)
    net.mkldnn = False
    return net.eval()


def _random(net: CPnet, path: Path) -> None:
    """Fill the network with what the file holds or, where there is none yet, with random weights, and write it."""
    from safetensors.torch import load_file, save_file

    if not path.exists():
        generator = torch.Generator().manual_seed(5)
        state = {}
        for key, tensor in net.state_dict().items():
            if not tensor.is_floating_point() or key.startswith("diam_"):
                continue
            noise = torch.randn(tensor.shape, generator=generator)
            scale = (tensor[0].numel() if tensor.ndim > 1 else 4) ** -0.5
            center = 1.0 if key.endswith(("running_var", "0.weight")) and tensor.ndim == 1 else 0.0
            value = center + scale * noise
            state[key] = (value.abs() + 0.1 if key.endswith("running_var") else value).half()
        state["diam_mean"] = state["diam_labels"] = torch.tensor([30.0])
        save_file({key: value.clone() for key, value in state.items()}, path)
    net.load_state_dict({key: value.float() for key, value in load_file(path).items()}, strict=False)
