// Smooths a volume along one axis (scipy.ndimage.gaussian_filter, mode reflect).
#include "prims.cuh"

namespace {

// The index that stands for i, which may lie outside of an axis of this length: the axis is mirrored at its borders, with its
// first and last element twice.
DEV u32 mirrored(int i, int length) {
  int period = 2 * length;
  i = (i % period + period) % period;
  return (u32)(i < length ? i : period - 1 - i);
}

}  // namespace

// Writes the sums, which are in double precision, to `out` from the value `first` on. `weights` are those of a Gaussian from
// its middle to its farthest element; `step` is the number of voxels from one element of the axis to the next. Each thread
// computes one voxel. Time is bound by the reads of a voxel's neighbours, most of which the caches have.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
volume_smooth(const float* source, float* out, u64 first, const double* weights, int reach, int length, u32 step,
              u32 voxels) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= voxels) return;
  int place = (int)(i / step % (u32)length);
  const float* line = source + (i - (u32)place * step);
  double sum = (double)source[i] * weights[0];
  // From far to near, as SciPy sums.
  for (int k = reach; k > 0; k--) {
    float before = line[(size_t)mirrored(place - k, length) * step], behind = line[(size_t)mirrored(place + k, length) * step];
    sum += ((double)before + (double)behind) * weights[k];
  }
  out[first + i] = (float)sum;
}
EMU_KERNEL(volume_smooth)
