"""Our weights as PyTorch cellpose wants them, and its models with them."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from cellpose import models
from cellpose.resnet_torch import CPnet
from safetensors.torch import load_file

from tools.environment import ROOT

DIAMETER = {"nuclei": 17.0, "cyto": 30.0}
"""Diameter, in pixels, to which each of our models wants its cells scaled."""

SIZE_YMEAN = {"nuclei": 0.03835973129099587, "cyto": 0.061624511644707614}
"""Constant of each size model in double precision, as the regression gave it; the weight file rounds it to single.

That of `cyto` was not kept: this is one of the numbers that give the diameters of `pipeline_cyto` to the bit.
"""


def tensors(name: str) -> dict[str, torch.Tensor]:
    """The tensors of `weights/NAME.safetensors`, in single precision."""
    file = load_file(ROOT / "weights" / f"{name}.safetensors")
    return {key: tensor.float() for key, tensor in file.items()}


def size_model(name: str) -> dict:
    """The size model of `weights/NAME.safetensors`, as the dictionary that cellpose stores."""
    size = {key.removeprefix("size."): t.numpy() for key, t in tensors(name).items() if key.startswith("size.")}
    return {
        "A": size["A"],
        "smean": size["smean"],
        "diam_mean": float(size["diam_mean"][0]),
        "ymean": SIZE_YMEAN[name],
    }


def state_dict(name: str) -> dict[str, torch.Tensor]:
    """The network of `weights/NAME.safetensors`; the counters of training, which the file leaves out, are zero."""
    state = CPnet([2, 32, 64, 128, 256], 3, sz=3, max_pool=True).state_dict()
    ours = {key: tensor for key, tensor in tensors(name).items() if not key.startswith("size.")}
    assert not set(ours) - set(state)
    return state | ours


def cellpose_model(name: str) -> models.CellposeModel:
    """PyTorch cellpose with the weights `NAME`, on one thread and without oneDNN."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.pth"
        torch.save(state_dict(name), path)
        model = models.CellposeModel(gpu=False, pretrained_model=str(path), diam_mean=DIAMETER[name])
    model.net.mkldnn = False
    model.net.eval()
    return model


def cellpose_size_model(name: str, model: models.CellposeModel) -> models.SizeModel:
    """PyTorch cellpose's size model with ours in it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}_size.npy"
        np.save(path, size_model(name), allow_pickle=True)
        return models.SizeModel(cp_model=model, pretrained_size=str(path))
