// The convolutions in half precision: implicit GEMM on the tensor cores, sums in single precision.
//
// A warp computes a strip of 8x8 pixels for 32 output channels; a block has 8 warps, 4 strips by 64 channels or 8 strips
// by 32. The sum goes over slices of 16 input channels. A slice in shared memory is the strips' halos, in two planes of
// 8 channels, so that the 8 pixels of a row are 128 bytes in sequence and ldmatrix meets no bank twice, and the weights
// in the order in which the lanes want them. Slices go through a ring, loaded ahead by cp.async.
//
// A row of 8 pixels is half of an MMA's A fragment: any two rows make one. So a row of the halo is loaded once for each
// dx and serves the three dy.
//
// Roof: 2 * 9 * pixels * inputs * outputs FLOP at the rate of mma.sync; shared memory, 0.08 bytes a multiplication,
// comes next (docs/gpu-performance.md).
#include "conv.cuh"

namespace {
constexpr int THREADS = 256, WARPS = 8;
constexpr int CHUNK = 16;                              // bytes of 8 channels
constexpr int PLANE = HALO_PIXELS * CHUNK;             // a halo's 8 channels
constexpr int HALO_BYTES = 2 * PLANE;
constexpr int UNIT_BYTES = UNIT * 2;
constexpr int PITCH = GROUP + 8;                       // floats of a pixel in the epilogue: no bank twice in a store
constexpr int PATCH_BYTES = 4 * SIDE * PITCH * 4;      // half a strip in the epilogue

template <int GROUPS> struct Shape {
  static constexpr int STRIPS = WARPS / GROUPS;
  static constexpr int COPIES = STRIPS * HALO_PIXELS * 2;      // chunks of the halos
  static constexpr int HALOS = STRIPS * HALO_BYTES;
  static constexpr int STAGE = HALOS + GROUPS * TAPS * UNIT_BYTES;
};
static_assert(WARPS * PATCH_BYTES <= 2 * Shape<1>::STAGE && WARPS * PATCH_BYTES <= 2 * Shape<2>::STAGE, "epilogue");

// In shared memory: where the strips are and where the halos' pixels come from; the activation's factors follow it,
// [1 + STRIPS, src_channels], the scale first; then the ring.
template <int GROUPS> struct alignas(128) Tables {
  Strip strips[Shape<GROUPS>::STRIPS];
  int src[Shape<GROUPS>::STRIPS * HALO_PIXELS], proj[Shape<GROUPS>::STRIPS * HALO_PIXELS];
};

template <int GROUPS> DEV void fill_tables(const ConvSum<half_t>& a, Tables<GROUPS>& t, half_t* act, int first) {
  constexpr int STRIPS = Shape<GROUPS>::STRIPS;
  if (threadIdx.x < STRIPS) t.strips[threadIdx.x] = strip_at(a, first + threadIdx.x);
  __syncthreads();
  for (int i = threadIdx.x; i < STRIPS * HALO_PIXELS; i += THREADS) {
    const int strip = i / HALO_PIXELS, pixel = i % HALO_PIXELS;
    t.src[i] = halo_pixel(a, t.strips[strip], pixel, a.src_up);
    t.proj[i] = centre_pixel(a, t.strips[strip], pixel);
  }
  if (a.scale) {
    for (int c = threadIdx.x; c < a.src_channels; c += THREADS) {
      act[c] = a.scale[c];
      for (int s = 0; s < STRIPS; s++)
        act[(1 + s) * a.src_channels + c] = a.shift[(size_t)t.strips[s].tile * a.shift_stride + c];
    }
  }
  __syncthreads();
}

// Starts the copies of a slice: chunk i of the halos is channels 8 * (i % 2) of pixel i / 2.
template <int GROUPS>
DEV void load(const ConvSum<half_t>& a, const Tables<GROUPS>& t, unsigned char* stage, int slice, int group) {
  const int slices = a.src_channels / SLICE, beyond = slice - slices;
  const bool conv = beyond < 0;
  const half_t* map = conv ? a.src + slice * SLICE : a.proj + beyond * SLICE;
  const int* pixels = conv ? t.src : t.proj;
  const int stride = conv ? a.src_channels : a.proj_channels;
  for (int i = threadIdx.x; i < Shape<GROUPS>::COPIES; i += THREADS) {
    const int pixel = pixels[i >> 1], strip = i / (2 * HALO_PIXELS);
    if (pixel == UNUSED) continue;
    unsigned char* to = stage + strip * HALO_BYTES + (i & 1) * PLANE + ((i >> 1) - strip * HALO_PIXELS) * CHUNK;
    cp_async16(to, map + (size_t)max(pixel, 0) * stride + (i & 1) * 8, pixel >= 0);
  }
  const int taps = conv ? TAPS : 1, chunks = taps * UNIT_BYTES / CHUNK;
  const size_t units = slices * TAPS + a.proj_channels / SLICE;
  const half_t* weights = a.weights + (group * units + (conv ? slice * TAPS : slices * TAPS + beyond)) * UNIT;
  for (int i = threadIdx.x; i < GROUPS * chunks; i += THREADS) {
    const int other = GROUPS > 1 && i >= chunks;
    cp_async16(stage + Shape<GROUPS>::HALOS + i * CHUNK,
               weights + other * (units * UNIT) + (i - other * chunks) * 8, true);
  }
}

// relu(scale * x + shift) on the chunks that this thread has copied itself, hence without a barrier. Pixels outside of
// the map stay zero: the padding comes after the activation.
template <int GROUPS>
DEV void activate(const ConvSum<half_t>& a, const Tables<GROUPS>& t, const half_t* act, unsigned char* stage, int slice) {
  const half_t* at = act + slice * SLICE + (threadIdx.x & 1) * 8;
  const uint4 scale = *reinterpret_cast<const uint4*>(at);
  for (int i = threadIdx.x; i < Shape<GROUPS>::COPIES; i += THREADS) {
    const int strip = i / (2 * HALO_PIXELS);
    if (t.src[i >> 1] < 0) continue;
    const uint4 shift = *reinterpret_cast<const uint4*>(at + (1 + strip) * a.src_channels);
    uint4* x = reinterpret_cast<uint4*>(stage + strip * HALO_BYTES + (i & 1) * PLANE +
                                        ((i >> 1) - strip * HALO_PIXELS) * CHUNK);
    const uint4 v = *x;
    *x = make_uint4(hfma2_relu(v.x, scale.x, shift.x), hfma2_relu(v.y, scale.y, shift.y),
                    hfma2_relu(v.z, scale.z, shift.z), hfma2_relu(v.w, scale.w, shift.w));
  }
}

// One slice: acc[f] are rows 2f and 2f + 1 of the strip, acc[f][n] its channels 8n to 8n + 7. `halo` and `weights` are
// this lane's.
template <bool CONV>
DEV void multiply(float (&acc)[4][4][4], const unsigned char* halo, const unsigned char* weights) {
#pragma unroll
  for (int dx = CONV ? 0 : 1; dx < (CONV ? 3 : 2); dx++) {
    u32 rows[HALO][2];
#pragma unroll
    for (int r = 0; r < HALO; r += 2) {
      u32 m[4];
      ldmatrix_x4(m, halo + (r * HALO + dx) * CHUNK);
      rows[r][0] = m[0]; rows[r + 1][0] = m[1]; rows[r][1] = m[2]; rows[r + 1][1] = m[3];
    }
#pragma unroll
    for (int dy = CONV ? 0 : 1; dy < (CONV ? 3 : 2); dy++) {
      const unsigned char* tap = weights + (CONV ? 3 * dy + dx : 0) * UNIT_BYTES;
      const uint4 lo = *reinterpret_cast<const uint4*>(tap);
      const uint4 hi = *reinterpret_cast<const uint4*>(tap + UNIT_BYTES / 2);
      const u32 b[4][2] = {{lo.x, lo.y}, {lo.z, lo.w}, {hi.x, hi.y}, {hi.z, hi.w}};
#pragma unroll
      for (int f = 0; f < 4; f++) {
        const int r = 2 * f + dy;
        const u32 frag[4] = {rows[r][0], rows[r + 1][0], rows[r][1], rows[r + 1][1]};
#pragma unroll
        for (int n = 0; n < 4; n++) mma_m16n8k16(acc[f][n], frag, b[n][0], b[n][1]);
      }
    }
  }
}

// Through shared memory, half a strip at a time, each lane gets 8 channels of 2x2 pixels.
DEV void store(const ConvSum<half_t>& a, const Strip& strip, int group, const float (&acc)[4][4][4], float* patch) {
  const int lane = threadIdx.x % 32, across = lane / 4, c = lane % 4;
#pragma unroll
  for (int half = 0; half < 2; half++) {
#pragma unroll
    for (int row = 0; row < 4; row++)
#pragma unroll
      for (int n = 0; n < 4; n++) {
        const float* from = &acc[2 * half + row / 2][n][row % 2 * 2];
        *reinterpret_cast<float2*>(patch + (row * SIDE + across) * PITCH + n * 8 + 2 * c) =
            make_float2(from[0], from[1]);
      }
    __syncwarp();
    const int y = lane / 16 * 2, x = lane / 4 % 4 * 2;
    float v[4][8];
#pragma unroll
    for (int p = 0; p < 4; p++) load8(v[p], patch + ((y + p / 2) * SIDE + x + p % 2) * PITCH + c * 8);
    __syncwarp();
    finish(a, strip.tile, strip.y + 4 * half + y, strip.x + x, group * GROUP + c * 8, v);
  }
}

template <int GROUPS> DEV void conv(const ConvSum<half_t>& a) {
  constexpr int STRIPS = Shape<GROUPS>::STRIPS;
  DYN_SMEM(raw);
  Tables<GROUPS>& t = *reinterpret_cast<Tables<GROUPS>*>(raw);
  half_t* act = reinterpret_cast<half_t*>(raw + sizeof(Tables<GROUPS>));
  unsigned char* ring = raw + sizeof(Tables<GROUPS>) + (a.scale ? (1 + STRIPS) * a.src_channels * 2 : 0);
  const int columns = a.channels / (GROUPS * GROUP), group = blockIdx.x % columns * GROUPS;
  fill_tables(a, t, act, blockIdx.x / columns * STRIPS);

  const int slices = (a.src_channels + a.proj_channels) / SLICE, stages = a.stages;
  for (int s = 0; s < stages - 1; s++) {
    if (s < slices) load(a, t, ring + s * Shape<GROUPS>::STAGE, s, group);
    cp_async_commit();
  }
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, strip = warp / GROUPS, mine = warp % GROUPS;
  const int halo = strip * HALO_BYTES + lane / 16 * PLANE + lane / 8 % 2 * (HALO * CHUNK) + lane % 8 * CHUNK;
  const int weights = Shape<GROUPS>::HALOS + lane * CHUNK;
  float acc[4][4][4] = {};
  for (int s = 0, slot = 0; s < slices; s++, slot = slot + 1 == stages ? 0 : slot + 1) {
    unsigned char* stage = ring + slot * Shape<GROUPS>::STAGE;
    if (stages == 2) cp_async_wait<0>(); else cp_async_wait<1>();
    const bool conv = s < a.src_channels / SLICE;
    if (a.scale && conv) activate(a, t, act, stage, s);
    __syncthreads();
    // All warps are through with the slice before this one: its place is free.
    const int ahead = s + stages - 1, free = slot == 0 ? stages - 1 : slot - 1;
    if (ahead < slices) load(a, t, ring + free * Shape<GROUPS>::STAGE, ahead, group);
    cp_async_commit();
    if (conv) multiply<true>(acc, stage + halo, stage + weights + mine * TAPS * UNIT_BYTES);
    else multiply<false>(acc, stage + halo, stage + weights + mine * UNIT_BYTES);
  }
  __syncthreads();
  store(a, t.strips[strip], group + mine, acc, reinterpret_cast<float*>(ring + warp * PATCH_BYTES));
}
}  // namespace

// 8 strips by 32 channels.
extern "C" __global__ void LAUNCH_BOUNDS(256, 2) conv_f16_32(ConvSum<half_t> a) { conv<1>(a); }
EMU_KERNEL(conv_f16_32)

// 4 strips by 64 channels.
extern "C" __global__ void LAUNCH_BOUNDS(256, 2) conv_f16_64(ConvSum<half_t> a) { conv<2>(a); }
EMU_KERNEL(conv_f16_64)
