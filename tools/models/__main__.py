"""Makes the models and masks that tests read: `tests/data/models` and `tests/data/labels`."""

import argparse
import sys
from pathlib import Path

from tools import check, environment


def main() -> int:
    """Write `models/` and `labels/`; with `--check`, 1 where a file is not the committed one."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.models", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for models/ and labels/, made if it is not there")
    parser.add_argument("--check", action="store_true", help="compare them with tests/data as well")
    options = parser.parse_args()
    environment.enter("tools.models")
    paths = _write(options.out)
    return check.report(paths, options.out, "tests/data", _same) if options.check else 0


def _same(new: Path, old: Path) -> bool:
    if new.name != "legacy.pth":
        return new.read_bytes() == old.read_bytes()
    # PyTorch's old format names each tensor's memory by its address, which is another in each run.
    import torch

    ours, theirs = torch.load(new), torch.load(old)
    return list(ours) == list(theirs) and all(torch.equal(ours[name], theirs[name]) for name in ours)


def _write(out: Path) -> list[Path]:
    import torch

    from tools.models import labels, networks, sizes

    torch.set_num_threads(1)
    models, masks = out / "models", out / "labels"
    for folder in models, masks:
        folder.mkdir(parents=True, exist_ok=True)
    for name, content, legacy in networks.files():
        torch.save(content, models / name, _use_new_zipfile_serialization=not legacy)
    for write in sizes.nuclei_size, sizes.size_protocol2:
        (models / f"{write.__name__}.npy").write_bytes(write())
    labels.write(masks)
    return sorted([*models.iterdir(), *masks.iterdir()])


if __name__ == "__main__":
    sys.exit(main())
