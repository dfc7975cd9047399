// mma.m16n8k16 of a warp, and its part of wgmma.m64n64k16, 16 rows of A and eight times 8 columns of B.
//
// Lane 4g+t holds these halves of A: (g, 2t), (g+8, 2t), (g, 2t+8), (g+8, 2t+8), each with its right neighbour; and
// these halves of B: (2t, g) and (2t+8, g), each with the one below. So the four lanes of a group hold a row of each
// quarter of A and a column of each half of B, in order.
#include <immintrin.h>

#include "worker.h"

namespace emu {
namespace {

__m256 floats(__m128i halves) { return _mm256_cvtph_ps(halves); }

void transpose(__m256 r[8]) {
  __m256 t[8], s[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4)
    for (int k = 0; k < 2; k++) {
      s[i + 2 * k] = _mm256_shuffle_ps(t[i + k], t[i + k + 2], 0x44);
      s[i + 2 * k + 1] = _mm256_shuffle_ps(t[i + k], t[i + k + 2], 0xee);
    }
  for (int i = 0; i < 4; i++) {
    r[i] = _mm256_permute2f128_ps(s[i], s[i + 4], 0x20);
    r[i + 4] = _mm256_permute2f128_ps(s[i], s[i + 4], 0x31);
  }
}

// The rows of A from the registers of the lanes.
void rows_of(float (&a)[16][16], const void* const registers[32]) {
  for (int g = 0; g < 8; g++) {
    __m128 r[4];
    for (int t = 0; t < 4; t++) r[t] = _mm_loadu_ps((const float*)registers[4 * g + t]);
    _MM_TRANSPOSE4_PS(r[0], r[1], r[2], r[3]);
    _mm256_store_ps(a[g], floats(_mm_castps_si128(r[0])));
    _mm256_store_ps(a[g + 8], floats(_mm_castps_si128(r[1])));
    _mm256_store_ps(a[g] + 8, floats(_mm_castps_si128(r[2])));
    _mm256_store_ps(a[g + 8] + 8, floats(_mm_castps_si128(r[3])));
  }
}

// The product of A and eight columns of B, b[k / 8][column].
void product_of(float (&product)[16][8], const float (&a)[16][16], __m256 (&b)[2][8]) {
  transpose(b[0]);
  transpose(b[1]);
  for (int i = 0; i < 16; i += 4) {  // Four sums at a time hide the latency of one.
    __m256 sum[4] = {};
    for (int k = 0; k < 16; k++)
      for (int j = 0; j < 4; j++) sum[j] = _mm256_fmadd_ps(_mm256_broadcast_ss(&a[i + j][k]), b[k / 8][k % 8], sum[j]);
    for (int j = 0; j < 4; j++) _mm256_store_ps(product[i + j], sum[j]);
  }
}

}  // namespace

void multiply(Meeting& m) {
  alignas(32) float a[16][16];
  const void* registers[32];
  for (int i = 0; i < 32; i++) registers[i] = m.in[i].v;
  rows_of(a, registers);
  __m256 b[2][8];
  for (int g = 0; g < 8; g++) {
    __m128 c[4];
    for (int t = 0; t < 4; t++) c[t] = _mm_loadu_ps((const float*)(m.in[4 * g + t].v + 2));
    _MM_TRANSPOSE4_PS(c[0], c[1], c[2], c[3]);
    b[0][g] = floats(_mm_castps_si128(c[0]));
    b[1][g] = floats(_mm_castps_si128(c[1]));
  }
  product_of(m.product, a, b);
}

void multiply(Sums& sums, const u32* const registers[32], const unsigned char* matrix, int k, int n) {
  alignas(32) float a[16][16];
  rows_of(a, (const void* const*)registers);
  for (int j = 0; j < 8; j++, matrix += n) {
    __m256 b[2][8];
    for (int g = 0; g < 8; g++)
      for (int h = 0; h < 2; h++) b[h][g] = floats(_mm_load_si128((const __m128i*)(matrix + h * k) + g));
    alignas(32) float product[16][8];
    product_of(product, a, b);
    for (int lane = 0; lane < 32; lane++) {
      float* to = sums.v[lane][j];
      const float *top = product[lane / 4] + lane % 4 * 2, *bottom = product[lane / 4 + 8] + lane % 4 * 2;
      to[0] += top[0];
      to[1] += top[1];
      to[2] += bottom[0];
      to[3] += bottom[1];
    }
  }
}

}  // namespace emu
