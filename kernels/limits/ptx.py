#!/usr/bin/env python3
"""Checks that the inline PTX of prims.cuh gives the same machine code as NVIDIA's own functions.

    ptx.py LIBNVRTC

Tests on the emulator do not run inline PTX, so a wrong instruction or operand would show only on a GPU. LIBNVRTC must be
13.3 or later, which includes the headers of the toolkit. CuTe comes from the package nvidia-cutlass in this Python
environment; cuobjdump and nvdisasm are taken from CUDA_BIN or PATH.
"""
import ctypes
import importlib.util
import re
import sys
import tempfile
from pathlib import Path

from limits import run

HERE = Path(__file__).parent
PRIMS = HERE.parent / "prims.cuh"
ARCHITECTURES = ["sm_80", "sm_90", "sm_90a", "sm_100"]

# CuTe includes these headers only for host code.
EMPTY = {"cuda_runtime.h": b"", "cuda_runtime_api.h": b""}


class Nvrtc:
    def __init__(self, path):
        self.library = ctypes.CDLL(path)

    def check(self, code, what):
        if code:
            self.library.nvrtcGetErrorString.restype = ctypes.c_char_p
            sys.exit(f"{what}: {self.library.nvrtcGetErrorString(code).decode()}")

    def install_headers(self, folder):
        error = ctypes.c_char_p()
        self.check(self.library.nvrtcInstallBundledHeaders(str(folder).encode(), 0, ctypes.byref(error)), "headers of NVRTC")

    def compile(self, path, headers, options):
        def texts(values):
            return (ctypes.c_char_p * len(values))(*values)

        program, size = ctypes.c_void_p(), ctypes.c_size_t()
        names = texts([name.encode() for name in headers])
        self.check(
            self.library.nvrtcCreateProgram(
                ctypes.byref(program), path.read_bytes(), path.name.encode(), len(headers), texts(list(headers.values())), names
            ),
            path.name,
        )
        options = ["--std=c++17", "--fmad=false", *options]
        code = self.library.nvrtcCompileProgram(program, len(options), texts([option.encode() for option in options]))
        if code:
            self.library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
            log = ctypes.create_string_buffer(size.value)
            self.library.nvrtcGetProgramLog(program, log)
            print(log.value.decode(), file=sys.stderr)
        self.check(code, path.name)
        self.check(self.library.nvrtcGetCUBINSize(program, ctypes.byref(size)), path.name)
        cubin = ctypes.create_string_buffer(size.value)
        self.check(self.library.nvrtcGetCUBIN(program, cubin), path.name)
        self.library.nvrtcDestroyProgram(ctypes.byref(program))
        return cubin.raw


def instructions(cubin, folder):
    """The instructions of each kernel, without what only tunes them."""
    path = folder / "kernels.cubin"
    path.write_bytes(cubin)
    kernels = {}
    for part in run("cuobjdump", "-sass", str(path)).split("Function : ")[1:]:
        name, code = part.split("\n", 1)
        code = re.findall(r"^\s*/\*[0-9a-f]{4,6}\*/\s+(?!\s|NOP)(.*?)\s*;", code, re.M)
        # Loads that are known to be of memory that nobody writes, and a hint to the second cache for the lines beside.
        kernels[name] = [re.sub(r"\.(CONSTANT|LTC128B)", "", line) for line in code]
    return kernels


def uncovered():
    """Functions of prims.cuh with inline PTX that ours.cu does not call."""
    text = PRIMS.read_text().split("#else")[0]
    calls = re.sub(r"//.*|void \w+\(", "", (HERE / "ptx" / "ours.cu").read_text())
    functions = re.split(r"\bDEV\s", re.sub(r"//.*", "", text))[1:]
    names = [re.search(r"(\w+)\(", function)[1] for function in functions if "asm" in function]
    if len(names) != text.count("asm(") + text.count("asm volatile("):
        sys.exit(f"{PRIMS.name}: not every asm is in a function of its own, DEV NAME(…)")
    return [name for name in names if not re.search(rf"\b{name}\b", calls)]


def main(library):
    faults = [f"{name}: not in ptx/ours.cu" for name in uncovered()]
    nvrtc = Nvrtc(library)
    cutlass = importlib.util.find_spec("cutlass_library")
    if cutlass is None:
        sys.exit("the package nvidia-cutlass is not in this environment")
    cute = Path(cutlass.origin).parent / "source" / "include"
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        nvrtc.install_headers(folder / "include")
        includes = [f"-I{path}" for path in [cute, folder / "include", folder / "include" / "cccl"]]
        for arch in ARCHITECTURES:
            target = f"--gpu-architecture={arch}"
            ours = nvrtc.compile(HERE / "ptx" / "ours.cu", {PRIMS.name: PRIMS.read_bytes()}, [target])
            theirs = nvrtc.compile(HERE / "ptx" / "nvidia.cu", EMPTY, [target, "-default-device", *includes])
            ours, theirs = instructions(ours, folder), instructions(theirs, folder)
            if ours.keys() != theirs.keys():
                sys.exit(f"ptx/ours.cu and ptx/nvidia.cu differ in {', '.join(sorted(ours.keys() ^ theirs.keys()))}")
            for name, code in sorted(ours.items()):
                same = code == theirs[name]
                print(f"{arch}\t{name}\t{len(code)} instructions\t{'same' if same else 'DIFFERENT'}")
                if not same:
                    faults.append(f"{name} for {arch}:\n  ours:   " + "\n          ".join(code))
                    faults.append("  NVIDIA: " + "\n          ".join(theirs[name]))
    print(*faults, sep="\n", end="\n" if faults else "", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) if len(sys.argv) == 2 else __doc__)
