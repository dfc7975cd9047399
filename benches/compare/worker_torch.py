"""The network in PyTorch, in every setting that a user could choose: "cellpose" is what cellpose itself runs."""

import contextlib

import numpy as np
import torch
from cellpose import core, resnet_torch


def nothing():
    return None


class Outputs(torch.nn.Module):
    """The two outputs that count; cellpose's own forward returns the maps on the way down too."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x)[:2]


class Side:
    def __init__(self, model, threads, device):
        torch.set_num_threads(threads)
        self.path = model
        self.device = torch.device(device)

    def about(self):
        device = torch.cuda.get_device_name() if self.device.type == "cuda" else "cpu"
        return {"version": torch.__version__, "threads": torch.get_num_threads(), "device": device,
                "cpu capability": torch.backends.cpu.get_cpu_capability()}

    def synchronize(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def net(self, mkldnn=False):
        """mkldnn here is cellpose's own conversion to opaque tensors; PyTorch uses the library without it too."""
        net = resnet_torch.CPnet([2, 32, 64, 128, 256], 3, sz=3, mkldnn=mkldnn)
        net.load_model(self.path, device=torch.device("cpu"))
        return net.eval().to(self.device)

    def prepare(self, stage, question):
        tiles = np.load(question["tiles"])
        if stage == "export":
            return nothing, lambda _: self.export(tiles, question["to"])
        settings = set(question["settings"])
        if "cellpose" in settings:
            net = self.net(mkldnn=self.device.type == "cpu")
            return nothing, lambda _: core._forward(net, tiles)[0]
        return nothing, self.forward(tiles, settings)

    def forward(self, tiles, settings):
        layout = torch.channels_last if "channels_last" in settings else torch.contiguous_format
        x = torch.from_numpy(tiles).to(self.device).contiguous(memory_format=layout)
        outputs = Outputs(self.net()).eval().to(memory_format=layout)
        if "traced" in settings:
            with torch.no_grad(), self.mode(settings):
                outputs = torch.jit.freeze(torch.jit.trace(outputs, x))

        if "compiled" in settings:
            outputs = torch.compile(outputs)

        def measured(_):
            with torch.inference_mode(), self.mode(settings):
                y, style = outputs(x)
                style.float().cpu()
                return y.float().cpu().numpy()
        return measured

    @contextlib.contextmanager
    def mode(self, settings):
        """Precision and libraries, for the time of a run."""
        cuda = self.device.type == "cuda"
        tf32 = "TF32" in settings
        low = {"bf16": torch.bfloat16, "fp16": torch.float16}
        dtype = next((low[name] for name in settings if name in low), None)
        with contextlib.ExitStack() as stack:
            if cuda:
                torch.backends.cuda.matmul.allow_tf32 = tf32
                stack.enter_context(torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=tf32))
            else:
                stack.enter_context(torch.backends.mkldnn.flags(enabled="no mkldnn" not in settings))
            if dtype:
                stack.enter_context(torch.autocast(self.device.type, dtype, cache_enabled=False))
            yield

    def export(self, tiles, path):
        with torch.no_grad():
            torch.onnx.export(Outputs(self.net()).cpu().eval(), torch.from_numpy(tiles), path, dynamo=False,
                              opset_version=17, input_names=["x"], output_names=["y", "style"])
