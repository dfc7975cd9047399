"""The processes that are measured. Each answers one line of JSON with another."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path


class Failed(Exception):
    """A side could not do what it was asked; the text says why."""


class Peer:
    """A process that stays warm: `prepare` loads what a stage needs, `run` does it once and gives its seconds."""

    def __init__(self, name, command, environment=None):
        self.name = name
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.log, text=True,
                                        env={**os.environ, **(environment or {})})
        self.about = {}

    def start(self):
        """Waits until it is up. Processes that were begun together start side by side."""
        self.about = self.ask({"do": "about"})
        return self

    def ask(self, question):
        try:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise Failed(f"{self.name} ended with code {self.process.wait()}: {self.last_words()}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(f"{self.name}: {answer['error']}")
        return answer

    def last_words(self):
        self.log.seek(0)
        return " / ".join(self.log.read().strip().splitlines()[-3:])

    def prepare(self, name, stage, **arguments):
        self.ask({"do": "prepare", "name": name, "stage": stage, **arguments})

    def run(self, name, save=None):
        """Seconds of one run; `save` is the beginning of the paths to write its results to."""
        return self.ask({"do": "run", "name": name, "save": str(save) if save else None})["seconds"]

    def forget(self):
        self.ask({"do": "forget"})

    def reset_peak(self):
        """Lets the peak begin at what is in use now (Linux only; elsewhere it is the peak since the start)."""
        try:
            Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        except OSError:
            pass

    def peak(self):
        """Peak memory in MiB, or None where the system does not tell."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return None
        return peak_of(status)

    def stop(self):
        try:
            self.process.stdin.close()
            self.process.wait(10)
        except BrokenPipeError:
            pass
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()


def peak_of(status):
    lines = [line.split() for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0][1]) / 1024 if lines else None


# A small process between: the peak of a child begins with that of its parent, and this one has NumPy loaded.
STARTER = """
import json, os, subprocess, sys, time
begin = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=sys.stderr)
_, status, usage = os.wait4(process.pid, 0)
seconds = time.perf_counter() - begin
print(json.dumps([seconds, os.waitstatus_to_exitcode(status), usage.ru_maxrss]))
"""


class Command:
    """A program that is started anew for each run, from the start of the process to its end."""

    def __init__(self, name, environment=None):
        self.name = name
        self.environment = {**os.environ, **(environment or {})}
        self.commands = {}
        self.largest = None

    def prepare(self, name, stage, command):
        self.commands[name] = [str(part) for part in command]

    def run(self, name, save=None):
        starter = [sys.executable, "-I", "-S", "-c", STARTER]
        done = subprocess.run([*starter, *self.commands[name]], capture_output=True, text=True, env=self.environment)
        if done.returncode != 0:
            raise Failed(f"{self.name} cannot be started: {done.stderr[-300:].strip()}")
        seconds, code, largest = json.loads(done.stdout)
        if code != 0:
            raise Failed(f"{self.name} ended with code {code}: {done.stderr[-300:].strip()}")
        self.largest = largest / (1024 * 1024 if sys.platform == "darwin" else 1024)
        return seconds

    def forget(self):
        self.commands.clear()

    def reset_peak(self):
        self.largest = None

    def peak(self):
        return self.largest
