"""Trains the networks of `weights/`: `collect` gathers the images, `train` makes a network and its size model."""

import argparse
import sys
from pathlib import Path

from tools import environment

DIAMETER = {"nuclei": 17.0, "cyto": 30.0}
BATCHES = {"nuclei": 2433, "cyto": 2764}
"""As many as the shipped networks saw."""
SETS = "bowl", "usiigaci", "endothelium"


def main() -> int:
    """Run one of the two commands."""
    options = _options()
    environment.enter("tools.weights")
    return {"collect": _collect, "train": _train}[options.command](options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m tools.weights", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    collect = commands.add_parser("collect", help="gather public data sets as DATA/GROUP/NAME.png and NAME_masks.png")
    collect.add_argument("data", type=Path, help="folder for the images")
    for name in SETS:
        collect.add_argument(f"--{name}", type=Path, metavar="CLONE", help="clone of its repository, see README.md")
    train = commands.add_parser("train", help="train a network on the images of DATA")
    train.add_argument("model", choices=DIAMETER)
    train.add_argument("data", type=Path, help="folder of the images")
    train.add_argument("out", type=Path, help="folder for the weights")
    train.add_argument("--batches", type=int, help="steps of eight tiles [default: as the shipped network]")
    train.add_argument("--crops", type=int, default=1500, help="crops for the size model [default: 1500]")
    train.add_argument("--drawn", type=int, default=260, help="drawn scenes for cyto [default: 260]")
    train.add_argument("--init", type=Path, help="a .pth file to begin with")
    train.add_argument("--threads", type=int, default=2, help="threads of PyTorch [default: 2]")
    return parser.parse_args()


def _collect(options: argparse.Namespace) -> int:
    from tools.weights import collect

    for name in SETS:
        clone = getattr(options, name)
        if clone is None:
            continue
        group = "dsb2018" if name == "bowl" else name
        count = collect.save(getattr(collect, name)(clone), options.data / group)
        if not count:
            sys.exit(f"{clone}: holds no image of {name}")
        print(f"{options.data / group}: {count} images", flush=True)
    return 0


def _train(options: argparse.Namespace) -> int:
    import torch

    from tools.weights import examples, finish, size, train

    diameter, batches = DIAMETER[options.model], options.batches or BATCHES[options.model]
    found = examples.nuclei(options.data) if options.model == "nuclei" else examples.cyto(options.data, options.drawn)
    if not found:
        sys.exit(f"{options.data}: holds no images for {options.model}")
    print(f"{len(found)} images", flush=True)
    torch.set_num_threads(options.threads)
    net = train.train(found, diameter, batches, options.init)
    options.out.mkdir(parents=True, exist_ok=True)
    finish.write(net, size.fit(net, found, diameter, options.crops), found, options.model, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
