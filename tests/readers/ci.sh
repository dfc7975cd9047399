#!/usr/bin/env bash
# What flowmask writes, read by other programs and compared with what they make of the same labels. Those are installed
# into a cache, once for each set of pinned versions. A fresh machine needs Python 3.11 or newer with venv, and Rust.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PYTHONDONTWRITEBYTECODE=1
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${TMPDIR:-/tmp}/flowmask-target}"
requirements=tests/readers/requirements.txt
key=$({ cat "$requirements" && python3 --version; } | sha256sum | cut -c1-12)
venv=${FLOWMASK_BENCH_CACHE:-$HOME/.cache/flowmask/bench}/readers-$key
set -x
if [ ! -e "$venv/.installed" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet -r "$requirements"
    touch "$venv/.installed"
fi
cargo build --release --bin flowmask
FLOWMASK="$CARGO_TARGET_DIR/release/flowmask" "$venv/bin/python" -m unittest discover -v -s tests/readers
