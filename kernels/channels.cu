// Converts stored pixels, [pixels, channels], to the network's channels, [pixels, nchan].
#include "pixels.cuh"

namespace {

// Choice 0 is the mean of all channels, summed from the first to the last; 1 is the first channel, 2 the second.
template <class T> DEV float choose(const T* pixel, int channels, int choice) {
  if (choice > 0) return (float)pixel[choice - 1];
  // Rust's `sum` begins with -0, so that a sum of only -0 stays -0.
  float sum = -0.0f;
  for (int c = 0; c < channels; c++) sum += (float)pixel[c];
  return sum / (float)channels;
}

// Each thread converts one pixel. Time is bound by the bytes of both images.
template <class T>
DEV void channels(const T* raw, float* out, u32 pixels, int count, int first, int second, int nchan) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= pixels) return;
  const T* pixel = raw + (size_t)i * count;
  float cells = choose(pixel, count, first);
  if (nchan != 2) {
    out[i] = cells;
    return;
  }
  float nuclei = second > 0 ? (float)pixel[second - 1] : 0.0f;
  reinterpret_cast<float2*>(out)[i] = make_float2(cells, nuclei);
}

}  // namespace

// Sets `bad` to the smallest index of a pixel with a value that is not finite or too large. Time is bound by the bytes.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
channels_finite(const float* raw, u32 pixels, int count, u32* bad) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= pixels) return;
  const float* pixel = raw + (size_t)i * count;
  bool good = true;
  for (int c = 0; c < count; c++) good &= is_pixel(pixel[c]);
  if (!good) atomicMin(bad, i);
}
EMU_KERNEL(channels_finite)

extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
channels_u8(const unsigned char* raw, float* out, u32 pixels, int count, int first, int second, int nchan) {
  channels(raw, out, pixels, count, first, second, nchan);
}
EMU_KERNEL(channels_u8)

extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
channels_u16(const u16* raw, float* out, u32 pixels, int count, int first, int second, int nchan) {
  channels(raw, out, pixels, count, first, second, nchan);
}
EMU_KERNEL(channels_u16)

extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
channels_f32(const float* raw, float* out, u32 pixels, int count, int first, int second, int nchan) {
  channels(raw, out, pixels, count, first, second, nchan);
}
EMU_KERNEL(channels_f32)
