"""Outlines, regions and polygons of `flowmask export`, against OpenCV, roifile and the labels themselves.

    FLOWMASK=target/release/flowmask python -m unittest tests/readers/test_contours.py
"""

import json
import os
import subprocess
import tempfile
import unittest
import uuid
from pathlib import Path

import cv2
import numpy as np
import roifile
import shapely
import tifffile

ROOT = Path(__file__).resolve().parents[2]
FLOWMASK = os.environ.get("FLOWMASK", str(ROOT / "target/release/flowmask"))


def outlines(labels):
    """The outline of each cell by ascending label, as `utils.outlines_list` of cellpose 3.1.1 finds it."""
    found = {}
    for label in np.unique(labels[labels > 0]):
        cell = (labels == label).astype(np.uint8)
        parts = cv2.findContours(cell, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[-2]
        longest = parts[np.argmax([len(part) for part in parts])].reshape(-1, 2)
        found[int(label)] = longest if len(longest) > 4 else longest[:0]
    return found


def noise(random):
    """Labels by lot: parts, holes, and pixels that touch at corners."""
    size = random.integers(1, 60, 2)
    labels = random.integers(1, random.integers(2, 7), size)
    return labels * (random.random(size) < random.uniform(0.3, 1))


def boxes(random):
    """Larger areas of few labels."""
    return np.kron(random.integers(0, 4, random.integers(3, 20, 2)), np.ones((3, 4), int))


def lines(random):
    """Rings, which lie in each other, and lines of one pixel."""
    labels = np.zeros((60, 80), np.int32)
    for _ in range(random.integers(2, 9)):
        (x, y), (x2, y2) = random.integers(0, 80, (2, 2)).tolist()
        label = int(random.integers(1, 4))
        if random.random() < 0.6:
            cv2.circle(labels, (x, y), 1 + y2 // 2, label, int(random.integers(1, 3)))
        else:
            cv2.line(labels, (x, y), (x2, y2), label, 1)
    return labels


class Contours(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def export(self, images, **tiff):
        """Writes label images, exports all in one run, and gives the outputs of each."""
        files = [self.folder / f"{name}_masks.tif" for name in images]
        for file, labels in zip(files, images.values(), strict=True):
            tifffile.imwrite(file, labels, **tiff)
        options = ["--outputs", "rois,geojson,outlines", "-o", self.folder / "out", "--quiet"]
        subprocess.run([FLOWMASK, "export", *files, *options], check=True)
        return {name: self.outputs(name) for name in images}

    def outputs(self, name):
        out = self.folder / "out"
        texts = sorted(out.glob(f"{name}_*outlines.txt"))
        features = json.loads((out / f"{name}_cells.geojson").read_text())["features"]
        return [path.read_text() for path in texts], roifile.roiread(out / f"{name}_rois.zip"), features

    def check_regions(self, regions, found):
        self.assertEqual([roi.name for roi in regions], [str(label) for label, points in found.items() if len(points)])
        for roi in regions:
            points = found[int(roi.name)].astype(np.int64)
            self.assertEqual(roi.tobytes(), roifile.ImagejRoi.frompoints(points, name=roi.name).tobytes())

    def check_features(self, features, labels):
        self.assertEqual([int(f["properties"]["name"]) for f in features], np.unique(labels[labels > 0]).tolist())
        y, x = np.indices(labels.shape) + 0.5
        for feature in features:
            self.assertEqual(uuid.UUID(feature["id"]).version, 8)
            cell = labels == int(feature["properties"]["name"])
            shape = shapely.geometry.shape(feature["geometry"])
            self.assertTrue(shape.is_valid, shapely.is_valid_reason(shape))
            self.assertEqual(shape.area, cell.sum())
            np.testing.assert_array_equal(shapely.contains_xy(shape, x, y), cell)
            for part in shapely.get_parts(shape):
                self.assertTrue(part.exterior.is_ccw)
                self.assertFalse(any(hole.is_ccw for hole in part.interiors))

    def test_random_labels(self):
        random = np.random.default_rng(1)
        kinds = {"noise": noise, "boxes": boxes, "lines": lines}
        images = {
            f"{name}{i}": kind(random).astype(np.uint32) for name, kind in kinds.items() for i in range(40)
        }
        images["large"] = images["noise0"] * np.uint32(900_000_001)
        parts = 0
        for name, (texts, regions, features) in self.export(images).items():
            with self.subTest(name):
                found = outlines(images[name])
                text = "".join(",".join(map(str, points.ravel().tolist())) + "\n" for points in found.values())
                self.assertEqual(texts, [text])
                self.check_regions(regions, found)
                self.check_features(features, images[name])
                parts += sum(feature["geometry"]["type"] == "MultiPolygon" for feature in features)
        self.assertGreater(parts, 50)

    def test_cells_beyond_the_short_coordinates(self):
        labels = np.zeros((40, 61_000), np.uint16)
        labels[5:30, 60_400:60_536] = 1
        labels[5:30, 60_400:60_537:2] = 2
        labels[3:20, 60_700:60_800] = 3
        ((_, regions, _),) = self.export({"a": labels}).values()
        found = outlines(labels)
        self.check_regions(regions, found)
        self.assertTrue(regions[-1].subpixelresolution)
        np.testing.assert_array_equal(regions[-1].coordinates(), found[3])

    def test_stacks(self):
        labels = np.zeros((2, 3, 30, 40), np.uint16)
        for plane in range(6):
            cell = labels.reshape(-1, 30, 40)[plane]
            cell[4 : 10 + plane, 5 : 20 + plane] = 7
        stacks = {"TZYX": labels, "ZYX": labels[0], "TYX": labels[:, 0]}
        for axes, stack in stacks.items():
            with self.subTest(axes):
                metadata = {"axes": axes}
                texts, regions, features = self.export({axes: stack}, imagej=True, metadata=metadata)[axes]
                places = list(np.ndindex(stack.shape[:-2]))
                self.assertEqual([len(found) for found in (texts, regions, features)], [len(places)] * 3)
                for index, (place, roi, feature) in enumerate(zip(places, regions, features, strict=True)):
                    at = dict(zip(axes, place, strict=False))
                    name = "7" + "".join(f"_{letter.lower()}{number + 1}" for letter, number in at.items())
                    # ImageJ counts the slices of a stack with one axis, and names the place in a hyperstack.
                    position = {letter.lower(): number for letter, number in at.items()}
                    position = position if len(at) > 1 else {"position": index}
                    wanted = roifile.ImagejRoi.frompoints(outlines(stack[place])[7], name=name, **position)
                    self.assertEqual(roi.tobytes(), wanted.tobytes())
                    plane = {"c": -1, "z": at.get("Z", 0), "t": at.get("T", 0)}
                    self.assertEqual(feature["geometry"].pop("plane"), plane)
                    self.check_features([feature], stack[place])


if __name__ == "__main__":
    unittest.main()
