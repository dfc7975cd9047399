// Keeps the largest connected part of each label. The twin on the CPU is src/cpu/parts.rs. Parts grow by union-find: the
// parent of a pixel is an earlier pixel of its part, or itself, so that the root of a part is its first pixel whatever
// the order of the threads.
#include "warp.cuh"

namespace {

// The first pixel of the part, as far as it is known. Other blocks move parents to earlier pixels meanwhile.
DEV u32 root(const u32* parents, u32 i) {
  for (;;) {
    u32 parent = *(const volatile u32*)&parents[i];
    if (parent == i) return i;
    i = parent;
  }
}

DEV void unite(u32* parents, u32 a, u32 b) {
  for (;;) {
    a = root(parents, a), b = root(parents, b);
    if (a == b) return;
    u32 later = a > b ? a : b, earlier = a > b ? b : a;
    u32 before = atomicMin(&parents[later], earlier);
    if (before == later) return;
    // Another thread has given the later one a parent meanwhile, which may have been lost.
    a = before, b = earlier;
  }
}

// Unites this pixel with the one that lies `distance` before it, unless the pixels to the left do it: they touch as well.
DEV void join(const u32* labels, u32* parents, u32 i, u32 distance, bool left) {
  u32 label = labels[i];
  if (labels[i - distance] != label) return;
  if (!left || labels[i - distance - 1] != label) unite(parents, i - distance, i);
}

}  // namespace

// Makes the first pixel of a run the parent of all its pixels. All five kernels are bound by the bytes that they read
// and write for each pixel: 8, 8, 8, 8 and 12.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1) parts_runs(const u32* labels, int width, u64 plane, u32* parents) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x & 31;
  u32 heads = run_heads(i < plane ? labels[i] : 0, i % (u32)width);
  if (i < plane) parents[i] = i - lane + (31 - __clz((int)(heads & ~0u >> (31 - lane))));
}
EMU_KERNEL(parts_runs)

// Unites the runs that touch: those of two warps in a row, those of neighbouring rows, and those of neighbouring planes
// of `height` rows. An image is one plane.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
parts_join(const u32* labels, int height, int width, u64 plane, u32* parents) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x, w = width, h = height;
  u32 label = i < plane ? labels[i] : 0;
  if (!label) return;
  bool left = i % w > 0 && labels[i - 1] == label;
  if (left && (threadIdx.x & 31) == 0) unite(parents, i - 1, i);
  if (i / w % h > 0) join(labels, parents, i, w, left);
  if (i / w >= h) join(labels, parents, i, w * h, left);
}
EMU_KERNEL(parts_join)

// Adds up the area of each part at its first pixel. The first pixel of a run counts for the run.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
parts_areas(const u32* labels, int width, u64 plane, const u32* parents, u32* areas) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  u32 label = i < plane ? labels[i] : 0, heads = run_heads(label, i % (u32)width);
  if (label && is_head(heads)) atomicAdd(&areas[root(parents, i)], run_length(heads));
}
EMU_KERNEL(parts_areas)

// Finds the largest part of each label: its area, and below it the complement of its first pixel, so that of equal parts
// the earlier one is the larger number.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
parts_best(const u32* labels, u64 plane, const u32* parents, const u32* areas, u64* best) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= plane || !labels[i] || parents[i] != i) return;
  atomicMax(&best[labels[i] - 1], (u64)areas[i] << 32 | (u32)~i);
}
EMU_KERNEL(parts_best)

// Sets the pixels of all other parts to 0.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
parts_drop(u32* labels, u64 plane, const u32* parents, const u64* best) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  u32 label = i < plane ? labels[i] : 0;
  if (label && (u32)best[label - 1] != ~root(parents, i)) labels[i] = 0;
}
EMU_KERNEL(parts_drop)
