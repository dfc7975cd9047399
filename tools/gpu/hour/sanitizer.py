"""NVIDIA's compute-sanitizer over small cases of the kernels' tests."""

import re

from hour import kernels
from hour.run import Done, Machine
from hour.verdict import FAILED, PASSED, UNMEASURED, Part

# One test a kernel where more would be too slow: tools slow a kernel down up to a hundred times.
FEW = {
    "normalize": ["small_images"],
    "resize": ["nearest", "linear_of_planes"],
    "blend": ["average_of_tiles"],
    "network": ["network_of_a_small_model"],
    "follow": ["flows_of_a_kind"],
    "volume::tiles": ["tiles_of_each_orientation"],
    "volume::blend": ["planes_of_each_orientation", "styles_of_planes", "outputs_that_are_not_finite_are_found"],
    "volume::normalize": ["small_volumes", "the_voxels_of_a_grid"],
    "volume::follow": ["flows_of_a_kind", "flows_that_look_random"],
    "volume::cluster": ["plateaus_and_borders", "peaks_side_by_side"],
    "volume::flow_error": ["errors_of_random_masks", "errors_in_odd_volumes"],
    "volume::components": [
        "boxes_and_volumes",
        "masks_at_the_border",
        "masks_in_holes_of_masks",
        "ways_out_of_a_hole",
        "holes_and_small_masks",
    ],
}
MODULES = [
    "fill",
    "scan",
    "renumber",
    "channels",
    "handover",
    "normalize",
    "resize",
    "tiles",
    "conv",
    "style",
    "network",
    "blend",
    "follow",
    "cluster",
    "flow_error",
    "parts",
    "measure",
    "components",
    "volume::tiles",
    "volume::blend",
    "volume::normalize",
    "volume::resize",
    "volume::smooth",
    "volume::follow",
    "volume::cluster",
    "volume::flow_error",
    "volume::parts",
    "volume::components",
]
# What says that the tool cannot work on this machine, which is no fault of a kernel.
UNABLE = [
    "Device not supported",
    "Failed to initialize",
    "is not supported",
    "Unable to find injection library",
    "No attachable process found",
    "insufficient driver",
]


def memory(machine: Machine, part: Part) -> None:
    """Accesses outside of what is allocated, and reads of what was never written."""
    _tools(machine, part, ["memcheck", "initcheck"])


def races(machine: Machine, part: Part) -> None:
    """Races in shared memory, and barriers that not all threads reach."""
    _tools(machine, part, ["racecheck", "synccheck"])


def _tools(machine: Machine, part: Part, tools: list[str]) -> None:
    path = machine.tool("compute-sanitizer")
    if not path:
        part.add("compute-sanitizer", UNMEASURED, "it is not there")
        return
    # Under a tool, times mean nothing and take long.
    machine.environment["FLOWMASK_TUNE"] = "off"
    tests = kernels.listed(machine)
    for n, tool in enumerate(tools):
        # Each tool gets its share of the time.
        keep = machine.left * (len(tools) - n - 1) / (len(tools) - n)
        for module in MODULES:
            left = machine.left - keep
            if left < 5:
                part.add(f"{tool} {module}", UNMEASURED, "no time was left")
                continue
            names = _chosen(tests, module)
            if not names:
                part.add(f"{tool} {module}", FAILED, "it has no test")
                continue
            under = [path, "--tool", tool, "--error-exitcode", "99", "--print-limit", "20"]
            done = kernels.run_tests(machine, names, min(left, 120), under)
            part.add(f"{tool} {module}", *judge(done, names), seconds=round(done.seconds, 1))
    passed = sum(item["verdict"] == PASSED for item in part.items)
    part.figure = f"{passed} of {len(part.items)} without a finding"


def _chosen(tests: dict[str, list[str]], module: str) -> list[str]:
    few = FEW.get(module)
    return [f"{module}::{name}" for name in few] if few else tests[module]


def judge(done: Done, names: list[str]) -> tuple[str, str]:
    """What the tool says of its own end counts: without its summary nothing was checked."""
    unable = [line for line in done.said.splitlines() if any(words in line for words in UNABLE)]
    if unable:
        return UNMEASURED, unable[0].strip("= ")
    if done.late:
        return UNMEASURED, done.ended
    errors = re.findall(
        r"^========= (?:ERROR SUMMARY: (\d+) error|RACECHECK SUMMARY: (\d+) hazard)", done.said, re.MULTILINE
    )
    if not errors:
        return FAILED, f"the tool has no summary: {done.ended}"
    found = sum(int(number or 0) for pair in errors for number in pair)
    if found:
        first = re.search(r"^========= (?!COMPUTE-SANITIZER)(.+)$", done.said, re.MULTILINE)
        return FAILED, f"{found} findings; the first: {first[1].strip() if first else 'see the log'}"
    verdict, why, _ = kernels.judge(done, names)
    return verdict, why
