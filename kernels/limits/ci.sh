#!/usr/bin/env bash
# Checks the compiled kernels without a GPU. Every kernel must compile with three versions of NVRTC for six architectures,
# those of one architecture alone (conv_sm_90a) for that, and keep to limits.tsv; the inline PTX must give the same machine
# code as NVIDIA's own functions. Arguments go to `cargo test`. Needs Linux on x86-64, Rust, and Python 3 with venv;
# downloads 220 MB of packages once.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PYTHONDONTWRITEBYTECODE=1

packages=(
    nvidia-cuda-nvrtc-cu12==12.9.86 nvidia-cuda-nvrtc==13.5.37
    nvidia-cuda-cuobjdump==13.5.37 nvidia-cuda-nvdisasm==13.5.37
    nvidia-cutlass==4.2.0.0
)
# The version that PyTorch for CUDA 13 installs. It would lie where the later one does, so it has a folder of its own.
pytorch=nvidia-cuda-nvrtc==13.0.88
venv=${XDG_CACHE_HOME:-$HOME/.cache}/flowmask/nvrtc
if [ "$(cat "$venv/packages" 2>/dev/null)" != "${packages[*]} $pytorch" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    # CuTe, in nvidia-cutlass, is headers only; the dependencies of its package are for its generators.
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps "${packages[@]}"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --target "$venv/pytorch" "$pytorch"
    echo "${packages[*]} $pytorch" > "$venv/packages"
fi
nvidia=$(echo "$venv"/lib/python3*/site-packages/nvidia)
libraries=$nvidia/cuda_nvrtc/lib/libnvrtc.so.12:$nvidia/cu13/lib/libnvrtc.so.13
libraries=$libraries:$venv/pytorch/nvidia/cu13/lib/libnvrtc.so.13
cubins=$(mktemp -d)
trap 'rm -rf "$cubins"' EXIT

FLOWMASK_TEST_NVRTC=$libraries FLOWMASK_TEST_CUBINS=$cubins cargo test "$@" --test nvrtc -- --include-ignored
FLOWMASK_TEST_NVRTC=$libraries cargo test "$@" --test cli devices -- --include-ignored
export CUDA_BIN=$nvidia/cu13/bin
"$venv/bin/python" kernels/limits/limits.py check "$cubins"
"$venv/bin/python" kernels/limits/ptx.py "$nvidia/cu13/lib/libnvrtc.so.13"
