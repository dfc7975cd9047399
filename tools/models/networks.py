"""Networks with random weights, as PyTorch saves them."""

from collections.abc import Iterator

import torch
from cellpose.resnet_torch import CPnet

State = dict[str, torch.Tensor]
DTYPES = torch.float16, torch.bfloat16, torch.float64, torch.float32


def files() -> Iterator[tuple[str, object, bool]]:
    """Name, content, and whether it is in the format before PyTorch 1.6."""
    torch.manual_seed(5)
    yield "tiny.pth", _normalized([2, 4, 8, 16, 32], 3), False
    yield "tiny_1in_1out.pth", _normalized([1, 4, 8, 12, 20], 1), False
    plain = _plain()
    yield "plain.pth", plain, False
    yield "legacy.pth", plain, True
    yield "odd.pth", {"epoch": 3, "state_dict": _odd(plain)}, False


def _normalized(nbase: list[int], outputs: int) -> State:
    """The initial weights of PyTorch, and statistics and scales as after training."""
    net = CPnet(nbase, outputs, sz=3, max_pool=True, diam_mean=21.5)
    for name, tensor in net.state_dict().items():
        if name.endswith("running_mean"):
            tensor.normal_(0, 0.3)
        elif name.endswith("running_var"):
            tensor.uniform_(0.4, 2.0)
        elif ".0.weight" in name and tensor.ndim == 1:
            tensor.uniform_(0.5, 1.5)
        elif ".0.bias" in name:
            tensor.normal_(0, 0.3)
    net.diam_labels.data[:] = 33.25
    # What the reference outputs of these networks were made from; the next network's numbers follow.
    torch.randn(2, nbase[0], 48, 64)
    return net.state_dict()


def _plain() -> State:
    """Multiples of 1/64 from 0 to 1, which half precision and bfloat16 hold exactly."""
    torch.manual_seed(0)
    state = CPnet([2, 4], 3, sz=3).state_dict()
    for name, tensor in state.items():
        if name.startswith("diam_"):
            tensor.fill_(17.0)
        elif tensor.is_floating_point():
            tensor.copy_((torch.rand(tensor.shape) * 64).round() / 64)
    return state


def _odd(plain: State) -> State:
    """The same numbers in other types and memory layouts, some as parameters, behind `module.`."""
    return {f"module.{name}": _oddly(index, tensor) for index, (name, tensor) in enumerate(plain.items())}


def _oddly(index: int, tensor: torch.Tensor) -> torch.Tensor:
    if not tensor.is_floating_point():
        return tensor
    tensor = tensor.to(DTYPES[index % len(DTYPES)])
    if tensor.ndim >= 2:
        tensor = tensor.transpose(0, 1).contiguous().transpose(0, 1)
    elif index % 3 == 0:
        tensor = torch.stack([torch.full_like(tensor, 9), tensor], 1)[:, 1]
    return torch.nn.Parameter(tensor) if index % 5 == 0 else tensor
