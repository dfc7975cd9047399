// Turns the end points of the walks into masks: each peak of their histogram is a cell. The kernels move 60 bytes of
// memory for each pixel; their atomic operations also load the L2 cache.
#include "vec.cuh"

namespace {
constexpr u32 SEED_ABOVE = 10, GROW_ABOVE = 2;
constexpr int REACH = 5, WINDOW = 2 * REACH + 1, PAIRS = (WINDOW + 1) / 2;

struct Size { int height, width; };

DEV int bin(Vec end, Size s) { return pixel(end.y, s.height) * s.width + pixel(end.x, s.width); }

// Whether no pixel of the 5×5 around pixel i has a higher count.
DEV bool is_maximum(const u32* counts, Size s, int i) {
  int y = i / s.width, x = i % s.width;
  for (int row = max(y - 2, 0); row < min(y + 3, s.height); row++)
    for (int column = max(x - 2, 0); column < min(x + 3, s.width); column++)
      if (counts[row * s.width + column] > counts[i]) return false;
  return true;
}

// A warp goes through the window of a seed by pairs of rows, with one lane for each pixel. Returns the index of the
// lane's pixel in the image, or -1 if it lies outside of the window or of the image.
DEV int window_pixel(int seed, Size s, int pair, int lane) {
  int row = 2 * pair + lane / 16, column = lane % 16;
  int y = seed / s.width - REACH + row, x = seed % s.width - REACH + column;
  bool inside = row < WINDOW && column < WINDOW && y >= 0 && x >= 0 && y < s.height && x < s.width;
  return inside ? y * s.width + x : -1;
}

// Grows a seed `REACH` times by its eight neighbours over pixels with enough counts. Each lane returns one row of the
// window, with one bit for each column; lanes beyond the last row return 0.
DEV u32 grow(const u32* counts, Size s, int seed, int lane) {
  u32 allowed = 0;
#pragma unroll
  for (int pair = 0; pair < PAIRS; pair++) {
    int at = window_pixel(seed, s, pair, lane);
    u32 rows = __ballot_sync(~0u, at >= 0 && counts[at] > GROW_ABOVE);
    if (lane / 2 == pair) allowed = rows >> lane % 2 * 16 & 0xffff;
  }
  u32 grown = lane == REACH ? 1u << REACH : 0;
  for (int step = 0; step < REACH; step++) {
    u32 wide = grown | grown << 1 | grown >> 1;
    // The first lane has no row above and the last none below: they get their own row, which adds nothing.
    grown = (wide | __shfl_up_sync(~0u, wide, 1) | __shfl_down_sync(~0u, wide, 1)) & allowed;
  }
  return grown;
}
}  // namespace

extern "C" __global__ void LAUNCH_BOUNDS(256, 4) cluster_clear(u32* counts, u64* owners, u32* sizes, u32* labels, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  counts[i] = sizes[i] = labels[i] = 0;
  owners[i] = 0;
}
EMU_KERNEL(cluster_clear)

// Counts the walks that ended in each pixel.
extern "C" __global__ void LAUNCH_BOUNDS(256, 4) cluster_counts(
    const Vec* ends, const u32* points, u32* counts, int height, int width) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < (int)points[0]) atomicAdd(&counts[bin(ends[i], {height, width})], 1u);
}
EMU_KERNEL(cluster_counts)

// Each warp finds the seeds among 32 pixels, then grows and paints one seed after the other with all its lanes. A pixel
// that several seeds reach belongs to the seed with the highest count; where two seeds tie, the one later in row-major
// order wins. So the owner is the maximum of (count, index from 1), and the order of the warps does not matter.
extern "C" __global__ void LAUNCH_BOUNDS(256, 4) cluster_seeds(const u32* counts, u64* owners, int height, int width) {
  Size s = {height, width};
  int i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x % 32;
  u32 own = i < height * width ? counts[i] : 0;
  u32 seeds = __ballot_sync(~0u, own > SEED_ABOVE && is_maximum(counts, s, i));
  for (; seeds != 0; seeds &= seeds - 1) {
    int source = __ffs(seeds) - 1, seed = i - lane + source;
    u64 owner = (u64)__shfl_sync(~0u, own, source) << 32 | (u32)(seed + 1);
    u32 grown = grow(counts, s, seed, lane);
    for (int pair = 0; pair < PAIRS; pair++) {
      u32 row = __shfl_sync(~0u, grown, 2 * pair + lane / 16);
      int at = window_pixel(seed, s, pair, lane);
      if (at >= 0 && (row >> lane % 16 & 1)) atomicMax(&owners[at], owner);
    }
  }
}
EMU_KERNEL(cluster_seeds)

// Gives each pixel in a cell the label of the pixel where its walk ended. A label is the index of a seed, from 1.
extern "C" __global__ void LAUNCH_BOUNDS(256, 4) cluster_labels(
    const u32* pixels, const Vec* ends, const u32* points, const u64* owners, u32* sizes, u32* labels, int height, int width) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= (int)points[0]) return;
  u32 label = (u32)owners[bin(ends[i], {height, width})];
  labels[pixels[i]] = label;
  if (label != 0) atomicAdd(&sizes[label - 1], 1u);
}
EMU_KERNEL(cluster_labels)

extern "C" __global__ void LAUNCH_BOUNDS(256, 4) cluster_drop_large(u32* labels, const u32* sizes, double largest, u32 n) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && labels[i] != 0 && (double)sizes[labels[i] - 1] > largest) labels[i] = 0;
}
EMU_KERNEL(cluster_drop_large)
