"""The harness's own arithmetic and its dealing with peers that fail."""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

import environment
import images
import report
from contest import Book, Entrant
from peers import Command, Failed, Peer, peak_of

# Answers like a peer: takes as many seconds as its argument says, and logs its turns in a file.
ECHO = """
import json, sys
import numpy as np
for line in sys.stdin:
    question = json.loads(line)
    if question["do"] == "run":
        with open(sys.argv[1], "a") as log:
            log.write(sys.argv[2])
        if question["save"] and sys.argv[2] != "X":
            np.save(question["save"] + "_out.npy", np.eye(8, dtype=np.uint32) * int(sys.argv[2] == "A"))
        print(json.dumps({"error": "no"} if sys.argv[2] == "X" else {"seconds": 2.0 + (sys.argv[2] == "B")}), flush=True)
    else:
        print("{}", flush=True)
"""


def discs(random, side=200, count=30):
    labels = np.zeros((side, side), np.int64)
    y, x = np.mgrid[:side, :side]
    for label in range(1, count + 1):
        centre, radius = random.integers(0, side, 2), random.integers(3, 14)
        labels[(y - centre[0])**2 + (x - centre[1])**2 < radius**2] = label
    return labels


class Numbers(unittest.TestCase):
    def test_median_and_spread(self):
        found = report.summary([4.0, 1.0, 2.0])
        self.assertEqual((found["median"], found["min"], found["max"]), (2.0, 1.0, 4.0))
        self.assertEqual(report.spread(found), "±75%")

    def test_ratio_above_one_is_flowmask_faster(self):
        self.assertEqual(report.ratio({"median": 3.0}, {"median": 1.5}), 2.0)

    def test_units(self):
        written = [report.duration(s) for s in (0.0000134, 0.134, 5.9)]
        self.assertEqual(written, ["13.4 us", "134.0 ms", "5.90 s"])

    def test_a_line_ends_in_the_ratio(self):
        side = {**report.summary([0.134]), "peak": 10.0}
        result = {"stage": "network", "on": "batch 8", "peer": "torch", "theirs": side, "ours": side, "ratio": 2.346}
        line = report.line(report.row(result))
        self.assertTrue(line.startswith("network") and line.endswith(" 2.35x"), line)

    def test_peak_of_a_process(self):
        self.assertEqual(peak_of("Name:\tx\nVmHWM:\t  2048 kB\n"), 2.0)
        self.assertIsNone(peak_of("Name:\tx\n"))


class Agreement(unittest.TestCase):
    def test_precision_is_the_originals(self):
        from cellpose import metrics
        random = np.random.default_rng(1)
        for _ in range(10):
            true = discs(random)
            found = np.roll(true, random.integers(-2, 3, 2), (0, 1))
            found[discs(random, count=5) > 0] = 0
            true, found = report.renumbered(true), report.renumbered(found)
            theirs = metrics.average_precision(true, found, threshold=report.THRESHOLDS)[0]
            np.testing.assert_allclose(report.precision(true, found), theirs, atol=1e-6)

    def test_gaps_and_order_of_labels_do_not_count(self):
        labels = discs(np.random.default_rng(2))
        self.assertEqual(report.precision(labels, (labels * 7) % 211), [1.0, 1.0, 1.0])

    def test_no_cells(self):
        none, some = np.zeros((9, 9), np.int64), discs(np.random.default_rng(3), 9, 1)
        self.assertEqual(report.precision(none, none), [1.0, 1.0, 1.0])
        self.assertEqual(report.precision(none, some + 1), [0.0, 0.0, 0.0])

    def test_shapes_that_differ_are_no_agreement(self):
        self.assertIn("failed", report.agreement("", np.zeros((2, 3)), np.zeros((3, 2))))


class Turns(unittest.TestCase):
    def contest(self, *kinds):
        """A contest of flowmask, which is A, against others."""
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as out, \
                contextlib.redirect_stderr(io.StringIO()):
            log = Path(folder) / "turns"
            peers = [Peer(kind, [sys.executable, "-c", ECHO, log, kind]).start() for kind in ("A", *kinds)]
            book = Book(Path(folder), seconds=0.0, rounds=(3, 9))
            first, *others = [Entrant(peer, peer.name, {}) for peer in peers]
            book.contest("stage", "image", first, others, must_agree=True)
            for peer in peers:
                peer.stop()
            return book, log.read_text(), out.getvalue()

    def test_sides_alternate(self):
        book, turns, out = self.contest("B")
        self.assertEqual(turns, "AB" * 4)
        self.assertEqual([result["ratio"] for result in book.results], [1.5])
        self.assertTrue(out.rstrip().endswith("1.50x"), out)

    def test_masks_that_differ_are_a_failure(self):
        book, _, _ = self.contest("B")
        self.assertIn("the masks differ", book.failures[0])
        self.assertEqual(self.contest("A")[0].failures, [])

    def test_a_peer_that_fails_does_not_stop_the_others(self):
        book, turns, _ = self.contest("X", "A")
        self.assertEqual(turns, "AXA" + "AA" * 3)
        self.assertEqual(len(book.results), 1)
        self.assertIn("X: no", book.failures[0])

    def test_a_peer_that_ends(self):
        peer = Peer("gone", [sys.executable, "-c", "raise SystemExit('why')"])
        with self.assertRaisesRegex(Failed, "gone ended with code 1: why"):
            peer.start()
        peer.stop()

    def test_a_command(self):
        command = Command("python")
        command.prepare("good", "", [sys.executable, "-c", "import time; time.sleep(0.1)"])
        command.prepare("bad", "", [sys.executable, "-c", "raise SystemExit('why')"])
        self.assertGreater(command.run("good"), 0.1)
        self.assertLess(command.peak(), 200)
        with self.assertRaisesRegex(Failed, "code 1: why"):
            command.run("bad")


class Gpu(unittest.TestCase):
    def needed(self, found):
        with tempfile.TemporaryDirectory() as folder:
            flowmask = Path(folder) / "flowmask"
            flowmask.write_text(f"#!/bin/sh\necho '{json.dumps(found)}'\n")
            flowmask.chmod(0o755)
            environment.need_gpu(flowmask)

    def test_without_one_nothing_is_measured_on_one(self):
        self.needed({"gpus": [{"name": "card"}], "gpus_error": None})
        with self.assertRaisesRegex(environment.Missing, "no driver"):
            self.needed({"gpus": [], "gpus_error": "cuda: no driver"})

    def test_one_that_is_required_is_asked_for(self):
        command = [sys.executable, Path(__file__).with_name("compare.py"), "--quick"]
        required = {**os.environ, "FLOWMASK_REQUIRE_GPU": "1"}
        run = subprocess.run(command, env=required, capture_output=True, text=True)
        self.assertEqual(run.returncode, 2)
        self.assertIn("FLOWMASK_REQUIRE_GPU is set, and only --device cuda", run.stderr)


class Images(unittest.TestCase):
    def test_mosaics_are_the_same_each_time_and_differ_from_one_another(self):
        for side in (64, 600):
            self.assertEqual(images.mosaic(side).shape, (side, side))
        self.assertTrue((images.mosaic(300, 1) == images.mosaic(300, 1)).all())
        self.assertTrue((images.mosaic(300, 1) != images.mosaic(300, 2)).any())

    def test_as_many_tiles_as_the_original_makes(self):
        from cellpose import transforms
        for side in (100, 208, 256, 500, 1024):
            above, below, left, right = transforms.get_pad_yx(side, side)
            padded = np.zeros((1, side + above + below, side + left + right), np.float32)
            tiles = transforms.make_tiles(padded, bsize=224, tile_overlap=0.1)[0]
            found = images.output_tiles(side)
            self.assertEqual(found.shape, (tiles.shape[0] * tiles.shape[1], 3, *tiles.shape[-2:]))

    def test_the_stack_and_its_maps_are_the_same_voxels(self):
        stack, (flows, cellprob) = images.volume(), images.volume_maps(2)
        depth, height, width = stack.shape
        self.assertEqual((cellprob.shape, flows.shape), ((depth, 2 * height, 2 * width), (3, depth, 2 * height, 2 * width)))
        # Cells are bright.
        inside = cellprob[:, height:, width:] > 0
        self.assertGreater(stack[inside].mean(), 2 * stack[~inside].mean())
        # Nothing flows outside of cells, and little inside stands still.
        strength = np.linalg.norm(flows, axis=0)
        self.assertEqual(strength[cellprob == 0].max(), 0)
        self.assertGreater(np.median(strength[cellprob > 0]), 3)


if __name__ == "__main__":
    unittest.main()
