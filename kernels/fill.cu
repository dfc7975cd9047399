// Sets a range of words to one value, for example tables of labels before they are filled in.
#include "prims.cuh"

extern "C" __global__ void LAUNCH_BOUNDS(256, 1) fill(u32* out, u32 value, u32 n) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = value;
}
EMU_KERNEL(fill)
