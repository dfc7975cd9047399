// The parts that the convolutions in half precision share: what a block computes, the copies to shared memory, and the
// way of the sums out of the registers.
#pragma once
#include "conv.cuh"

namespace {
constexpr int THREADS = 256, WARPS = 8, ROW_BITS = 3;
constexpr int CHUNK = 16;                              // bytes of 8 channels of a pixel
constexpr int GAP = 64;                                // bytes between the planes: copies to both use different banks
constexpr int UNIT_BYTES = UNIT * 2;
constexpr int PITCH = GROUP + 8;                       // floats of a pixel in the epilogue, without bank conflicts
constexpr int PATCH_BYTES = QUARTER_SIDE * STRIP_SIDE * PITCH * 4;   // half a strip of a warp in the epilogue

// What a block computes: groups of GROUP output channels, and strips. They are cut from the maps in squares of 8x8
// pixels, one for a strip, or of 4x4, one for each quarter.
template <int GROUPS_, int SIDE_, int STRIPS_> struct Shape {
  static constexpr int GROUPS = GROUPS_, SIDE = SIDE_, STRIPS = STRIPS_;
  static constexpr bool APART = SIDE == QUARTER_SIDE;
  static constexpr int OF_STRIP = APART ? 4 : 1, SQUARES = STRIPS * OF_STRIP;
  static constexpr int HALO = SIDE + 2, HALO_PIXELS = HALO * HALO, PIXELS = SQUARES * HALO_PIXELS;
  static constexpr int PLANE = PIXELS * CHUNK + GAP;
  static constexpr int HALOS = 2 * PLANE;
  static constexpr int STAGE = HALOS + GROUPS * TAPS * UNIT_BYTES;
  // Rounds in which the threads copy the halos, and the number of chunks in the last round.
  static constexpr int ROUNDS = (2 * PIXELS + THREADS - 1) / THREADS, REST = 2 * PIXELS - (ROUNDS - 1) * THREADS;
  // Tables of pixels. Of quarters that lie apart the projection copies the rings, too, so that it needs no table of its
  // own: there is no space for it.
  static constexpr int TABLES = APART ? 1 : 2;
};

// The pixel at the corner of a quarter's halo, among those of its strip.
template <class S> DEV int corner(int quarter) {
  return S::APART ? quarter * S::HALO_PIXELS : (quarter / 2 * S::HALO + quarter % 2) * QUARTER_SIDE;
}

// Starts the copies of a slice. Chunk i of the halos has the 8 channels from 8 * (i % 2) of pixel i / 2; `pixels` has
// the index of each pixel in the map, shifted left by ROW_BITS, which is negative outside of the map. The weights of a
// slice are contiguous.
template <class S, bool CONV>
DEV void copy(const int* pixels, const half_t* map, int stride, const half_t* weights, unsigned char* stage) {
  const int t = threadIdx.x;
  map += t % 2 * 8;
  unsigned char* to = stage + t % 2 * S::PLANE + t / 2 * CHUNK;
  int pixel[S::ROUNDS];
#pragma unroll
  for (int k = 0; k < S::ROUNDS; k++)
    if (k < S::ROUNDS - 1 || t < S::REST) pixel[k] = pixels[t / 2 + k * (THREADS / 2)];
#pragma unroll
  for (int k = 0; k < S::ROUNDS; k++)
    if (k < S::ROUNDS - 1 || t < S::REST)
      cp_async16(to + k * (THREADS / 2) * CHUNK, map + (ptrdiff_t)max(pixel[k] >> ROW_BITS, 0) * stride, pixel[k] >= 0);
  constexpr int CHUNKS = S::GROUPS * (CONV ? TAPS : 1) * UNIT_BYTES / CHUNK;
  weights += t * 8;
#pragma unroll
  for (int k = 0; k < (CHUNKS + THREADS - 1) / THREADS; k++)
    if (t + k * THREADS < CHUNKS)
      cp_async16(stage + S::HALOS + (t + k * THREADS) * CHUNK, weights + k * THREADS * 8, true);
}

// The same for a slice by its number. `src` and `proj` are the tables of pixels.
template <class S>
DEV void load(const ConvSum<half_t>& a, const int* src, const int* proj, unsigned char* stage, int slice, int column) {
  constexpr int UNITS = S::GROUPS * UNIT;
  const int slices = a.src_channels / SLICE, beyond = slice - slices, units = slices * TAPS + a.proj_channels / SLICE;
  const half_t* weights = a.weights + (size_t)column * units * UNITS;
  if (beyond < 0)
    copy<S, true>(src, a.src + slice * SLICE, a.src_channels, weights + slice * (TAPS * UNITS), stage);
  else
    copy<S, false>(proj, a.proj + beyond * SLICE, a.proj_channels, weights + (slices * TAPS + beyond) * UNITS, stage);
}

// relu(scale * x + shift) of a chunk.
DEV uint4 activated(uint4 x, uint4 scale, uint4 shift) {
  return make_uint4(hfma2_relu(x.x, scale.x, shift.x), hfma2_relu(x.y, scale.y, shift.y),
                    hfma2_relu(x.z, scale.z, shift.z), hfma2_relu(x.w, scale.w, shift.w));
}

// Exchanges the sums of a strip for 32 channels through shared memory, half a strip at a time, so that each lane gets 8
// channels of 2x2 pixels. acc[f][first + n] has row f of the quarters and channels 8n to 8n + 7 of the group.
template <class S, int N>
DEV void store(const ConvSum<half_t>& a, const Square* squares, int group, const float (&acc)[QUARTER_SIDE][N][4],
               int first, float* patch) {
  const int lane = threadIdx.x % 32, across = lane / 4, c = lane % 4;
#pragma unroll
  for (int half = 0; half < 2; half++) {
#pragma unroll
    for (int row = 0; row < QUARTER_SIDE; row++)
#pragma unroll
      for (int n = 0; n < 4; n++) {
        const float* from = &acc[row][first + n][half * 2];
        *reinterpret_cast<float2*>(patch + (row * STRIP_SIDE + across) * PITCH + n * 8 + 2 * c) =
            make_float2(from[0], from[1]);
      }
    __syncwarp();
    const int y = lane / 16 * 2, x = lane / 4 % 4 * 2;
    float v[4][8];
#pragma unroll
    for (int p = 0; p < 4; p++) load8(v[p], patch + ((y + p / 2) * STRIP_SIDE + x + p % 2) * PITCH + c * 8);
    __syncwarp();
    // Half a strip is two quarters side by side.
    const Square& square = squares[S::APART ? half * 2 + x / QUARTER_SIDE : 0];
    const int below = S::APART ? 0 : half * QUARTER_SIDE;
    finish(a, square.tile, square.y + below + y, square.x + x % S::SIDE, group * GROUP + c * 8, v);
  }
}
}  // namespace
