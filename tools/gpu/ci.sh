#!/usr/bin/env bash
# The first hour, tried on the emulator with small shapes, from a copy of the tree and with the tree that the programs
# were built in out of sight. Takes some minutes, g++, and the right to mount (root, or user namespaces).
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${TMPDIR:-/tmp}/flowmask-target}"
python3 -B tools/gpu/test_first_hour.py
tools/gpu/pack --no-wheels

# Where the stand-ins for the driver and NVRTC are.
emulator=$(cargo build --release -p flowmask-emulator --message-format=json-render-diagnostics \
    | grep -F '"reason":"build-script-executed"' | grep -F 'kernels/emulator' \
    | sed -n 's/.*"out_dir":"\([^"]*\)".*/\1/p' | tail -1)

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir -p "$copy/tree" "$copy/emulator" "$copy/empty"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$copy/tree"
cp -r .gpu "$copy/tree/.gpu"
cp "$emulator"/*.so* "$copy/emulator"

# Where the tree was is an empty folder for the programs.
away=(unshare --mount)
[ "$(id -u)" = 0 ] || away=(unshare --map-root-user --mount)
try() { # OPTION…
    (cd "$copy/tree" && "${away[@]}" bash -euc '
        mount --bind "$1" "$2"
        [ -z "$(ls "$2")" ]
        exec tools/gpu/first-hour --small --out "$3" "${@:4}"' _ "$copy/empty" "$root" "$copy/report" "$@")
}
LD_LIBRARY_PATH=$copy/emulator try
# What was measured has passed, and what takes a tool or PyTorch on a GPU says so.
verdicts() { python3 -B -c '
import json, pathlib, sys
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.json"), key=lambda path: int(path.name.split("-")[0])):
    print(path.stem, json.loads(path.read_text())["verdict"])' "$copy/report"; }
diff <(verdicts | grep -v 'not measured$') - <<<'1-facts passed
2-kernels passed
3-big passed
4-images passed
7-benches passed
13-soak passed
14-tune passed'
[ "$(verdicts | wc -l)" = 14 ]

# Without a GPU it is a failure.
if said=$(FLOWMASK_EMULATOR_DEVICES=0 LD_LIBRARY_PATH=$copy/emulator try --part 2,7); then
    echo "no GPU, and it passed: $said"; exit 1
fi
[ "$(grep -c 'no GPU' <<<"$said")" -ge 2 ]
