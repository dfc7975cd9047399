// The boxes of masks, and how blocks share the work on masks out among themselves.
#pragma once
#include "prims.cuh"

namespace {

struct Rect { int top, left, height, width; };

// The largest corner and the complement of the smallest are stored, so that 0 is nothing.
DEV Rect box_of(const uint4* boxes, u32 label) {
  uint4 b = boxes[label - 1];
  int top = (int)~b.x, left = (int)~b.y;
  return {top, left, (int)b.z - top, (int)b.w - left};
}

// The next piece of work for the whole block, counted from 0. `place` is in shared memory. The block must have passed a
// barrier since it last read that.
template <class T> DEV T next_piece(T* taken, T* place) {
  if (threadIdx.x == 0) *place = atomicAdd(taken, (T)1);
  __syncthreads();
  return *place;
}

}  // namespace
