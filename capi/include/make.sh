#!/usr/bin/env bash
# Makes flowmask.h from the sources beside it, or with a path, makes it there. Takes cbindgen: cargo install cbindgen --version 0.29.4
set -euo pipefail
cd "$(dirname "$0")/.."
all=$(mktemp --suffix .rs)
trap 'rm -f "$all"' EXIT
# In the order of the header. As one file, since cbindgen takes a crate's constants with its interface.
for part in lib status device model image options session many handover result log; do
    sed '/^#\[cfg(test)\]/,$d; /^\(mod\|pub use\) /d; /^#\[cfg(all(test, unix))\]$/,$d; s|^//!.*||; s|^#!.*||' "src/$part.rs" >> "$all"
done
"${CBINDGEN:-cbindgen}" --quiet --config cbindgen.toml --output "${1:-include/flowmask.h}" "$all"
