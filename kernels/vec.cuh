// A position in an image or a step from one position to another, (y, x).
#pragma once
#include "prims.cuh"

namespace {
struct alignas(8) Vec { float y, x; };
}  // namespace
