// The bounding boxes of masks, and a queue from which thread blocks take masks.
#pragma once
#include "prims.cuh"

namespace {

struct Rect { int top, left, height, width; };

// A stored box has the complements of its first row and column (x, y) and the row and column after its last (z, w). All
// four grow by atomicMax, so that memory filled with zeros is an empty box.
DEV Rect box_of(const uint4* boxes, u32 label) {
  uint4 b = boxes[label - 1];
  int top = (int)~b.x, left = (int)~b.y;
  return {top, left, (int)b.z - top, (int)b.w - left};
}

// Takes the next item of a queue for the whole block and returns its index from 0. `taken` counts the items that blocks
// have begun; `place` is in shared memory. The block must have passed a barrier since it last read `place`.
template <class T> DEV T next_piece(T* taken, T* place) {
  if (threadIdx.x == 0) *place = atomicAdd(taken, (T)1);
  __syncthreads();
  return *place;
}

}  // namespace
