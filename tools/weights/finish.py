"""Weights as they are shipped: half precision where a tensor is a matrix, and the size model among them."""

from pathlib import Path

import numpy as np
import torch
from cellpose.resnet_torch import CPnet
from safetensors.torch import save_file

from tools.weights.examples import Example


def write(net: CPnet, size: dict, examples: list[Example], name: str, folder: Path) -> None:
    """Write `NAME.safetensors` for flowmask, and `NAME.pth` with `NAME_size.npy` for PyTorch cellpose."""
    state = _rounded(net, examples)
    torch.save(state, folder / f"{name}.pth")
    np.save(folder / f"{name}_size.npy", size, allow_pickle=True)
    tensors = {
        key: (tensor.half() if tensor.ndim >= 2 else tensor).contiguous()
        for key, tensor in state.items()
        if not key.endswith("num_batches_tracked")
    }
    tensors |= {
        f"size.{key}": torch.from_numpy(np.atleast_1d(np.asarray(value, np.float32))) for key, value in size.items()
    }
    metadata = {
        "format": "pt",
        "name": name,
        "architecture": "cellpose-unet",
        "nbase": "2,32,64,128,256",
        "nout": "3",
        "license": "CC0-1.0",
    }
    save_file(tensors, folder / f"{name}.safetensors", metadata=metadata)


def _rounded(net: CPnet, examples: list[Example]) -> dict[str, torch.Tensor]:
    state = {key: tensor.clone().contiguous() for key, tensor in net.state_dict().items()}
    for key, tensor in state.items():
        if tensor.ndim >= 2:
            tensor.copy_(tensor.half())
        if key.endswith("running_var"):
            tensor[tensor < 1e-8] = 1.0  # a channel that was always zero
    state["diam_labels"][:] = float(np.mean([example.diameter for example in examples]))
    return state
