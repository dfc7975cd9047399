// The convolutions in single precision, without tensor cores. They are the reference for those in half precision.
//
// A block computes 4 strips by 32 channels, a thread 2x2 pixels by 8 channels. Time is bound by 2 * 9 * pixels * inputs
// * outputs FLOP; shared memory is close behind, with 34 reads of a warp for 288 fused multiplications and additions.
#include "conv.cuh"

namespace {
constexpr int THREADS = 256, STRIPS = 4;
constexpr int HALO = STRIP_SIDE + 2, HALO_PIXELS = HALO * HALO;
struct Smem {
  Square strips[STRIPS];
  int src[STRIPS * HALO_PIXELS], proj[STRIPS * HALO_PIXELS];
  float halo[STRIPS][SLICE][HALO_PIXELS];
  alignas(16) float weights[TAPS][SLICE][GROUP];
};

DEV float4 activated(const ConvSum<float>& a, int tile, int c, float4 x) {
  const float4 s = *reinterpret_cast<const float4*>(a.scale + c);
  const float4 t = *reinterpret_cast<const float4*>(a.shift + (size_t)tile * a.shift_stride + c);
  return make_float4(fmaxf(x.x * s.x + t.x, 0.f), fmaxf(x.y * s.y + t.y, 0.f), fmaxf(x.z * s.z + t.z, 0.f),
                     fmaxf(x.w * s.w + t.w, 0.f));
}

// Loads a slice. Slices beyond the last of the source are those of the projection.
DEV void load(const ConvSum<float>& a, Smem& m, int slice, int group) {
  const int slices = a.src_channels / SLICE, beyond = slice - slices;
  const bool conv = beyond < 0;
  const float* map = conv ? a.src : a.proj;
  const int* pixels = conv ? m.src : m.proj;
  const int stride = conv ? a.src_channels : a.proj_channels, first = (conv ? slice : beyond) * SLICE;
  for (int i = threadIdx.x; i < STRIPS * HALO_PIXELS * 4; i += THREADS) {
    const int pixel = pixels[i / 4], c = i % 4 * 4, strip = i / (4 * HALO_PIXELS);
    float4 x = make_float4(0.f, 0.f, 0.f, 0.f);
    if (pixel >= 0) {
      x = *reinterpret_cast<const float4*>(map + (size_t)pixel * stride + first + c);
      if (conv && a.scale) x = activated(a, m.strips[strip].tile, first + c, x);
    }
    float* to = &m.halo[strip][c][i / 4 - strip * HALO_PIXELS];
    to[0] = x.x; to[HALO_PIXELS] = x.y; to[2 * HALO_PIXELS] = x.z; to[3 * HALO_PIXELS] = x.w;
  }
  const size_t units = slices * TAPS + a.proj_channels / SLICE;
  const size_t unit = group * units + (conv ? slice * TAPS : slices * TAPS + beyond);
  const float4* weights = reinterpret_cast<const float4*>(a.weights + unit * UNIT);
  float4* to = reinterpret_cast<float4*>(&m.weights[0][0][0]);
  for (int i = threadIdx.x; i < (conv ? TAPS : 1) * UNIT / 4; i += THREADS) to[i] = weights[i];
}

template <bool CONV>
DEV void multiply(float (&acc)[4][8], const float (&halo)[SLICE][HALO_PIXELS], const Smem& m, int corner, int c) {
  for (int k = 0; k < SLICE; k++) {
    float window[4][4];
#pragma unroll
    for (int i = 0; i < 16; i++) window[i / 4][i % 4] = halo[k][corner + i / 4 * HALO + i % 4];
#pragma unroll
    for (int tap = 0; tap < (CONV ? TAPS : 1); tap++) {
      const int dy = CONV ? tap / 3 : 1, dx = CONV ? tap % 3 : 1;
      float weight[8];
      load8(weight, &m.weights[tap][k][c]);
#pragma unroll
      for (int p = 0; p < 4; p++)
#pragma unroll
        for (int o = 0; o < 8; o++) acc[p][o] = fmaf(window[dy + p / 2][dx + p % 2], weight[o], acc[p][o]);
    }
  }
}
}  // namespace

extern "C" __global__ void LAUNCH_BOUNDS(256, 2) conv_f32(ConvSum<float> a) {
  DYN_SMEM(raw);
  Smem& m = *reinterpret_cast<Smem*>(raw);
  const int columns = a.channels / GROUP, group = blockIdx.x % columns;
  const int first = blockIdx.x / columns * STRIPS;
  if (threadIdx.x < STRIPS) m.strips[threadIdx.x] = square_at<STRIP_SIDE>(a, first + threadIdx.x);
  __syncthreads();
  for (int i = threadIdx.x; i < STRIPS * HALO_PIXELS; i += THREADS) {
    const Square& strip = m.strips[i / HALO_PIXELS];
    m.src[i] = halo_pixel<STRIP_SIDE>(a, strip, i % HALO_PIXELS, a.src_up);
    m.proj[i] = centre_pixel<STRIP_SIDE>(a, strip, i % HALO_PIXELS);
  }
  const int strip = threadIdx.x / 64, patch = threadIdx.x / 4 % 16, c = threadIdx.x % 4 * 8;
  const int y = patch / 4 * 2, x = patch % 4 * 2;
  float acc[4][8] = {};
  for (int s = 0; s < (a.src_channels + a.proj_channels) / SLICE; s++) {
    __syncthreads();
    load(a, m, s, group);
    __syncthreads();
    if (s < a.src_channels / SLICE) multiply<true>(acc, m.halo[strip], m, y * HALO + x, c);
    else multiply<false>(acc, m.halo[strip], m, y * HALO + x, c);
  }
  finish(a, m.strips[strip].tile, m.strips[strip].y + y, m.strips[strip].x + x, group * GROUP + c, acc);
}
EMU_KERNEL(conv_f32)
