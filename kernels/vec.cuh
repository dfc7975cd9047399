// A position in an image, or the way to another.
#pragma once
#include "prims.cuh"

namespace {
struct alignas(8) Vec { float y, x; };
}  // namespace
