// Everything that a kernel needs to run on the processor: CUDA C++ as plain C++17, with one fiber for each CUDA thread.
//
// All of this is inline in the kernel's object file. If that file is built with a sanitizer, the sanitizer sees every
// access to the kernel's memory. The scheduler and the driver are other object files, built without sanitizers.
#pragma once
#include "language.h"
#include "runtime.h"
#include "functions.h"
#include "atomics.h"
#include "warp.h"
#include "prims.h"
