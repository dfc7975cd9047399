// Positions and steps from one position to another: in an image (y, x), in a volume (z, y, x).
#pragma once
#include "prims.cuh"

namespace {
struct alignas(8) Vec { float y, x; };
struct Vec3 { float z, y, x; };

// The pixel of a coordinate along one axis, which is truncated, not rounded, and clamped to the image. NaN gives 0.
DEV int pixel(float v, int side) {
  if (v >= (float)side) return side - 1;
  return v > 0.0f ? (int)v : 0;
}
}  // namespace
