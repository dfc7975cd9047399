// Makes a batch of tiles, [slot, tile height, tile width, 16], from the image: one kernel resizes, pads, cuts and
// flips.
#include "bilinear.cuh"
#include "values.cuh"

namespace {

constexpr int CHANNELS = 16;  // channels of the batch; those that the network does not have are zero

// The most tiles of one launch. Their places are passed by value, so that no upload is needed.
constexpr int TILES = 64;
struct Place {
  int y, x, flip_y, flip_x;
};
struct Places {
  Place at[TILES];
};

// The size of the image, the size to which it is resized before it is cut, the zeros above and left of it, the size of
// a tile, and the source pixels for each resized pixel.
struct Geometry {
  int height, width, resized_height, resized_width, top, left, tile_height, tile_width;
  double step_y, step_x;
};

// Each thread computes 16 bytes of a tile, each row of blocks a tile. Time is bound by the bytes of the batch.
template <class T> DEV void tiles(const float* pixels, T* out, Geometry g, const Places& places, int nchan, int slot) {
  constexpr int N = 16 / sizeof(T), PARTS = CHANNELS / N;
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  u32 size = (u32)g.tile_height * g.tile_width * PARTS;
  if (i >= size) return;
  const Place& tile = places.at[blockIdx.y];
  int first = i % PARTS * N, row = i / PARTS / g.tile_width, column = i / PARTS % g.tile_width;
  int y = tile.y + (tile.flip_y ? g.tile_height - 1 - row : row) - g.top;
  int x = tile.x + (tile.flip_x ? g.tile_width - 1 - column : column) - g.left;
  bool inside = (u32)y < (u32)g.resized_height && (u32)x < (u32)g.resized_width;
  bool resized = g.height != g.resized_height || g.width != g.resized_width;
  Tap down = tap(y, g.step_y, g.height), across = tap(x, g.step_x, g.width);
  float values[N];
  for (int k = 0; k < N; k++) {
    const float* image = pixels + first + k;
    if (!inside || first + k >= nchan) {
      values[k] = 0.0f;
    } else if (resized) {
      values[k] = bilinear(image, g.width, nchan, down, across);
    } else {
      values[k] = image[((size_t)y * g.width + x) * nchan];
    }
  }
  T* to = out + ((size_t)(slot + blockIdx.y) * size + i) * N;
  if constexpr (N == 4) store4(to, values); else store8(to, values);
}

}  // namespace

extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
tiles_f16(const float* pixels, half_t* out, Geometry geometry, Places places, int nchan, int slot) {
  tiles(pixels, out, geometry, places, nchan, slot);
}
EMU_KERNEL(tiles_f16)

extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
tiles_f32(const float* pixels, float* out, Geometry geometry, Places places, int nchan, int slot) {
  tiles(pixels, out, geometry, places, nchan, slot);
}
EMU_KERNEL(tiles_f32)
