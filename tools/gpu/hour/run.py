"""Programs run with a time limit; all that they say is in the part's log from the moment they say it."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# Left of a part's time for what comes after its last program.
RESERVE = 5.0


@dataclass
class Done:
    """How a program ended."""

    code: int
    said: str
    seconds: float
    late: bool

    @property
    def ended(self) -> str:
        """How it ended, in words."""
        if self.late:
            return f"stopped after {self.seconds:.0f} s"
        return f"ended by signal {-self.code}" if self.code < 0 else f"exit code {self.code}"


class Machine:
    """The programs, where they work, and what time is left to the part."""

    def __init__(self, bin_: Path, log: Path, scratch: Path, small: bool, seconds: float) -> None:
        """Give the part `seconds` from now on; `small` chooses shapes for the emulator."""
        self.bin, self.log, self.scratch, self.small = bin_, log, scratch, small
        self.last = time.monotonic() + seconds
        self.environment = os.environ | {
            "FLOWMASK_REQUIRE_GPU": "1",
            "FLOWMASK_WEIGHTS": str(ROOT / "weights"),
            # Empty, so that no stand-in of the emulator is taken for a compiled kernel.
            "FLOWMASK_CACHE": str(scratch / "cache"),
            # Criterion keeps its files there, and looks for no cargo.
            "CRITERION_HOME": str(scratch / "criterion"),
            "RUST_BACKTRACE": "0",
        }
        if small:
            self.environment |= {"FLOWMASK_TEST_SMALL": "100", "FLOWMASK_BENCH_SIDE": "64", "FLOWMASK_TUNE": "off"}

    @property
    def left(self) -> float:
        """Seconds that a program may take."""
        return self.last - time.monotonic() - RESERVE

    def program(self, name: str) -> str:
        """The path of a packed program."""
        return str(self.bin / name)

    def run(self, command: list, seconds: float | None = None, **environment: str) -> Done:
        """Run a program in the repository's root, at most for `seconds` or what the part has left."""
        command = [str(word) for word in command]
        limit = max(1.0, self.left if seconds is None else min(seconds, self.left))
        with self.log.open("ab") as log:
            log.write(f"\n$ {' '.join(command)}\n".encode())
            log.flush()
            begin, first = time.monotonic(), log.tell()
            try:
                process = subprocess.Popen(
                    command,
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self.environment | environment,
                    start_new_session=True,
                )
            except OSError as error:
                log.write(f"{error}\n".encode())
                return Done(127, str(error), 0.0, late=False)
            try:
                code, late = process.wait(limit), False
            except subprocess.TimeoutExpired:
                late = True
            # Also what it has started.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        with self.log.open("rb") as log:
            log.seek(first)
            said = log.read().decode(errors="replace")
        return Done(code, said, time.monotonic() - begin, late)

    def tool(self, name: str, *folders: str) -> str | None:
        """The path of an installed tool, or None."""
        places = [os.environ.get("PATH", ""), "/usr/local/cuda/bin", "/usr/local/cuda/compute-sanitizer", *folders]
        return shutil.which(name, path=os.pathsep.join(places))

    def missing(self) -> str:
        """Why nothing can be measured here; empty if there is a GPU."""
        for name in ("flowmask", "tests", "bench", "peer"):
            if not (self.bin / name).is_file():
                return f"{self.bin / name} is not there; tools/gpu/pack builds it"
        devices = self.devices()
        if devices is None:
            return "flowmask devices does not run; see the log"
        return "" if devices["gpus"] else f"no GPU: {devices['gpus_error'] or 'the driver shows none'}"

    def devices(self, *options: str, **environment: str) -> dict | None:
        """What `flowmask devices` says; None where it fails."""
        done = self.run([self.program("flowmask"), "devices", "--json", *options], 240, **environment)
        lines = [line for line in done.said.splitlines() if line.startswith("{")]
        return json.loads(lines[-1]) if done.code == 0 and lines else None
