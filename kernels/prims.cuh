// The only place with inline PTX: what it takes to write kernels that also run on the emulator. All of them and their
// headers include it.
// On the GPU (NVRTC / nvcc: __CUDACC__) each primitive is one PTX instruction.
// On the CPU (EMU) emulator.h defines the very same names with the same fragment layouts.
// No CUDA toolkit header is needed: half is carried as uint16_t / packed f16x2 in uint32_t.
#pragma once
#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
typedef unsigned int       u32;
typedef unsigned short     u16;
typedef unsigned long long u64;
#define DEV __device__ __forceinline__
// dynamic shared memory: DYN_SMEM(name) declares `unsigned char* name`
#define DYN_SMEM(name) extern __shared__ __align__(128) unsigned char name[]
#define LAUNCH_BOUNDS(t, b) __launch_bounds__(t, b)
// offsetof without a header: NVRTC 12 does not know __builtin_offsetof
#define OFFSET_OF(type, field) __INTADDR__(&((type*)0)->field)

struct alignas(2) half_t { u16 x; };
DEV float  h2f(half_t h) { float f; asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h.x)); return f; }
DEV half_t f2h(float f) { half_t h; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h.x) : "f"(f)); return h; }
// packed: lo = first argument
DEV u32 pack2(float lo, float hi) { u32 r; asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(hi), "f"(lo)); return r; }
DEV u32 hadd2(u32 a, u32 b) { u32 r; asm("add.rn.f16x2 %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b)); return r; }
DEV u32 hmax2(u32 a, u32 b) { u32 r; asm("max.f16x2 %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b)); return r; }
DEV u32 hfma2(u32 a, u32 b, u32 c) { u32 r; asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(b), "r"(c)); return r; }

DEV u32 smem_addr(const void* p) { return (u32)__cvta_generic_to_shared(p); }
// 16-byte asynchronous copy global->shared; pred=false zero-fills (src not read)
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
// D += A(16x16,row) * B(16x8,col), f16 in, f32 accumulate
DEV void mma_m16n8k16(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
    : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
// max(a * b + c, 0), packed, rounded once
DEV u32 hfma2_relu(u32 a, u32 b, u32 c) { u32 r; asm("fma.rn.relu.f16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(b), "r"(c)); return r; }
#else
#include "emulator.h"
#endif
#ifndef OFFSET_OF
#define OFFSET_OF(type, field) __builtin_offsetof(type, field)
#endif
#ifndef EMU_KERNEL
#define EMU_KERNEL(name)   // registers the kernel with the CPU emulator; nothing on the GPU
#endif
