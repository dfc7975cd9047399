"""The original's side: answers questions like `peer/main.rs` does, in a process of its own for each peer.

usage: worker.py KIND MODEL THREADS DEVICE, where KIND is a module of this folder (worker_cellpose, worker_torch,
worker_engines).
"""

import importlib
import json
import logging
import os
import sys
import time

# numba and OpenMP read these when they are loaded; NumPy's own threads are kept to the same number.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = sys.argv[3]

# What libraries print must not come between the answers.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def save(prefix, arrays):
    import numpy as np
    for name, array in arrays.items():
        if array.dtype.kind in "iu":
            array = array.astype(np.uint32)
        np.save(f"{prefix}_{name}.npy", np.ascontiguousarray(array))


class Worker:
    def __init__(self, module, model, threads, device):
        self.side = module.Side(model, threads, device)
        self.prepared = {}

    def answer(self, question):
        match question["do"]:
            case "about":
                return self.side.about()
            case "prepare":
                self.prepared[question["name"]] = self.side.prepare(question["stage"], question)
            case "run":
                return self.run(self.prepared[question["name"]], question.get("save"))
            case "forget":
                self.prepared.clear()
        return {}

    def run(self, stage, prefix):
        """`stage` is a pair: what is done before the clock starts, and what is measured, which gets its result."""
        before, measured = stage
        ready = before()
        self.side.synchronize()
        begin = time.perf_counter()
        result = measured(ready)
        self.side.synchronize()
        seconds = time.perf_counter() - begin
        if prefix:
            save(prefix, result if isinstance(result, dict) else {"out": result} if result is not None else {})
        return {"seconds": seconds}


def main():
    kind, model, threads, device = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    worker = Worker(importlib.import_module(kind), model, int(threads), device)
    for line in sys.stdin:
        try:
            answer = worker.answer(json.loads(line))
        except Exception as error:  # whatever a library raises is the answer
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=ANSWERS, flush=True)


if __name__ == "__main__":
    main()
