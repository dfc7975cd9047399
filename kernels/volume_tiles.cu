// Makes a batch of tiles, [slot, tile height, tile width, 16], from planes of a volume that lie across any axis.
#include "values.cuh"

namespace {

constexpr int CHANNELS = 16;  // channels of the batch; those that the network does not have are zero

// The most tiles of one launch. Their places are passed by value, so that no upload is needed.
constexpr int TILES = 64;
struct Place {
  u32 plane;
  int y, x, flip_y, flip_x;
};
struct Places {
  Place at[TILES];
};

// The distance in voxels from a plane, a row and a column to the next; the size of a plane, the zeros above and left of it,
// and the size of a tile.
struct Geometry {
  u64 planes, rows, columns;
  int height, width, top, left, tile_height, tile_width;
};

// Each thread computes 16 bytes of a tile, each row of blocks a tile. Time is bound by the bytes of the batch.
template <class T> DEV void tiles(const float* volume, T* out, Geometry g, const Places& places, int nchan, int slot) {
  constexpr int N = 16 / sizeof(T), PARTS = CHANNELS / N;
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  u32 size = (u32)g.tile_height * g.tile_width * PARTS;
  if (i >= size) return;
  const Place& tile = places.at[blockIdx.y];
  int first = i % PARTS * N, row = i / PARTS / g.tile_width, column = i / PARTS % g.tile_width;
  int y = tile.y + (tile.flip_y ? g.tile_height - 1 - row : row) - g.top;
  int x = tile.x + (tile.flip_x ? g.tile_width - 1 - column : column) - g.left;
  bool inside = (u32)y < (u32)g.height && (u32)x < (u32)g.width;
  u64 voxel = inside ? tile.plane * g.planes + (u32)y * g.rows + (u32)x * g.columns : 0;
  float values[N];
  for (int k = 0; k < N; k++) values[k] = inside && first + k < nchan ? volume[voxel * nchan + first + k] : 0.0f;
  T* to = out + ((size_t)(slot + blockIdx.y) * size + i) * N;
  if constexpr (N == 4) store4(to, values); else store8(to, values);
}

}  // namespace

extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
volume_tiles_f16(const float* volume, half_t* out, Geometry geometry, Places places, int nchan, int slot) {
  tiles(volume, out, geometry, places, nchan, slot);
}
EMU_KERNEL(volume_tiles_f16)

extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
volume_tiles_f32(const float* volume, float* out, Geometry geometry, Places places, int nchan, int slot) {
  tiles(volume, out, geometry, places, nchan, slot);
}
EMU_KERNEL(volume_tiles_f32)
