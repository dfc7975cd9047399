"""What a part found, kept in a file at every step."""

import json
import os
import time
from pathlib import Path

PASSED, FAILED, UNMEASURED, CUT_OFF = "passed", "failed", "not measured", "cut off"


class Part:
    """Results of one part: items with a verdict each. The file says "cut off" until the part has ended."""

    def __init__(self, number: int, name: str, out: Path) -> None:
        """Begin `NUMBER-NAME.json` and `.log` in `out` anew."""
        self.number, self.name = number, name
        self.path, self.log = out / f"{number}-{name}.json", out / f"{number}-{name}.log"
        self.log.write_text("")
        self.items, self.facts, self.figure = [], {}, ""
        self.begin, self.ended = time.monotonic(), False
        self._write()

    def add(self, item: str, verdict: str, why: str = "", **numbers: object) -> None:
        """Keep the verdict of one item, with the reason where it is not "passed"."""
        self.items.append({"item": item, "verdict": verdict, "why": why, **numbers})
        self._write()

    def note(self, **facts: object) -> None:
        """Keep what was seen and is no verdict."""
        self.facts.update(facts)
        self._write()

    def end(self) -> None:
        """Say that the part was not cut off."""
        self.ended = True
        self._write()

    @property
    def verdict(self) -> str:
        """Failed if an item failed, passed if all that was measured passed, and something was."""
        verdicts = {item["verdict"] for item in self.items}
        if FAILED in verdicts:
            return FAILED
        if not self.ended:
            return CUT_OFF
        return PASSED if PASSED in verdicts else UNMEASURED

    @property
    def why(self) -> str:
        """The reasons of the items that did not pass; failures first."""
        bad = [item for item in self.items if item["verdict"] != PASSED]
        bad.sort(key=lambda item: item["verdict"] != FAILED)
        return "; ".join(f"{item['item']}: {item['why']}" for item in bad)

    def _write(self) -> None:
        content = {
            "part": self.number,
            "name": self.name,
            "verdict": self.verdict,
            "why": self.why,
            "figure": self.figure,
            "seconds": round(time.monotonic() - self.begin, 1),
            "facts": self.facts,
            "items": self.items,
        }
        # A reader, or a cut, finds the old file or the new one.
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(content, indent=1) + "\n")
        os.replace(new, self.path)
