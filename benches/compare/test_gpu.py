"""flowmask's side on a GPU, here on the emulator that stands in for one."""

import json
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np

import environment
import images
from peers import Peer

# Of random weights, and a real one, which takes the emulator seconds for a tile of 96 by 96 pixels.
TINY = environment.ROOT / "tests" / "data" / "models" / "tiny.pth"
NUCLEI = environment.MODELS / "nuclei.safetensors"


def emulator():
    """The folder of the libraries that stand in for NVIDIA's driver and compiler."""
    command = ["cargo", "build", "--release", "-p", "flowmask-emulator", "--message-format=json-render-diagnostics"]
    output = subprocess.run(command, cwd=environment.ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    folders = [m["out_dir"] for m in messages if "out_dir" in m and "flowmask-emulator" in m["package_id"]]
    return folders[-1]


class OnGpu(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        _, measuring = environment.build()
        variables = {"LD_LIBRARY_PATH": emulator(), "FLOWMASK_CACHE": str(cls.folder / "cache"), "FLOWMASK_TUNE": "off"}
        cls.sides = {model: {device: Peer(device, [measuring, "--serve", model, "2", device], variables)
                             for device in ("cpu", "cuda")} for model in (TINY, NUCLEI)}
        for side in (side for sides in cls.sides.values() for side in sides.values()):
            side.start()
            cls.addClassCleanup(side.stop)

    def results(self, model, stage, name, **question):
        """The arrays of this name from both sides."""
        found = []
        for device, side in self.sides[model].items():
            side.prepare(stage, stage, **question)
            self.assertGreater(side.run(stage, save=self.folder / device), 0)
            found.append(np.load(self.folder / f"{device}_{name}.npy"))
        return found

    def test_it_says_where_it_runs(self):
        self.assertEqual([side.about["device"] for side in self.sides[TINY].values()], ["cpu", "cuda:0"])

    def test_the_network_is_that_of_the_processor(self):
        tiles = self.folder / "tiles.npy"
        np.save(tiles, np.random.default_rng(1).random((3, 2, 32, 32), np.float32))
        for precision, bound in (("f32", 1e-4), ("f16", 2e-2)):
            cpu, gpu = self.results(TINY, "network", "out", tiles=str(tiles), precision=precision)
            self.assertEqual(cpu.shape, (3, 3, 32, 32))
            np.testing.assert_allclose(gpu, cpu, rtol=bound, atol=bound)

    def test_images_one_and_several_have_the_same_masks(self):
        paths = [str(images.write_mosaic(self.folder, side, seed)) for side, seed in ((64, 1), (72, 2))]
        for some in (paths[:1], paths):
            question = {"images": some, "diameter": 17.0, "precision": "f32", "like": "3-cuda"}
            cpu, gpu = self.results(NUCLEI, "segment", f"masks{len(some) - 1}", **question)
            self.assertEqual(cpu.shape, (64, 64) if len(some) == 1 else (72, 72))
            self.assertGreater(cpu.max(), 0)
            np.testing.assert_array_equal(gpu, cpu)


if __name__ == "__main__":
    unittest.main()
