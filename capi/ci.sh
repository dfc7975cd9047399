#!/usr/bin/env bash
# Tests the C interface as a user gets it: checks that the header is current, runs programs in C and C++ under sanitizers, and
# runs the examples of docs/linking.md.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${TMPDIR:-/tmp}/flowmask-target}"
cache="${FLOWMASK_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/flowmask-tools}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

missing=()
for tool in valgrind cmake pkg-config; do command -v $tool >/dev/null || missing+=("$tool"); done
if [ ${#missing[@]} -gt 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq "${missing[@]}"
fi

step() { echo "C: $*"; }

step "the header is current"
version=$(sed -n 's/.*cbindgen --version \([0-9.]*\).*/\1/p' capi/include/make.sh)
if [ "$("$cache/bin/cbindgen" --version 2>/dev/null)" != "cbindgen $version" ]; then
    CARGO_TARGET_DIR="$work/tools" cargo install --quiet --locked --root "$cache" cbindgen --version "$version"
fi
CBINDGEN="$cache/bin/cbindgen" capi/include/make.sh "$work/flowmask.h"
diff -u capi/include/flowmask.h "$work/flowmask.h" || { echo "capi/include/make.sh makes another header"; exit 1; }

step "programs in C and C++, and the symbols"
export FLOWMASK_C_SCENE="$work/scene"
cargo test --quiet --release -p flowmask-capi --test c

step "AddressSanitizer"
FLOWMASK_C_FLAGS="-fsanitize=address,undefined -fno-sanitize-recover=all" FLOWMASK_C_SIDE=64 \
    cargo test --quiet --release -p flowmask-capi --test c programs
step "valgrind"
# "Still reachable" memory is no leak: it is the library's list of handles. Nor is "possibly lost" memory: pointers to
# Rust's own lists have tag bits or point into the middle, and valgrind does not follow those.
kinds=definite,indirect
FLOWMASK_C_RUN="valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=$kinds
    --errors-for-leak-kinds=$kinds" FLOWMASK_C_SIDE=24 FLOWMASK_C_ONLY=cc FLOWMASK_C_MODEL=$root/tests/data/models/tiny.pth \
    cargo test --quiet --release -p flowmask-capi --test c programs

# Takes files and commands out of the document.
export PREFIX="$work/prefix"
part() { sed -n "/^<!-- $1 -->\$/,/^\`\`\`\$/p" "$root/docs/linking.md" | grep -v -e '^<!--' -e '^```'; }
run() {
    step "docs/linking.md: $1"
    local commands
    commands=$(part "run: $1")
    [ -n "$commands" ] || { echo "docs/linking.md has lost the commands of $1"; exit 1; }
    eval "$commands" > "$work/said" || { cat "$work/said"; exit 1; }
}
run install
# The user works in another folder.
mkdir "$work/user"
cd "$work/user"
for file in cells.c stack.c volume.c many.cpp CMakeLists.txt; do part "file: $file" > "$file"; done
cp "$work/scene/cells.pgm" "$work/scene/cells.tif" .
run paths
run c
grep -q "^3[0-9] cells of 1[0-9]\.[0-9] pixels$" "$work/said" || { cat "$work/said"; exit 1; }
cp "$work/said" "$work/shared"
run stack
grep -q "^2 planes of .* axes ZYX$" "$work/said" && grep -q "^labels-1.tif written$" "$work/said" || { cat "$work/said"; exit 1; }
run volume
grep -q "^[0-9]* cells in 2 planes$" "$work/said" && grep -q "^[0-9]* cells from its planes$" "$work/said" || { cat "$work/said"; exit 1; }
run static
cmp "$work/said" "$work/shared"
run cpp
grep -q "FLOWMASK_ERROR_MODEL: model no such model" "$work/said" || { cat "$work/said"; exit 1; }
run cmake
if java -version 2>&1 | grep -qE 'version "(2[2-9]|[3-9][0-9])'; then
    step "docs/linking.md: Java"
    part "file: Cells.java" > Cells.java
    java --enable-native-access=ALL-UNNAMED Cells.java | grep -qE "^[0-9]+ cells$"
elif [ -n "${FLOWMASK_REQUIRE_JAVA:-}" ]; then
    echo "FLOWMASK_REQUIRE_JAVA is set, and there is no Java of version 22 or later"; exit 1
else
    step "left out: docs/linking.md in Java, which takes version 22 or later; FLOWMASK_REQUIRE_JAVA=1 makes that a failure"
fi

size=$(stat -L -c %s "$PREFIX/lib/libflowmask.so")
step "the stripped library has $size bytes"
[ "$size" -lt 45000000 ]
