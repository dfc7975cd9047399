"""One table of all parts, and what to look at first."""

import json
from pathlib import Path

from hour.verdict import CUT_OFF, FAILED, PASSED, UNMEASURED

WIDTH = 150


def table(out: Path, names: list[str], chosen: set[int]) -> int:
    """Print a line for each part. 1 if one of the chosen parts (all, where none is) failed or was cut off, or if all
    of them together measured nothing.
    """
    parts = [_read(out, number, name) for number, name in enumerate(names, 1)]
    print(f"\n{'part':14} {'verdict':13} key figure, or why")
    for part in parts:
        about = part["figure"] if part["verdict"] == PASSED else part["why"] or part["figure"]
        print(f"{part['part']:2} {part['name']:11} {part['verdict']:13} {_short(about)}")
    print("\nwhat to look at first")
    for line in first(parts) or ["nothing failed"]:
        print(f"- {_short(line)}")
    verdicts = [part["verdict"] for part in parts if not chosen or part["part"] in chosen]
    nothing = not chosen and PASSED not in verdicts
    return int(nothing or FAILED in verdicts or CUT_OFF in verdicts)


def _read(out: Path, number: int, name: str) -> dict:
    path = out / f"{number}-{name}.json"
    if not path.exists():
        return {"part": number, "name": name, "verdict": UNMEASURED, "why": "it was not run", "figure": "", "items": []}
    return json.loads(path.read_text())


def first(parts: list[dict]) -> list[str]:
    """Failures in the order of the parts, since a wrong kernel explains what comes after; then the slowest stages."""
    failed = [
        f"{part['name']}, {item['item']}: {item['why']} ({part['part']}-{part['name']}.log)"
        for part in parts
        for item in part["items"]
        if item["verdict"] == FAILED
    ]
    cut = [
        f"{part['name']} was cut off: run --part {part['part']} again" for part in parts if part["verdict"] == CUT_OFF
    ]
    # The farthest from its roof in microseconds, not as a ratio: that is what can be won.
    slow = [(item["seconds"] - item["roof"], item) for part in parts for item in part["items"] if "roof" in item]
    slow = [f"{item['item']}: {1e6 * item['seconds']:.0f} us" for _, item in sorted(slow, key=lambda one: -one[0])[:3]]
    lost = [
        f"{item['item']}: flowmask is {1 / item['times']:.2f} times slower"
        for part in parts
        for item in part["items"]
        if item.get("times", 1) < 1
    ]
    return failed[:8] + cut + lost + slow


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"
