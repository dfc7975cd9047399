// The walks of points along flows, in images and in volumes.
#pragma once
#include "vec.cuh"

namespace {
enum Sampling : int { BILINEAR, GRID_SAMPLE, NEAREST };

DEV bool same(Vec a, Vec b) { return a.y == b.y && a.x == b.x; }
DEV bool same(Vec3 a, Vec3 b) { return a.z == b.z && a.y == b.y && a.x == b.x; }

// NaN stays NaN, unlike with fminf and fmaxf.
DEV float clamp(float v, float low, float high) {
  if (v < low) v = low;
  if (v > high) v = high;
  return v;
}

// Takes `left` steps, each from a position to step(position). A walk that returns to a position repeats the same cycle for
// ever (a point that stands still has a cycle of length 1), so whole rounds are skipped. Cycles are found by Brent's
// algorithm (BIT 20, 1980): positions are compared with a mark, which is set after 1, 2, 4, 8… steps.
template <class V, class Step> DEV V walk(V at, u32 left, Step step) {
  V mark = at;
  u32 length = 0, most = 1;
  while (left > 0) {
    V next = step(at);
    left--, length++;
    if (same(next, at)) left = 0;
    else if (same(next, mark)) left %= length;
    at = next;
    if (length == most) mark = next, length = 0, most *= 2;
  }
  return at;
}
}  // namespace
