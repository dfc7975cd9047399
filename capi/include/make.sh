#!/usr/bin/env bash
# Makes flowmask.h from ../src; with an argument, writes it to that path. It needs cbindgen: cargo install cbindgen --version 0.29.4
set -euo pipefail
cd "$(dirname "$0")/.."
all=$(mktemp --suffix .rs)
trap 'rm -f "$all"' EXIT
# Joins the files in the order of the header. (From the whole crate, cbindgen would export its private constants too.)
for part in lib status device pool model image options session many flows volume handover result read file save stitch log; do
    sed '/^#\[cfg(test)\]/,$d; /^\(mod\|pub use\) /d; /^#\[cfg(all(test, unix))\]$/,$d; s|^//!.*||; s|^#!.*||' "src/$part.rs" >> "$all"
done
"${CBINDGEN:-cbindgen}" --quiet --config cbindgen.toml --output "${1:-include/flowmask.h}" "$all"
