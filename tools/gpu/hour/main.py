"""The command's options, and one part after the other."""

import argparse
import os
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

from hour import contest, facts, kernels, profiler, report, sanitizer, soak, stages, tune
from hour.run import ROOT, Machine
from hour.verdict import Part

MINUTES = 9.0
PROGRAMS = ROOT / ".gpu" / "programs.tar.gz"

PARTS = [
    ("facts", "the machine, and a compilation of every kernel", facts.facts),
    ("kernels", "every kernel against its twin on the processor", kernels.kernels),
    ("big", "the same with big and odd shapes", kernels.big),
    ("images", "whole images against golden runs and the processor, in f32 and f16", kernels.images),
    ("memcheck", "compute-sanitizer: memcheck and initcheck", sanitizer.memory),
    ("racecheck", "compute-sanitizer: racecheck and synccheck", sanitizer.races),
    ("benches", "each stage beside its roof", stages.benches),
    ("network", "PyTorch's network beside flowmask's", contest.network),
    ("small", "cellpose beside flowmask: 256, 512 and 2048 pixels, 32 images of 256", contest.small),
    ("large", "cellpose beside flowmask: 8192 pixels", contest.large),
    ("many", "cellpose beside flowmask: 500 small images", contest.many),
    ("profile", "ncu on the convolutions and on follow", profiler.profile),
    ("soak", "five minutes of images: memory, and the same masks each time", soak.soak),
    ("tune", "which kernels of the convolutions are right, and which are the fastest", tune.tune),
]


def main() -> int:
    """Run the chosen parts, or print the table of those that were run."""
    options = _arguments()
    if options.list:
        for number, (name, about, _) in enumerate(PARTS, 1):
            print(f"{number:2} {name:10} {about}")
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.report:
        _unpack(options.bin)
        for number in options.part or range(1, len(PARTS) + 1):
            _run(number, options)
    return report.table(options.out, [name for name, _, _ in PARTS], set(options.part or []))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/gpu/first-hour", description="The first hour on a GPU.")
    parser.add_argument("--part", type=_numbers, metavar="N,…", help="these parts only [default: all]")
    parser.add_argument("--list", action="store_true", help="say what the parts are")
    parser.add_argument("--report", action="store_true", help="run nothing; print the table of what was run")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(os.environ.get("OUT") or ROOT / ".gpu" / "report"),
        metavar="DIR",
        help="where results go [default: $OUT, or .gpu/report]",
    )
    parser.add_argument(
        "--bin",
        type=Path,
        default=ROOT / ".gpu" / "bin",
        metavar="DIR",
        help="the programs of tools/gpu/pack [default: .gpu/bin, from .gpu/programs.tar.gz]",
    )
    parser.add_argument("--minutes", type=float, default=MINUTES, help="the most that a part takes [default: 9]")
    parser.add_argument("--small", action="store_true", help="small shapes, for the emulator")
    options = parser.parse_args()
    options.out, options.bin = options.out.resolve(), options.bin.resolve()
    return options


def _unpack(programs: Path) -> None:
    if programs == PROGRAMS.parent / "bin" and not programs.exists() and PROGRAMS.exists():
        with tarfile.open(PROGRAMS) as archive:
            archive.extractall(PROGRAMS.parent, filter="data")


def _numbers(text: str) -> list[int]:
    numbers = [int(number) for number in text.split(",")]
    if not all(1 <= number <= len(PARTS) for number in numbers):
        raise argparse.ArgumentTypeError(f"parts are 1 to {len(PARTS)}")
    return numbers


def _run(number: int, options: argparse.Namespace) -> None:
    name, about, function = PARTS[number - 1]
    part = Part(number, name, options.out)
    print(f"{number:2} {name}: {about}", flush=True)
    scratch = Path(tempfile.mkdtemp(prefix="first-hour-"))
    try:
        machine = Machine(options.bin, part.log, scratch, options.small, 60 * options.minutes)
        missing = machine.missing()
        if missing:
            part.add("the GPU", "failed", missing)
        else:
            function(machine, part)
    # What goes wrong here must not take the parts after it.
    except Exception as error:
        part.add(name, "failed", f"{type(error).__name__}: {error}")
        with part.log.open("a") as log:
            print(f"{type(error).__name__}: {error}", file=log)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    part.end()
    print(f"   {part.verdict}" + (f": {part.why}" if part.why else ""), file=sys.stdout, flush=True)
