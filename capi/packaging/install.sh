#!/usr/bin/env bash
# Puts the library that `cargo build --release -p flowmask-capi` made where compilers find it: install.sh PREFIX. Linux.
set -euo pipefail
prefix=$(mkdir -p "${1:?the folder to install to}" && cd "$1" && pwd)
cd "$(dirname "$0")/.."
built=${CARGO_TARGET_DIR:-../target}/release
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' ../Cargo.toml | head -n 1)
major=${version%%.*}

mkdir -p "$prefix"/include "$prefix"/lib/pkgconfig "$prefix"/lib/cmake/flowmask
install -m 644 include/flowmask.h include/flowmask.hpp "$prefix/include"
# The loader looks for the name with the major version, the compiler for the one without.
install -m 755 -s "$built/libflowmask.so" "$prefix/lib/libflowmask.so.$version"
ln -sf "libflowmask.so.$version" "$prefix/lib/libflowmask.so.$major"
ln -sf "libflowmask.so.$major" "$prefix/lib/libflowmask.so"
install -m 644 "$built/libflowmask.a" "$prefix/lib"
fill() { sed -e "s|@PREFIX@|$prefix|g" -e "s|@VERSION@|$version|g" -e "s|@MAJOR@|$major|g" "packaging/$1.in" > "$2/$1"; }
fill flowmask.pc "$prefix/lib/pkgconfig"
fill flowmaskConfigVersion.cmake "$prefix/lib/cmake/flowmask"
fill flowmaskConfig.cmake "$prefix/lib/cmake/flowmask"
