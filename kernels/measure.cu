// Sums over the pixels of each cell, in whole numbers: the order of the atomics makes no difference. A lane that is the first
// of a run of equal labels within its warp and row adds for the run. Memory filled with zeros is the sums of no pixels.
#include "warp.cuh"

// What is summed of a cell. First planes, rows and columns are complements, so that all six sides grow by atomicMax.
struct CellSums {
  u64 z, y, x, pixels;
  u32 first_z, first_y, first_x, end_z, end_y, end_x;
};

// What is summed of a channel; `low` is the complement of the smallest intensity.
struct LevelSums {
  u64 sum, squares;
  u32 low, high;
};

namespace {

// Labels [planes, height, width] and pixels [planes, height, width, channels]. Each run of a warp takes as many steps as it
// has pixels, 32 at most; the bytes of a channel are read once, from lines that the other lanes read too.
template <class T>
DEV void levels(const u32* labels, const T* pixels, int width, u64 count, u32 most, LevelSums* sums) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x, channel = blockIdx.y, channels = gridDim.y;
  u32 label = i < count ? labels[i] : 0, heads = run_heads(label, i % (u32)width);
  if (!label || label > most || !is_head(heads)) return;
  u64 sum = 0, squares = 0;
  u32 low = ~0u, high = 0, length = run_length(heads);
  for (u32 k = 0; k < length; k++) {
    u32 value = pixels[(u64)(i + k) * channels + channel];
    sum += value;
    squares += (u64)value * value;
    low = value < low ? value : low;
    high = value > high ? value : high;
  }
  LevelSums* to = &sums[(u64)(label - 1) * channels + channel];
  atomicAdd(&to->sum, sum);
  atomicAdd(&to->squares, squares);
  atomicMax(&to->low, ~low);
  atomicMax(&to->high, high);
}

}  // namespace

// The place of each cell. Labels above `most` are left out.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
measure_cells(const u32* labels, int height, int width, u64 count, u32 most, CellSums* sums) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x, w = width, h = height;
  u32 label = i < count ? labels[i] : 0, x = i % w, heads = run_heads(label, x);
  if (!label || label > most || !is_head(heads)) return;
  u32 y = i / w % h, z = i / w / h, length = run_length(heads);
  CellSums* to = &sums[label - 1];
  atomicAdd(&to->z, (u64)z * length);
  atomicAdd(&to->y, (u64)y * length);
  atomicAdd(&to->x, (u64)x * length + length * (length - 1) / 2);
  atomicAdd(&to->pixels, (u64)length);
  atomicMax(&to->first_z, ~z);
  atomicMax(&to->first_y, ~y);
  atomicMax(&to->first_x, ~x);
  atomicMax(&to->end_z, z + 1);
  atomicMax(&to->end_y, y + 1);
  atomicMax(&to->end_x, x + length);
}
EMU_KERNEL(measure_cells)

// The intensities of each cell; blockIdx.y is the channel.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
measure_u8(const u32* labels, const unsigned char* pixels, int width, u64 count, u32 most, LevelSums* sums) {
  levels(labels, pixels, width, count, most, sums);
}
EMU_KERNEL(measure_u8)

extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
measure_u16(const u32* labels, const u16* pixels, int width, u64 count, u32 most, LevelSums* sums) {
  levels(labels, pixels, width, count, most, sums);
}
EMU_KERNEL(measure_u16)
