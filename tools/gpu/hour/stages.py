"""The benches of the stages and of whole images, each with its roof."""

import re

from hour.run import Machine
from hour.verdict import FAILED, PASSED, Part

SECONDS = {"ps": 1e-12, "ns": 1e-9, "µs": 1e-6, "us": 1e-6, "ms": 1e-3, "s": 1.0}


def benches(machine: Machine, part: Part) -> None:
    """Run Criterion's benches; in `small`, those around the network."""
    long, filters = ["--warm-up-time", "1", "--measurement-time", "3"], []
    if machine.small:
        long, filters = (
            ["--warm-up-time", "0.1", "--measurement-time", "0.1", "--sample-size", "10"],
            ["around the network|after the network"],
        )
    done = machine.run([machine.program("bench"), "--bench", "--noplot", *long, *filters])
    card = re.search(r"^(.+: \d+ GB/s, \d+ TFLOP/s.*)$", done.said, re.MULTILINE)
    part.note(card=card[1] if card else "")
    for name, seconds in times(done.said):
        roof = re.search(r" roof ([\d.]+) us$", name)
        numbers = {"seconds": seconds}
        if roof:
            numbers |= {"roof": float(roof[1]) * 1e-6, "of_roof": float(roof[1]) * 1e-6 / seconds}
        part.add(name, PASSED, **numbers)
        if name.startswith("network/F16"):
            part.figure = f"{name.removeprefix('network/')}: {1e6 * seconds:.0f} us for 64 tiles"
    if done.code != 0 or not part.items:
        part.add("bench", FAILED, f"{done.ended}: {' '.join(done.said.strip().splitlines()[-1:])}")
    part.figure = part.figure or f"{len(part.items)} times"


def times(said: str) -> list[tuple[str, float]]:
    """Name and median of each bench, whose name stands before its times or on the line before."""
    result, lines = [], said.splitlines()
    for n, line in enumerate(lines):
        match = re.match(r"^(.*?)\s*time:\s+\[\S+ \S+ (\S+) (\S+) \S+ \S+\]", line)
        if match:
            name = match[1].strip() or lines[n - 1].strip()
            result.append((name, float(match[2]) * SECONDS[match[3]]))
    return result
