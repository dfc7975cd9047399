"""The Python that the tools run in: that of `benches/compare`, and `requirements.txt` of this folder in it.

It lies in `$FLOWMASK_BENCH_CACHE` or `~/.cache/flowmask/bench`, once for each set of pinned versions.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
REQUIREMENTS = HERE / "requirements.txt"


def enter(module: str) -> None:
    """Go on in that Python: start `python -m module` there with the same arguments, unless we are there already.

    Parameters
    ----------
    module
        Name of the running module, as after `python -m`.
    """
    # Only the modules of this folder that need no package may be imported before.
    try:
        python = prepare()
    except (subprocess.CalledProcessError, OSError) as error:
        sys.exit(f"the packages of {REQUIREMENTS.relative_to(ROOT)} cannot be installed: {error}")
    if Path(sys.prefix) != python.parent.parent:
        # Sums in another order have other last digits: one thread, and one set of NumPy's functions on all processors.
        settings = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_CORETYPE": "Haswell"}
        os.execve(python, [str(python), "-m", module, *sys.argv[1:]], os.environ | settings)


def prepare() -> Path:
    """Make the virtual environment if it is not there yet, and give its interpreter."""
    sys.path.insert(0, str(ROOT / "benches" / "compare"))
    import environment as compare

    try:
        python = compare.venv(peers=False)
    except compare.Missing as missing:
        sys.exit(str(missing))
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    mark = python.parent.parent / f".tools-{digest}"
    if not mark.exists():
        compare.run([python, "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS])
        mark.touch()
    return python
