// Copies pixels from, and labels to, device memory that belongs to the caller, for example to PyTorch.
#include "pixels.cuh"

namespace {

// The caller's pixels, [height, width, channels]. The strides are in bytes and may have any value.
struct View {
  const unsigned char* data;
  long long stride_y, stride_x, stride_c;
  u32 width, channels;
};

// The memory for the labels. `stride` is the number of bytes from a row to the next.
struct Rows {
  unsigned char* data;
  long long stride;
  u32 width, pixels;
};

// Each thread copies one value. Time is bound by the bytes of both arrays; where the caller's values are apart, each
// read costs a sector of 32 bytes.
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

// Sets `bad` to the smallest index of a pixel with a value that is not finite or too large.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1) handover_f32(View view, float* out, u32 count, u32* bad) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  float value;
  if (gather(view, out, count, i, &value) && !is_pixel(value)) atomicMin(bad, i / view.channels);
}
EMU_KERNEL(handover_f32)

// Copies labels, [pixels], to the caller's rows and finds the largest label. Each thread copies many pixels, so that
// there are few atomic operations for the maximum. Time is bound by the bytes of both arrays.
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
