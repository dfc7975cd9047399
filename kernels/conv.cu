// The convolutions in half precision: an implicit GEMM on the tensor cores, with sums in single precision.
//
// A warp computes a strip of 8x8 pixels for 32 output channels. A block has 8 warps: 4 strips by 64 channels, or 8
// strips by 32. The sum goes over slices of 16 input channels. A slice in shared memory has the halos of the strips and
// the weights. The halos lie in two planes of 8 channels, so that the pixels of a row are contiguous and ldmatrix has
// no bank conflicts. The weights lie in the order in which the lanes read them. cp.async loads slices ahead into a ring
// of stages.
//
// A strip is four quarters of 4x4 pixels, and row f of all four is an A fragment of an MMA. For a dx, one ldmatrix
// loads row r of the four halos. That is the fragment f = r - dy for each of the three dy, in the registers where it
// arrives. Two neighbouring rows of the strip would make a fragment with 5 loads in place of 6, but for an odd dy its
// halves would be from two of the loads. An MMA reads only registers side by side, so that half of all instructions
// would be moves.
//
// The quarters lie together in a square of 8x8 pixels with a halo of 10x10, or they lie apart, each with a halo of 6x6.
// Then there is more to copy, but nothing is wasted if the sides of a map are multiples of 4 and not of 8: 28x28 pixels
// are 49 quarters, and 16 squares. The sums have the same bits.
//
// Time is bound by 2 * 9 * pixels * inputs * outputs FLOP at the rate of mma.sync; shared memory, with 0.1 bytes for
// each multiplication, and the L2 cache are close behind (docs/gpu-performance.md).
#include "conv_f16.cuh"

// Blocks on a multiprocessor, for which there must be registers: two, or one where shared memory of 100 KB has room for
// one only.
#if defined(__CUDA_ARCH__) && (__CUDA_ARCH__ == 860 || __CUDA_ARCH__ == 890 || __CUDA_ARCH__ >= 1200)
#define BLOCKS 1
#else
#define BLOCKS 2
#endif

namespace {
constexpr int TILES_APART = 2;                         // see conv_f16_64_apart
using Narrow = Shape<1, STRIP_SIDE, WARPS>;
using Wide = Shape<2, STRIP_SIDE, WARPS / 2>;
using Apart = Shape<2, QUARTER_SIDE, WARPS / 2>;

// The most tiles that the squares belong to; each has a row of shifts.
template <class S> constexpr int TILES_OF = S::APART ? TILES_APART : S::STRIPS;

template <class S> DEV constexpr bool fits() {
  return TILES_OF<S> <= 1 << ROW_BITS && WARPS * PATCH_BYTES <= 2 * S::STAGE;
}
static_assert(fits<Narrow>() && fits<Wide>() && fits<Apart>(), "rows of shifts, epilogue");

// The beginning of shared memory: the squares, and for each halo pixel its index in the map, shifted left by ROW_BITS,
// plus its row of shifts; it is negative outside of the map. The scale and the shifts of the activation follow, [slice,
// 1 + TILES_OF, SLICE] with the scale first, then the ring of stages.
template <class S> struct alignas(128) Tables {
  Square squares[S::SQUARES];
  int pixels[S::TABLES][S::PIXELS];
};

// src/cuda/conv/shape.rs computes the shared memory of a launch with the same formulas.
template <class S> DEV constexpr bool counted() {
  constexpr int TABLES = S::SQUARES * (int)sizeof(Square) + S::TABLES * S::PIXELS * (int)sizeof(int);
  return sizeof(Tables<S>) == (TABLES + 127) / 128 * 128 &&
         S::STAGE == 2 * SLICE * (S::PIXELS + S::GROUPS * TAPS * GROUP) + 2 * GAP;
}
static_assert(counted<Narrow>() && counted<Wide>() && counted<Apart>(), "shared memory");

template <class S> DEV void fill_tables(const ConvSum<half_t>& a, Tables<S>& t, half_t* act, int first) {
  if (threadIdx.x < S::SQUARES) t.squares[threadIdx.x] = square_at<S::SIDE>(a, first + threadIdx.x);
  __syncthreads();
  const int tile = t.squares[0].tile;
  for (int i = threadIdx.x; i < S::PIXELS; i += THREADS) {
    const Square& square = t.squares[i / S::HALO_PIXELS];
    const int pixel = i % S::HALO_PIXELS, row = square.tile - tile;
    t.pixels[0][i] = halo_pixel<S::SIDE>(a, square, pixel, a.src_up) * (1 << ROW_BITS) + row;
    if (S::TABLES == 2) t.pixels[1][i] = centre_pixel<S::SIDE>(a, square, pixel) * (1 << ROW_BITS) + row;
  }
  if (a.scale) {
    for (int c = threadIdx.x; c < a.src_channels; c += THREADS) {
      half_t* row = act + c / SLICE * ((1 + TILES_OF<S>) * SLICE) + c % SLICE;
      row[0] = a.scale[c];
      for (int s = 0; s < TILES_OF<S>; s++)
        row[(1 + s) * SLICE] = a.shift[(size_t)min(tile + s, a.count - 1) * a.shift_stride + c];
    }
  }
  __syncthreads();
}

template <class S>
DEV void load(const ConvSum<half_t>& a, const Tables<S>& t, unsigned char* stage, int slice, int column) {
  load<S>(a, t.pixels[0], t.pixels[S::TABLES - 1], stage, slice, column);
}

// Applies relu(scale * x + shift) to the chunks that this thread has copied itself, so that no barrier is needed.
// Pixels outside of the map stay zero: the convolution pads with zeros after the activation.
template <class S>
DEV void activate(const Tables<S>& tables, const half_t* act, unsigned char* stage, int slice) {
  const int t = threadIdx.x;
  const half_t* at = act + slice * ((1 + TILES_OF<S>) * SLICE) + t % 2 * 8;
  const uint4 scale = *reinterpret_cast<const uint4*>(at);
  unsigned char* chunks = stage + t % 2 * S::PLANE + t / 2 * CHUNK;
  uint4 v[S::ROUNDS];
#pragma unroll
  for (int k = 0; k < S::ROUNDS; k++)
    if (k < S::ROUNDS - 1 || t < S::REST) v[k] = *reinterpret_cast<uint4*>(chunks + k * (THREADS / 2) * CHUNK);
#pragma unroll
  for (int k = 0; k < S::ROUNDS; k++) {
    if (k == S::ROUNDS - 1 && t >= S::REST) break;
    const int pixel = tables.pixels[0][t / 2 + k * (THREADS / 2)];
    const uint4 shift = *reinterpret_cast<const uint4*>(at + (1 + (pixel & ((1 << ROW_BITS) - 1))) * SLICE);
    if (pixel >= 0)
      *reinterpret_cast<uint4*>(chunks + k * (THREADS / 2) * CHUNK) = activated(v[k], scale, shift);
  }
}

// Adds the products of one slice. acc[f][n] has row f of the quarters and channels 8n to 8n + 7. `halo` and `weights`
// point to the first values that this lane reads.
template <class S, bool CONV>
DEV void multiply(float (&acc)[QUARTER_SIDE][4][4], const unsigned char* halo, const unsigned char* weights) {
  constexpr int FIRST = CONV ? 0 : 1, LAST = CONV ? 2 : 1;   // dx and dy: the projection is the tap in the middle
#pragma unroll
  for (int dx = FIRST; dx <= LAST; dx++) {
    u32 rows[QUARTER_SIDE + 2][4];
#pragma unroll
    for (int r = FIRST; r < QUARTER_SIDE + LAST; r++) ldmatrix_x4(rows[r], halo + (r * S::HALO + dx) * CHUNK);
#pragma unroll
    for (int dy = FIRST; dy <= LAST; dy++) {
      const unsigned char* tap = weights + (CONV ? 3 * dy + dx : 0) * S::GROUPS * UNIT_BYTES;
      const uint4 lo = *reinterpret_cast<const uint4*>(tap);
      const uint4 hi = *reinterpret_cast<const uint4*>(tap + UNIT_BYTES / 2);
      const u32 b[4][2] = {{lo.x, lo.y}, {lo.z, lo.w}, {hi.x, hi.y}, {hi.z, hi.w}};
#pragma unroll
      for (int f = 0; f < QUARTER_SIDE; f++)
#pragma unroll
        for (int n = 0; n < 4; n++) mma_m16n8k16(acc[f][n], rows[f + dy], b[n][0], b[n][1]);
    }
  }
}

template <class S> DEV void conv(const ConvSum<half_t>& a) {
  DYN_SMEM(raw);
  Tables<S>& t = *reinterpret_cast<Tables<S>*>(raw);
  half_t* act = reinterpret_cast<half_t*>(raw + sizeof(Tables<S>));
  unsigned char* ring = raw + sizeof(Tables<S>) + (a.scale ? (1 + TILES_OF<S>) * a.src_channels * 2 : 0);
  const int columns = a.channels / (S::GROUPS * GROUP), column = blockIdx.x % columns;
  fill_tables(a, t, act, blockIdx.x / columns * S::SQUARES);

  const int slices = (a.src_channels + a.proj_channels) / SLICE, stages = a.stages;
  for (int s = 0; s < stages - 1; s++) {
    if (s < slices) load(a, t, ring + s * S::STAGE, s, column);
    cp_async_commit();
  }
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, strip = warp / S::GROUPS, group = warp % S::GROUPS;
  // Lanes 0 to 15 have the addresses of the quarters' pixels in the first plane, the others those in the second.
  const int pixel = strip * S::OF_STRIP * S::HALO_PIXELS + corner<S>(lane / QUARTER_SIDE % 4) + lane % QUARTER_SIDE;
  const int halo = lane / 16 * S::PLANE + pixel * CHUNK;
  const int weights = S::HALOS + group * UNIT_BYTES + lane * CHUNK;
  float acc[QUARTER_SIDE][4][4] = {};
  for (int s = 0, slot = 0; s < slices; s++, slot = slot + 1 == stages ? 0 : slot + 1) {
    unsigned char* stage = ring + slot * S::STAGE;
    if (stages == 2) cp_async_wait<0>(); else cp_async_wait<1>();
    const bool conv = s < a.src_channels / SLICE;
    if (a.scale && conv) activate(t, act, stage, s);
    __syncthreads();
    // All warps have finished the slice before this one, so its stage is free.
    const int ahead = s + stages - 1, free = slot == 0 ? stages - 1 : slot - 1;
    if (ahead < slices) load(a, t, ring + free * S::STAGE, ahead, column);
    cp_async_commit();
    if (conv) multiply<S, true>(acc, stage + halo, stage + weights);
    else multiply<S, false>(acc, stage + halo, stage + weights);
  }
  __syncthreads();
  float* patch = reinterpret_cast<float*>(ring + warp * PATCH_BYTES);
  store<S>(a, t.squares + strip * S::OF_STRIP, column * S::GROUPS + group, acc, 0, patch);
}
}  // namespace

// A block computes 8 strips by 32 channels.
extern "C" __global__ void LAUNCH_BOUNDS(256, BLOCKS) conv_f16_32(ConvSum<half_t> a) { conv<Narrow>(a); }
EMU_KERNEL(conv_f16_32)

// A block computes 4 strips by 64 channels.
extern "C" __global__ void LAUNCH_BOUNDS(256, BLOCKS) conv_f16_64(ConvSum<half_t> a) { conv<Wide>(a); }
EMU_KERNEL(conv_f16_64)

// The same, of quarters that lie apart. A tile must have at least as many quarters as a block, so that those of a block
// belong to two tiles at most (TILES_APART). The maps of source and projection must have the same size.
extern "C" __global__ void LAUNCH_BOUNDS(256, BLOCKS) conv_f16_64_apart(ConvSum<half_t> a) {
  conv<Apart>(a);
}
EMU_KERNEL(conv_f16_64_apart)
