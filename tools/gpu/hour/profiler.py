"""Nsight Compute on the convolutions and on `follow`: few launches, at the clocks as they are."""

import csv
import re

from hour.run import Done, Machine
from hour.verdict import FAILED, PASSED, UNMEASURED, Part

# Kernels by a pattern, and the test of a real shape that launches them.
CASES = {
    "conv": ("regex:conv_f16", "big::network_of_a_full_batch"),
    "conv_sm_90a": ("regex:conv_sm_90a", "big::network_of_a_full_batch"),
    "follow": ("regex:follow", "big::follow_through_large_images"),
}
SECTIONS = ["SpeedOfLight", "Occupancy", "LaunchStats", "WarpStateStats"]
METRICS = [
    "Duration",
    "Compute (SM) Throughput",
    "Memory Throughput",
    "DRAM Throughput",
    "Achieved Occupancy",
    "Registers Per Thread",
    "Warp Cycles Per Issued Instruction",
]


def profile(machine: Machine, part: Part) -> None:
    """Profile each case, and keep a table of its kernels."""
    path = machine.tool("ncu", "/opt/nvidia/nsight-compute/bin")
    if not path:
        part.add("ncu", UNMEASURED, "it is not there")
        return
    sections = [word for section in SECTIONS for word in ("--section", section)]
    for n, (name, (pattern, test)) in enumerate(CASES.items()):
        command = [
            path,
            "--csv",
            "--page",
            "details",
            "--clock-control",
            "none",
            "--kernel-name",
            pattern,
            "--launch-count",
            "40",
            *sections,
            machine.program("tests"),
            "--exact",
            test,
            "--include-ignored",
        ]
        done = machine.run(command, machine.left / (len(CASES) - n))
        part.add(name, *judge(done), seconds=round(done.seconds, 1), kernels=table(done.said))
    longest = max((kernel for item in part.items for kernel in item["kernels"]), key=_duration, default=None)
    part.figure = f"longest: {longest['kernel']} {longest.get('Duration', '')}" if longest else ""


def judge(done: Done) -> tuple[str, str]:
    """A profile was made, or why none could be."""
    said = re.findall(r"^==(?:ERROR|WARNING)== (.*)$", done.said, re.MULTILINE)
    if table(done.said):
        return PASSED, ""
    why = said[0] if said else f"no kernel was profiled: {done.ended}"
    return (UNMEASURED if said or done.late else FAILED), why


def table(said: str) -> list[dict]:
    """A row for each kernel launch, with the metrics that matter."""
    lines = said.splitlines()
    first = next((n for n, line in enumerate(lines) if line.startswith('"ID"')), None)
    if first is None:
        return []
    launches = {}
    for row in csv.DictReader(line for line in lines[first:] if line.startswith('"')):
        launch = launches.setdefault(row["ID"], {"kernel": row["Kernel Name"].split("(")[0], "grid": row["Grid Size"]})
        if row["Metric Name"] in METRICS:
            launch[row["Metric Name"]] = f"{row['Metric Value']} {row['Metric Unit']}".strip()
    return list(launches.values())


def _duration(kernel: dict) -> float:
    number, _, unit = kernel.get("Duration", "0 ns").replace(",", "").partition(" ")
    return float(number) * {"ns": 1e-9, "us": 1e-6, "usecond": 1e-6, "ms": 1e-3, "s": 1.0}.get(unit, 1e-9)
