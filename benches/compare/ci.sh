#!/usr/bin/env bash
# Installs PyTorch cellpose into a cache and checks that its masks and flowmask's agree, not which is faster. Options go
# to compare.py. A fresh machine needs Python 3.11 or newer with venv (on Debian: python3-venv), and Rust.
set -euo pipefail
cd "$(dirname "$0")"
export PYTHONDONTWRITEBYTECODE=1
python=$(python3 environment.py)
"$python" -m unittest -v test_compare test_gpu test_command
python3 compare.py --quick "$@"
