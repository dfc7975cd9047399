"""The tests of the kernels on the card: a verdict for each module of tests, which are named as the kernels."""

import re
from collections import defaultdict

from hour.run import Done, Machine
from hour.verdict import FAILED, PASSED, UNMEASURED, Part

# Modules of other parts, and those that test no kernel of the card.
# Seconds after which a test, or a module of small ones, is taken to hang.
LIMIT = 240.0
BIG, IMAGES = ["big"], ["golden", "pipeline", "volume::pipeline", "volume::ortho"]
NOT_KERNELS = {"names", ""}


def kernels(machine: Machine, part: Part) -> None:
    """Every module but those of the parts after it, each in a process of its own."""
    tests = listed(machine)
    _modules(machine, part, [module for module in tests if module not in {*BIG, *IMAGES, *NOT_KERNELS}], tests)


def big(machine: Machine, part: Part) -> None:
    """Big and odd shapes: a verdict for each kernel, since each has a process of its own."""
    _each(machine, part, BIG, listed(machine))


def images(machine: Machine, part: Part) -> None:
    """Whole images."""
    tests = listed(machine)
    # On the emulator an image of the evaluation takes minutes.
    chosen = ["golden::golden_nuclei"] if machine.small else None
    _each(machine, part, IMAGES if not machine.small else ["golden"], tests, chosen)


def listed(machine: Machine) -> dict[str, list[str]]:
    """The names of the tests of each module."""
    done = machine.run([machine.program("tests"), "--list"], 60)
    tests = defaultdict(list)
    # Some tests look at the emulator itself.
    names = re.findall(r"^(\S+): test$", done.said, re.MULTILINE)
    for name in (name for name in names if "emulator::" not in name):
        tests[_module(name)].append(name)
    if not tests:
        raise RuntimeError(f"the tests cannot be listed: {done.ended}")
    return tests


def _module(name: str) -> str:
    """The module of a test; those of volumes lie in a folder of their own."""
    return "::".join(name.split("::")[: 2 if name.startswith("volume::") else 1]) if "::" in name else ""


def _modules(machine: Machine, part: Part, modules: list[str], tests: dict[str, list[str]]) -> None:
    for module in modules:
        if machine.left < 5:
            part.add(module, UNMEASURED, "no time was left")
            continue
        done = run_tests(machine, tests[module], LIMIT)
        verdict, why, count = judge(done, tests[module])
        if verdict == FAILED and len(tests[module]) > 1:
            why += _alone(machine, tests[module], done)
        part.add(module, verdict, why, tests=count, seconds=round(done.seconds, 1))
    _count(part)


def _each(machine: Machine, part: Part, modules: list[str], tests: dict, chosen: list[str] | None = None) -> None:
    for name in chosen or [name for module in modules for name in tests[module]]:
        if machine.left < 5:
            part.add(name, UNMEASURED, "no time was left")
            continue
        done = run_tests(machine, [name], LIMIT)
        verdict, why, _ = judge(done, [name])
        part.add(name, verdict, why, seconds=round(done.seconds, 1), said=remarks(done))
    _count(part)


def _count(part: Part) -> None:
    passed = sum(item["verdict"] == PASSED for item in part.items)
    part.figure = f"{passed} of {len(part.items)} passed"


def run_tests(machine: Machine, names: list[str], seconds: float | None = None, under: list | None = None) -> Done:
    """Run these tests one after the other, so that an error of the device is that of the test which says so."""
    command = [*(under or []), machine.program("tests"), "--exact", *names]
    return machine.run([*command, "--include-ignored", "--test-threads=1", "--show-output"], seconds)


def judge(done: Done, names: list[str]) -> tuple[str, str, int]:
    """Verdict, reason, and how many tests passed. All must have run: what did not run has not passed."""
    if done.late and done.seconds < LIMIT - 1:
        return UNMEASURED, f"the part's time was over; {done.ended}", 0
    passed = len(re.findall(r"^test \S+ .*\bok$", done.said, re.MULTILINE))
    summary = re.search(r"^test result: ok\. (\d+) passed; 0 failed; 0 ignored;", done.said, re.MULTILINE)
    if done.code == 0 and summary and int(summary[1]) == len(names):
        return PASSED, "", len(names)
    panics = re.findall(r"^thread '([^']+)'[^\n]* panicked at [^\n]*\n(.*)$", done.said, re.MULTILINE)
    if panics:
        return FAILED, "; ".join(f"{name}: {said[:300]}" for name, said in panics[:3]), passed
    running = re.findall(r"^test (\S+) \.\.\. *$", done.said.rstrip() + "\n", re.MULTILINE)
    where = f" in {running[-1]}" if running else ""
    return FAILED, f"{done.ended}{where}; {passed} of {len(names)} tests passed", passed


def _alone(machine: Machine, names: list[str], done: Done) -> str:
    """An error of the device stays until the process ends, so the tests that failed are run again, each by itself."""
    failed = re.findall(r"^test (\S+) .*FAILED$", done.said, re.MULTILINE)
    alone = [
        name
        for name in (failed or names)
        if machine.left > 5 and judge(run_tests(machine, [name], 60), [name])[0] == FAILED
    ]
    return f" [each by itself: {', '.join(alone) or 'none'} failed]"


def remarks(done: Done) -> list[str]:
    """What a test measured, in its own words."""
    return re.findall(
        r"^.*(?:of the bound|AP at 0\.9|of the pixels|cells,|are not the processor's).*$", done.said, re.MULTILINE
    )[:60]
