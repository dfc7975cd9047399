#!/usr/bin/env bash
# Runs the tests of the kernels under sanitizers: AddressSanitizer and UndefinedBehaviorSanitizer (g++), then
# ThreadSanitizer (clang++), for which each CUDA thread is a thread. Any report is a failure, and so is a planted fault
# that is not reported.
#
#   kernels/emulator/check.sh [address] [thread] [-- ARGUMENTS OF THE TEST PROGRAM]
#
# FLOWMASK_TEST_SCHEDULES lists the schedules that each test runs with (tests/cuda/device.rs).
set -euo pipefail
cd "$(dirname "$0")/../.."

target="${CARGO_TARGET_DIR:-${TMPDIR:-/tmp}/flowmask-target}"
# In step with late copies, and at random with copies at once. The other schedules run without sanitizers.
export FLOWMASK_TEST_SCHEDULES="${FLOWMASK_TEST_SCHEDULES:-0l,3e}"

kinds=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do kinds+=("$1"); shift; done
[ $# -eq 0 ] || shift
[ ${#kinds[@]} -gt 0 ] || kinds=(address thread)

install() {
    if ! command -v apt-get >/dev/null; then echo "$0: install $1"; exit 1; fi
    apt-get update -qq && apt-get install -y -qq "$@" >/dev/null
}

# Clang 19 if it is installed; the ThreadSanitizer of g++ takes five times as long.
clang() {
    command -v clang++-19 || command -v clang++ || {
        { install clang-19 libclang-rt-19-dev || install clang; } >&2
        command -v clang++-19 || command -v clang++
    }
}

# Builds the test program with a sanitizer in a target folder of its own, and finds its path.
prepare() {
    export FLOWMASK_EMULATOR_SANITIZE="$1" CARGO_TARGET_DIR="$target/sanitize-${1%%,*}"
    cargo test --test cuda --no-run
    program=$(cargo test --test cuda --no-run --message-format=json 2>/dev/null |
        sed -n 's/.*"name":"cuda".*"executable":"\([^"]*\)".*/\1/p')
    [ -x "$program" ]
}

# A planted fault must end its test with this report.
planted() {
    local said
    if said=$(LD_PRELOAD="$preload" "$program" --exact "emulator::planted::$1" --ignored --nocapture 2>&1); then
        echo "$0: $1 went through"; exit 1
    fi
    grep -q "$2" <<<"$said" || { echo "$said"; echo "$0: $1 failed without a report of $2"; exit 1; }
}

for kind in "${kinds[@]}"; do
    unset CXX
    # Tests of whole images would take a quarter of an hour; each stage has tests of its own.
    # What is planned is counted by the host, from runs that take minutes with a sanitizer.
    skip=(--skip pipeline:: --skip emulator::planned)
    case $kind in
    address)
        command -v g++ >/dev/null || install g++
        prepare address,undefined,bounds-strict
        preload="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
        # Threads and statics of Rust would be reported as leaks.
        export ASAN_OPTIONS=detect_leaks=0
        planted address_overrun "heap-buffer-overflow"
        planted address_shared_overrun "heap-buffer-overflow"
        planted undefined_overflow "signed integer overflow"
        ;;
    thread)
        CXX=$(clang)
        export CXX
        prepare thread
        preload=$("$CXX" -print-file-name=libclang_rt.tsan-x86_64.so)
        [ -e "$preload" ] || preload=$("$CXX" -print-file-name=libclang_rt.tsan.so)
        # Check only the kernels: ThreadSanitizer does not see how Rust's own threads synchronise.
        export TSAN_OPTIONS=halt_on_error=1:exitcode=66:ignore_noninstrumented_modules=1
        planted thread_block_race "data race"
        planted thread_grid_race "data race"
        planted thread_shared_race "data race"
        planted thread_matrix_race "data race"
        planted thread_missing_fence "data race"
        skip+=(--skip emulator::faults::a_missing_barrier) # it is also a race
        ;;
    *) echo "$0: no sanitizer $kind"; exit 1 ;;
    esac
    LD_PRELOAD="$preload" "$program" "$@" "${skip[@]}"
done
