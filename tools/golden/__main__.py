"""Makes the golden vectors of `tests/data/golden`: outputs of PyTorch cellpose 3.1.1.2 with our weights."""

import argparse
import importlib
import json
import sys
import time
from pathlib import Path

from tools import environment

KINDS = (
    *("network", "transforms", "average", "dynamics", "flows", "metrics", "pipeline", "volume", "stitch"),
    *("options", "restore", "ortho", "train"),
)


def main() -> int:
    """Write the files of the kinds asked for; with `--check`, 1 where one is not the committed one."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.golden", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the files, made if it is not there")
    parser.add_argument("kind", nargs="*", help="of " + ", ".join(KINDS) + "; all, if none is named")
    parser.add_argument("--check", action="store_true", help="compare them with tests/data/golden as well")
    options = parser.parse_args()
    for kind in set(options.kind) - set(KINDS):
        parser.error(f"there is no kind {kind}; there are {', '.join(KINDS)}")
    environment.enter("tools.golden")
    options.out.mkdir(parents=True, exist_ok=True)
    same = [_make(kind, options.out, options.check) for kind in options.kind or KINDS]
    return 0 if all(same) else 1


def _make(kind: str, out: Path, check: bool) -> bool:
    """Write the files of one kind, a line of output for each; False where one differs that is checked."""
    from tools import store
    from tools.golden import compare

    same, start = True, time.monotonic()
    for name, content in importlib.import_module(f"tools.golden.{kind}").files():
        if isinstance(content, list):
            path = out / f"{name}.json"
            path.write_text(json.dumps(content, indent=1))
        else:
            path = out / f"{name}.safetensors.gz"
            store.save(path, content)
        print(f"{path.name}: {path.stat().st_size} bytes, {time.monotonic() - start:.0f} s", flush=True)
        for line in compare.differences(path) if check else []:
            print(f"  {line}", flush=True)
            same = False
    return same


if __name__ == "__main__":
    sys.exit(main())
