// The primitives that the kernels are written with; every kernel includes this file. No other file has inline PTX.
// For a GPU (NVRTC or nvcc, which define __CUDACC__) each primitive is one PTX instruction. For the emulator,
// kernels/emulator/emulator.h defines the same names with the same fragment layouts.
// No header of the CUDA toolkit is needed: a half is a u16, and a pair of halves (f16x2) is packed in a u32.
#pragma once
#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
typedef unsigned int       u32;
typedef unsigned short     u16;
typedef unsigned long long u64;
#define DEV __device__ __forceinline__
// Dynamic shared memory: DYN_SMEM(name) declares `unsigned char* name`.
#define DYN_SMEM(name) extern __shared__ __align__(128) unsigned char name[]
#define LAUNCH_BOUNDS(t, b) __launch_bounds__(t, b)
// The same as offsetof, which needs a header. NVRTC 12 does not know __builtin_offsetof.
#define OFFSET_OF(type, field) __INTADDR__(&((type*)0)->field)

struct alignas(2) half_t { u16 x; };
DEV float  h2f(half_t h) { float f; asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h.x)); return f; }
DEV half_t f2h(float f) { half_t h; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h.x) : "f"(f)); return h; }
// Packs two halves; `lo` is in the lower 16 bits.
DEV u32 pack2(float lo, float hi) { u32 r; asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(hi), "f"(lo)); return r; }
DEV u32 hadd2(u32 a, u32 b) { u32 r; asm("add.rn.f16x2 %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b)); return r; }
DEV u32 hmax2(u32 a, u32 b) { u32 r; asm("max.f16x2 %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b)); return r; }
DEV u32 hfma2(u32 a, u32 b, u32 c) { u32 r; asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(b), "r"(c)); return r; }

DEV u32 smem_addr(const void* p) { return (u32)__cvta_generic_to_shared(p); }
// Starts an asynchronous copy of 16 bytes from global to shared memory. Without `pred` it writes zeros and `src` is not
// read.
DEV void cp_async16(void* dst, const void* src, bool pred) {
  u32 d = smem_addr(dst); int n = pred ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" :: "r"(d), "l"(src), "r"(n) : "memory");
}
DEV void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int N> DEV void cp_async_wait() { asm volatile("cp.async.wait_group %0;" :: "n"(N) : "memory"); }

DEV void ldmatrix_x4(u32 (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
    : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(smem_addr(row)) : "memory");
}
DEV void ldmatrix_x4_trans(u32 (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
    : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(smem_addr(row)) : "memory");
}
// D += A (16x16, by rows) * B (16x8, by columns), of halves; the sums are single precision.
DEV void mma_m16n8k16(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
    : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
// max(a * b + c, 0) of packed halves, rounded once.
DEV u32 hfma2_relu(u32 a, u32 b, u32 c) { u32 r; asm("fma.rn.relu.f16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(b), "r"(c)); return r; }
// The warp-group MMA of sm_90a alone. Four warps whose first has a number that is a multiple of four are a warp group.
// D += A (64x16, by rows) * B (16x64), of halves; the sums are single precision. Each warp has 16 rows of A and of D, in
// the layout of mma_m16n8k16; d[n] has the columns 8n to 8n + 7. `b` is from wgmma_matrix. It only starts: until a wait,
// nothing may touch the registers of D and A, and nothing may write B.
DEV void wgmma_m64n64k16(float (&d)[8][4], const u32 (&a)[4], u64 b) {
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, 1, 0;\n"
    "wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 {%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,"
    "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31}, {%32,%33,%34,%35}, %36, p, 1, 1, 0;\n}"
    : "+f"(d[0][0]), "+f"(d[0][1]), "+f"(d[0][2]), "+f"(d[0][3]), "+f"(d[1][0]), "+f"(d[1][1]), "+f"(d[1][2]), "+f"(d[1][3]),
      "+f"(d[2][0]), "+f"(d[2][1]), "+f"(d[2][2]), "+f"(d[2][3]), "+f"(d[3][0]), "+f"(d[3][1]), "+f"(d[3][2]), "+f"(d[3][3]),
      "+f"(d[4][0]), "+f"(d[4][1]), "+f"(d[4][2]), "+f"(d[4][3]), "+f"(d[5][0]), "+f"(d[5][1]), "+f"(d[5][2]), "+f"(d[5][3]),
      "+f"(d[6][0]), "+f"(d[6][1]), "+f"(d[6][2]), "+f"(d[6][3]), "+f"(d[7][0]), "+f"(d[7][1]), "+f"(d[7][2]), "+f"(d[7][3])
    : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}
// Comes between what touches registers of D or A and the wgmma that uses them.
DEV void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEV void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
// Waits until at most N groups, those that were committed last, are not done.
template <int N> DEV void wgmma_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(N) : "memory"); }
// Comes between this thread's writes to shared memory, its cp.async included, and the barrier after which wgmma reads
// what was written.
DEV void fence_proxy_async() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
#else
#include "emulator.h"
#endif

// Where a matrix B of wgmma lies in shared memory. It is in pieces of 8 (of K) by 8 (of N) halves, each 128 contiguous
// bytes with the halves of a column side by side. `k` and `n` are the bytes from a piece to the next along K and along N.
DEV u64 wgmma_matrix(const void* first, int k, int n) {
  return (u64)(smem_addr(first) >> 4 & 0x3fff) | (u64)(k >> 4) << 16 | (u64)(n >> 4) << 32;
}
#ifndef OFFSET_OF
#define OFFSET_OF(type, field) __builtin_offsetof(type, field)
#endif
#ifndef EMU_KERNEL
#define EMU_KERNEL(name)   // makes the kernel known to the emulator; empty on a GPU
#endif
