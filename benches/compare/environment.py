"""What the comparison needs before it can start: the peers installed, flowmask built, the weights converted.

Everything lands in a cache folder outside the tree, once for each set of pinned versions.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MODELS = ROOT / "weights"


class Missing(Exception):
    """Something that the user has to install first."""


def cache():
    """`$FLOWMASK_BENCH_CACHE`, or `~/.cache/flowmask/bench`."""
    chosen = os.environ.get("FLOWMASK_BENCH_CACHE")
    folder = Path(chosen) if chosen else Path.home() / ".cache" / "flowmask" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run(command, **options):
    """Runs a command, its output on stderr; the last lines of the table's stream stay the table's."""
    print("+", " ".join(str(part) for part in command), file=sys.stderr, flush=True)
    subprocess.run([str(part) for part in command], check=True, stdout=sys.stderr, **options)


def key(name):
    """Changes with the pins and with the Python that runs them."""
    text = (HERE / name).read_text() + sys.version
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def venv(peers):
    """The Python that has PyTorch cellpose, and with `peers` the other engines too; it is installed if it is missing."""
    folder = cache() / f"cellpose3-{key('requirements.txt')}"
    python = folder / "bin" / "python"
    if not installed(folder, "requirements.txt"):
        shutil.rmtree(folder, ignore_errors=True)
        try:
            run([sys.executable, "-m", "venv", folder])
        except subprocess.CalledProcessError as error:
            raise Missing(
                f"{sys.executable} cannot make a virtual environment; Debian keeps that in the package python3-venv"
            ) from error
        install(python, folder, "requirements.txt")
    if peers and not installed(folder, "requirements-engines.txt"):
        install(python, folder, "requirements-engines.txt")
    return python


def cellpose4(python):
    """The folder that holds cellpose 4, to be put in front of the packages of `python`."""
    folder = cache() / f"cellpose4-{key('requirements-cellpose4.txt')}"
    if not installed(folder, "requirements-cellpose4.txt"):
        shutil.rmtree(folder, ignore_errors=True)
        install(python, folder, "requirements-cellpose4.txt", "--no-deps", "--target", folder)
    return folder


def mark(folder, name):
    return folder / f".{name}-{key(name)}"


def installed(folder, name):
    return mark(folder, name).exists()


def install(python, folder, name, *options):
    run([python, "-m", "pip", "install", "--quiet", *options, "-r", HERE / name])
    mark(folder, name).touch()


def programs(prebuilt):
    """The paths of the command and of the measuring program: in the folder `prebuilt`, or built now."""
    if prebuilt is None:
        return build()
    paths = [prebuilt / name for name in ("flowmask", "peer")]
    for path in paths:
        if not os.access(path, os.X_OK):
            raise Missing(f"{path} is not there, or is no program")
    return paths


def build():
    """The same paths, built as users build them."""
    if not shutil.which("cargo"):
        raise Missing("cargo is not there: install Rust, see README.md of the repository")
    # In one go: the library's files have one name, so two builds with other features would overwrite each other.
    command = ["cargo", "build", "--release", "--bin", "flowmask", "--bench", "peer"]
    print("+", " ".join(command), file=sys.stderr, flush=True)
    output = subprocess.run([*command, "--message-format=json-render-diagnostics"], cwd=ROOT, check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    paths = {m["target"]["name"]: m["executable"] for m in messages if m.get("executable")}
    return paths["flowmask"], paths["peer"]


def need_gpu(flowmask):
    """Nothing that is said to be measured on a GPU is measured where flowmask finds none."""
    said = subprocess.run([flowmask, "devices", "--json"], check=True, stdout=subprocess.PIPE, text=True).stdout
    found = json.loads(said)
    if not found["gpus"]:
        raise Missing(f"--device cuda takes a GPU: {found['gpus_error']}")


def weights(flowmask, model):
    """Our weights, and the same as a file that PyTorch cellpose loads."""
    ours = MODELS / f"{model}.safetensors"
    digest = hashlib.sha256(ours.read_bytes()).hexdigest()[:12]
    theirs = cache() / f"{model}-{digest}.pth"
    if not theirs.exists():
        run([flowmask, "convert", ours, theirs])
    return ours, theirs


if __name__ == "__main__":
    # The Python of the environment, for those who want to look around in it.
    try:
        print(venv(peers=False))
    except Missing as missing:
        sys.exit(str(missing))
