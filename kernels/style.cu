// The style of each tile, and the shifts that it gives to the way up.
#include "values.cuh"

namespace {
constexpr int THREADS = 256, WARPS = 8;
constexpr int PIXELS = 64;       // of the deepest map, summed by one block
constexpr int ROWS = 32;         // shifts that one block computes

// Sums over PIXELS pixels at a time, in order: sums [tile, part, channels].
template <class T> DEV void sums_of(const T* map, double* sums, int pixels, int channels) {
  const int first = blockIdx.x * PIXELS, last = min(first + PIXELS, pixels);
  const T* from = map + (size_t)blockIdx.y * pixels * channels;
  for (int c = threadIdx.x; c < channels; c += THREADS) {
    double sum = 0;
    for (int p = first; p < last; p++) sum += number(from[(size_t)p * channels + c]);
    sums[((size_t)blockIdx.y * gridDim.x + blockIdx.x) * channels + c] = sum;
  }
}

// The sum of a value of each lane, always in the same order.
DEV float warp_sum(float v) {
#pragma unroll
  for (int d = 16; d; d >>= 1) v += __shfl_xor_sync(~0u, v, d);
  return v;
}

// style [tile, length]: the mean of `parts` sums, of unit length; zeros stay zeros. shifts [tile, rows]: weight * style +
// bias, weight [rows, channels]; once more in the precision of the maps.
template <class T>
DEV void shifts_of(const double* sums, const float* weight, const float* bias, float* style, float* shifts, T* rounded,
                   int parts, int pixels, int channels, int length, int rows) {
  DYN_SMEM(raw);
  float* s = reinterpret_cast<float*>(raw);            // [channels] and the norm
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, tile = blockIdx.y;
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
    if (blockIdx.x == 0 && c < length) style[(size_t)tile * length + c] = s[c];
  }
  __syncthreads();
  const int first = blockIdx.x * ROWS, last = min(first + ROWS, rows);
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

// Roof: the deepest map, read once.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
style_sums_f16(const half_t* map, double* sums, int pixels, int channels) { sums_of(map, sums, pixels, channels); }
EMU_KERNEL(style_sums_f16)

extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
style_sums_f32(const float* map, double* sums, int pixels, int channels) { sums_of(map, sums, pixels, channels); }
EMU_KERNEL(style_sums_f32)

// Roof: the weights, from the L2 cache for all tiles but one.
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
