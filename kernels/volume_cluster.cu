// Turns the end points of the walks in a volume into masks: each peak of their histogram is a cell. The twin on the CPU is
// src/cpu/volume/cluster.rs. The kernels move about 60 bytes of memory for each voxel.
#include "vec.cuh"
#include "voxels.cuh"

namespace {
constexpr u32 SEED_ABOVE = 10, GROW_ABOVE = 2;
constexpr int REACH = 5, WINDOW = 2 * REACH + 1;
constexpr int SIDE = WINDOW + 2;            // of the window with a margin, whose bits are 0
constexpr int ROWS = WINDOW * WINDOW, ROUNDS = (ROWS + 31) / 32;
constexpr int WARPS = 4;

DEV u32 bin(Vec3 end, Extent s) {
  return index_of(s, pixel(end.z, s.depth), pixel(end.y, s.height), pixel(end.x, s.width));
}

// The first and the end of the indices that are at most `reach` from i on an axis.
DEV u32 from(u32 i, u32 reach) { return i > reach ? i - reach : 0; }
DEV u32 to(u32 i, u32 reach, u32 length) { return min(i + reach + 1, length); }

// Whether no voxel of the 5×5×5 around voxel i has a higher count.
DEV bool is_maximum(const u32* counts, Extent s, u32 i) {
  Voxel at = voxel_of(s, i);
  for (u32 z = from(at.z, 2); z < to(at.z, 2, s.depth); z++)
    for (u32 y = from(at.y, 2); y < to(at.y, 2, s.height); y++)
      for (u32 x = from(at.x, 2); x < to(at.x, 2, s.width); x++)
        if (counts[index_of(s, z, y, x)] > counts[i]) return false;
  return true;
}

// A row of the window of a seed, where a margin of REACH is added to each index so that none is negative.
struct Row {
  u32 z, y;
  int at;                       // its place among the rows of the window with a margin
};

DEV Row row_of(Voxel seed, int row) {
  int plane = row / WINDOW, line = row % WINDOW;
  return {seed.z + plane, seed.y + line, (plane + 1) * SIDE + line + 1};
}

DEV bool inside(u32 i, u32 length) { return i >= REACH && i < length + REACH; }

// The voxels of a row in which enough walks ended to grow over them, with one bit for each column.
DEV u32 allowed(const u32* counts, Extent s, Voxel seed, Row row) {
  u32 bits = 0;
  if (!inside(row.z, s.depth) || !inside(row.y, s.height)) return bits;
  for (int column = 0; column < WINDOW; column++) {
    u32 x = seed.x + column;
    if (inside(x, s.width) && counts[index_of(s, row.z - REACH, row.y - REACH, x - REACH)] > GROW_ABOVE)
      bits |= 1u << column;
  }
  return bits;
}

// Grows a seed `REACH` times by its 26 neighbours over voxels with enough counts. Lane l has the rows l, l + 32 and so on;
// `wide` has the rows of the window with a margin, each widened by one column to both sides.
DEV void grow(const u32* counts, Extent s, Voxel seed, int lane, u32* wide, u32 (&grown)[ROUNDS]) {
  u32 over[ROUNDS];
#pragma unroll
  for (int k = 0; k < ROUNDS; k++) {
    int row = lane + 32 * k;
    over[k] = row < ROWS ? allowed(counts, s, seed, row_of(seed, row)) : 0;
    grown[k] = row == ROWS / 2 ? 1u << REACH : 0;
  }
  for (int step = 0; step < REACH; step++) {
#pragma unroll
    for (int k = 0; k < ROUNDS; k++) {
      int row = lane + 32 * k;
      if (row < ROWS) wide[row_of(seed, row).at] = grown[k] | grown[k] << 1 | grown[k] >> 1;
    }
    __syncwarp();
#pragma unroll
    for (int k = 0; k < ROUNDS; k++) {
      int row = lane + 32 * k;
      if (row >= ROWS) continue;
      const u32* here = wide + row_of(seed, row).at;
      u32 near = 0;
      for (int plane = -SIDE; plane <= SIDE; plane += SIDE) near |= here[plane - 1] | here[plane] | here[plane + 1];
      grown[k] = near & over[k];
    }
    __syncwarp();
  }
}
}  // namespace

// Counts the walks that ended in each voxel.
extern "C" __global__ void LAUNCH_BOUNDS(256, 4) volume_cluster_counts(
    const Vec3* ends, const u32* points, u32* counts, u32 depth, u32 height, u32 width) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < points[0]) atomicAdd(&counts[bin(ends[i], {depth, height, width})], 1u);
}
EMU_KERNEL(volume_cluster_counts)

// Each warp finds the seeds among 32 voxels, then grows and paints one seed after the other with all its lanes. As in
// images, the owner of a voxel is the maximum of (count, index from 1) of the seeds that reach it, so that the order of the
// warps does not matter.
extern "C" __global__ void LAUNCH_BOUNDS(32 * WARPS, 4) volume_cluster_seeds(
    const u32* counts, u64* owners, u32 depth, u32 height, u32 width) {
  DYN_SMEM(raw);
  u32* wide = (u32*)raw + threadIdx.x / 32 * (SIDE * SIDE);
  Extent s = {depth, height, width};
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  int lane = threadIdx.x % 32;
  for (int row = lane; row < SIDE * SIDE; row += 32) wide[row] = 0;
  __syncwarp();
  u32 own = i < voxels_of(s) ? counts[i] : 0;
  u32 seeds = __ballot_sync(~0u, own > SEED_ABOVE && is_maximum(counts, s, i));
  for (; seeds != 0; seeds &= seeds - 1) {
    int source = __ffs((int)seeds) - 1;
    u32 first = i - lane + source;
    u64 owner = (u64)__shfl_sync(~0u, own, source) << 32 | (first + 1);
    Voxel seed = voxel_of(s, first);
    u32 grown[ROUNDS];
    grow(counts, s, seed, lane, wide, grown);
#pragma unroll
    for (int k = 0; k < ROUNDS; k++) {
      Row row = row_of(seed, lane + 32 * k);
      for (u32 bits = grown[k]; bits != 0; bits &= bits - 1) {
        u32 x = seed.x + __ffs((int)bits) - 1;
        atomicMax(&owners[index_of(s, row.z - REACH, row.y - REACH, x - REACH)], owner);
      }
    }
  }
}
EMU_KERNEL(volume_cluster_seeds)

// Gives each voxel in a cell the label of the voxel where its walk ended. A label is the index of a seed, from 1.
extern "C" __global__ void LAUNCH_BOUNDS(256, 4) volume_cluster_labels(
    const u32* voxels, const Vec3* ends, const u32* points, const u64* owners, u32* sizes, u32* labels, u32 depth,
    u32 height, u32 width) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= points[0]) return;
  u32 label = (u32)owners[bin(ends[i], {depth, height, width})];
  labels[voxels[i]] = label;
  if (label != 0) atomicAdd(&sizes[label - 1], 1u);
}
EMU_KERNEL(volume_cluster_labels)
