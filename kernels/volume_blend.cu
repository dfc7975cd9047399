// Adds the outputs of the network for a plane of a volume, averaged over its tiles, to the maps that they belong to.
#include "blend.cuh"

namespace {

// A plane of a volume that lies across any axis: its first voxel, the distance in voxels from a row and from a column to the
// next, and for each output the first voxel of its map.
struct Plane {
  u64 first, rows, columns;
  u64 maps[3];
};

}  // namespace

// `tile` is the index in `values`, [tile, nout, tile height, tile width], of the first tile of the plane. Each thread adds
// to voxels of its own. `broken` becomes 1 if an output is not finite. Time is bound by the bytes of the tiles and of
// the sums.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
volume_blend(const float* values, u64 tile, float* maps, const Line* lines, const u32* starts, const double* tapers,
             Layout g, Plane p, u32* broken) {
  int x = blockIdx.x * blockDim.x + threadIdx.x;
  if (x >= g.width) return;
  u32 channel = blockIdx.z, nout = gridDim.z;
  values += tile * nout * g.tile_height * g.tile_width;
  // An index that is not known at compile time would put the struct on the stack.
  u64 map = channel == 0 ? p.maps[0] : channel == 1 ? p.maps[1] : p.maps[2];
  float* sums = maps + map + p.first;
  for (int y = blockIdx.y * blockDim.y + threadIdx.y; y < g.height; y += gridDim.y * blockDim.y) {
    float value = average(values, lines, starts, tapers, g, channel, nout, y, x);
    sums[(u32)y * p.rows + (u32)x * p.columns] += value;
    if (!is_finite(value)) atomicOr(broken, 1u);
  }
}
EMU_KERNEL(volume_blend)
