// emulator.h — compile a CUDA kernel source as plain C++17 and run it on the CPU, one fiber per CUDA thread.
// The instrumented half: everything that touches kernel memory is inline here, so ASan/UBSan/TSan see it.
// The scheduler (scheduler.cpp) is built without sanitizers and tells them about fibers through weak hooks.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <tuple>
#include <utility>
typedef uint32_t u32; typedef uint16_t u16; typedef uint64_t u64;

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(n) alignas(n)
#define __launch_bounds__(...)
#define LAUNCH_BOUNDS(t, b)
#define __restrict__ __restrict
#define DEV static inline
#if defined(__SANITIZE_ADDRESS__)
#define __shared__ static                    // real redzones round every static shared array
#else
#define __shared__ static thread_local
#endif
#define DYN_SMEM(name) unsigned char* name = ::emu::blk->smem

struct uint2 { u32 x, y; };       struct uint3 { u32 x, y, z; };  struct alignas(16) uint4 { u32 x, y, z, w; };
struct int2 { int x, y; };        struct alignas(16) int4 { int x, y, z, w; };
struct alignas(8) float2 { float x, y; };  struct alignas(16) float4 { float x, y, z, w; };
static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
static inline uint4 make_uint4(u32 x, u32 y, u32 z, u32 w) { return {x, y, z, w}; }
struct dim3 { u32 x = 1, y = 1, z = 1; };

namespace emu {
struct Stats { u64 mma, ldsm, ldsm_conflicts, barriers, shuffles, cp_async, switches; };
struct Copy { void* dst; const void* src; int n; int group; };
struct Fiber {                                  // one CUDA thread
  uint3 tid; int lin; void* sp; char* stack; const char* file; int line;
  Copy q[64]; int nq, group;                    // outstanding cp.async
  void *tsan, *fake; Stats st;                  // per fiber, so that counting is no race
};
struct Block { dim3 grid, dim; uint3 bid; unsigned char* smem; size_t smem_bytes; int eager; };
extern __thread Fiber* cur; extern __thread Block* blk;
struct Row { u64 v[4]; };                       // 32-byte lane payload
void barrier(const char* file, int line, int id);   // __syncthreads; id = __COUNTER__: which one in the text
int barrier_reduce(const char* file, int line, int id, int v, int op);
// all lanes of mask meet; returns the payloads of the 32 lanes (valid until this lane's next collective)
const Row* meet(u32 mask, int kind, const Row& in, bool fence, const char* file, int line);
void mma_all(const Row* in, float out[32][4]);
[[noreturn]] void fail(const char* fmt, ...) __attribute__((format(printf, 1, 2)));
typedef void (*Thunk)(void* const* args);
int launch(const char* name, Thunk f, void* const* args, const u32 grid[3], const u32 block[3], size_t smem);
template <class... A, size_t... I> inline void call(void (*k)(A...), void* const* p, std::index_sequence<I...>) {
  k(*static_cast<std::remove_cv_t<A>*>(p[I])...);
}
template <class... A> inline void call(void (*k)(A...), void* const* p) { call(k, p, std::index_sequence_for<A...>{}); }
template <class... A> struct Sizes { u32 v[sizeof...(A) + 1]; };
template <class... A> constexpr Sizes<A...> sizes(void (*)(A...)) { return {{sizeof(A)..., 0}}; }
}  // namespace emu
// Same argument convention as cuLaunchKernel: args[i] points at the i-th parameter; emu_sizes_<k> = their sizes, 0 ends.
#define EMU_KERNEL(k) extern "C" int emu_##k(const u32* g, const u32* b, size_t sm, void* const* a) { \
  return ::emu::launch(#k, [](void* const* p) { ::emu::call(k, p); }, a, g, b, sm); } \
  extern "C" const decltype(::emu::sizes(k)) emu_sizes_##k = ::emu::sizes(k);

#define threadIdx (::emu::cur->tid)
#define blockIdx (::emu::blk->bid)
#define blockDim (::emu::blk->dim)
#define gridDim (::emu::blk->grid)
#define warpSize 32
#define __syncthreads() ::emu::barrier(__FILE__, __LINE__, __COUNTER__)
#define __syncthreads_or(v) ::emu::barrier_reduce(__FILE__, __LINE__, __COUNTER__, !!(v), 0)
#define __syncthreads_and(v) ::emu::barrier_reduce(__FILE__, __LINE__, __COUNTER__, !!(v), 1)
#define __syncthreads_count(v) ::emu::barrier_reduce(__FILE__, __LINE__, __COUNTER__, !!(v), 2)
#define EMU_HERE __builtin_FILE(), __builtin_LINE()
#define EMU_SITE const char *fl = __builtin_FILE(), int ln = __builtin_LINE()
static inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline void __threadfence_block() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline void __syncwarp(u32 m = ~0u, EMU_SITE) { emu::meet(m, 1, {}, true, fl, ln); }

namespace emu {
template <class T> inline T shfl(u32 m, T v, int src, int kind, const char* fl, int ln) {
  static_assert(sizeof(T) <= 8); Row r{}; std::memcpy(&r, &v, sizeof(T));
  const Row* a = meet(m, kind, r, false, fl, ln); T o; cur->st.shuffles++;
  if (!(m >> src & 1)) fail("%s:%d shuffle reads lane %d, which is not in mask %08x", fl, ln, src, m);
  u64 x = a[src].v[0]; std::memcpy(&o, &x, sizeof(T)); return o;
}
inline int lane() { return cur->lin & 31; }
}
template <class T> static inline T __shfl_sync(u32 m, T v, int s, int w = 32, EMU_SITE) { int l = emu::lane(); return emu::shfl(m, v, (l & ~(w - 1)) | (s & (w - 1)), 2, fl, ln); }
template <class T> static inline T __shfl_xor_sync(u32 m, T v, int x, int w = 32, EMU_SITE) { int l = emu::lane(), s = l ^ x; return emu::shfl(m, v, (s & ~(w - 1)) > (l & ~(w - 1)) ? l : s, 3, fl, ln); }
template <class T> static inline T __shfl_down_sync(u32 m, T v, u32 d, int w = 32, EMU_SITE) { int l = emu::lane(); return emu::shfl(m, v, (l & (w - 1)) + (int)d < w ? l + (int)d : l, 4, fl, ln); }
template <class T> static inline T __shfl_up_sync(u32 m, T v, u32 d, int w = 32, EMU_SITE) { int l = emu::lane(); return emu::shfl(m, v, (l & (w - 1)) >= (int)d ? l - (int)d : l, 5, fl, ln); }
static inline u32 __ballot_sync(u32 m, int p, EMU_SITE) {
  const emu::Row* a = emu::meet(m, 6, {{(u64)!!p}}, false, fl, ln); u32 r = 0;
  for (int i = 0; i < 32; i++) if (m >> i & 1) r |= (u32)a[i].v[0] << i;
  return r;
}
static inline int __any_sync(u32 m, int p, EMU_SITE) { return __ballot_sync(m, p, fl, ln) != 0; }
static inline int __all_sync(u32 m, int p, EMU_SITE) { return __ballot_sync(m, p, fl, ln) == m; }

// atomics: relaxed hardware atomics, so TSan knows them and blocks may run on several OS threads
template <class T, class F> static inline T emu_rmw(T* p, F f) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8); using U = std::conditional_t<sizeof(T) == 4, u32, u64>;
  U o = __atomic_load_n((U*)p, __ATOMIC_RELAXED), n; T v;
  do { std::memcpy(&v, &o, sizeof v); T w = f(v); std::memcpy(&n, &w, sizeof n); }
  while (!__atomic_compare_exchange_n((U*)p, &o, n, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return v;
}
template <class T, class V> static inline T atomicAdd(T* p, V v) { return emu_rmw(p, [=](T o) { return (T)(o + (T)v); }); }
template <class T, class V> static inline T atomicMax(T* p, V v) { return emu_rmw(p, [=](T o) { return o > (T)v ? o : (T)v; }); }
template <class T, class V> static inline T atomicMin(T* p, V v) { return emu_rmw(p, [=](T o) { return o < (T)v ? o : (T)v; }); }
template <class T, class V> static inline T atomicOr(T* p, V v) { return emu_rmw(p, [=](T o) { return (T)(o | (T)v); }); }
template <class T, class V> static inline T atomicAnd(T* p, V v) { return emu_rmw(p, [=](T o) { return (T)(o & (T)v); }); }
template <class T, class V> static inline T atomicExch(T* p, V v) { return emu_rmw(p, [=](T) { return (T)v; }); }
template <class T, class V> static inline T atomicCAS(T* p, V c, V v) { return emu_rmw(p, [=](T o) { return o == (T)c ? (T)v : o; }); }

// math and bit intrinsics (extend as kernels need them)
using std::fabs; using std::fmax; using std::fmin;
static inline int min(int a, int b) { return a < b ? a : b; }      static inline int max(int a, int b) { return a > b ? a : b; }
static inline u32 min(u32 a, u32 b) { return a < b ? a : b; }      static inline u32 max(u32 a, u32 b) { return a > b ? a : b; }
#define __expf expf                             // glibc owns these names, so macros
#define __logf logf
#define __sinf sinf
#define __cosf cosf
#define __powf powf
static inline float rsqrtf(float x) { return 1.f / sqrtf(x); }
static inline float __fdividef(float a, float b) { return a / b; }
static inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
static inline int __float2int_rn(float x) { return (int)nearbyintf(x); }
static inline int __popc(u32 x) { return __builtin_popcount(x); }  static inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline u32 __float_as_uint(float f) { u32 u; std::memcpy(&u, &f, 4); return u; }
static inline float __uint_as_float(u32 u) { float f; std::memcpy(&f, &u, 4); return f; }
template <class T> static inline T __ldg(const T* p) { return *p; }

// ---- the primitives of prims.cuh ----------------------------------------------------------------
struct alignas(2) half_t { u16 x; };
namespace emu {
inline float h2f(u16 h) {
  u32 s = (u32)(h & 0x8000) << 16, e = h >> 10 & 31, m = h & 1023;
  if (e == 31) return __uint_as_float(s | 0x7f800000 | m << 13);
  if (e) return __uint_as_float(s | (e + 112) << 23 | m << 13);
  float f = (float)m * 0x1p-24f; return s ? -f : f;
}
inline u16 f2h(double d) {                      // round to nearest even, straight from double: fma rounds once
  u64 b; std::memcpy(&b, &d, 8); u16 s = (u16)(b >> 48 & 0x8000); double a = std::fabs(d);
  if (a != a) return 0x7fff;
  if (a >= 65520.0) return s | 0x7c00;
  if (a < 0x1p-14) return s | (u16)std::nearbyint(a * 0x1p24);
  int e = std::ilogb(a); u32 m = (u32)std::nearbyint(std::ldexp(a, 10 - e));
  return s | (u16)(((e + 15) << 10) + (int)m - 1024);
}
template <class F> inline u32 map2(F f) { return (u32)f(0) | (u32)f(16) << 16; }
}
DEV float h2f(half_t h) { return emu::h2f(h.x); }
DEV half_t f2h(float f) { return {emu::f2h(f)}; }
DEV u32 pack2(float lo, float hi) { return emu::f2h(lo) | (u32)emu::f2h(hi) << 16; }
DEV u32 hadd2(u32 a, u32 b) { return emu::map2([=](int s) { return emu::f2h((double)emu::h2f(a >> s) + emu::h2f(b >> s)); }); }
DEV u32 hmax2(u32 a, u32 b) { return emu::map2([=](int s) { return emu::f2h(fmaxf(emu::h2f(a >> s), emu::h2f(b >> s))); }); }
DEV u32 hfma2(u32 a, u32 b, u32 c) { return emu::map2([=](int s) { return emu::f2h((double)emu::h2f(a >> s) * emu::h2f(b >> s) + emu::h2f(c >> s)); }); }

// cp.async: eager = the bytes land at once, lazy = they land only at the wait that needs them.
// A kernel must be right under both (missing wait fails lazily, missing barrier fails eagerly).
namespace emu {
inline void land(const Copy& c) {
  if (c.n) *static_cast<uint4*>(c.dst) = *static_cast<const uint4*>(c.src); else *static_cast<uint4*>(c.dst) = uint4{};
}
inline void check16(const void* p, const char* what, bool sh, const char* fl, int ln) {
  if ((uintptr_t)p & 15) fail("%s:%d %s address %p is not 16-byte aligned", fl, ln, what, p);
  if (sh && blk->smem_bytes && ((char*)p < (char*)blk->smem || (char*)p + 16 > (char*)blk->smem + blk->smem_bytes))
    fail("%s:%d %s address is outside shared memory (offset %td of %zu)", fl, ln, what, (char*)p - (char*)blk->smem, blk->smem_bytes);
}
}
DEV void cp_async16(void* dst, const void* src, bool pred, EMU_SITE) {
  emu::check16(dst, "cp.async destination", true, fl, ln); emu::check16(src, "cp.async source", false, fl, ln);
  emu::Fiber* f = emu::cur; emu::Copy c{dst, src, pred ? 16 : 0, f->group}; f->st.cp_async++;
  if (emu::blk->eager) { emu::land(c); return; }
  if (f->nq == 64) emu::fail("%s:%d more than 64 cp.async in flight", fl, ln);
  f->q[f->nq++] = c;
}
DEV void cp_async_commit() { emu::cur->group++; }
template <int N> DEV void cp_async_wait() {
  emu::Fiber* f = emu::cur; int k = 0;
  for (int i = 0; i < f->nq; i++) if (f->q[i].group < f->group - N) emu::land(f->q[i]); else f->q[k++] = f->q[i];
  f->nq = k;
}
namespace emu {                                 // each lane reads its own row, so sanitizers see lane and line
inline const Row* ldsm(const void* row, const char* fl, int ln) {
  check16(row, "ldmatrix row", true, fl, ln);
  Row r{}; std::memcpy(r.v, row, 16); r.v[2] = (uintptr_t)row >> 4; cur->st.ldsm++;
  const Row* a = meet(~0u, 7, r, false, fl, ln);
  if (lane() % 8 == 0) { u32 n[8] = {}, mx = 0; for (int i = 0; i < 8; i++) { u32 c = ++n[a[lane() + i].v[2] & 7]; if (c > mx) mx = c; } cur->st.ldsm_conflicts += mx - 1; }
  return a;
}
inline u16 el(const Row& r, int c) { return (u16)(r.v[c >> 2] >> (c & 3) * 16); }
}
DEV void ldmatrix_x4(u32 (&r)[4], const void* row, EMU_SITE) {
  const emu::Row* a = emu::ldsm(row, fl, ln); int l = emu::lane();
  for (int i = 0; i < 4; i++) r[i] = (u32)(a[i * 8 + l / 4].v[(l & 3) >> 1] >> (l & 1) * 32);
}
DEV void ldmatrix_x4_trans(u32 (&r)[4], const void* row, EMU_SITE) {
  const emu::Row* a = emu::ldsm(row, fl, ln); int l = emu::lane(), q = l % 4 * 2;
  for (int i = 0; i < 4; i++) r[i] = emu::el(a[i * 8 + q], l / 4) | (u32)emu::el(a[i * 8 + q + 1], l / 4) << 16;
}
DEV void mma_m16n8k16(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1, EMU_SITE) {
  emu::Row r{{a[0] | (u64)a[1] << 32, a[2] | (u64)a[3] << 32, b0 | (u64)b1 << 32, 0}};
  const emu::Row* m = emu::meet(~0u, 8, r, false, fl, ln); const float* o = (const float*)(m + 32) + emu::lane() * 4;
  for (int i = 0; i < 4; i++) d[i] += o[i];
}
DEV u32 hfma2_relu(u32 a, u32 b, u32 c) { return hmax2(hfma2(a, b, c), 0); }
