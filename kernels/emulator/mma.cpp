// mma.m16n8k16 of a warp.
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

}  // namespace

void multiply(Meeting& m) {
  alignas(32) float a[16][16];
  __m256 b[2][8];
  for (int g = 0; g < 8; g++) {
    __m128 r[4], c[4];
    for (int t = 0; t < 4; t++) {
      r[t] = _mm_loadu_ps((const float*)m.in[4 * g + t].v);
      c[t] = _mm_loadu_ps((const float*)(m.in[4 * g + t].v + 2));
    }
    _MM_TRANSPOSE4_PS(r[0], r[1], r[2], r[3]);
    _MM_TRANSPOSE4_PS(c[0], c[1], c[2], c[3]);
    _mm256_store_ps(a[g], floats(_mm_castps_si128(r[0])));
    _mm256_store_ps(a[g + 8], floats(_mm_castps_si128(r[1])));
    _mm256_store_ps(a[g] + 8, floats(_mm_castps_si128(r[2])));
    _mm256_store_ps(a[g + 8] + 8, floats(_mm_castps_si128(r[3])));
    b[0][g] = floats(_mm_castps_si128(c[0]));
    b[1][g] = floats(_mm_castps_si128(c[1]));
  }
  transpose(b[0]);
  transpose(b[1]);
  for (int i = 0; i < 16; i += 4) {  // Four sums at a time hide the latency of one.
    __m256 sum[4] = {};
    for (int k = 0; k < 16; k++)
      for (int j = 0; j < 4; j++) sum[j] = _mm256_fmadd_ps(_mm256_broadcast_ss(&a[i + j][k]), b[k / 8][k % 8], sum[j]);
    for (int j = 0; j < 4; j++) _mm256_store_ps(m.product[i + j], sum[j]);
  }
}

}  // namespace emu
