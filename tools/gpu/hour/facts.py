"""What machine it is, and whether every kernel compiles there."""

import sys

from hour.run import Machine
from hour.verdict import FAILED, PASSED, UNMEASURED, Part

CARD = "name,driver_version,memory.total,clocks.max.sm,clocks.max.memory,power.limit,temperature.gpu"
TORCH = "import torch; print(torch.__version__, torch.version.cuda, torch.cuda.is_available())"


def facts(machine: Machine, part: Part) -> None:
    """Name the card, the driver and the tools; compile all kernels into an empty cache."""
    _card(machine, part)
    _tools(machine, part)
    found = machine.devices()
    part.note(devices=found)
    gpu = found["gpus"][0]
    part.figure = f"{gpu['name']}, compute capability {gpu['capability']}"
    compiled = machine.devices("--compile")
    if compiled is None:
        part.add("compilation", FAILED, "flowmask devices --compile fails; see the log")
        return
    for one in compiled["compiled"]:
        files, new, seconds = one["files"], one["compiled"], one["seconds"]
        if new == files and files > 0:
            part.add(f"compilation for {one['arch']}", PASSED, files=files, seconds=seconds)
            part.figure += f"; {files} files compiled in {seconds:.1f} s"
        else:
            part.add(f"compilation for {one['arch']}", FAILED, f"only {new} of {files} files were compiled")


def _card(machine: Machine, part: Part) -> None:
    """What NVIDIA's own tool says of the card."""
    if not machine.tool("nvidia-smi"):
        part.add("nvidia-smi", UNMEASURED, "it is not there")
        return
    done = machine.run([machine.tool("nvidia-smi"), f"--query-gpu={CARD}", "--format=csv,noheader"], 30)
    lines = done.said.strip().splitlines()
    part.note(cards=[dict(zip(CARD.split(","), line.split(", "), strict=False)) for line in lines])
    part.add("nvidia-smi", PASSED if done.code == 0 else FAILED, "" if done.code == 0 else done.ended)


def _tools(machine: Machine, part: Part) -> None:
    """Versions, for those who compare two reports."""
    for name in ("nvcc", "ncu", "compute-sanitizer"):
        path = machine.tool(name)
        said = machine.run([path, "--version"], 30).said.strip().splitlines() if path else []
        part.note(**{name: said[-1] if said else "not there"})
    done = machine.run([sys.executable, "-c", TORCH], 60)
    part.note(python=sys.version, torch=done.said.strip() if done.code == 0 else "not there")
