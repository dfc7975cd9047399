#!/usr/bin/env python3
"""Breaks kernels and checks that their tests notice.

A mutant is a kernel file with one small change: a barrier dropped, a comparison or a constant off by one, an atomic
operation made plain, a guard dropped. It is compiled into the emulator's library, which the test program loads in place
of the right one. It is caught if a test fails: in a plain run with all schedules, else under AddressSanitizer and
UndefinedBehaviorSanitizer, else under ThreadSanitizer. If no run catches it, it is alive: either a test is missing, or
the change makes no difference, and then equivalent.txt has the reason.

    kernels/emulator/mutate.py                     40 mutants of each kernel file
    kernels/emulator/mutate.py conv -n 100         100 mutants of one kernel file
    kernels/emulator/mutate.py conv --list         lists the mutants without running them

Exits with 1 if less than 95 % of the mutants are caught. Needs cargo, g++ and clang++ (clang++-19 if there is one).
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from mutants import HELPERS, choose, equivalent

KERNELS = pathlib.Path(__file__).resolve().parent.parent
ROOT = KERNELS.parent
EMULATOR = KERNELS / "emulator"
ENOUGH = 95

# The same compiler flags as in build.rs.
FLAGS = ["-std=c++17", "-fPIC", "-march=x86-64-v3", "-ffp-contract=off", "-fvisibility=hidden", "-w",
         f"-I{KERNELS}", f"-I{EMULATOR}"]


@dataclasses.dataclass
class Build:
    """A way to compile kernels, and to run the tests with them."""
    compiler: str
    flags: list
    link: list
    preload: str
    environment: dict


def builds():
    clang = shutil.which("clang++-19") or shutil.which("clang++")
    ask = lambda compiler, name: subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True,
                                                check=True).stdout.strip()
    address = "address,undefined,bounds-strict"
    sanitize = ["-O1", "-g", "-fno-sanitize-recover=all"]
    few = {"FLOWMASK_TEST_SCHEDULES": "0l,3e"}
    found = {"plain": Build("g++", ["-O2"], [], "", {}),
             "address": Build("g++", sanitize + [f"-fsanitize={address}"], [f"-fsanitize={address}"],
                              ask("gcc", "libasan.so") + " " + ask("gcc", "libubsan.so"),
                              {"ASAN_OPTIONS": "detect_leaks=0", **few})}
    if clang:
        thread = ["-fsanitize=thread", "-mllvm", "-tsan-distinguish-volatile=1"]
        found["thread"] = Build(clang, sanitize + thread, ["-fsanitize=thread"],
                                ask(clang, "libclang_rt.tsan-x86_64.so"),
                                {"TSAN_OPTIONS": "halt_on_error=1:exitcode=66:ignore_noninstrumented_modules=1", **few})
    return found


def users(file):
    """The kernel files that a mutant of this file changes."""
    if file.suffix == ".cu":
        return [file]
    includes = lambda path: set(re.findall(r'(?m)^#include "([^"]*)"', path.read_text()))
    names, grown = {file.name}, True
    while grown:
        more = {p.name for p in KERNELS.glob("*.cu*") if includes(p) & names} | names
        grown, names = more != names, more
    return sorted(p for p in KERNELS.glob("*.cu") if p.name in names)


def module_of(parts):
    """The test module of a path: the stages of volumes are in a folder, and each is a module."""
    return "::".join(parts[:2 if parts[0] == "volume" else 1])


def stages(file, modules):
    """The test modules of the stages that start a file's kernels, and the file's own."""
    found = {re.sub("^volume_", "volume::", file.stem)} & modules
    for user in users(file):
        for source in (ROOT / "src/cuda").rglob("*.rs"):
            name = module_of(source.relative_to(ROOT / "src/cuda").with_suffix("").parts)
            if re.search(rf'\bkernels::{user.stem}\b', source.read_text()):
                found |= {name} & modules
    return sorted(found)


class Runner:
    def __init__(self, folder, jobs):
        self.folder, self.jobs = folder, jobs
        self.builds = builds()
        self.program = self.test_program()
        listed = subprocess.run([self.program, "--list"], capture_output=True, text=True, check=True).stdout
        self.modules = {module_of(line.split("::")) for line in listed.splitlines() if "::" in line}
        self.objects = {}
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            list(pool.map(self.compile_runtime, (path for path in EMULATOR.glob("*.cpp") if not path.name.startswith("nvrtc"))))
            list(pool.map(lambda work: self.compile_kernel(*work),
                          [(kind, path) for kind in self.builds for path in KERNELS.glob("*.cu")]))

    def test_program(self):
        command = ["cargo", "test", "--test", "cuda", "--no-run", "--message-format=json"]
        said = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
        messages = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        return next(m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "cuda")

    def compile_runtime(self, path):
        self.run_compiler("g++", ["-O2"], path, self.folder / f"{path.stem}.runtime.o")

    def compile_kernel(self, kind, path):
        build = self.builds[kind]
        self.objects[kind, path.stem] = target = self.folder / f"{path.stem}.{kind}.o"
        self.run_compiler(build.compiler, build.flags, path, target)

    def run_compiler(self, compiler, flags, path, target):
        subprocess.run([compiler, *FLAGS, *flags, "-x", "c++", "-c", path, "-o", target], check=True,
                       capture_output=True)

    def library(self, kind, folder, changed):
        """Links the emulator with some kernels' objects replaced."""
        build, target = self.builds[kind], folder / f"{kind}.so"
        kernels = [changed.get(stem, path) for (k, stem), path in self.objects.items() if k == kind]
        subprocess.run([build.compiler, "-shared", "-Wl,-soname,libcuda.so", "-o", target,
                        *self.folder.glob("*.runtime.o"), *kernels, *build.link, "-ldl", "-lpthread"],
                       check=True, capture_output=True)
        return target

    def test(self, kind, library, modules, limit):
        """None if all tests pass, else what failed first."""
        build = self.builds[kind]
        environment = {**os.environ, **build.environment, "FLOWMASK_EMULATOR_LIBRARY": str(library),
                       "FLOWMASK_EMULATOR_THREADS": "2"}
        if build.preload:
            environment["LD_PRELOAD"] = build.preload
        command = [self.program, *(f"{m}::" for m in modules), "--test-threads=1"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
        late = threading.Event()

        def stop(because_late=False):
            if because_late:
                late.set()
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

        timer = threading.Timer(limit, stop, [True])
        timer.start()
        failed = None
        for line in process.stdout:
            found = (re.match(r"test (\S+) .*FAILED", line) or re.search(r"ERROR: AddressSanitizer: (\S+)", line)
                     or re.search(r"(runtime error: .*)", line) or re.search(r"ThreadSanitizer: ([\w -]+?) *\(", line)
                     or re.search(r"thread '(\S+)' .*panicked", line))
            if found:
                failed = found[1]
                stop()
                break
        process.wait()
        timer.cancel()
        if failed is None and process.returncode:
            failed = "time" if late.is_set() else f"exit {process.returncode}"
        return failed

    def baseline(self, modules, kinds):
        """The time that right kernels take, by build."""
        times = {}
        for kind in kinds:
            library = self.library(kind, self.folder, {})
            start = time.monotonic()
            failed = self.test(kind, library, modules, 1200)
            if failed:
                sys.exit(f"the right kernels fail: {kind}, {' '.join(modules)}: {failed}")
            times[kind] = time.monotonic() - start
        return times

    def judge(self, mutant, modules, times, kinds):
        """What became of a mutant: refused, same, a build that caught it with what failed, or alive."""
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            folder = pathlib.Path(name)
            if mutant.file.suffix != ".cu":
                (folder / mutant.file.name).write_text(mutant.text)
            for kind in kinds:
                build, changed, same = self.builds[kind], {}, True
                for user in users(mutant.file):
                    source = folder / user.name
                    text = mutant.text if user == mutant.file else user.read_text()
                    source.write_text(f'#include "prims.cuh"\n{HELPERS}#line 1 "{user}"\n{text}')
                    changed[user.stem] = folder / f"{user.stem}.{kind}.o"
                    # The changed header is in the folder of its user, which the compiler searches first.
                    command = [build.compiler, f"-I{folder}", *FLAGS, *build.flags, "-x", "c++", "-c", source, "-o",
                               changed[user.stem]]
                    if subprocess.run(command, cwd=folder, capture_output=True).returncode:
                        return "refused", ""
                    if kind == "plain":
                        right = self.objects[kind, user.stem]
                        same &= self.machine_code(changed[user.stem]) == self.machine_code(right)
                if kind == "plain" and same:
                    return "same", ""
                failed = self.test(kind, self.library(kind, folder, changed), modules, 3 * times[kind] + 10)
                if failed:
                    return kind, failed
            return "alive", ""

    @staticmethod
    def machine_code(path):
        """What a compiler made of a file, but for the file's name."""
        said = subprocess.run(["objdump", "-d", "-r", "-s", path], capture_output=True, text=True, check=True).stdout
        return said.split("\n", 3)[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kernels", nargs="*", help="names of files in kernels/; all")
    parser.add_argument("-n", type=int, default=40, metavar="N", help="mutants of each file (40)")
    parser.add_argument("--seed", default="1", help="of the choice among mutants (1)")
    parser.add_argument("-j", type=int, default=2, metavar="N", help="at a time (2)")
    parser.add_argument("--builds", default="plain,address,thread", help="that may catch one")
    parser.add_argument("--list", action="store_true", help="show the mutants")
    arguments = parser.parse_args()

    files = sorted(p for p in [*KERNELS.glob("*.cu"), *KERNELS.glob("*.cuh")] if p.name != "prims.cuh")
    if arguments.kernels:
        files = [p for p in files if p.stem in arguments.kernels or p.name in arguments.kernels]
    reasons = equivalent(EMULATOR / "equivalent.txt")
    if arguments.list:
        for file in files:
            for m in choose(file, arguments.n, arguments.seed):
                print(f"{m.file.name}:{m.line} {m.operator}\n- {m.before.strip()}\n+ {m.after.strip()}")
        return

    total = collections.Counter()
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        runner = Runner(pathlib.Path(name), arguments.j)
        kinds = [k for k in arguments.builds.split(",") if k in runner.builds]
        for file in files:
            modules = stages(file, runner.modules)
            if not modules:
                print(f"{file.name}: no tests")
                continue
            times = runner.baseline(modules, kinds)
            results = try_mutants(runner, file, modules, times, kinds, reasons, arguments)
            counts = collections.Counter(result for _, result, _ in results)
            total += counts
            print(summary(f"{file.name} ({' '.join(modules)})", counts), flush=True)
    print(summary("all", total))
    sys.exit(share(total) < ENOUGH)


def try_mutants(runner, file, modules, times, kinds, reasons, arguments):
    """The first mutants that a compiler takes and that change what it makes."""
    results, done = [], 0
    waiting = iter(choose(file, None, arguments.seed))
    with concurrent.futures.ThreadPoolExecutor(arguments.j) as pool:
        running = {}
        while True:
            while len(running) < arguments.j and done + len(running) < arguments.n:
                mutant = next(waiting, None)
                if mutant is None:
                    break
                if mutant.key() in reasons:
                    results.append((mutant, "equivalent", ""))
                    continue
                running[pool.submit(runner.judge, mutant, modules, times, kinds)] = mutant
            if not running:
                return results
            finished, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in finished:
                mutant, (result, what) = running.pop(future), future.result()
                results.append((mutant, result, what))
                done += result not in ("refused", "same")
                if result == "alive":
                    print(f"alive: {mutant.operator}, {file.name}:{mutant.line}\n- {mutant.before.strip()}\n"
                          f"+ {mutant.after.strip()}", flush=True)


def share(counts):
    caught = counts["plain"] + counts["address"] + counts["thread"]
    return 100 * caught / max(1, caught + counts["alive"])


def summary(name, counts):
    return (f"{name}: {share(counts):.1f} % caught: plain {counts['plain']}, address {counts['address']}, "
            f"thread {counts['thread']}; alive {counts['alive']}; equivalent {counts['equivalent']} by hand, "
            f"{counts['same']} by the compiler; not C++ {counts['refused']}")


if __name__ == "__main__":
    main()
