"""What is measured: whole images, single stages, the network, and the command."""

import os
import platform
import shutil
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np

import environment
import images
import report
from contest import Book, Entrant
from peers import Command, Failed, Peer

HERE = Path(__file__).resolve().parent
# The diameter at which an image is not scaled: the models' `diam_mean`.
UNSCALED = {"nuclei": 17.0, "cyto": 30.0}
PARTS = ("whole", "stages", "volumes", "network", "command")


class Sides:
    """How each peer is started; they are started anew for each part, so that none carries another's memory."""

    def __init__(self, options, python):
        self.options, self.python = options, python
        self.flowmask, self.measuring = environment.programs(options.prebuilt)
        if options.device == "cuda":
            environment.need_gpu(self.flowmask)
        self.ours, self.theirs = environment.weights(self.flowmask, options.model)
        self.newest = environment.cellpose4(python) if options.peers else None
        self.about = {}

    def start(self, *names):
        peers = [self.begin(name) for name in names]
        try:
            for peer in peers:
                self.about[peer.name] = peer.start().about
        except BaseException:
            for peer in peers:
                peer.stop()
            raise
        return peers

    def begin(self, name):
        threads, device = str(self.options.threads), self.options.device
        worker = [self.python, HERE / "worker.py"]
        if name == "flowmask":
            return Peer(name, [self.measuring, "--serve", self.ours, threads, device])
        if name == "cellpose 4":
            return Peer(name, [*worker, "worker_cellpose", self.theirs, threads, device],
                        {"PYTHONPATH": str(self.newest)})
        kind = {"cellpose 3": "worker_cellpose", "torch": "worker_torch"}.get(name, "worker_engines")
        return Peer(name, [*worker, kind, name if kind == "worker_engines" else self.theirs, threads, device])


def run_all(options, python):
    begin = time.monotonic()
    sides = Sides(options, python)
    built = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="flowmask-compare-"))
    book = Book(folder, options.seconds, options.rounds)
    print(f"{processor()}, {options.threads} threads a side, {date.today()}; both on {options.device}; "
          f"model {options.model}; times are medians, ± is half the range; the ratio is its time to flowmask's\n")
    print(report.line(report.HEADER))
    try:
        for part in (part for part in PARTS if part in (options.only or PARTS)):
            try:
                globals()[part](options, sides, book)
            except Failed as failed:
                book.failures.append(f"{part}: {failed}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    took = time.monotonic() - built
    finish(options, sides, book, took, built - begin)
    return 1 if book.failures else 0


def finish(options, sides, book, took, building):
    print("\nagreement of the results (its, flowmask's; AP at IoU 0.5, 0.75, 0.9)")
    for found in book.agreements:
        print(report.agreement_line(found))
    print("\nversions")
    for name, about in sides.about.items():
        print(f"{name:12} " + ", ".join(f"{key} {value}" for key, value in about.items()))
    print(f"\n{took:.0f} s")
    for failure in book.failures:
        print(f"FAILED {failure}")
    if options.json:
        chosen = {key: str(value) if isinstance(value, Path) else value for key, value in vars(options).items()}
        report.write(options.json, {
            "date": str(date.today()), "processor": processor(), "system": platform.platform(), "options": chosen,
            "peers": sides.about, "results": book.results, "agreement": book.agreements,
            "failures": book.failures, "seconds": took, "seconds of building": building})


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name} ({os.cpu_count()} cores)"


def like(options):
    """Cellpose on a GPU reads the flows in another way than on a CPU."""
    return "3-cuda" if options.device == "cuda" else "3"


def whole(options, sides, book):
    """Images from their pixels to masks; lists of small ones; folders from file to file."""
    precision = {"precision": options.precision}
    ours, theirs = sides.start("flowmask", "cellpose 3")
    label = "cellpose " + theirs.about["version"]

    def contest(on, paths, diameter, files=False):
        question = {"images": [str(path) for path in paths], "diameter": diameter}
        write = {side: {} for side in ("ours", "theirs")}
        for side in write if files else ():
            (book.folder / side).mkdir()
            write[side] = {"write": str(book.folder / side)}
        our_way = Entrant(ours, "flowmask", {**question, **write["ours"], **precision, "like": like(options)})
        their_way = Entrant(theirs, label, {**question, **write["theirs"], "batch": options.batch})
        book.contest("segment", on, our_way, [their_way], must_agree=True)
        for array in book.folder.glob("segment_*.npy"):
            array.unlink()
    try:
        diameter = UNSCALED[options.model]
        for path, size in images.REAL:
            contest(path.stem[:14], [path], size)
        for side in options.sizes:
            contest(f"{side}x{side}", [images.write_mosaic(book.folder, side)], diameter)
        if options.many:
            paths = [images.write_mosaic(book.folder, 256, seed + 1) for seed in range(options.many)]
            contest(f"{options.many} of 256x256", paths, diameter)
        if options.folder:
            contest("folder", images.in_folder(options.folder), options.diameter or diameter, files=True)
    finally:
        ours.stop()
        theirs.stop()


def stages(options, sides, book):
    """Stage by stage. What the original's stage returns is what the next one gets, on both sides."""
    if options.device != "cpu":
        print("the stages are measured on the processor only; on a GPU: cargo bench --bench cuda")
        return
    names = ["cellpose 3"] + (["cellpose 4"] if options.peers else [])
    ours, *others = sides.start("flowmask", *names)
    first = others[0]
    side = options.stages_size
    image = images.write_mosaic(book.folder, side)

    def contest(stage, peers=others, must_agree=False, **question):
        saved = None
        for peer in peers:
            version = like(options) if peer is first else "4"
            label = "cellpose " + peer.about["version"]
            outputs = book.contest(stage, f"{side}x{side}", Entrant(ours, "flowmask", {**question, "like": version}),
                                   [Entrant(peer, label, question)], must_agree and peer is first)
            saved = saved or outputs.get(label)
        if saved is None:
            raise Failed(f"{stage}: the next stages have no input")
        return f"{saved}_out.npy"

    try:
        contest("read", [first], image=str(image))
        contest("normalize", [first], image=str(image))
        tiles = book.folder / "tiles.npy"
        np.save(tiles, images.output_tiles(side))
        contest("average", tiles=str(tiles), side=side)
        flows, cellprob = maps(first, image, UNSCALED[options.model], book.folder)
        maps_of = {"flows": flows, "cellprob": cellprob}
        ends = contest("follow", niter=200, **maps_of)
        masks = contest("cluster", must_agree=True, cellprob=cellprob, ends=ends)
        checked = contest("flow check", must_agree=True, flows=flows, masks=masks)
        filled = contest("holes, sizes", must_agree=True, masks=checked)
        contest("after network", must_agree=True, niter=200, **maps_of)
        contest("write", [first], masks=filled, to=str(book.folder / "masks.tif"))
    finally:
        for peer in (ours, *others):
            peer.stop()


def maps(cellpose, image, diameter, folder):
    """The flows and the cell probability of the original."""
    cellpose.prepare("maps", "segment", images=[str(image)], diameter=diameter, maps=True)
    cellpose.run("maps", save=folder / "maps")
    cellpose.forget()
    return str(folder / "maps_flows.npy"), str(folder / "maps_cellprob.npy")


def volumes(options, sides, book):
    """A whole volume, then stored maps to masks stage by stage and in one, then stitching. What the original's stage returns
    is what the next one gets, on both sides."""
    if options.device != "cpu":
        print("volumes are measured on the processor only")
        return
    ours, first, *others = sides.start("flowmask", "cellpose 3", *(["cellpose 4"] if options.peers else []))

    def contest(stage, on, peers=(first, *others), **question):
        saved = None
        for peer in peers:
            label = "cellpose " + peer.about["version"]
            question |= {"in_3d": True, "like": "3" if peer is first else "4"}
            outputs = book.contest(stage, on, Entrant(ours, "flowmask", question),
                                   [Entrant(peer, label, question)], must_agree=True)
            saved = saved or outputs.get(label)
        if saved is None:
            raise Failed(f"{stage}: the next stages have no input")
        return f"{saved}_out.npy"

    def stored(name, array):
        np.save(book.folder / f"{name}.npy", array)
        return str(book.folder / f"{name}.npy")

    try:
        volume, anisotropy = images.volume(), 1 if options.quick else 2
        # Version 4 has another network.
        contest("segment", f"{size_of(volume)} {anisotropy}:1", [first], volume=stored("volume", volume),
                diameter=UNSCALED["nuclei"], anisotropy=anisotropy, batch=options.batch)
        flows, cellprob = images.volume_maps(1 if options.quick else 2)
        on, maps = size_of(cellprob), {"flows": stored("flows", flows), "cellprob": stored("cellprob", cellprob)}
        ends = contest("follow", on, niter=200, **maps)
        masks = contest("cluster", on, cellprob=maps["cellprob"], ends=ends)
        contest("holes, sizes", on, masks=masks)
        contest("after network", on, niter=200, **maps)
        planes = np.stack([report.renumbered(plane) for plane in np.load(masks)])
        contest("stitch", on, masks=stored("planes", planes.astype(np.uint32)))
    finally:
        for peer in (ours, first, *others):
            peer.stop()


def size_of(volume):
    return "x".join(map(str, volume.shape))


def network_settings(options):
    """In PyTorch, for each precision of flowmask. The first is the default layout as cellpose runs it, with the copies to
    and from NumPy."""
    if options.device == "cuda":
        full = [["fp32", "cellpose"], ["fp32"], ["fp32", "channels_last"]]
        low = [["TF32"], ["TF32", "channels_last"], ["TF32", "channels_last", "traced"], ["fp16", "channels_last"],
               ["fp16", "channels_last", "traced"], ["fp16", "channels_last", "compiled"]]
        return {"f32": full, "f16": low}
    quick = [["fp32", "cellpose"], ["fp32", "channels_last"], ["fp32", "channels_last", "traced"]]
    more = [["fp32"], ["fp32", "no mkldnn"], ["fp32", "traced"], ["bf16", "channels_last", "traced"]]
    return {"f32": quick if options.quick else quick + more}


def network(options, sides, book):
    """A batch of tiles, and a single one; the times are for a tile."""
    engines = ["onnxruntime", "openvino"] if options.peers else []
    ours, torch, *others = sides.start("flowmask", "torch", *engines)
    version = ".".join(torch.about["version"].split(".")[:2])

    def contest(batch, precision, settings, others):
        tiles, onnx = book.folder / f"tiles_{batch}.npy", book.folder / f"network_{batch}.onnx"
        np.save(tiles, images.network_tiles(batch))
        question = {"tiles": str(tiles)}
        # PyTorch's compiler needs a C compiler, and more, which not every machine has.
        entrants = [Entrant(torch, f"torch {version} {' '.join(setting)}", {**question, "settings": setting},
                            optional="compiled" in setting)
                    for setting in settings]
        if others:
            torch.prepare("export", "export", **question, to=str(onnx))
            torch.run("export")
            torch.forget()
        for engine in others:
            precisions = ["fp32", "bf16"] if engine.name == "openvino" else ["fp32"]
            label = f"{engine.name} {engine.about['version']} "
            entrants += [Entrant(engine, label + name, {**question, "onnx": str(onnx), "settings": [name]})
                         for name in precisions]
        on = f"batch {batch}" + (f" {precision}" if options.device == "cuda" else "")
        book.contest("network", on, Entrant(ours, "flowmask", {**question, "precision": precision}), entrants,
                     runs_per=batch)
    try:
        for batch in [options.batch] if options.quick or options.batch == 1 else [options.batch, 1]:
            for precision, settings in network_settings(options).items():
                contest(batch, precision, settings, others)
    finally:
        for peer in (ours, torch, *others):
            peer.stop()


def command(options, sides, book):
    """From the start of the program to the masks in a file, of one small image."""
    threads = {name: str(options.threads) for name in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "NUMBA_NUM_THREADS")}
    diameter = str(UNSCALED[options.model])
    image = images.write_mosaic(book.folder, 256)
    ours = [sides.flowmask, "segment", image, "--model", sides.ours, "--diameter", diameter, "-o", book.folder / "out"]
    theirs = [sides.python, "-m", "cellpose", "--image_path", image, "--pretrained_model", sides.theirs, "--diameter",
              diameter, "--save_tif", "--no_npy", "--savedir", book.folder / "out"]
    if options.device == "cuda":
        theirs.append("--use_gpu")
        ours += ["--device", "cuda", "--precision", options.precision]
    (book.folder / "out").mkdir(exist_ok=True)
    book.contest("command", "256x256", Entrant(Command("flowmask", threads), "flowmask", {"command": ours}),
                 [Entrant(Command("cellpose", threads), "python -m cellpose", {"command": theirs})])
