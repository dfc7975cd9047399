"""The network in ONNX Runtime or OpenVINO, exported from the same weights. THREADS threads inside a run."""

import numpy as np


def nothing():
    return None


class Side:
    def __init__(self, model, threads, device):
        self.threads = threads
        self.device = device
        self.engine = model

    def about(self):
        if self.engine == "onnxruntime":
            import onnxruntime
            return {"version": onnxruntime.__version__, "threads": self.threads, "device": "cpu"}
        import openvino
        name = openvino.Core().get_property("CPU", "FULL_DEVICE_NAME")
        return {"version": openvino.__version__.split("-")[0], "threads": self.threads, "device": name}

    def synchronize(self):
        pass

    def prepare(self, stage, question):
        tiles = np.load(question["tiles"])
        start = self.onnxruntime if self.engine == "onnxruntime" else self.openvino
        return nothing, start(question["onnx"], tiles, question["settings"])

    def onnxruntime(self, path, tiles, settings):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        # Idle threads of this engine must not take the cores of the other side's turn.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda _: session.run(["y", "style"], {"x": tiles})[0]

    def openvino(self, path, tiles, settings):
        import openvino
        precision = "bf16" if "bf16" in settings else "f32"
        compiled = openvino.Core().compile_model(path, "CPU", {
            "INFERENCE_NUM_THREADS": self.threads, "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY"})
        request = compiled.create_infer_request()
        return lambda _: request.infer({"x": tiles})[0].astype(np.float32, copy=False)
