// The voxels that the percentiles of a large volume are taken from; normalize.cu has the rest.
#include "prims.cuh"

namespace {

// A grid of voxels: how many there are, along y and along x; the distance in planes, rows and columns from one to the next;
// the size of a plane.
struct Grid {
  u32 size, rows, columns, far, down, across, height, width;
};

}  // namespace

// Copies the voxels of a grid from `values`, [depth, height, width, nchan]. Each thread copies one. Time is bound by the
// bytes of the grid.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
volume_normalize_sample(const float* values, float* out, Grid g, int nchan) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= g.size) return;
  u32 z = i / g.columns / g.rows * g.far, y = i / g.columns % g.rows * g.down, x = i % g.columns * g.across;
  const float* voxel = values + (((size_t)z * g.height + y) * g.width + x) * nchan;
  for (int c = 0; c < nchan; c++) out[(size_t)i * nchan + c] = voxel[c];
}
EMU_KERNEL(volume_normalize_sample)
