"""Both sides in turns: A, B, A, B, so that what slows the machine down for a while slows both."""

import sys
import time
from dataclasses import dataclass, field

import numpy as np

import report
from peers import Failed

# Between two turns: threads of the last one that still spin give the cores back (OpenMP's and ONNX Runtime's).
REST = 0.05
# AP at 0.75 of the masks of one side against the other's.
AGREED = 0.99


@dataclass
class Entrant:
    """One side's way of doing a stage."""
    peer: object
    label: str
    question: dict
    key: str = ""
    # Whether this machine may lack what it takes.
    optional: bool = False


@dataclass
class Book:
    """All results of a run."""
    folder: object
    seconds: float
    rounds: tuple
    results: list = field(default_factory=list)
    agreements: list = field(default_factory=list)
    failures: list = field(default_factory=list)

    def contest(self, stage, on, ours, theirs, must_agree=False, runs_per=1):
        """Measures one stage of flowmask against those of any number of entrants, prints a line for each, and
        gives the paths that their results were saved under. `runs_per` divides the times (tiles in a batch)."""
        entrants = [ours, *theirs]
        for i, entrant in enumerate(entrants):
            entrant.key = str(i)
        alive, saved, peaks, warm = [], {}, {}, 0.0
        for entrant in entrants:
            prefix = self.folder / f"{stage}_{on}_{entrant.label}".replace(" ", "_").replace("/", "_")
            try:
                entrant.peer.reset_peak()
                entrant.peer.prepare(entrant.key, stage, **entrant.question)
                warm += entrant.peer.run(entrant.key, save=prefix)
                alive.append(entrant)
                saved[entrant.label] = prefix
                peaks[entrant.key] = entrant.peer.peak()
            except Failed as failed:
                self.fail(stage, on, entrant, failed)
        times = self.turns(stage, on, alive, warm)
        if ours.key in times:
            self.note(stage, on, ours, theirs, times, peaks, runs_per)
            self.compare(stage, on, ours, theirs, saved, must_agree)
        for entrant in entrants:
            try:
                entrant.peer.forget()
            except Failed:
                pass
        return saved

    def turns(self, stage, on, alive, warm):
        """Seconds of each entrant's runs. Few rounds of what takes long, at least and at most those chosen."""
        few, most = self.rounds
        rounds = max(few, min(most, int(self.seconds / max(warm, 1e-6))))
        times = {entrant.key: [] for entrant in alive}
        for _ in range(rounds):
            for entrant in alive:
                if entrant.key not in times:
                    continue
                time.sleep(REST)
                try:
                    times[entrant.key].append(entrant.peer.run(entrant.key))
                except Failed as failed:
                    del times[entrant.key]
                    self.fail(stage, on, entrant, failed)
        return times

    def fail(self, stage, on, entrant, failed):
        if not entrant.optional:
            self.failures.append(f"{stage} {on} {entrant.label}: {failed}")
        word = "left out" if entrant.optional else "failed"
        print(report.line((stage, on, entrant.label, word, *[""] * 6)), flush=True)
        print(f"  {failed}", file=sys.stderr, flush=True)

    def note(self, stage, on, ours, theirs, times, peaks, runs_per):
        def measured(entrant):
            seconds = [t / runs_per for t in times[entrant.key]]
            return {**report.summary(seconds), "peak": peaks[entrant.key]}
        for entrant in theirs:
            if entrant.key in times:
                result = {"stage": stage, "on": on, "peer": entrant.label, "theirs": measured(entrant),
                          "ours": measured(ours)}
                result["ratio"] = report.ratio(result["theirs"], result["ours"])
                self.results.append(result)
                print(report.line(report.row(result)), flush=True)

    def compare(self, stage, on, ours, theirs, saved, must_agree):
        """Every array that both sides saved under the same name."""
        for entrant in theirs:
            prefix = saved.get(entrant.label)
            for path in sorted(self.folder.glob(f"{prefix.name}_*.npy")) if prefix else []:
                mine = path.with_name(path.name.replace(prefix.name, saved[ours.label].name, 1))
                if not mine.exists():
                    continue
                name = path.name.removeprefix(prefix.name + "_").removesuffix(".npy")
                label = f"{stage} {on} {entrant.label}" + ("" if name in ("out", "masks0") else f" {name}")
                found = report.agreement(label, np.load(path), np.load(mine))
                self.agreements.append({**found, "must": must_agree})
                if must_agree and ("failed" in found or found.get("ap", [1, 1, 1])[1] < AGREED):
                    self.failures.append(f"the masks differ: {report.agreement_line(found)}")
