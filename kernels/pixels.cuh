// Which pixels of single precision can be computed with.
#pragma once
#include "prims.cuh"

namespace {

// Whether a pixel is finite and not too large (plan::channels::MAX_PIXEL).
DEV bool is_pixel(float v) { return fabsf(v) <= 1e30f; }

}  // namespace
