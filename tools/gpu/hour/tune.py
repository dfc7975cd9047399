"""Which kernels of the convolutions are right on the card, and which are the fastest."""

from hour.run import Machine
from hour.verdict import FAILED, PASSED, Part


def tune(machine: Machine, part: Part) -> None:
    """Measure them; a kernel that is refused is a failure."""
    # In `small`, tiles that the emulator can work on.
    tiles = {"FLOWMASK_TUNE": "32,2"} if machine.small else {}
    found = machine.devices("--tune", **tiles)
    if found is None:
        part.add("kernels", FAILED, "flowmask devices --tune fails; see the log")
        # A kernel that takes the GPU down with it is known by name from now on.
        for gpu in (machine.devices() or {"gpus": []})["gpus"]:
            for name, reason in gpu["kernels"]["refused"].items():
                part.add(name, FAILED, reason)
        return
    for gpu in found["gpus"]:
        known = gpu["kernels"]
        part.note(**{f"cuda:{gpu['index']}": known})
        for name, reason in known["refused"].items():
            part.add(name, FAILED, reason)
        right = {name for kind in known["measured"] for name in kind["seconds"]}
        for name in sorted(right):
            chosen = [kind["what"] for kind in known["measured"] if kind["chosen"] == name]
            part.add(name, PASSED, chosen=chosen)
            part.figure += f"{'; ' if part.figure else ''}{name} for {len(chosen)}"
    part.figure += " kinds of convolutions"
    for line in (line for gpu in found["gpus"] for line in rows(gpu["kernels"])):
        print(f"   {line}")


def rows(known: dict) -> list[str]:
    """A line for each kind of convolution; a star is at what was chosen."""
    return [
        f"{kind['what']:31} "
        + "  ".join(
            f"{name} {1e6 * seconds:.1f}{'*' if name == kind['chosen'] else ''}"
            for name, seconds in kind["seconds"].items()
        )
        + f" us for {kind['tiles']} tiles"
        for kind in known["measured"]
    ]
