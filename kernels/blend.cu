// The weighted average of overlapping tiles, and the sum of their styles.
#include "prims.cuh"

namespace {

// A row or column of the padded image: the sum of the weights of the tiles that cover it, and the range of these tiles.
struct Line {
  double total;
  u32 first, end;
};

// The size of the image, the zeros above and left of it, the padded height, the size of a tile, the grid of tiles, and
// whether tiles are flipped.
struct Layout {
  int height, width, top, left, padded_height, tile_height, tile_width, tile_rows, tile_columns, augment;
};

constexpr float MOST = 3.4028235e38f;   // the largest number in single precision

}  // namespace

// Each pixel of `out`, [nout, height, width], sums the values of the tiles that cover it, in the order of the tiles.
// `values` is [tile, nout, tile height, tile width]. The flow along a flipped axis changes its sign. Each of the three
// tables has its entries for rows first, then those for columns. `broken` becomes 1 if a value is not finite. Time is bound by the bytes of the tiles and the image.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
blend(const float* values, float* out, const Line* lines, const u32* starts, const double* tapers, Layout g,
      u32* broken) {
  int x = blockIdx.x * blockDim.x + threadIdx.x;
  if (x >= g.width) return;
  u32 channel = blockIdx.z, nout = gridDim.z;
  Line column = lines[g.padded_height + g.left + x];
  for (int y = blockIdx.y * blockDim.y + threadIdx.y; y < g.height; y += gridDim.y * blockDim.y) {
    Line row = lines[g.top + y];
    float sum = 0.0f;
    for (u32 j = row.first; j < row.end; j++) {
      int in_y = g.top + y - starts[j];
      double down = tapers[in_y];
      for (u32 i = column.first; i < column.end; i++) {
        int in_x = g.left + x - starts[g.tile_rows + i];
        double weight = down * tapers[g.tile_height + in_x];
        // Odd columns of tiles are flipped in y and odd rows in x.
        bool flip_y = g.augment && i % 2, flip_x = g.augment && j % 2;
        bool negative = channel + 1 < nout && ((channel == 0 && flip_y) || (channel == 1 && flip_x));
        int from_y = flip_y ? g.tile_height - 1 - in_y : in_y, from_x = flip_x ? g.tile_width - 1 - in_x : in_x;
        size_t plane = ((size_t)j * g.tile_columns + i) * nout + channel;
        float value = values[(plane * g.tile_height + from_y) * g.tile_width + from_x];
        sum = (float)((double)sum + (double)(negative ? -value : value) * weight);
      }
    }
    float average = (float)((double)sum / (row.total * column.total));
    out[((size_t)channel * g.height + y) * g.width + x] = average;
    if (!(fabsf(average) <= MOST)) atomicOr(broken, 1u);
  }
}
EMU_KERNEL(blend)

// Sums `count` style vectors in order and scales the sum to unit length. All become NaN if the maps are `broken`. One block does this, and shared memory holds
// the sum. Time is bound by the latency of `length` additions, one after the other.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1) blend_style(const float* styles, float* out, int count,
                                                           int length, const u32* broken) {
  DYN_SMEM(raw);
  float* sums = reinterpret_cast<float*>(raw);
  for (int c = threadIdx.x; c < length; c += blockDim.x) {
    float sum = 0.0f;
    for (int i = 0; i < count; i++) sum += styles[(size_t)i * length + c];
    sums[c] = sum;
  }
  __syncthreads();
  // Every thread adds up the same squares: when all read the same word, it costs no more than one read.
  float squares = -0.0f;
  for (int c = 0; c < length; c++) squares += sums[c] * sums[c];
  float norm = sqrtf(squares);
  for (int c = threadIdx.x; c < length; c += blockDim.x) {
    float unit = norm > 0.0f ? sums[c] / norm : sums[c];
    out[c] = broken[0] ? __uint_as_float(0x7fc00000u) : unit;
  }
}
EMU_KERNEL(blend_style)
