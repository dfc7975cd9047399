#!/usr/bin/env python3
"""Compares the resources that each compiled kernel needs with limits.tsv.

    limits.py check FOLDER                    prints a table; exit code 1 on a breach
    limits.py update FOLDER [KERNEL=BYTES | KERNEL:ARCH=BYTES]…
                                              writes limits.tsv; BYTES is the dynamic shared memory of a launch

FOLDER has the CUBINs of all architectures and compilers, as `cargo test --test nvrtc` writes them to
FLOWMASK_TEST_CUBINS, and `flowmask devices --compile --arch …` to FLOWMASK_CACHE. It must be a new folder, since an old
one may have kernels of earlier sources. cuobjdump and nvdisasm are taken from CUDA_BIN or PATH; version 13 also reads
code of version 12.

A row of limits.tsv has the limits for one kernel on one architecture, with every compiler:
    threads     threads of a block, from the kernel's launch bounds
    shared      the most dynamic shared memory of a launch, in bytes
    registers   the most registers of a thread, in steps of 8, in which the hardware assigns them
    stack       the most stack of a thread, in bytes; above 0 there are spills or arrays that are not in registers
    blocks      the fewest blocks that fit on a multiprocessor
    HMMA        the fewest matrix multiplications (instructions), for sm_90a those of warp groups
    LDGSTS      the fewest asynchronous copies (instructions)
    inner       the most instructions of the inner loop of matrix multiplications: of the code without a branch or a
                barrier that has the most of them, or 0 if there are none; a compiler that does not let those of warp
                groups run side by side adds two instructions for each
"""
import csv
import os
import re
import struct
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TABLE = Path(__file__).with_name("limits.tsv")
COLUMNS = ["kernel", "arch", "threads", "shared", "registers", "stack", "blocks", "HMMA", "LDGSTS", "inner"]

# The most threads, blocks and shared memory of a multiprocessor, and the most shared memory of a block, from the CUDA
# Programming Guide (technical specifications per compute capability). Each multiprocessor has 65536 registers. A block
# needs 1 KiB of shared memory more than it uses.
MULTIPROCESSORS = {
    "sm_80": (2048, 32, 164 << 10, 163 << 10),
    "sm_86": (1536, 16, 100 << 10, 99 << 10),
    "sm_89": (1536, 24, 100 << 10, 99 << 10),
    "sm_90": (2048, 32, 228 << 10, 227 << 10),
    "sm_90a": (2048, 32, 228 << 10, 227 << 10),
    "sm_100": (2048, 32, 228 << 10, 227 << 10),
    "sm_120": (1536, 24, 100 << 10, 99 << 10),
}
RESERVED = 1024

INSTRUCTIONS = {
    "HMMA": r"HG?MMA",
    "LDGSTS": r"LDGSTS",
    "LDSM": r"LDSM",
    "shared_access": r"LDS|STS|LDGSTS|ATOMS",
    "LDG": r"LDG(?!STS)",
    "STG": r"STG",
    "IDIV": r"I2F.*\.RP",  # how a division of integers begins
    "spill": r"LDL|STL",
    "code": r"(?!NOP)",
}


def up(value, step):
    return -(-value // step) * step


def blocks(arch, threads, registers, shared):
    """How many blocks are on a multiprocessor at a time, as cuda_occupancy.h counts them."""
    most_threads, most_blocks, memory, most_memory = MULTIPROCESSORS[arch]
    if shared > most_memory:
        return 0
    warps = up(threads, 32) // 32
    # Registers come in 256 a warp, and from the four quarters of a multiprocessor.
    by_registers = 65536 // 4 // up(registers * 32, 256) * 4 // warps
    return min(most_threads // (warps * 32), most_blocks, by_registers, memory // up(shared + RESERVED, 128))


def run(tool, *arguments):
    folder = os.environ.get("CUDA_BIN", "")
    path = os.pathsep.join(filter(None, [folder, os.environ["PATH"]]))  # cuobjdump starts nvdisasm
    command = [os.path.join(folder, tool), *arguments]
    return subprocess.run(command, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True).stdout


def launch_bounds(cubin):
    """The threads of each kernel, from the sections .nv.info.KERNEL."""
    start, = struct.unpack_from("<Q", cubin, 0x28)
    size, count, names = struct.unpack_from("<3H", cubin, 0x3A)
    sections = [struct.unpack_from("<2I4Q", cubin, start + i * size) for i in range(count)]
    bounds = {}
    for name, _, _, _, offset, length in sections:
        at = sections[names][4] + name
        name = cubin[at:cubin.index(b"\0", at)].decode()
        if not name.startswith(".nv.info."):
            continue
        at, end = offset, offset + length
        while at < end:
            form, attribute, value = struct.unpack_from("<2BH", cubin, at)
            if (form, attribute) == (4, 5):  # a value of some size, the threads of a block along x, y, z
                x, y, z = struct.unpack_from("<3I", cubin, at + 4)
                bounds[name.removeprefix(".nv.info.")] = x * y * z
            at += 4 + (value if form == 4 else 0)
    return bounds


def inner(operations):
    """How many instructions the straight code with the most matrix multiplications has."""
    straight = [[]]
    for operation in operations:
        if re.match(r"BRA|BRX|BAR|EXIT|RET", operation):
            straight.append([])
        else:
            straight[-1].append(operation)
    most, count = max((sum(bool(re.match(INSTRUCTIONS["HMMA"], o)) for o in part), len(part)) for part in straight)
    return count if most else 0


def measure(path):
    """Rows of a CUBIN: what the compiler says and what its code has."""
    file, arch, compiler = re.fullmatch(r"(\w+)\.(sm_\d+a?)\.nvrtc-([\d.]+)\.\w+\.cubin", path.name).groups()
    text = run("cuobjdump", "-res-usage", "-sass", str(path))
    threads = launch_bounds(path.read_bytes())
    used = {
        kernel: {key: int(value) for key, value in re.findall(r"(\w+):(\d+)", values)}
        for kernel, values in re.findall(r"Function (\w+):\s*\n\s*(.*)", text)
    }
    rows = []
    for part in text.split("Function : ")[1:]:
        kernel, code = part.split("\n", 1)
        if kernel not in threads:
            sys.exit(f"{file}.cu: {kernel} has no LAUNCH_BOUNDS")
        operations = re.findall(r"^\s*/\*[0-9a-f]{4,6}\*/\s+(?:@!?U?P\w+ )?([A-Z][A-Z0-9_.]*)", code, re.M)
        counts = {
            name: sum(count for operation, count in Counter(operations).items() if re.match(pattern, operation))
            for name, pattern in INSTRUCTIONS.items()
        }
        static = used[kernel]["SHARED"]
        if arch not in ("sm_80", "sm_86", "sm_89") and static:
            static -= RESERVED  # counted in from Hopper on
        rows.append({
            "kernel": kernel, "arch": arch, "compiler": compiler, "threads": threads[kernel], "static": static,
            "registers": used[kernel]["REG"], "stack": used[kernel]["STACK"] + used[kernel]["LOCAL"], **counts,
            "inner": inner(operations),
        })  # fmt: skip
    return rows


def measure_all(folder):
    paths = sorted(Path(folder).glob("*.cubin"))
    builds = [path.name.rsplit(".", 2)[0] for path in paths]
    if not paths or len(set(builds)) < len(builds):
        sys.exit(f"{folder}: no CUBINs" if not paths else f"{folder}: kernels of several sources; take a fresh folder")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = [row for rows in pool.map(measure, paths) for row in rows]
    return sorted(rows, key=lambda row: (row["kernel"], list(MULTIPROCESSORS).index(row["arch"]), row["compiler"]))


def read_table():
    if not TABLE.exists():
        return {}
    with open(TABLE, newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return {(row["kernel"], row["arch"]): {k: v if k in COLUMNS[:2] else int(v) for k, v in row.items()} for row in rows}


def check(folder):
    limits, rows, breaches = read_table(), measure_all(folder), []
    columns = ["kernel", "arch", "compiler", "threads", "registers", "static", "shared", "stack", "blocks", "warps"]
    columns = [*columns, *INSTRUCTIONS, "inner"]
    print("\t".join(columns))
    for row in rows:
        key = row["kernel"], row["arch"]
        limit = limits.get(key)
        row["shared"] = limit["shared"] if limit else 0
        row["blocks"] = blocks(row["arch"], row["threads"], row["registers"], row["static"] + row["shared"])
        row["warps"] = row["blocks"] * up(row["threads"], 32) // 32
        print("\t".join(str(row[column]) for column in columns))
        where = f"{row['kernel']} for {row['arch']} by {row['compiler']}"
        if row["shared_access"] and not row["static"] + row["shared"]:
            breaches.append(f"{where}: its dynamic shared memory is not in {TABLE.name}")
        if limit is None:
            continue
        if row["threads"] != limit["threads"]:
            breaches.append(f"{where}: {row['threads']} threads, not {limit['threads']}")
        breaches += [
            f"{where}: {row[name]} {name}, more than {limit[name]}" for name in ["registers", "stack", "inner"] if row[name] > limit[name]
        ]
        breaches += [
            f"{where}: {row[name]} {name}, fewer than {limit[name]}"
            for name in ["blocks", "HMMA", "LDGSTS"]
            if row[name] < limit[name]
        ]
    seen = {(row["kernel"], row["arch"]) for row in rows}
    breaches += [f"{kernel} for {arch}: not in {TABLE.name}; limits.py update adds it" for kernel, arch in sorted(seen - limits.keys())]
    breaches += [f"{kernel} for {arch}: in {TABLE.name}, but not in {folder}" for kernel, arch in sorted(limits.keys() - seen)]
    for breach in breaches:
        print(breach, file=sys.stderr)
    return 1 if breaches else 0


def update(folder, *changes):
    before = {key: row["shared"] for key, row in read_table().items()}
    given = {kernel: int(bytes) for kernel, bytes in (change.split("=") for change in changes)}
    limits = {}
    for row in measure_all(folder):
        kernel, arch = key = row["kernel"], row["arch"]
        # On an architecture that is new in the table, a kernel takes what it takes on the others.
        usual = next((shared for (other, _), shared in before.items() if other == kernel), 0)
        row["shared"] = given.get(f"{kernel}:{arch}", given.get(kernel, before.get(key, usual)))
        row["registers"] = up(row["registers"], 8)
        other = limits.get(key, row)
        for name, choose in [("registers", max), ("stack", max), ("static", max), ("inner", max), ("HMMA", min), ("LDGSTS", min)]:
            row[name] = choose(row[name], other[name])
        row["blocks"] = blocks(arch, row["threads"], row["registers"], row["static"] + row["shared"])
        limits[key] = row
    with open(TABLE, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(limits.values())
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("check", "update") or (sys.argv[1] == "check" and len(sys.argv) > 3):
        sys.exit(__doc__)
    sys.exit({"check": check, "update": update}[sys.argv[1]](*sys.argv[2:]))
