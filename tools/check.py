"""Compares files that were made with the committed ones."""

from collections.abc import Callable
from pathlib import Path

from tools import environment


def report(paths: list[Path], out: Path, committed: str, same: Callable[[Path, Path], bool]) -> int:
    """Print a line for each file that is not the committed one, and return 1 if there is any, else 0.

    Parameters
    ----------
    paths
        The files that were made, below `out`.
    committed
        The folder of the committed files, from the repository's root; a file has the same path in both.
    same
        Whether two files, the new one and the committed one, are equal.
    """
    names = [path.relative_to(out) for path in paths]
    other = [name for name in names if not same(out / name, environment.ROOT / committed / name)]
    for name in other:
        print(f"{out / name}: differs from {committed}/{name}")
    return 1 if other else 0
