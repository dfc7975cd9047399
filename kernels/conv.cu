// The convolutions in half precision: an implicit GEMM on the tensor cores, with sums in single precision.
//
// A warp computes a strip of 8x8 pixels for 32 output channels. A block has 8 warps: 4 strips by 64 channels, or 8
// strips by 32. The sum goes over slices of 16 input channels. A slice in shared memory has the halos of the strips and
// the weights. The halos lie in two planes of 8 channels, so that the 8 pixels of a row are 128 contiguous bytes and
// ldmatrix has no bank conflicts. The weights lie in the order in which the lanes read them. cp.async loads slices
// ahead into a ring of stages.
//
// A row of 8 pixels is half of the A fragment of an MMA, and any two rows make a fragment. Rows r and r + 4 of the halo
// are taken together: what one ldmatrix brings for a dx is the fragment of the strip's rows r - dy and r - dy + 4 for
// each dy, in the registers in which it arrives. Neighbouring rows would come with 5 loads in place of 6, but an odd dy
// would take its two rows from two of them, and a tensor core reads only registers that lie side by side: moves would
// then be half of all instructions.
//
// Time is bound by 2 * 9 * pixels * inputs * outputs FLOP at the rate of mma.sync; shared memory, with 0.1 bytes for
// each multiplication, and the L2 cache are close behind (docs/gpu-performance.md).
#include "conv.cuh"

namespace {
constexpr int THREADS = 256, WARPS = 8, STRIP_BITS = 3;
constexpr int HALF = SIDE / 2;                         // rows of half a strip
constexpr int CHUNK = 16;                              // bytes of 8 channels of a pixel
constexpr int GAP = 64;                                // bytes between the planes: copies to both use different banks
constexpr int UNIT_BYTES = UNIT * 2;
constexpr int PITCH = GROUP + 8;                       // floats of a pixel in the epilogue, without bank conflicts
constexpr int PATCH_BYTES = HALF * SIDE * PITCH * 4;      // half a strip of a warp in the epilogue

template <int GROUPS> struct Shape {
  static constexpr int STRIPS = WARPS / GROUPS;
  static constexpr int PIXELS = STRIPS * HALO_PIXELS;
  static constexpr int PLANE = PIXELS * CHUNK + GAP;
  static constexpr int HALOS = 2 * PLANE;
  static constexpr int STAGE = HALOS + GROUPS * TAPS * UNIT_BYTES;
  // Rounds in which the threads copy the halos, and the number of chunks in the last round.
  static constexpr int ROUNDS = (2 * PIXELS + THREADS - 1) / THREADS, REST = 2 * PIXELS - (ROUNDS - 1) * THREADS;
};
static_assert(WARPS * PATCH_BYTES <= 2 * Shape<1>::STAGE && WARPS * PATCH_BYTES <= 2 * Shape<2>::STAGE, "epilogue");

// The beginning of shared memory: the strips, and for each halo pixel its index in the map, shifted left by STRIP_BITS,
// plus its strip; it is negative outside of the map. The scale and the shifts of the activation follow, [slice,
// 1 + STRIPS, SLICE] with the scale first, then the ring of stages.
template <int GROUPS> struct alignas(128) Tables {
  Strip strips[Shape<GROUPS>::STRIPS];
  int src[Shape<GROUPS>::STRIPS * HALO_PIXELS], proj[Shape<GROUPS>::STRIPS * HALO_PIXELS];
};

// src/cuda/conv/launch.rs computes the shared memory of a launch with the same formulas.
template <int GROUPS> DEV constexpr bool counted() {
  using S = Shape<GROUPS>;
  constexpr int TABLES = S::STRIPS * (int)(sizeof(Strip) + 2 * sizeof(int) * HALO_PIXELS);
  return sizeof(Tables<GROUPS>) == (TABLES + 127) / 128 * 128 &&
         S::STAGE == 2 * SLICE * (S::STRIPS * HALO_PIXELS + GROUPS * TAPS * GROUP) + 2 * GAP;
}
static_assert(counted<1>() && counted<2>(), "shared memory");

template <int GROUPS> DEV void fill_tables(const ConvSum<half_t>& a, Tables<GROUPS>& t, half_t* act, int first) {
  constexpr int STRIPS = Shape<GROUPS>::STRIPS;
  if (threadIdx.x < STRIPS) t.strips[threadIdx.x] = strip_at(a, first + threadIdx.x);
  __syncthreads();
  for (int i = threadIdx.x; i < STRIPS * HALO_PIXELS; i += THREADS) {
    const int strip = i / HALO_PIXELS, pixel = i % HALO_PIXELS;
    t.src[i] = halo_pixel(a, t.strips[strip], pixel, a.src_up) * (1 << STRIP_BITS) + strip;
    t.proj[i] = centre_pixel(a, t.strips[strip], pixel) * (1 << STRIP_BITS) + strip;
  }
  if (a.scale) {
    for (int c = threadIdx.x; c < a.src_channels; c += THREADS) {
      half_t* row = act + c / SLICE * ((1 + STRIPS) * SLICE) + c % SLICE;
      row[0] = a.scale[c];
      for (int s = 0; s < STRIPS; s++) row[(1 + s) * SLICE] = a.shift[(size_t)t.strips[s].tile * a.shift_stride + c];
    }
  }
  __syncthreads();
}

// Starts the copies of a slice. Chunk i of the halos has the 8 channels from 8 * (i % 2) of pixel i / 2. The weights of
// a slice are contiguous.
template <int GROUPS, bool CONV>
DEV void copy(const int* pixels, const half_t* map, int stride, const half_t* weights, unsigned char* stage) {
  using S = Shape<GROUPS>;
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
      cp_async16(to + k * (THREADS / 2) * CHUNK, map + (ptrdiff_t)max(pixel[k] >> STRIP_BITS, 0) * stride, pixel[k] >= 0);
  constexpr int CHUNKS = GROUPS * (CONV ? TAPS : 1) * UNIT_BYTES / CHUNK;
  weights += t * 8;
#pragma unroll
  for (int k = 0; k < (CHUNKS + THREADS - 1) / THREADS; k++)
    if (t + k * THREADS < CHUNKS)
      cp_async16(stage + S::HALOS + (t + k * THREADS) * CHUNK, weights + k * THREADS * 8, true);
}

template <int GROUPS>
DEV void load(const ConvSum<half_t>& a, const Tables<GROUPS>& t, unsigned char* stage, int slice, int column) {
  const int slices = a.src_channels / SLICE, beyond = slice - slices, units = slices * TAPS + a.proj_channels / SLICE;
  const half_t* weights = a.weights + (size_t)column * units * (GROUPS * UNIT);
  if (beyond < 0)
    copy<GROUPS, true>(t.src, a.src + slice * SLICE, a.src_channels, weights + slice * (TAPS * GROUPS * UNIT), stage);
  else
    copy<GROUPS, false>(t.proj, a.proj + beyond * SLICE, a.proj_channels,
                        weights + (slices * TAPS + beyond) * (GROUPS * UNIT), stage);
}

// Applies relu(scale * x + shift) to the chunks that this thread has copied itself, so that no barrier is needed.
// Pixels outside of the map stay zero: the convolution pads with zeros after the activation.
template <int GROUPS>
DEV void activate(const Tables<GROUPS>& tables, const half_t* act, unsigned char* stage, int slice) {
  using S = Shape<GROUPS>;
  const int t = threadIdx.x;
  const half_t* at = act + slice * ((1 + S::STRIPS) * SLICE) + t % 2 * 8;
  const uint4 scale = *reinterpret_cast<const uint4*>(at);
  unsigned char* chunks = stage + t % 2 * S::PLANE + t / 2 * CHUNK;
  uint4 v[S::ROUNDS];
#pragma unroll
  for (int k = 0; k < S::ROUNDS; k++)
    if (k < S::ROUNDS - 1 || t < S::REST) v[k] = *reinterpret_cast<uint4*>(chunks + k * (THREADS / 2) * CHUNK);
#pragma unroll
  for (int k = 0; k < S::ROUNDS; k++) {
    if (k == S::ROUNDS - 1 && t >= S::REST) break;
    const int pixel = tables.src[t / 2 + k * (THREADS / 2)];
    const uint4 shift = *reinterpret_cast<const uint4*>(at + (1 + (pixel & ((1 << STRIP_BITS) - 1))) * SLICE);
    if (pixel >= 0)
      *reinterpret_cast<uint4*>(chunks + k * (THREADS / 2) * CHUNK) =
          make_uint4(hfma2_relu(v[k].x, scale.x, shift.x), hfma2_relu(v[k].y, scale.y, shift.y),
                     hfma2_relu(v[k].z, scale.z, shift.z), hfma2_relu(v[k].w, scale.w, shift.w));
  }
}

// Adds the products of one slice. acc[f][n] has rows f and f + 4 of the strip and channels 8n to 8n + 7. `halo` and
// `weights` point to the first values that this lane reads.
template <int GROUPS, bool CONV>
DEV void multiply(float (&acc)[HALF][4][4], const unsigned char* halo, const unsigned char* weights) {
  constexpr int FIRST = CONV ? 0 : 1, LAST = CONV ? 2 : 1;   // dx and dy; the projection has only the tap in the middle
#pragma unroll
  for (int dx = FIRST; dx <= LAST; dx++) {
    u32 frags[HALF + 2][4];                                  // frags[r] has rows r and r + 4 of the halo
#pragma unroll
    for (int r = FIRST; r < HALF + LAST; r++) ldmatrix_x4(frags[r], halo + (r * HALO + dx) * CHUNK);
#pragma unroll
    for (int dy = FIRST; dy <= LAST; dy++) {
      const unsigned char* tap = weights + (CONV ? 3 * dy + dx : 0) * GROUPS * UNIT_BYTES;
      const uint4 lo = *reinterpret_cast<const uint4*>(tap);
      const uint4 hi = *reinterpret_cast<const uint4*>(tap + UNIT_BYTES / 2);
      const u32 b[4][2] = {{lo.x, lo.y}, {lo.z, lo.w}, {hi.x, hi.y}, {hi.z, hi.w}};
#pragma unroll
      for (int f = 0; f < HALF; f++)
#pragma unroll
        for (int n = 0; n < 4; n++) mma_m16n8k16(acc[f][n], frags[f + dy], b[n][0], b[n][1]);
    }
  }
}

// Exchanges the sums through shared memory, half a strip at a time, so that each lane gets 8 channels of 2x2 pixels.
DEV void store(const ConvSum<half_t>& a, const Strip& strip, int group, const float (&acc)[HALF][4][4], float* patch) {
  const int lane = threadIdx.x % 32, across = lane / 4, c = lane % 4;
#pragma unroll
  for (int half = 0; half < 2; half++) {
#pragma unroll
    for (int row = 0; row < HALF; row++)
#pragma unroll
      for (int n = 0; n < 4; n++) {
        const float* from = &acc[row][n][half * 2];
        *reinterpret_cast<float2*>(patch + (row * SIDE + across) * PITCH + n * 8 + 2 * c) =
            make_float2(from[0], from[1]);
      }
    __syncwarp();
    const int y = lane / 16 * 2, x = lane / 4 % 4 * 2;
    float v[4][8];
#pragma unroll
    for (int p = 0; p < 4; p++) load8(v[p], patch + ((y + p / 2) * SIDE + x + p % 2) * PITCH + c * 8);
    __syncwarp();
    finish(a, strip.tile, strip.y + half * HALF + y, strip.x + x, group * GROUP + c * 8, v);
  }
}

template <int GROUPS> DEV void conv(const ConvSum<half_t>& a) {
  using S = Shape<GROUPS>;
  DYN_SMEM(raw);
  Tables<GROUPS>& t = *reinterpret_cast<Tables<GROUPS>*>(raw);
  half_t* act = reinterpret_cast<half_t*>(raw + sizeof(Tables<GROUPS>));
  unsigned char* ring = raw + sizeof(Tables<GROUPS>) + (a.scale ? (1 + S::STRIPS) * a.src_channels * 2 : 0);
  const int columns = a.channels / (GROUPS * GROUP), column = blockIdx.x % columns;
  fill_tables(a, t, act, blockIdx.x / columns * S::STRIPS);

  const int slices = (a.src_channels + a.proj_channels) / SLICE, stages = a.stages;
  for (int s = 0; s < stages - 1; s++) {
    if (s < slices) load(a, t, ring + s * S::STAGE, s, column);
    cp_async_commit();
  }
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, strip = warp / GROUPS, group = warp % GROUPS;
  const int halo = lane / 16 * S::PLANE + (strip * HALO_PIXELS + lane / 8 % 2 * HALF * HALO + lane % 8) * CHUNK;
  const int weights = S::HALOS + group * UNIT_BYTES + lane * CHUNK;
  float acc[HALF][4][4] = {};
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
    if (conv) multiply<GROUPS, true>(acc, stage + halo, stage + weights);
    else multiply<GROUPS, false>(acc, stage + halo, stage + weights);
  }
  __syncthreads();
  float* patch = reinterpret_cast<float*>(ring + warp * PATCH_BYTES);
  store(a, t.strips[strip], column * GROUPS + group, acc, patch);
}
}  // namespace

// A block computes 8 strips by 32 channels.
extern "C" __global__ void LAUNCH_BOUNDS(256, 2) conv_f16_32(ConvSum<half_t> a) { conv<1>(a); }
EMU_KERNEL(conv_f16_32)

// A block computes 4 strips by 64 channels.
extern "C" __global__ void LAUNCH_BOUNDS(256, 2) conv_f16_64(ConvSum<half_t> a) { conv<2>(a); }
EMU_KERNEL(conv_f16_64)
