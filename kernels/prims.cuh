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
#else
#include "emulator.h"
#endif
#ifndef OFFSET_OF
#define OFFSET_OF(type, field) __builtin_offsetof(type, field)
#endif
#ifndef EMU_KERNEL
#define EMU_KERNEL(name)   // makes the kernel known to the emulator; empty on a GPU
#endif
