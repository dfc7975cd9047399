// Resizes images as cv2.resize does. Each thread computes one destination pixel. Time is bound by the bytes of both
// images.
#include "bilinear.cuh"

// Resizes `count` images. `stride` is the number of values from a pixel to the next, `source_next` and `next` those
// from an image to the next in source and destination. So images may be interleaved channels or planes.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
resize_linear(const float* source, float* out, int height, int width, int to_height, int to_width, double step_y,
              double step_x, int count, u32 stride, u64 source_next, u64 next) {
  int x = blockIdx.x * blockDim.x + threadIdx.x;
  if (x >= to_width) return;
  Tap across = tap(x, step_x, width);
  for (int y = blockIdx.y * blockDim.y + threadIdx.y; y < to_height; y += gridDim.y * blockDim.y) {
    Tap down = tap(y, step_y, height);
    size_t at = ((size_t)y * to_width + x) * stride;
    for (int i = 0; i < count; i++) out[i * next + at] = bilinear(source + i * source_next, width, stride, down, across);
  }
}
EMU_KERNEL(resize_linear)

namespace {
DEV u32 nearest(int i, double step, int from) { return min((u32)((double)i * step), (u32)from - 1); }
}  // namespace

extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
resize_nearest(const u32* source, u32* out, int height, int width, int to_height, int to_width, double step_y,
               double step_x) {
  int x = blockIdx.x * blockDim.x + threadIdx.x;
  if (x >= to_width) return;
  u32 from_x = nearest(x, step_x, width);
  for (int y = blockIdx.y * blockDim.y + threadIdx.y; y < to_height; y += gridDim.y * blockDim.y) {
    out[(size_t)y * to_width + x] = source[(size_t)nearest(y, step_y, height) * width + from_x];
  }
}
EMU_KERNEL(resize_nearest)
