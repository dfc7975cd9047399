// The primitives of prims.cuh for the emulator: each instruction of inline PTX there is a function with the same
// result.
#pragma once
#include <immintrin.h>

#include "functions.h"
#include "runtime.h"
#include "warp.h"

// ---- half precision ----

struct alignas(2) half_t { u16 x; };

namespace emu {
inline float to_float(u16 h) { return _cvtsh_ss(h); }

// Rounds to nearest even. The device has only one NaN.
inline u16 to_half(float f) { return f != f ? 0x7fff : _cvtss_sh(f, _MM_FROUND_TO_NEAREST_INT); }

// Rounds a sum or product of halves. A double holds it exactly, so that it is rounded only once.
inline u16 to_half(double d) {
  double a = std::fabs(d);
  u16 sign = std::signbit(d) ? 0x8000 : 0;
  if (a != a) return 0x7fff;
  if (a >= 65520.0) return sign | 0x7c00;
  if (a < 0x1p-14) return sign | (u16)std::nearbyint(a * 0x1p24);
  int e = std::ilogb(a);
  // A significand that rounds up to the next power carries into the exponent.
  return sign | (u16)(((e + 14) << 10) + (int)std::nearbyint(std::ldexp(a, 10 - e)));
}

template <class F>
u32 both(F f) {
  return (u32)f(0) | (u32)f(16) << 16;
}
}  // namespace emu

DEV float h2f(half_t h) { return emu::to_float(h.x); }
DEV half_t f2h(float f) { return {emu::to_half(f)}; }
DEV u32 pack2(float lo, float hi) { return emu::to_half(lo) | (u32)emu::to_half(hi) << 16; }
DEV u32 hadd2(u32 a, u32 b) {
  return emu::both([=](int s) { return emu::to_half((double)emu::to_float(a >> s) + emu::to_float(b >> s)); });
}
DEV u32 hmax2(u32 a, u32 b) {
  return emu::both([=](int s) { return emu::to_half(fmaxf(emu::to_float(a >> s), emu::to_float(b >> s))); });
}
DEV u32 hfma2(u32 a, u32 b, u32 c) {
  return emu::both([=](int s) {
    return emu::to_half((double)emu::to_float(a >> s) * emu::to_float(b >> s) + emu::to_float(c >> s));
  });
}
DEV u32 hfma2_relu(u32 a, u32 b, u32 c) {
  return emu::both([=](int s) {
    double d = (double)emu::to_float(a >> s) * emu::to_float(b >> s) + emu::to_float(c >> s);
    return emu::to_half(d > 0 || d != d ? d : 0.0);  // NaN stays
  });
}

// ---- asynchronous copies ----
// Copies arrive at once (eager) or only at the wait that needs them (lazy). A kernel must be right with both. One that
// lacks a wait fails with lazy copies; one that lacks a barrier before a copy fails with eager copies.

namespace emu {
inline void arrive(const Copy& c) {
  *static_cast<uint4*>(c.to) = c.from ? *static_cast<const uint4*>(c.from) : uint4{};
  wrote_shared(c.to);
}
inline void check_aligned(const void* p, const char* what, const char* file, int line) {
  if ((uintptr_t)p & 15) fail("%s:%d %s %p is not at a multiple of 16 bytes", file, line, what, p);
}
inline void check_shared(const void* p, const char* what, const char* file, int line) {
  check_aligned(p, what, file, line);
  ptrdiff_t at = (const char*)p - (const char*)blk->smem;
  if (at < 0 || (size_t)at + 16 > blk->smem_bytes)
    fail("%s:%d %s is outside shared memory: byte %td of %zu", file, line, what, at, blk->smem_bytes);
}
}  // namespace emu

DEV void cp_async16(void* to, const void* from, bool pred, EMU_SITE) {
  emu::check_shared(to, "destination of cp.async", fl, ln);
  emu::check_aligned(from, "source of cp.async", fl, ln);
  emu::Fiber* f = emu::cur;
  emu::Copy copy{to, pred ? from : nullptr, f->group};
  f->stats.async_copies++;
  if (emu::blk->eager) return emu::arrive(copy);
  if (f->copies == 64) emu::fail("%s:%d more than 64 cp.async on their way", fl, ln);
  f->copy[f->copies++] = copy;
}
DEV void cp_async_commit() { emu::cur->group++; }
template <int N> DEV void cp_async_wait() {
  emu::Fiber* f = emu::cur;
  int left = 0;
  for (int i = 0; i < f->copies; i++) {
    if (f->copy[i].group < f->group - N) emu::arrive(f->copy[i]);
    else f->copy[left++] = f->copy[i];
  }
  f->copies = left;
}

// ---- matrices ----

namespace emu {
// Each lane reads its own row, so that a sanitizer names the lane's line.
inline const Meeting& bring_row(const void* row, const char* file, int line) {
  check_shared(row, "row of ldmatrix", file, line);
  Row r{};
  std::memcpy(r.v, row, 16);
  r.v[2] = (uintptr_t)row >> 4;
  cur->stats.ldmatrix++;
  cur->fenced = false;  // it writes registers
  const Meeting& meeting = meet(~0u, LDMATRIX, r, false, file, line);
  // Eight rows are read at a time. Two rows conflict if they lie in the same 16 of the 128 bytes of all banks.
  if (lane() % 8 == 0) {
    u32 count[8] = {}, most = 0;
    for (int i = 0; i < 8; i++) {
      u32 n = ++count[meeting.in[lane() + i].v[2] & 7];
      if (n > most) most = n;
    }
    cur->stats.bank_conflicts += most - 1;
  }
  return meeting;
}
inline u32 half_of(const Row& row, int i) { return (u16)(row.v[i >> 2] >> (i & 3) * 16); }
}  // namespace emu

DEV u32 smem_addr(const void* p) { return (u32)((const unsigned char*)p - emu::blk->smem); }
DEV void ldmatrix_x4(u32 (&r)[4], const void* row, EMU_SITE) {
  const emu::Row* rows = emu::bring_row(row, fl, ln).in;
  int l = emu::lane();
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) r[i] = (u32)(rows[i * 8 + l / 4].v[(l & 3) >> 1] >> (l & 1) * 32);
}
DEV void ldmatrix_x4_trans(u32 (&r)[4], const void* row, EMU_SITE) {
  const emu::Row* rows = emu::bring_row(row, fl, ln).in;
  int l = emu::lane(), first = l % 4 * 2;
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++)
    r[i] = emu::half_of(rows[i * 8 + first], l / 4) | emu::half_of(rows[i * 8 + first + 1], l / 4) << 16;
}
DEV void mma_m16n8k16(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1, EMU_SITE) {
  emu::Row r{{a[0] | (u64)a[1] << 32, a[2] | (u64)a[3] << 32, b0 | (u64)b1 << 32, 0}};
  const emu::Meeting& meeting = emu::meet(~0u, emu::MMA, r, false, fl, ln);
  int l = emu::lane();
  const float *top = meeting.product[l / 4] + l % 4 * 2, *bottom = meeting.product[l / 4 + 8] + l % 4 * 2;
  d[0] += top[0];
  d[1] += top[1];
  d[2] += bottom[0];
  d[3] += bottom[1];
}

// ---- warp-group MMA ----
// wgmma.cpp has what is done and what is checked.

namespace emu {
// Each lane reads its part of B, so that a sanitizer sees it.
inline void touch_shared(u64 b, const char* file, int line) {
  auto field = [b](int bit) { return (size_t)(b >> bit & 0x3fff) << 4; };
  if (b >> 46) fail("%s:%d a matrix of wgmma that is swizzled is not supported", file, line);
  int l = lane();
  size_t at = field(0) + l / 2 % 2 * field(16) + l / 4 * field(32) + l % 2 * 64;
  if (at + 64 > blk->smem_bytes)
    fail("%s:%d matrix of wgmma is outside shared memory: byte %zu of %zu", file, line, at, blk->smem_bytes);
  u64 all = 0;
  for (int i = 0; i < 8; i++) all |= reinterpret_cast<const u64*>(blk->smem + at)[i];
  asm volatile("" : : "r"(all));
}
}  // namespace emu

DEV void wgmma_m64n64k16(float (&d)[8][4], const u32 (&a)[4], u64 b, EMU_SITE) {
  if (!emu::cur->fenced) emu::fail("%s:%d wgmma without wgmma.fence after its registers were written", fl, ln);
  emu::touch_shared(b, fl, ln);
  emu::meet(~0u, emu::WGMMA, {{(u64)&d, (u64)&a, b, 0}}, false, fl, ln);
}
DEV void wgmma_fence(EMU_SITE) {
  emu::meet(~0u, emu::WGMMA_FENCE, {}, false, fl, ln);
  emu::cur->fenced = true;
}
DEV void wgmma_commit(EMU_SITE) { emu::meet(~0u, emu::WGMMA_COMMIT, {}, false, fl, ln); }
template <int N>
DEV void wgmma_wait(EMU_SITE) {
  emu::meet(~0u, emu::WGMMA_WAIT, {{(u64)N}}, false, fl, ln);
}
DEV void fence_proxy_async() { emu::fence_shared(); }
