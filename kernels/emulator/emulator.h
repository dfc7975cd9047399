// What a kernel sees on the processor: CUDA C++ as plain C++17, one fiber for each CUDA thread.
//
// All of this is inline in the kernel's object file, so that a sanitizer which that file is built with sees every
// access to a kernel's memory. The scheduler and the driver are other object files, without sanitizers.
#pragma once
#include "language.h"
#include "runtime.h"
#include "functions.h"
#include "atomics.h"
#include "warp.h"
#include "prims.h"
