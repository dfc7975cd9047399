#!/usr/bin/env bash
# The part of the tools that takes a minute: the small models and masks, and the golden vectors that take no network,
# are made anew and compared with the committed ones; a training is run for one step. A fresh machine needs
# Python 3.11 or newer with venv.
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
set -x
python3 -m tools.models "$out/models" --check
python3 -m tools.golden "$out/golden" transforms average flows --check

# Images of an evaluation stand in for those of a training.
mkdir -p "$out/data/dsb2018"
for labels in tests/data/evaluate/fluorescence/*_labels.png; do
    cp "$labels" "$out/data/dsb2018/$(basename "${labels%_labels.png}")_masks.png"
    cp "${labels%_labels.png}.png" "$out/data/dsb2018/"
done
python3 -m tools.weights train nuclei "$out/data" "$out/weights" --batches 1 --crops 8
[ -s "$out/weights/nuclei.safetensors" ]
