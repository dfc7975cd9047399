#!/usr/bin/env python3
"""Measures flowmask against PyTorch cellpose: the same images, weights and machine, in turns. See README.md."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import environment

# Says which Python this process was started with by another of this script.
CHILD = "FLOWMASK_COMPARE_PYTHON"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two minutes on two cores: small sizes, few repetitions")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where both sides compute")
    parser.add_argument("--precision", choices=["f16", "f32"], default="f16", help="of flowmask's network on a GPU, but for "
                        "the part network, which measures both [default: f16]")
    parser.add_argument("--prebuilt", type=Path, metavar="DIR", help="has the programs flowmask and peer, for a machine "
                        "without cargo")
    parser.add_argument("--python", type=Path, metavar="PYTHON", help="has cellpose 3.1.1 and PyTorch already, for a machine "
                        "without pip")
    parser.add_argument("--threads", type=int, default=len_cores(), help="of each side [default: one a core]")
    parser.add_argument("--model", choices=["nuclei", "cyto"], default="nuclei")
    parser.add_argument("--peers", action="store_true", help="also ONNX Runtime, OpenVINO and cellpose 4")
    parser.add_argument("--sizes", type=sizes, metavar="N,N,...", help="sides of whole images in pixels "
                        "[default: 256,512,1024; the sweep of the README: 256,512,1024,2048,4096,8192]")
    parser.add_argument("--stages-size", type=int, metavar="N", help="side of the image of the single stages "
                        "[default: 1024]")
    parser.add_argument("--many", type=int, metavar="N", help="how many small images, given as a list [default: 32]")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="images to be read, segmented and written")
    parser.add_argument("--diameter", type=float, help="of the cells in DIR [default: the model's own]")
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="tiles in a batch [default: 8, cellpose's]")
    parser.add_argument("--only", type=lambda text: text.split(","), metavar="PART,...", help="some of the parts: "
                        "whole, stages, volumes, network, command")
    parser.add_argument("--seconds", type=float, help="to spend on each line of the table [default: 20]")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write all numbers to this file too")
    options = parser.parse_args()
    if os.environ.get("FLOWMASK_REQUIRE_GPU") and options.device != "cuda":
        parser.error("FLOWMASK_REQUIRE_GPU is set, and only --device cuda takes a GPU")
    quick = options.quick
    options.sizes = options.sizes or ([512] if quick else [256, 512, 1024])
    options.stages_size = options.stages_size or (512 if quick else 1024)
    options.many = (2 if quick else 32) if options.many is None else options.many
    options.seconds = options.seconds or (4.0 if quick else 20.0)
    options.rounds = (2, 5) if quick else (3, 15)
    if options.python and options.peers:
        parser.error("--peers are installed into a Python of their own: leave out --python")
    if options.folder:
        options.folder = options.folder.resolve()
    if options.threads < 1 or options.batch < 1 or min(options.sizes) < 64 or options.stages_size < 64:
        parser.error("--threads and --batch are at least 1, sizes at least 64")
    return options


def sizes(text):
    return [int(size) for size in text.split(",")]


def len_cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def main():
    options = arguments()
    python = options.python or environment.venv(options.peers)
    # The rest needs NumPy and the original's metrics: it runs in the peer's own environment.
    if os.environ.get(CHILD) != str(python):
        return subprocess.call([python, *sys.argv], env={**os.environ, CHILD: str(python)})
    import parts
    return parts.run_all(options, python)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except environment.Missing as missing:
        sys.exit(f"compare.py: {missing}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"compare.py: {' '.join(map(str, error.cmd))} ended with code {error.returncode}")
    except KeyboardInterrupt:
        sys.exit(130)
