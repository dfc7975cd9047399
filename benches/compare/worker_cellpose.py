"""Stages and whole images with PyTorch cellpose. The functions after the network are taken from 3.1.1 or 4,
whichever is installed."""

import inspect
from pathlib import Path

import cv2
import numpy as np
import torch

from cellpose import dynamics, io, transforms, utils, version


def nothing():
    return None


def labels(path):
    """Of the type that cellpose itself hands from stage to stage."""
    masks = np.load(path)
    return masks.astype(np.uint16) if masks.max() < 2**16 else masks


class Side:
    def __init__(self, model, threads, device):
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
        self.threads = threads
        self.path = model
        self.device = torch.device(device)
        self.model = None

    def about(self):
        device = torch.cuda.get_device_name() if self.device.type == "cuda" else "cpu"
        return {"version": version, "torch": torch.__version__, "numpy": np.__version__,
                "threads": torch.get_num_threads(), "device": device}

    def synchronize(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def prepare(self, stage, question):
        stages = {"read": self.read, "normalize": self.normalize, "average": self.average, "follow": self.follow,
                  "cluster": self.cluster, "flow check": self.flow_check, "holes, sizes": self.holes,
                  "after network": self.after, "write": self.write, "segment": self.segment,
                  "stitch": self.stitch}
        if stage == "segment" and question.get("in_3d"):
            return self.segment_volume(question)
        return stages[stage](question)

    def read(self, question):
        return nothing, lambda _: np.atleast_3d(io.imread(question["image"])).astype(np.float32)

    def normalize(self, question):
        image = io.imread(question["image"])

        def measured(_):
            converted = transforms.convert_image(image, [0, 0], nchan=2)
            return transforms.normalize_img(converted[np.newaxis])[0]
        return nothing, measured

    def average(self, question):
        tiles, side = np.load(question["tiles"]), question["side"]
        above, below, left, right = transforms.get_pad_yx(side, side)
        padded = np.zeros((1, side + above + below, side + left + right), np.float32)
        _, rows, columns, height, width = transforms.make_tiles(padded, bsize=224, tile_overlap=0.1)

        def measured(_):
            averaged = transforms.average_tiles(tiles, rows, columns, height, width)
            return averaged[:, above:height - below, left:width - right]
        return nothing, measured

    def follow(self, question):
        flows, cellprob = np.load(question["flows"]), np.load(question["cellprob"])

        def measured(_):
            inside = cellprob > 0
            ends = dynamics.follow_flows(flows * inside / 5.0, np.nonzero(inside), niter=question["niter"],
                                         device=self.device)
            return ends.cpu().numpy() if torch.is_tensor(ends) else ends
        return nothing, measured

    def cluster(self, question):
        inside, ends = np.load(question["cellprob"]) > 0, np.load(question["ends"])
        where = np.nonzero(inside)

        def before():
            # It changes the points that it is given.
            return torch.from_numpy(ends).to(self.device, dtype=torch.int)
        return before, lambda points: dynamics.get_masks_torch(points, where, inside.shape)

    def flow_check(self, question):
        flows, masks = np.load(question["flows"]), labels(question["masks"])
        check = dynamics.remove_bad_flow_masks
        return masks.copy, lambda m: check(m, flows, threshold=0.4, device=self.device)

    def holes(self, question):
        masks = labels(question["masks"])
        return masks.copy, lambda m: utils.fill_holes_and_remove_small_masks(m, min_size=15)

    def after(self, question):
        flows, cellprob = np.load(question["flows"]), np.load(question["cellprob"])
        compute = dynamics.resize_and_compute_masks
        in_3d = bool(question.get("in_3d"))
        return nothing, lambda _: compute(flows, cellprob, niter=question["niter"], do_3D=in_3d, device=self.device)

    def stitch(self, question):
        masks = labels(question["masks"])
        # It changes the masks that it is given.
        return masks.copy, lambda m: utils.stitch3D(m, stitch_threshold=0.25)

    def write(self, question):
        masks = labels(question["masks"])
        return nothing, lambda _: io.imsave(question["to"], masks)

    def segment(self, question):
        model = self.load()
        folder = question.get("write")
        images = None if folder else [io.imread(path) for path in question["images"]]

        def measured(_):
            read = images or [io.imread(path) for path in question["images"]]
            masks, flows, _ = model.eval(read, channels=[0, 0], diameter=question["diameter"],
                                         batch_size=question.get("batch", 8))
            if folder:
                for path, mask in zip(question["images"], masks):
                    io.imsave(str(Path(folder) / Path(path).stem) + ".tif", mask)
            if question.get("maps"):
                return {"flows": flows[0][1], "cellprob": flows[0][2]}
            return {f"masks{i}": mask for i, mask in enumerate(masks)}
        return nothing, measured

    def segment_volume(self, question):
        model, volume = self.load(), np.load(question["volume"])

        def measured(_):
            masks, _, _ = model.eval(volume, channels=[0, 0], diameter=question["diameter"], z_axis=0, do_3D=True,
                                     anisotropy=question["anisotropy"], batch_size=question["batch"])
            return masks
        return nothing, measured

    def load(self):
        if self.model is None:
            from cellpose import models
            if "mkldnn" not in inspect.signature(models.CellposeModel.__init__).parameters:
                raise RuntimeError(f"cellpose {version} cannot load this network")
            self.model = models.CellposeModel(gpu=self.device.type == "cuda", device=self.device,
                                              pretrained_model=self.path)
        return self.model
