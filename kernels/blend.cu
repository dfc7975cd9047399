// The weighted average of overlapping tiles, and the sum of their styles.
#include "blend.cuh"

// Each thread averages pixels of a column of `out`, [nout, height, width]. `broken` becomes 1 if a value is not finite. Time
// is bound by the bytes of the tiles and the image.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
blend(const float* values, float* out, const Line* lines, const u32* starts, const double* tapers, Layout g,
      u32* broken) {
  int x = blockIdx.x * blockDim.x + threadIdx.x;
  if (x >= g.width) return;
  u32 channel = blockIdx.z, nout = gridDim.z;
  for (int y = blockIdx.y * blockDim.y + threadIdx.y; y < g.height; y += gridDim.y * blockDim.y) {
    float value = average(values, lines, starts, tapers, g, channel, nout, y, x);
    out[((size_t)channel * g.height + y) * g.width + x] = value;
    if (!is_finite(value)) atomicOr(broken, 1u);
  }
}
EMU_KERNEL(blend)

// Each block sums the `count` style vectors of an image in order and scales the sum to unit length. All become NaN if the
// maps are `broken`. Shared memory holds the sum. Time is bound by the latency of `length` additions, one after the other.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1) blend_style(const float* styles, float* out, int count,
                                                           int length, const u32* broken) {
  DYN_SMEM(raw);
  float* sums = reinterpret_cast<float*>(raw);
  styles += (size_t)blockIdx.x * count * length;
  out += (size_t)blockIdx.x * length;
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
