"""One process over images for minutes: memory that does not grow, and the same masks for the same image."""

import hashlib
import os
import shutil
import struct
import subprocess
import time
from collections import defaultdict
from pathlib import Path

from hour.run import ROOT, Machine
from hour.verdict import FAILED, PASSED, UNMEASURED, Part

SECONDS = 300.0
FIRST, MORE, ENOUGH, MOST = 40, 8, 15.0, 100_000
"""Images of the first run, and by how many times the next has more, until one takes `ENOUGH` seconds: from that it is
told how many fit into the time, but no more than `MOST`."""
REAL = ["nuclei.png", "dsb2018_175dbb36.png", "evaluate/fluorescence/dsb2018_05040e2e.png"]
GROWTH = (1.05, 64.0)
"""What memory may grow by, as a factor and in MiB, from the second fifth of the time to the last."""


def soak(machine: Machine, part: Part) -> None:
    """Short runs that tell the rate, then one of five minutes."""
    images = _images(machine)
    count = 6 if machine.small else FIRST
    while True:
        rate = _round(machine, part, images, count)
        if rate is None:
            return
        if machine.small or count / rate > ENOUGH or count * MORE > MOST:
            break
        count *= MORE
    seconds = min(SECONDS, machine.left - 30)
    count = 24 if machine.small else max(FIRST, min(MOST, int(rate * seconds)))
    _round(machine, part, images, count, long=True)


def _images(machine: Machine) -> list[Path]:
    """Real images; for the emulator, two small ones."""
    if not machine.small:
        # Copies, which can be linked to from beside them.
        return [Path(shutil.copy(ROOT / "tests/data" / name, machine.scratch)) for name in REAL]
    paths = []
    for n, (height, width) in enumerate([(40, 50), (33, 61)]):
        path = machine.scratch / f"small{n}.npy"
        header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({height}, {width})}}".ljust(117) + "\n"
        values = bytes((y * 7919 + x * 104_729 + y * x) % 251 for y in range(height) for x in range(width))
        path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + values)
        paths.append(path)
    return paths


def _round(machine: Machine, part: Part, images: list[Path], count: int, long: bool = False) -> float | None:
    """Segment `count` links to the images in one process. Its images a second, or None where it failed."""
    folder, out = machine.scratch / "in", machine.scratch / "out"
    for path in (folder, out):
        path.mkdir(exist_ok=True)
    for n in range(count):
        source = images[n % len(images)]
        link = folder / f"{n % len(images)}_{n}{source.suffix}"
        if not link.exists():
            os.link(source, link)
    model = (
        ["--model", ROOT / "tests/data/models/tiny.pth", "--bsize", "64"]
        if machine.small
        else ["--model", "nuclei", "--diameter", "17"]
    )
    command = [machine.program("flowmask"), "segment", folder, "-o", out, "--device", "cuda", "--overwrite", *model]
    begin = time.monotonic()
    code, samples = _watched(machine, [str(word) for word in command])
    seconds = time.monotonic() - begin
    if machine.left < 0:
        part.add(f"{count} images", UNMEASURED, "the part's time was over")
        return None
    if code != 0:
        part.add(f"{count} images", FAILED, f"flowmask segment: exit code {code}; see the log")
        return None
    other = _other_masks(out, count, len(images))
    part.add(f"masks of {count} images", FAILED if other else PASSED, other, images=count, seconds=round(seconds, 1))
    if long:
        part.figure = f"{count / seconds:.1f} images/s for {seconds:.0f} s"
        part.note(memory=samples[:: max(1, len(samples) // 100)])
        for name, index in (("memory of the process", 1), ("memory of the device", 2)):
            part.add(name, *grown([sample[index] for sample in samples if sample[index] is not None]))
    return count / seconds


def _watched(machine: Machine, command: list[str]) -> tuple[int, list]:
    """Exit code, and what was seen each second: time, MiB of the process, MiB in use on the device."""
    samples, begin = [], time.monotonic()
    smi = machine.tool("nvidia-smi")
    with machine.log.open("ab") as log:
        log.write(f"\n$ {' '.join(command)}\n".encode())
        log.flush()
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=log, env=machine.environment)
        while process.poll() is None:
            if machine.left < 0:
                process.kill()
            samples.append((round(time.monotonic() - begin, 1), _resident(process.pid), _on_device(smi)))
            time.sleep(0.05 if machine.small else 1.0)
    return process.returncode, samples


def _resident(pid: int) -> float | None:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(found[0]) / 1024 if found else None


def _on_device(smi: str | None) -> float | None:
    if not smi:
        return None
    done = subprocess.run(
        [smi, "--query-gpu=memory.used", "--format=csv,noheader,nounits"], capture_output=True, text=True, check=False
    )
    first = done.stdout.strip().splitlines()[:1]
    return float(first[0]) if done.returncode == 0 and first and first[0].strip().isdigit() else None


def grown(values: list[float]) -> tuple[str, str]:
    """Whether memory grew from the second fifth of the samples, when all is warm, to the last."""
    fifth = len(values) // 5
    if fifth == 0:
        return UNMEASURED, "too few samples"
    early, late = max(values[fifth : 2 * fifth]), max(values[-fifth:])
    factor, more = GROWTH
    if late > early * factor + more:
        return FAILED, f"it grew from {early:.0f} to {late:.0f} MiB"
    return PASSED, ""


def _other_masks(out: Path, count: int, kinds: int) -> str:
    """What is wrong with the labels: one is missing, or an image has others in one place than in another."""
    seen = defaultdict(set)
    files = sorted(out.glob("*_masks.*"))
    if len(files) != count:
        return f"{len(files)} label files of {count} images"
    for path in files:
        seen[path.name.split("_")[0]].add(hashlib.sha256(path.read_bytes()).hexdigest())
    several = [kind for kind, hashes in seen.items() if len(hashes) > 1]
    return f"image {several[0]} has {len(seen[several[0]])} different masks" if several or len(seen) != kinds else ""
