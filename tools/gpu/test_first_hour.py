"""`first-hour` with programs that behave as they are told: what fails is said to fail, what is missing is not passed.

`python3 -B tools/gpu/test_first_hour.py`; `tools/gpu/ci.sh` runs the real programs.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from types import SimpleNamespace

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from hour import contest, kernels, profiler, sanitizer, soak, stages  # noqa: E402
from hour.run import Done  # noqa: E402
from hour.verdict import Part  # noqa: E402

GPU = (
    '{"gpus": [{"name": "A card", "capability": "9.0"}], "gpus_error": null, "compiled": [{"arch": "sm_90", '
    '"files": 3, "compiled": 3, "seconds": 1.5}]}'
)
NO_GPU = '{"gpus": [], "gpus_error": "there is no NVIDIA driver", "compiled": []}'
PASSES = """
for name in "$@"; do case $name in *::*) echo "test $name ... ok"; n=$((n + 1)); esac; done
echo "test result: ok. $n passed; 0 failed; 0 ignored; 0 measured; 9 filtered out"
"""
FAILS = """
for name in "$@"; do case $name in
    *wrong*) echo "test $name ... FAILED"; n=1 ;;
    *::*) echo "test $name ... ok" ;;
esac; done
[ -z "$n" ] && { echo "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured"; exit 0; }
echo "thread '$name' (7) panicked at tests/cuda/blend.rs:1:2:"
echo "at 5: 1.0 instead of 2.0"
echo "test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured"
exit 101
"""
MEMCHECK = (
    "========= COMPUTE-SANITIZER\n========= Invalid __global__ read of size 4 bytes\n========= at blend\n"
    "========= ERROR SUMMARY: {} error{}\n"
)
NCU = """==PROF== Connected
"ID","Kernel Name","Grid Size","Section Name","Metric Name","Metric Unit","Metric Value"
"0","conv3x3(Half const*)","(9, 1, 1)","GPU Speed Of Light","Duration","us","12.5"
"0","conv3x3(Half const*)","(9, 1, 1)","Launch Statistics","Registers Per Thread","register/thread","168"
"""
ROW = "segment       {:16} cellpose 3.1.1.2                   {:>9}   ±2%  1500 MiB {:>9}   ±1%   200 MiB {:>8}\n"
TABLE = ROW.format("on", "its", "flowmask", "ratio") + ROW.format("256x256", "23.4 ms", "2.10 ms", "11.14x")
TABLE += ROW.format("2048x2048", "1.20 s", "30.0 ms", "40.00x")


def done(said, code=0, late=False):
    """A program that said this."""
    return Done(code, said, 1.0, late)


class Reading(unittest.TestCase):
    """What programs say."""

    def test_tests_that_did_not_run_have_not_passed(self):
        ran = "test a::b ... ok\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured\n"
        self.assertEqual(kernels.judge(done(ran), ["a::b"])[0], "passed")
        self.assertEqual(kernels.judge(done(ran), ["a::b", "a::c"])[0], "failed")
        self.assertEqual(kernels.judge(done(ran, code=101), ["a::b"])[0], "failed")
        self.assertEqual(kernels.judge(done(""), [])[0], "failed")
        self.assertEqual(kernels.judge(Done(-9, "", kernels.LIMIT, late=True), ["a::b"])[0], "failed")
        verdict, why, _ = kernels.judge(done("test a::b ... ", code=-11), ["a::b"])
        self.assertEqual((verdict, why), ("failed", "ended by signal 11 in a::b; 0 of 1 tests passed"))

    def test_sanitizers_need_their_summary(self):
        ran = "test a::b ... ok\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured\n"
        clean = ran + "========= ERROR SUMMARY: 0 errors\n"
        self.assertEqual(sanitizer.judge(done(clean), ["a::b"])[0], "passed")
        self.assertEqual(sanitizer.judge(done(ran), ["a::b"])[0], "failed")
        races = ran + "========= RACECHECK SUMMARY: 2 hazards displayed (1 error, 1 warning)\n"
        self.assertEqual(sanitizer.judge(done(races), ["a::b"])[0], "failed")
        verdict, why = sanitizer.judge(done(ran + MEMCHECK.format(1, ""), code=99), ["a::b"])
        self.assertEqual(verdict, "failed")
        self.assertIn("Invalid __global__ read of size 4 bytes", why)
        unable = "========= Error: Device not supported. Please refer to the documentation\n"
        self.assertEqual(sanitizer.judge(done(unable, code=1), ["a::b"])[0], "not measured")

    def test_every_kernel_is_under_the_sanitizers(self):
        root = Path(__file__).resolve().parents[2]
        files = [path.stem for path in (root / "kernels").glob("*.cu")]
        self.assertIn("volume_tiles", files)
        stages = {re.sub("^volume_", "volume::", re.sub("^conv_.*", "conv", name)) for name in files}
        self.assertEqual(stages - set(sanitizer.MODULES), set())
        for module in sanitizer.MODULES:
            text = (root / "tests/cuda" / (module.replace("::", "/") + ".rs")).read_text()
            tests = set(re.findall(r"#\[test\]\n(?:#.*\n)*fn (\w+)", text))
            self.assertTrue(tests, module)
            self.assertEqual(set(sanitizer.FEW.get(module, [])) - tests, set(), module)

    def test_times_of_benches(self):
        said = (
            "network/F16 roof 2004.0 us\n                        time:   [3.1 ms 3.2 ms 3.4 ms]\n"
            "segment on cuda/256     time:   [812.00 µs 820.00 µs 1.1 ms]\n"
        )
        self.assertEqual(
            [(name, round(seconds, 9)) for name, seconds in stages.times(said)],
            [("network/F16 roof 2004.0 us", 3.2e-3), ("segment on cuda/256", 820e-6)],
        )

    def test_a_comparison_that_was_cut_off(self):
        self.assertEqual(
            contest.lines(TABLE),
            [("segment 256x256 cellpose 3.1.1.2", 11.14), ("segment 2048x2048 cellpose 3.1.1.2", 40.0)],
        )

    def test_profiles(self):
        row = {
            "kernel": "conv3x3",
            "grid": "(9, 1, 1)",
            "Duration": "12.5 us",
            "Registers Per Thread": "168 register/thread",
        }
        self.assertEqual(profiler.table(NCU), [row])
        self.assertEqual(profiler.judge(done(NCU)), ("passed", ""))
        refused = "==ERROR== ERR_NVGPUCTRPERM - The user does not have permission\n"
        self.assertEqual(profiler.judge(done(refused, code=1))[0], "not measured")
        self.assertEqual(profiler.judge(done("", code=1))[0], "failed")

    def test_memory_that_grows(self):
        self.assertEqual(soak.grown([100.0] * 50), ("passed", ""))
        self.assertEqual(soak.grown([1000.0 + 10 * n for n in range(50)])[0], "failed")
        self.assertEqual(soak.grown([1.0] * 4)[0], "not measured")

    def test_a_tool_that_is_missing_has_not_passed(self):
        for parts in (sanitizer.memory, sanitizer.races, profiler.profile):
            with tempfile.TemporaryDirectory() as out:
                part = Part(1, "missing", Path(out))
                parts(SimpleNamespace(tool=lambda *_: None), part)
                part.end()
                self.assertEqual(part.verdict, "not measured")
                self.assertIn("it is not there", part.why)


class Running(unittest.TestCase):
    """The command itself."""

    def setUp(self):
        """A folder of programs that all pass."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "bin").mkdir()
        (self.folder / "tools").mkdir()
        for name in ("bench", "peer"):
            self.program(name, "")
        self.program("flowmask", f"echo '{GPU}'")
        self.kernels(PASSES)

    def program(self, name, text, folder="bin"):
        """A shell script in place of a program."""
        path = self.folder / folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def kernels(self, text):
        """In place of the tests of the kernels: two of `blend` and one of `scan`."""
        names = "blend::right: test\nblend::wrong: test\nscan::right: test\n"
        names += "scan::emulator::wrong: test\nnames::right: test\n"
        self.program("tests", f'[ "$1" = --list ] && {{ printf "{names}"; exit; }}\nn=\n{text}')

    def command(self, *options):
        """The command line of `first-hour` with these programs."""
        return [
            sys.executable,
            HERE / "first-hour",
            "--out",
            self.folder / "out",
            "--bin",
            self.folder / "bin",
            *options,
        ]

    def run_parts(self, *options):
        """Exit code and what it said."""
        path = f"{self.folder / 'tools'}:{os.environ['PATH']}"
        ended = subprocess.run(
            self.command(*options), capture_output=True, text=True, check=False, env=os.environ | {"PATH": path}
        )
        self.assertNotIn("Traceback", ended.stderr)
        return ended.returncode, ended.stdout

    def part(self, name):
        """What was kept of a part."""
        return json.loads((self.folder / "out" / f"{name}.json").read_text())

    def test_kernels_that_pass(self):
        code, said = self.run_parts("--part", "2")
        part = self.part("2-kernels")
        self.assertEqual((code, part["verdict"], part["figure"]), (0, "passed", "2 of 2 passed"), said)
        self.assertEqual([item["item"] for item in part["items"]], ["blend", "scan"])

    def test_a_kernel_that_fails_is_named(self):
        self.kernels(FAILS)
        code, said = self.run_parts("--part", "1,2")
        self.assertEqual((code, self.part("2-kernels")["verdict"]), (1, "failed"), said)
        verdicts = {item["item"]: item["verdict"] for item in self.part("2-kernels")["items"]}
        self.assertEqual(verdicts, {"blend": "failed", "scan": "passed"})
        self.assertRegex(said, r"- kernels, blend: .*1\.0 instead of 2\.0.*blend::wrong failed")
        self.assertEqual(self.run_parts("--report")[0], 1)

    def test_without_a_gpu_every_part_fails(self):
        self.program("flowmask", f"echo '{NO_GPU}'")
        code, said = self.run_parts()
        files = sorted((self.folder / "out").glob("*.json"))
        self.assertEqual((code, len(files)), (1, 14), said)
        for path in files:
            part = json.loads(path.read_text())
            self.assertEqual(
                (part["verdict"], part["why"]), ("failed", "the GPU: no GPU: there is no NVIDIA driver"), path
            )

    def test_without_the_programs_it_fails(self):
        (self.folder / "bin" / "bench").unlink()
        code, said = self.run_parts("--part", "7")
        self.assertEqual(code, 1)
        self.assertIn("tools/gpu/pack builds it", said)

    def test_tools_are_run_around_the_tests(self):
        around = f'while [ "$1" != {self.folder}/bin/tests ]; do shift; done; "$@"; code=$?\n'
        summary = 'case "$*" in *scan*) n=1;; *) n=0;; esac; echo "========= ERROR SUMMARY: $n errors"; exit $code'
        self.program("compute-sanitizer", around + summary, "tools")
        self.program("ncu", f"cat <<'EOF'\n{NCU}EOF", "tools")
        code, said = self.run_parts("--part", "6,12")
        verdicts = {item["item"]: item["verdict"] for item in self.part("6-racecheck")["items"]}
        self.assertEqual((verdicts["racecheck blend"], verdicts["synccheck blend"]), ("passed", "passed"))
        # A finding, and a kernel without a test.
        self.assertEqual((verdicts["racecheck scan"], verdicts["synccheck fill"]), ("failed", "failed"))
        self.assertEqual(self.part("12-profile")["figure"], "longest: conv3x3 12.5 us")
        self.assertEqual(code, 1, said)

    def test_nothing_measured_is_no_success(self):
        self.assertEqual(self.run_parts("--report")[0], 1)

    def test_a_compilation_that_leaves_files_out_fails(self):
        fewer = GPU.replace('"compiled": 3', '"compiled": 2')
        self.program("flowmask", f"echo '{fewer}'")
        self.assertEqual(self.run_parts("--part", "1")[0], 1)
        self.assertIn("only 2 of 3 files", self.part("1-facts")["why"])

    def test_a_kernel_that_is_refused_fails_and_the_times_are_kept(self):
        kind = '{"what": "28 256 to 256", "tiles": 64, "chosen": "sm_90a", "seconds": {"sm_80": 2e-4, "sm_90a": 1e-4}}'
        known = '{"by": "measurement", "refused": %s, "measured": [' + kind + "]}"
        gpu = '{"gpus": [{"index": 0, "kernels": %s}], "gpus_error": null}'
        self.program("flowmask", f"echo '{gpu % (known % '{}')}'")
        code, said = self.run_parts("--part", "14")
        part = self.part("14-tune")
        self.assertEqual((code, part["figure"]), (0, "sm_80 for 0; sm_90a for 1 kinds of convolutions"), said)
        self.assertEqual(part["facts"]["cuda:0"]["measured"][0]["seconds"]["sm_80"], 2e-4)
        self.assertIn("sm_80 200.0  sm_90a 100.0* us for 64 tiles", said)
        refused = '{"sm_80_apart": "it gives 1, not 2"}'
        self.program("flowmask", f"echo '{gpu % (known % refused)}'")
        self.assertEqual(self.run_parts("--part", "14")[0], 1)
        self.assertIn("sm_80_apart: it gives 1, not 2", self.part("14-tune")["why"])

    def test_a_part_ends_in_its_time(self):
        self.kernels('case "$*" in *scan*) exec sleep 100;; esac' + PASSES)
        begin = time.monotonic()
        code, _ = self.run_parts("--part", "2", "--minutes", "0.2")
        self.assertLess(time.monotonic() - begin, 40)
        part = self.part("2-kernels")
        self.assertEqual((code, [item["verdict"] for item in part["items"]]), (0, ["passed", "not measured"]))
        self.assertIn("scan: the part's time was over", part["why"])

    def test_what_is_cut_off_says_so(self):
        self.kernels(f'case "$*" in *scan*) echo $$ > {self.folder}/pid; exec sleep 100;; esac' + PASSES)
        process = subprocess.Popen(self.command("--part", "2"), stdout=subprocess.DEVNULL, start_new_session=True)
        path = self.folder / "out" / "2-kernels.json"
        for _ in range(200):
            if path.exists() and json.loads(path.read_text())["items"]:
                break
            time.sleep(0.1)
        process.kill()
        process.wait()
        # The program that it started is in a session of its own.
        os.kill(int((self.folder / "pid").read_text()), signal.SIGKILL)
        part = self.part("2-kernels")
        self.assertEqual((part["verdict"], [item["item"] for item in part["items"]]), ("cut off", ["blend"]))
        code, said = self.run_parts("--report")
        self.assertEqual(code, 1)
        self.assertIn("kernels was cut off: run --part 2 again", said)
        self.assertIn("test blend::right ... ok", (self.folder / "out" / "2-kernels.log").read_text())


if __name__ == "__main__":
    unittest.main()
