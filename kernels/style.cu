// Computes the style of each tile, and from it the shifts for the convolutions of the way up.
#include "values.cuh"

namespace {
constexpr int THREADS = 256, WARPS = 8;
constexpr int PIXELS = 64;       // pixels of the deepest map that one block sums
constexpr int ROWS = 32;         // rows of shifts that one block computes
// A grid has the tiles along x, since a batch may have more than the 65,535 blocks that a grid has along y. The deepest
// map of a tile has at most 2^22 pixels, so that there are never as many parts.

// Writes sums, [tile, part, channels]; each part is the sum of PIXELS pixels, in order.
template <class T> DEV void sums_of(const T* map, double* sums, int pixels, int channels) {
  const int first = blockIdx.y * PIXELS, last = min(first + PIXELS, pixels);
  const T* from = map + (size_t)blockIdx.x * pixels * channels;
  for (int c = threadIdx.x; c < channels; c += THREADS) {
    double sum = 0;
    for (int p = first; p < last; p++) sum += number(from[(size_t)p * channels + c]);
    sums[((size_t)blockIdx.x * gridDim.y + blockIdx.y) * channels + c] = sum;
  }
}

// The sum of `v` over the lanes of a warp, always added in the same order.
DEV float warp_sum(float v) {
#pragma unroll
  for (int d = 16; d; d >>= 1) v += __shfl_xor_sync(~0u, v, d);
  return v;
}

// Writes style, [tile, length]: the mean over all pixels, from `parts` sums, scaled to unit length; zeros stay zeros.
// Writes shifts, [tile, rows]: weight * style + bias, where weight is [rows, channels]; `rounded` has the same values
// in the precision of the maps.
template <class T>
DEV void shifts_of(const double* sums, const float* weight, const float* bias, float* style, float* shifts, T* rounded,
                   int parts, int pixels, int channels, int length, int rows) {
  DYN_SMEM(raw);
  float* s = reinterpret_cast<float*>(raw);            // the style, [channels], and its norm
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, tile = blockIdx.x;
  for (int c = threadIdx.x; c < channels; c += THREADS) {
    double sum = 0;
    for (int p = 0; p < parts; p++) sum += sums[((size_t)tile * parts + p) * channels + c];
    s[c] = (float)(sum / pixels);
  }
  __syncthreads();
  if (warp == 0) {
    float squares = 0;
    for (int c = lane; c < channels; c += 32) squares += s[c] * s[c];
    squares = warp_sum(squares);
    if (lane == 0) s[channels] = sqrtf(squares);
  }
  __syncthreads();
  const float norm = s[channels];
  for (int c = threadIdx.x; c < channels; c += THREADS) {
    if (norm > 0.f) s[c] /= norm;
    if (blockIdx.y == 0 && c < length) style[(size_t)tile * length + c] = s[c];
  }
  __syncthreads();
  const int first = blockIdx.y * ROWS, last = min(first + ROWS, rows);
  for (int row = first + warp; row < last; row += WARPS) {
    float sum = 0;
    for (int c = lane; c < channels; c += 32) sum += weight[(size_t)row * channels + c] * s[c];
    sum = warp_sum(sum) + bias[row];
    if (lane == 0) {
      shifts[(size_t)tile * rows + row] = sum;
      put(rounded + (size_t)tile * rows + row, sum);
    }
  }
}
}  // namespace

// Time is bound by the bytes of the deepest map, which is read once.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
style_sums_f16(const half_t* map, double* sums, int pixels, int channels) { sums_of(map, sums, pixels, channels); }
EMU_KERNEL(style_sums_f16)

extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
style_sums_f32(const float* map, double* sums, int pixels, int channels) { sums_of(map, sums, pixels, channels); }
EMU_KERNEL(style_sums_f32)

// Time is bound by the bytes of the weights, which all tiles but the first read from the L2 cache.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
style_shifts_f16(const double* sums, const float* weight, const float* bias, float* style, float* shifts,
                 half_t* rounded, int parts, int pixels, int channels, int length, int rows) {
  shifts_of(sums, weight, bias, style, shifts, rounded, parts, pixels, channels, length, rows);
}
EMU_KERNEL(style_shifts_f16)

extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
style_shifts_f32(const double* sums, const float* weight, const float* bias, float* style, float* shifts,
                 float* rounded, int parts, int pixels, int channels, int length, int rows) {
  shifts_of(sums, weight, bias, style, shifts, rounded, parts, pixels, channels, length, rows);
}
EMU_KERNEL(style_shifts_f32)
