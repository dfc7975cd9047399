"""PyTorch cellpose beside flowmask: `benches/compare/compare.py` on the card, with the programs that were packed."""

import json
import re
import sys
import zipfile
from pathlib import Path

from hour.run import ROOT, Machine
from hour.verdict import FAILED, PASSED, UNMEASURED, Part

PACKAGES = ["torch", "cellpose", "cv2", "numba", "tifffile", "scipy"]
CHECK = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        sys.exit(f"{name}: not there ({error})")
import torch
if not torch.cuda.is_available():
    sys.exit("PyTorch sees no GPU")
from cellpose import models
"""


def network(machine: Machine, part: Part) -> None:
    """A batch of tiles in every setting of PyTorch."""
    _compare(machine, part, "--only", "network", "--batch", "64", "--seconds", "15")


def small(machine: Machine, part: Part) -> None:
    """Whole images of usual sizes."""
    _compare(machine, part, "--only", "whole", "--sizes", "256,512,2048", "--many", "32", "--seconds", "15")


def large(machine: Machine, part: Part) -> None:
    """A very large image; two rounds, since cellpose may take a minute each."""
    _compare(machine, part, "--only", "whole", "--quick", "--sizes", "8192", "--many", "0", "--seconds", "5")


def many(machine: Machine, part: Part) -> None:
    """A long list of small images."""
    _compare(machine, part, "--only", "whole", "--quick", "--sizes", "256", "--many", "500", "--seconds", "5")


def _compare(machine: Machine, part: Part, *options: str) -> None:
    machine.environment["PYTHONPATH"] = str(unpack(ROOT / ".gpu" / "wheels", machine.scratch / "site"))
    # A cache of its own: what is converted for PyTorch goes there.
    machine.environment["FLOWMASK_BENCH_CACHE"] = str(machine.scratch)
    check = machine.run([sys.executable, "-c", CHECK, *PACKAGES], 120)
    if check.code != 0:
        why = (check.said.strip().splitlines() or [check.ended])[-1]
        part.add("PyTorch cellpose", UNMEASURED, why)
        return
    book = machine.scratch / "compare.json"
    done = machine.run(
        [
            sys.executable,
            ROOT / "benches" / "compare" / "compare.py",
            "--device",
            "cuda",
            "--prebuilt",
            machine.bin,
            "--python",
            sys.executable,
            "--json",
            book,
            *options,
        ]
    )
    if book.exists():
        read(json.loads(book.read_text()), part)
    else:
        for name, ratio in lines(done.said):
            part.add(name, PASSED, times=ratio)
    if done.code != 0 and not any(item["verdict"] == FAILED for item in part.items):
        last = (done.said.strip().splitlines() or [""])[-1]
        # Cut off by its time is no verdict on what was to come.
        part.add("compare.py", UNMEASURED if done.late else FAILED, f"{done.ended}: {last}")


def read(book: dict, part: Part) -> None:
    """Keep each line of the comparison, and what its masks and failures say."""
    for result in book["results"]:
        name = f"{result['stage']} {result['on']} {result['peer']}"
        ours, theirs = result["ours"]["median"], result["theirs"]["median"]
        part.add(name, PASSED, seconds=ours, peer_seconds=theirs, times=theirs / ours)
    for failure in book["failures"]:
        part.add("compare.py", FAILED, failure)
    part.note(agreement=book["agreement"], peers=book["peers"], results=book["results"])
    times = [item["times"] for item in part.items if "times" in item]
    part.figure = f"{min(times):.2f} to {max(times):.2f} times as fast" if times else ""


def lines(said: str) -> list[tuple[str, float]]:
    """What the table of a comparison that was cut off says: the name of each line, and how many times as fast."""
    found = re.findall(r"^(?=\S)(.*?) +[\d.]+ (?:us|ms|s) .* ([\d.]+)x$", said, re.MULTILINE)
    return [(" ".join(name.split()), float(ratio)) for name, ratio in found]


def unpack(wheels: Path, folder: Path) -> Path:
    """The packages of the wheels: those of pure or compiled Python are just archives."""
    folder.mkdir(exist_ok=True)
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    return folder
