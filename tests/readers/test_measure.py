"""Tables of `flowmask measure`, read by pandas and pyarrow, against `skimage.measure.regionprops_table`.

    FLOWMASK=target/release/flowmask python -m unittest tests/readers/test_measure.py
"""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet
import tifffile
from scipy import ndimage
from skimage.measure import marching_cubes, mesh_surface_area, regionprops_table

ROOT = Path(__file__).resolve().parents[2]
FLOWMASK = os.environ.get("FLOWMASK", str(ROOT / "target/release/flowmask"))

EXACT = ["label", "area", "bbox", "euler_number", "area_convex"]
LENGTHS = ["centroid", "equivalent_diameter_area", "axis_major_length", "axis_minor_length"]
PLANE = ["eccentricity", "orientation", "perimeter", "solidity"]
INTENSITIES = ["intensity_mean", "intensity_min", "intensity_max", "intensity_std"]


class Measured(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def table(self, labels, *options, image=None, **tiff):
        path = self.folder / "a_masks.tif"
        tifffile.imwrite(path, labels, **tiff)
        words = list(options)
        if image is not None:
            tifffile.imwrite(self.folder / "a.tif", image, photometric="minisblack", **tiff)
            words += ["--images", str(self.folder / "a.tif")]
        subprocess.run([FLOWMASK, "measure", path, "--overwrite", "--quiet", *words], check=True)
        return pd.read_csv(self.folder / "a_cells.csv", float_precision="round_trip")

    def compare(self, found, labels, image=None, volume=False, spacing=None):
        properties = [name for name in EXACT + LENGTHS if not (volume and name == "area_convex")]
        properties += [] if volume else PLANE
        properties += [] if image is None else INTENSITIES
        options = {} if image is None else {"intensity_image": image}
        wanted = regionprops_table(labels, properties=properties, **options)
        self.assertGreater(len(wanted["label"]), 0)
        spread = np.maximum(wanted["equivalent_diameter_area"], 1)
        for name, values in wanted.items():
            name = name + "-0" if name in INTENSITIES else name
            with self.subTest(name):
                ours = found[name].to_numpy()
                if name.split("-")[0] in EXACT:
                    np.testing.assert_array_equal(ours, values)
                elif name in ("axis_minor_length", "eccentricity", "orientation"):
                    self.close_to_rounded(name, ours, values, spread, found)
                else:
                    np.testing.assert_allclose(ours, values, rtol=1e-9, atol=1e-9 * spread.min() * 1e-3)

    def close_to_rounded(self, name, ours, values, spread, found):
        """scikit-image subtracts nearly equal numbers for flat cells: what is left of those has fewer digits."""
        major, minor = found["axis_major_length"].to_numpy(), found["axis_minor_length"].to_numpy()
        flat = minor < 1e-2 * major
        if name == "axis_minor_length":
            # The square is the eigenvalue, whose error is that of the larger one.
            np.testing.assert_allclose(ours[~flat], values[~flat], rtol=1e-9)
            np.testing.assert_allclose(ours[flat] ** 2, values[flat] ** 2, atol=1e-9 * major.max() ** 2)
        elif name == "eccentricity":
            # The same holds where the axes are nearly equal; the square is 1 less their ratio's.
            np.testing.assert_allclose(ours**2, values**2, rtol=1e-9, atol=1e-12)
        else:
            # Of a disc there is none, and ±π/2 are the same line.
            line = found["eccentricity"].to_numpy() > 1e-3
            turned = (ours - values + np.pi / 2) % np.pi - np.pi / 2
            np.testing.assert_allclose(turned[line], 0, atol=1e-9)

    def test_random_labels_of_planes(self):
        random = np.random.default_rng(1)
        noise = ndimage.gaussian_filter(random.normal(size=(300, 280)), 3)
        blobs, _ = ndimage.label(noise > 0.02)
        image = random.integers(0, 65535, blobs.shape, dtype=np.uint16)
        scattered = random.integers(0, 40, (61, 73))
        pixels = scattered * (random.random(scattered.shape) < 0.02)
        for labels in [blobs, 70_001 * blobs, scattered, pixels, np.ones((5, 9))]:
            labels = labels.astype(np.uint32)
            own = image[: labels.shape[0], : labels.shape[1]]
            self.compare(self.table(labels, image=own), labels, own)

    def test_floats_and_channels(self):
        random = np.random.default_rng(2)
        labels = ndimage.label(ndimage.gaussian_filter(random.normal(size=(90, 120)), 2) > 0)[0].astype(np.uint32)
        image = random.normal(size=(3, 90, 120)).astype(np.float32)
        path, pixels = self.folder / "b_masks.tif", self.folder / "b.tif"
        tifffile.imwrite(path, labels)
        tifffile.imwrite(pixels, image, photometric="minisblack", imagej=True, metadata={"axes": "CYX"})
        subprocess.run([FLOWMASK, "measure", path, "--images", pixels, "--quiet"], check=True)
        found = pd.read_csv(self.folder / "b_cells.csv", float_precision="round_trip")
        wanted = regionprops_table(
            labels, np.moveaxis(image, 0, -1).astype(np.float64), properties=["label", "area", *INTENSITIES]
        )
        for name in INTENSITIES:
            for channel in range(3):
                column = f"{name}-{channel}"
                np.testing.assert_allclose(found[column], wanted[column], rtol=1e-9, atol=1e-12)
        sums = [ndimage.sum(channel.astype(np.float64), labels, wanted["label"]) for channel in image]
        for channel, values in enumerate(sums):
            np.testing.assert_allclose(found[f"intensity_sum-{channel}"], values, rtol=1e-9, atol=1e-9)

    def test_random_labels_of_volumes(self):
        random = np.random.default_rng(3)
        noise = ndimage.gaussian_filter(random.normal(size=(24, 60, 50)), 2)
        blobs, _ = ndimage.label(noise > 0.02)
        scattered = random.integers(0, 8, (6, 9, 11))
        for labels in [blobs, scattered]:
            labels = labels.astype(np.uint32)
            image = random.integers(0, 255, labels.shape, dtype=np.uint8)
            found = self.table(labels, "--volumes", image=image, metadata={"axes": "ZYX"})
            self.compare(found, labels, image, volume=True)
            self.surfaces(found["surface"], labels, (1, 1, 1))

    def surfaces(self, found, labels, spacing):
        self.assertGreater(len(found), 0)
        for label, ours in zip(np.unique(labels[labels > 0]), found):
            mask = np.pad(labels == label, 1)
            points, faces, *_ = marching_cubes(mask.astype(np.float32), 0.5, spacing=spacing)
            # The points have single precision.
            points = np.round(points.astype(np.float64) / spacing * 2) / 2 * spacing
            self.assertAlmostEqual(ours / mesh_surface_area(points, faces), 1, 9)

    def test_sizes_of_pixels(self):
        random = np.random.default_rng(4)
        labels = ndimage.label(ndimage.gaussian_filter(random.normal(size=(16, 40, 50)), 2) > 0)[0].astype(np.uint32)
        sizes = {"PhysicalSizeX": 0.25, "PhysicalSizeY": 250.0, "PhysicalSizeYUnit": "nm", "PhysicalSizeZ": 2.0}
        found = self.table(labels, "--volumes", ome=True, metadata={"axes": "ZYX", **sizes})
        spacing = (2.0, 0.25, 0.25)
        names = ["area", "centroid", "equivalent_diameter_area", "axis_major_length", "axis_minor_length"]
        wanted = regionprops_table(labels, properties=names, spacing=spacing)
        ours = {"area": "area_um3", **{f"centroid-{i}": f"centroid_um-{i}" for i in range(3)}}
        for name, values in wanted.items():
            with self.subTest(name):
                np.testing.assert_allclose(found[ours.get(name, name + "_um")], values, rtol=1e-9, atol=1e-9)
        self.surfaces(found["surface_um2"], labels, spacing)
        plane = self.table(labels[3], ome=True, metadata={"axes": "YX", **sizes})
        wanted = regionprops_table(labels[3], properties=["area", "perimeter"], spacing=(0.25, 0.25))
        np.testing.assert_allclose(plane["area_um2"], wanted["area"], rtol=1e-9)
        np.testing.assert_allclose(plane["perimeter_um"], wanted["perimeter"], rtol=1e-9)

    def test_planes_of_a_stack_have_their_place(self):
        random = np.random.default_rng(5)
        labels = random.integers(0, 4, (2, 3, 20, 20)).astype(np.uint16)
        found = self.table(labels, imagej=True, metadata={"axes": "TZYX"})
        for t, z in np.ndindex(2, 3):
            own = found[(found["t"] == t) & (found["z"] == z)]
            self.compare(own, labels[t, z].astype(np.int64))
        volumes = self.table(labels, "--volumes", imagej=True, metadata={"axes": "TZYX"})
        self.assertNotIn("z", volumes)
        for t in range(2):
            self.compare(volumes[volumes["t"] == t], labels[t].astype(np.int64), volume=True)

    def test_edges(self):
        labels = np.zeros((6, 7), np.uint8)
        labels[0, 3], labels[2:4, 2:4], labels[5, 6], labels[3, 0] = 1, 2, 3, 4
        self.assertEqual(list(self.table(labels)["touches_edge"]), [True, False, True, True])

    def test_real_labels(self):
        files = [file for file in sorted((ROOT / "tests/data").rglob("*")) if is_labels(file)]
        self.assertGreater(len(files), 1)
        for file in files:
            labels = np.squeeze(read(file))
            if labels.ndim == 2 and labels.max() > 0:
                with self.subTest(file.name):
                    labels = labels.astype(np.uint32)
                    self.compare(self.table(labels), labels)

    def test_parquet_is_the_same(self):
        random = np.random.default_rng(6)
        labels = random.integers(0, 30, (40, 50)).astype(np.uint16)
        csv = self.table(labels, image=random.random((40, 50)).astype(np.float32))
        self.table(labels, "--format", "parquet", image=tifffile.imread(self.folder / "a.tif"))
        path = self.folder / "a_cells.parquet"
        table = pyarrow.parquet.read_table(path)
        self.assertIn("flowmask", pyarrow.parquet.read_metadata(path).created_by)
        pd.testing.assert_frame_equal(table.to_pandas(), csv, check_exact=True)


def is_labels(file):
    return file.suffix in (".npy", ".tif", ".png") and any(part in file.stem for part in ("mask", "label"))


def read(file):
    if file.suffix == ".npy":
        return np.load(file)
    if file.suffix == ".png":
        import skimage.io

        return skimage.io.imread(file)
    return tifffile.imread(file)


if __name__ == "__main__":
    unittest.main()
