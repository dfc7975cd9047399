#!/usr/bin/env bash
# Fuzzes the readers of files: fuzz/run.sh SECONDS [TARGET...], SECONDS for each target. README.md tells more.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=$1; shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(bmp jpeg labels npy pickle png safetensors tiff torch)
export CARGO_TARGET_DIR="${FUZZ_TARGET_DIR:-${TMPDIR:-/tmp}/flowmask-fuzz-target}"
corpus="${FUZZ_CORPUS:-${TMPDIR:-/tmp}/flowmask-fuzz-corpus}"

# The files of the tests that a target begins with, besides those of its corpus.
seeds() {
    local data=tests/data
    case $1 in
        bmp) find $data/images -name '*.bmp' -size -64k ;;
        jpeg) find $data/images -name '*.jp*g' -size -64k ;;
        labels) find $data/labels $data/images $data/inputs -name '*.npy' -size -64k -o -name '*.png' -size -64k -o -name '*.tif' -size -64k ;;
        npy) find $data/images -name '*.npy' -size -64k ;;
        png) find $data/images $data/inputs -name '*.png' -size -64k ;;
        tiff) find $data/images -name '*.tif' -size -64k ;;
        torch) find $data/models -name '*.pth' -size -64k ;;
    esac
}

fuzz() { cargo +nightly fuzz "$1" --fuzz-dir fuzz --sanitizer "${FUZZ_SANITIZER:-none}" "${@:2}"; }

# The same versions of crates as the program. The readers are safe Rust: without a sanitizer, panics and limits are found
# twice as fast.
cp Cargo.lock fuzz/Cargo.lock
fuzz build

failed=0
for target in "${targets[@]}"; do
    mkdir -p "$corpus/$target" "fuzz/artifacts/$target"
    seeds "$target" | while read -r file; do cp "$file" "$corpus/$target/"; done
    log=$corpus/$target.log
    start=$SECONDS
    fuzz run "$target" "$corpus/$target" "tests/data/corpus/$target" -- -max_total_time="$seconds" \
        -timeout="${FUZZ_TIMEOUT:-10}" -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 >"$log" 2>&1 || failed=1
    inputs=$(grep -ao 'number_of_executed_units: *[0-9]*' "$log" | grep -o '[0-9]*$' || echo no)
    fault=$(grep -ao 'Test unit written to .*' "$log" || true)
    echo "$target: $inputs inputs in $((SECONDS - start)) s; ${fault:-no fault} ($log)"
done
exit $failed
