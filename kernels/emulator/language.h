// The keywords and types that CUDA C++ adds to C++.
#pragma once
#include <cstddef>
#include <cstdint>

typedef uint32_t u32;
typedef uint16_t u16;
typedef unsigned long long u64;

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(n) alignas(n)
#define __launch_bounds__(...)
#define __restrict__ __restrict
#define LAUNCH_BOUNDS(threads, blocks)
#define DEV static inline
// __shared__ is not supported, since blocks run side by side. Shared memory is always dynamic: DYN_SMEM names it, and
// kernels put a struct over it. It has its exact size, and is filled with 0xFF at the start of each block.
#define DYN_SMEM(name) unsigned char* name = ::emu::blk->smem

struct int2 { int x, y; };
struct uint2 { u32 x, y; };
struct alignas(8) float2 { float x, y; };
struct int3 { int x, y, z; };
struct uint3 { u32 x, y, z; };
struct float3 { float x, y, z; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(16) uint4 { u32 x, y, z, w; };
struct alignas(16) float4 { float x, y, z, w; };
struct dim3 { u32 x = 1, y = 1, z = 1; };

static inline int2 make_int2(int x, int y) { return {x, y}; }
static inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
static inline uint2 make_uint2(u32 x, u32 y) { return {x, y}; }
static inline uint4 make_uint4(u32 x, u32 y, u32 z, u32 w) { return {x, y, z, w}; }
static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
