// Pixels and labels that lie in the memory of another program on the same device.
#include "prims.cuh"

namespace {

// The caller's numbers, [height, width, channels], any bytes apart.
struct View {
  const unsigned char* data;
  long long stride_y, stride_x, stride_c;
  u32 width, channels;
};

// Where labels go: rows that are stride bytes apart.
struct Rows {
  unsigned char* data;
  long long stride;
  u32 width, pixels;
};

DEV bool finite(float v) { return (__float_as_uint(v) & 0x7f800000u) != 0x7f800000u; }

// A thread a number. Roof: the bytes of both, in sectors of 32 where the caller's are apart.
template <class T> DEV bool gather(const View& view, T* out, u32 count, u32 i, T* value) {
  if (i >= count) return false;
  u32 c = i % view.channels, pixel = i / view.channels;
  const unsigned char* at = view.data + (long long)(pixel / view.width) * view.stride_y +
                            (long long)(pixel % view.width) * view.stride_x + (long long)c * view.stride_c;
  *value = out[i] = *reinterpret_cast<const T*>(at);
  return true;
}

}  // namespace

extern "C" __global__ void LAUNCH_BOUNDS(256, 1) handover_u8(View view, unsigned char* out, u32 count) {
  unsigned char value;
  gather(view, out, count, blockIdx.x * blockDim.x + threadIdx.x, &value);
}
EMU_KERNEL(handover_u8)

extern "C" __global__ void LAUNCH_BOUNDS(256, 1) handover_u16(View view, u16* out, u32 count) {
  u16 value;
  gather(view, out, count, blockIdx.x * blockDim.x + threadIdx.x, &value);
}
EMU_KERNEL(handover_u16)

// bad becomes the smallest number of a value that is not finite.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1) handover_f32(View view, float* out, u32 count, u32* bad) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  float value;
  if (gather(view, out, count, i, &value) && !finite(value)) atomicMin(bad, i);
}
EMU_KERNEL(handover_f32)

// Labels, [pixels], to rows of the caller's, and the largest of them. A thread every so many pixels, so that
// few of them have a maximum to tell. Roof: the bytes of both.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
handover_labels(const u32* labels, Rows out, u32* most) {
  u32 largest = 0;
  for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < out.pixels; i += gridDim.x * blockDim.x) {
    u32 label = labels[i];
    reinterpret_cast<u32*>(out.data + (long long)(i / out.width) * out.stride)[i % out.width] = label;
    largest = label > largest ? label : largest;
  }
  if (largest) atomicMax(most, largest);
}
EMU_KERNEL(handover_labels)
