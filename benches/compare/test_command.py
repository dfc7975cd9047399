"""`flowmask cellpose` beside `python -m cellpose` 3.1.1: the same files with the same contents, for the same words."""

import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

import numpy as np
import tifffile

import environment

FILES = environment.ROOT / "tests/data/files"

# The words after the folder and the model, and the files that stand in it.
RUNS = {
    "outputs": ("--save_png --save_tif --save_rois --save_txt", ["a.tif", "b.tif"]),
    "folders": ("--no_npy --save_tif --save_png --in_folders --savedir out --output_name _x", ["a.tif"]),
    "filters": ("--save_tif --img_filter b --min_size 200 --flow_threshold 0 --cellprob_threshold 1", ["a.tif", "b.tif"]),
    "channels": ("--save_tif --chan 2 --chan2 1 --exclude_on_edges --no_resample", ["a.tif", "gray.tif"]),
    "percentiles": ("--save_tif --norm_percentile 5 95 --invert --niter 50", ["a.tif"]),
    "stacks": ("--save_tif --z_axis 0 --stitch_threshold 0.2", ["z.tif"]),
    "volumes": ("--save_tif --z_axis 0 --do_3D --anisotropy 2", ["small.tif"]),
}


def images():
    """The images that a run may have, by name."""
    rgb = tifffile.imread(FILES / "cells.tif")
    gray = rgb.max(2)
    stack = np.stack([gray, gray[::-1], gray[::-1], np.roll(gray, 3, 1)])
    return {
        "a.tif": (rgb, {"photometric": "rgb"}),
        "b.tif": (rgb[::-1], {"photometric": "rgb"}),
        "gray.tif": (gray, {}),
        "z.tif": (stack, {"photometric": "minisblack"}),
        "small.tif": (stack.repeat(3, 0)[:, 60:108, 60:124], {"photometric": "minisblack"}),
    }


def shapes(value):
    """What a reader of a `_seg.npy` depends on."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    return [shapes(entry) for entry in value] if isinstance(value, list) else type(value).__name__


class Files(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.flowmask, _ = environment.programs(None)
        # The original reads its own format of the weights.
        _, cls.weights = environment.weights(cls.flowmask, "nuclei")

    def written(self, folder, command, words, names):
        """Runs a command on a folder of its own; the files that it wrote, by name."""
        for name in names:
            pixels, options = images()[name]
            folder.mkdir(exist_ok=True)
            tifffile.imwrite(folder / name, pixels, **options)
        (folder / "out").mkdir()
        words = ["--dir", ".", "--pretrained_model", str(self.weights), "--diameter", "20", *words.split()]
        run = subprocess.run([*command, *words], cwd=folder, capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        files = (path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path for path in files if path.name not in names}

    def compare(self, words, name, ours, theirs):
        if name.endswith(".txt"):
            self.assertEqual(ours.read_bytes(), theirs.read_bytes(), name)
        elif name.endswith(".zip"):
            self.assertEqual(self.points(ours), self.points(theirs), name)
        elif name.endswith(".npy"):
            self.compare_seg(name, *(np.load(path, allow_pickle=True).item() for path in (ours, theirs)))
        else:
            ours, theirs = (self.pixels(path) for path in (ours, theirs))
            # The original's labels have 32 bits here, where 16 are enough, as docs/command.md says.
            wider = "--no_resample" in words and theirs.dtype == np.int32
            self.assertEqual(ours.dtype, np.uint16 if wider else theirs.dtype, name)
            np.testing.assert_array_equal(ours, theirs, name)

    def compare_seg(self, name, ours, theirs):
        self.assertEqual(list(ours), list(theirs), name)
        self.assertEqual(shapes(list(ours.values())), shapes(list(theirs.values())), name)
        for key in ("masks", "outlines", "ismanual"):
            np.testing.assert_array_equal(ours[key], theirs[key], f"{name} {key}")
        np.testing.assert_allclose(ours["flows"][4], theirs["flows"][4], atol=5e-3, err_msg=name)

    def pixels(self, path):
        import cv2

        return tifffile.imread(path) if path.suffix == ".tif" else cv2.imread(str(path), cv2.IMREAD_UNCHANGED)

    def points(self, path):
        import roifile

        with zipfile.ZipFile(path) as archive:
            rois = [roifile.ImagejRoi.frombytes(archive.read(name)) for name in archive.namelist()]
        return [roi.coordinates().tolist() for roi in rois]

    def test_the_same_words_write_the_same_files(self):
        for title, (words, names) in RUNS.items():
            with self.subTest(title), tempfile.TemporaryDirectory() as folder:
                ours = self.written(Path(folder) / "ours", [self.flowmask, "cellpose"], words, names)
                theirs = self.written(Path(folder) / "theirs", [sys.executable, "-m", "cellpose"], words, names)
                self.assertEqual(sorted(ours), sorted(theirs))
                self.assertGreater(len(ours), 0)
                for name in ours:
                    self.compare(words, name, ours[name], theirs[name])


if __name__ == "__main__":
    unittest.main()
