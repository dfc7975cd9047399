"""`_seg.npy` and the TIFFs of labels and maps, read by numpy and tifffile, against a file of cellpose 3.1.1.

    FLOWMASK=target/release/flowmask python -m unittest tests/readers/test_seg.py
"""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np
import tifffile

ROOT = Path(__file__).resolve().parents[2]
FLOWMASK = os.environ.get("FLOWMASK", str(ROOT / "target/release/flowmask"))
FILES = ROOT / "tests/data/files"
WEIGHTS = str(ROOT / "weights/nuclei.safetensors")


def loaded(path):
    return np.load(path, allow_pickle=True).item()


def kind(value):
    """What the window depends on: the type, and of arrays the shape."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, list):
        return [kind(entry) for entry in value]
    return type(value).__name__


class Seg(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, name, pixels, **tiff):
        tifffile.imwrite(self.folder / name, pixels, **tiff)

    def run_on(self, name, *options):
        words = ["segment", name, "--model", WEIGHTS, "--diameter", "20", "--quiet", *options]
        subprocess.run([FLOWMASK, *words], check=True, cwd=self.folder)

    def read(self, name):
        return tifffile.imread(self.folder / name)

    def test_the_file_is_that_of_the_original(self):
        pixels = tifffile.imread(FILES / "cells.tif")
        self.write("cells.tif", pixels, photometric="rgb")
        words = ["cellpose", "--image_path", "cells.tif", "--pretrained_model", WEIGHTS, "--diameter", "20"]
        subprocess.run([FLOWMASK, *words], check=True, cwd=self.folder)
        ours, theirs = loaded(self.folder / "cells_seg.npy"), loaded(FILES / "cells_seg.npy")
        self.assertEqual(list(ours), list(theirs))
        self.assertEqual({key: kind(value) for key, value in ours.items()},
                         {key: kind(value) for key, value in theirs.items()})
        for key in ("masks", "outlines", "ismanual"):
            np.testing.assert_array_equal(ours[key], theirs[key], key)
        for key in ("chan_choose", "diameter"):
            self.assertEqual(ours[key], theirs[key], key)
        self.assertEqual(ours["filename"], "cells.tif")
        # The maps differ in the last digits, by which a colour may become the next.
        for i in range(3):
            colors = [seg["flows"][i].astype(int) for seg in (ours, theirs)]
            self.assertLessEqual(np.abs(colors[0] - colors[1]).max(), 1)
            self.assertLess((colors[0] != colors[1]).mean(), 1e-3)
        np.testing.assert_allclose(ours["flows"][4], theirs["flows"][4], atol=2e-3)

    def stack(self):
        """Three planes that are not the same."""
        gray = tifffile.imread(FILES / "cells.tif").mean(2).astype(np.uint16)
        return np.stack([gray, gray[::-1], gray[:, ::-1]])

    def check_maps(self, name, axes):
        """The `_seg.npy` has the maps that the TIFFs have, and all have the axes of the image."""
        seg = loaded(self.folder / f"{name}_seg.npy")
        masks = self.read(f"{name}_masks.tif")
        flows, cellprob = self.read(f"{name}_flows.tif"), self.read(f"{name}_cellprob.tif")
        planes, size = masks.shape[:-2], masks.shape[-2:]
        np.testing.assert_array_equal(seg["masks"], masks)
        self.assertEqual(seg["outlines"].shape, masks.shape)
        outlined = seg["outlines"] > 0
        np.testing.assert_array_equal(seg["outlines"][outlined], masks[outlined])
        self.assertEqual(len(seg["ismanual"]), masks.max())
        colors, probability, z, empty, maps = seg["flows"]
        count = planes or (1,)
        self.assertEqual((colors.dtype, colors.shape), (np.uint8, (*count, *size, 3)))
        self.assertEqual((probability.dtype, probability.shape), (np.uint8, (*count, *size)))
        self.assertEqual((z.dtype, z.shape), (np.uint8, (*count, *size) if planes else (1, *size, 3)))
        self.assertEqual(empty, [])
        self.assertEqual((maps.dtype, maps.shape[1:]), (np.float32, (*planes, *size)))
        np.testing.assert_array_equal(np.moveaxis(maps[:-1], 0, -3), flows)
        np.testing.assert_array_equal(maps[-1], cellprob)
        for output, wanted in ("masks", axes), ("cellprob", axes), ("flows", axes[:-2] + "C" + axes[-2:]):
            with tifffile.TiffFile(self.folder / f"{name}_{output}.tif") as file:
                self.assertEqual(file.series[0].axes, wanted, output)
        return maps, masks

    def test_an_image(self):
        self.write("a.tif", self.stack()[0])
        self.run_on("a.tif", "--outputs", "masks,seg,flows,prob")
        maps, masks = self.check_maps("a", "YX")
        self.assertEqual(len(maps), 3)
        self.assertGreater(masks.max(), 3)

    def test_a_stack(self):
        self.write("a.tif", self.stack(), imagej=True, metadata={"axes": "ZYX"})
        self.run_on("a.tif", "--outputs", "masks,seg,flows,prob", "--stitch-threshold", "0.2")
        maps, masks = self.check_maps("a", "ZYX")
        self.assertEqual(len(maps), 3)
        self.assertGreater(masks.max(), 3)

    def test_a_volume(self):
        volume = self.stack()[:, 40:80, 60:108].repeat(4, 0)
        self.write("a.tif", volume, imagej=True, metadata={"axes": "ZYX"})
        self.run_on("a.tif", "--outputs", "masks,seg,flows,prob", "--do-3d")
        maps, masks = self.check_maps("a", "ZYX")
        self.assertEqual(len(maps), 4)
        self.assertGreater(masks.max(), 0)

    def test_labels_that_there_are(self):
        """Of labels alone, the file has what the window makes of a new image."""
        labels = np.zeros((30, 40), np.uint32)
        labels[3:9, 4:12], labels[10:20, 20:30] = 1, 70_000
        self.write("a_masks.tif", labels)
        words = [FLOWMASK, "export", "a_masks.tif", "--outputs", "seg", "--quiet"]
        subprocess.run(words, check=True, cwd=self.folder)
        seg = loaded(self.folder / "a_seg.npy")
        self.assertEqual(seg["masks"].dtype, np.uint32)
        np.testing.assert_array_equal(seg["masks"], labels)
        self.assertEqual(kind(seg["flows"]), [[], [], [], [], [[]]])


if __name__ == "__main__":
    unittest.main()
