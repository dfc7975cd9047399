// Resizes volumes as cv2.resize does, plane by plane and then along z. Each thread computes one destination voxel. Time is
// bound by the bytes of both volumes.
#include "bilinear.cuh"

namespace {

// The sizes of source and destination, each (depth, height, width), and the source voxels for each destination voxel.
struct Scaling {
  u32 from[3], to[3];
  double step[3];
};

// The index along an axis of the destination's voxel number i.
DEV u32 index_along(const Scaling& s, int axis, u32 i) {
  return axis == 2 ? i % s.to[2] : axis == 1 ? i / s.to[2] % s.to[1] : i / s.to[2] / s.to[1];
}

DEV Tap tap_along(const Scaling& s, int axis, u32 i) {
  return tap((int)index_along(s, axis, i), s.step[axis], (int)s.from[axis]);
}

DEV u32 nearest_along(const Scaling& s, int axis, u32 i) {
  return min((u32)((double)index_along(s, axis, i) * s.step[axis]), s.from[axis] - 1);
}

}  // namespace

// Resizes `count` volumes. `stride` is the number of values from a voxel to the next, `source_next` and `next` those from a
// volume to the next in source and destination. So volumes may be interleaved channels or lie one behind the other.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
volume_resize_linear(const float* source, float* out, Scaling s, int count, u32 stride, u64 source_next, u64 next) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= s.to[0] * s.to[1] * s.to[2]) return;
  Tap deep = tap_along(s, 0, i), down = tap_along(s, 1, i), across = tap_along(s, 2, i);
  size_t plane = (size_t)s.from[1] * s.from[2] * stride;
  // An axis that keeps its length is not touched, so that zeros keep their sign.
  bool planes = s.from[1] != s.to[1] || s.from[2] != s.to[2], between = s.from[0] != s.to[0];
  for (int c = 0; c < count; c++) {
    float value = 0.0f;
    for (u32 k = 0; k <= (u32)between; k++) {
      const float* image = source + c * source_next + (k ? deep.far : deep.near) * plane;
      size_t at = ((size_t)down.near * s.from[2] + across.near) * stride;
      float of_plane = planes ? bilinear(image, s.from[2], stride, down, across) : image[at];
      value = k ? mix(value, of_plane, deep.weight) : of_plane;
    }
    out[c * next + (size_t)i * stride] = value;
  }
}
EMU_KERNEL(volume_resize_linear)

extern "C" __global__ void LAUNCH_BOUNDS(256, 1) volume_resize_nearest(const u32* source, u32* out, Scaling s) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= s.to[0] * s.to[1] * s.to[2]) return;
  u32 z = nearest_along(s, 0, i), y = nearest_along(s, 1, i), x = nearest_along(s, 2, i);
  out[i] = source[((size_t)z * s.from[1] + y) * s.from[2] + x];
}
EMU_KERNEL(volume_resize_nearest)
