// One sample of a bilinear resize, with the same operations in the same order as in src/cpu/resize.rs.
#pragma once
#include "prims.cuh"

namespace {

// The two source indices of a destination index, and the weight of the second.
struct Tap {
  u32 near, far;
  float weight;
};

// `step` is the number of source pixels for one destination pixel, `from` the number of all source pixels.
DEV Tap tap(int i, double step, int from) {
  float position = (float)(((double)i + 0.5) * step - 0.5);
  float floor = floorf(position);
  int near = (int)floor;
  if (near < 0) return {0, 0, 0.0f};
  if (near + 1 >= from) return {(u32)from - 1, (u32)from - 1, 0.0f};
  return {(u32)near, (u32)near + 1, position - floor};
}

DEV float mix(float a, float b, float weight) { return a * (1.0f - weight) + b * weight; }

// The value at taps (y, x) of an image whose pixels lie `stride` apart and whose rows have `width` pixels.
DEV float bilinear(const float* image, u32 width, u32 stride, Tap y, Tap x) {
  const float* upper = image + (size_t)y.near * width * stride;
  const float* lower = image + (size_t)y.far * width * stride;
  u32 near = x.near * stride, far = x.far * stride;
  return mix(mix(upper[near], upper[far], x.weight), mix(lower[near], lower[far], x.weight), y.weight);
}

}  // namespace
