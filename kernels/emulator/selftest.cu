// Kernels with faults, for the tests of the emulator, which must report each fault. They are not part of the library.
//
// A line that is wrong is marked with the word fault and the name of its kernel.
#include "prims.cuh"

namespace {
DEV void copy_rows(unsigned char* to, const u32* from) {
  cp_async16(to + threadIdx.x * 16, from + threadIdx.x * 4, true);
}
}  // namespace

extern "C" __global__ void divergent_barrier(u32* out) {
  if (threadIdx.x < 5) __syncthreads();
  else __syncthreads();  // fault divergent_barrier
  out[threadIdx.x] = 1;
}
EMU_KERNEL(divergent_barrier)

extern "C" __global__ void deadlock(u32* out) {
  if (threadIdx.x == 3) return;
  __syncthreads();  // fault deadlock
  out[threadIdx.x] = 1;
}
EMU_KERNEL(deadlock)

extern "C" __global__ void warp_deadlock(u32* out) {
  if (threadIdx.x != 3) __syncwarp();  // fault warp_deadlock
  out[threadIdx.x] = 1;
}
EMU_KERNEL(warp_deadlock)

extern "C" __global__ void lane_outside_mask(u32* out) {
  out[threadIdx.x] = __shfl_sync(0xffffu, threadIdx.x, 0);  // fault lane_outside_mask
}
EMU_KERNEL(lane_outside_mask)

extern "C" __global__ void reads_outside_mask(u32* out) {
  if (threadIdx.x < 16)
    out[threadIdx.x] = __shfl_down_sync(0xffffu, threadIdx.x, 1);  // fault reads_outside_mask
}
EMU_KERNEL(reads_outside_mask)

extern "C" __global__ void misaligned_copy(u32* out) {
  DYN_SMEM(raw);
  cp_async16(raw + threadIdx.x * 8, out, true);  // fault misaligned_copy
}
EMU_KERNEL(misaligned_copy)

extern "C" __global__ void misaligned_source(u32* out) {
  DYN_SMEM(raw);
  cp_async16(raw + threadIdx.x * 16, out + threadIdx.x, true);  // fault misaligned_source
}
EMU_KERNEL(misaligned_source)

extern "C" __global__ void copy_beyond_shared(u32* out) {
  DYN_SMEM(raw);
  cp_async16(raw + threadIdx.x * 32, out, true);  // fault copy_beyond_shared
}
EMU_KERNEL(copy_beyond_shared)

extern "C" __global__ void row_beyond_shared(u32* out) {
  DYN_SMEM(raw);
  u32 r[4];
  ldmatrix_x4(r, raw + threadIdx.x * 16 + 16);  // fault row_beyond_shared
  out[threadIdx.x] = r[0];
}
EMU_KERNEL(row_beyond_shared)

extern "C" __global__ void matrix_of_half_a_warp(u32* out) {
  float d[4] = {};
  u32 a[4] = {};
  mma_m16n8k16(d, a, 0, 0);  // fault matrix_of_half_a_warp
  out[threadIdx.x] = d[0];
}
EMU_KERNEL(matrix_of_half_a_warp)

// The kernels with a warp group multiply zeros, but for the last one, by 16 x 64 zeros in shared memory.
namespace {
DEV void copy_zeros() {
  DYN_SMEM(raw);
  cp_async16(raw + threadIdx.x * 16, nullptr, false);
  cp_async_commit();
}
DEV u64 zeros() {
  DYN_SMEM(raw);
  copy_zeros();
  cp_async_wait<0>();
  fence_proxy_async();
  __syncthreads();
  return wgmma_matrix(raw, 1024, 128);
}
DEV void finish_products() {
  wgmma_commit();
  wgmma_wait<0>();
}
}  // namespace

extern "C" __global__ void no_fence_of_registers(u32* out) {
  float d[8][4] = {};
  u32 a[4] = {};
  u64 b = zeros();
  wgmma_m64n64k16(d, a, b);  // fault no_fence_of_registers
  finish_products();
  if (threadIdx.x < 64) out[threadIdx.x] = d[0][0];
}
EMU_KERNEL(no_fence_of_registers)

extern "C" __global__ void rows_after_the_fence(u32* out) {
  DYN_SMEM(raw);
  float d[8][4] = {};
  u32 a[4] = {};
  u64 b = zeros();
  wgmma_fence();
  ldmatrix_x4(a, raw + threadIdx.x % 32 * 16);
  wgmma_m64n64k16(d, a, b);  // fault rows_after_the_fence
  finish_products();
  if (threadIdx.x < 64) out[threadIdx.x] = d[0][0];
}
EMU_KERNEL(rows_after_the_fence)

extern "C" __global__ void sums_after_the_fence(u32* out) {
  float d[8][4] = {};
  u32 a[4] = {};
  u64 b = zeros();
  wgmma_fence();
  wgmma_m64n64k16(d, a, b);
  finish_products();
  d[0][0] = 0;
  wgmma_m64n64k16(d, a, b);  // fault sums_after_the_fence
  finish_products();
  if (threadIdx.x < 64) out[threadIdx.x] = d[0][0];
}
EMU_KERNEL(sums_after_the_fence)

extern "C" __global__ void no_fence_of_copies(u32* out) {
  DYN_SMEM(raw);
  float d[8][4] = {};
  u32 a[4] = {};
  copy_zeros();
  cp_async_wait<0>();
  if (threadIdx.x != 77) fence_proxy_async();
  __syncthreads();
  wgmma_fence();
  wgmma_m64n64k16(d, a, wgmma_matrix(raw, 1024, 128));  // fault no_fence_of_copies
  finish_products();
  if (threadIdx.x < 64) out[threadIdx.x] = d[0][0];
}
EMU_KERNEL(no_fence_of_copies)

extern "C" __global__ void fence_before_copies(u32* out) {
  DYN_SMEM(raw);
  float d[8][4] = {};
  u32 a[4] = {};
  fence_proxy_async();
  copy_zeros();
  cp_async_wait<0>();
  __syncthreads();
  wgmma_fence();
  wgmma_m64n64k16(d, a, wgmma_matrix(raw, 1024, 128));  // fault fence_before_copies
  finish_products();
  if (threadIdx.x < 64) out[threadIdx.x] = d[0][0];
}
EMU_KERNEL(fence_before_copies)

extern "C" __global__ void no_fence_of_writes(u32* out) {
  DYN_SMEM(raw);
  float d[8][4] = {};
  u32 a[4] = {};
  for (int i = 0; i < 4; i++) ((u32*)raw)[threadIdx.x * 4 + i] = 0;
  __syncthreads();
  wgmma_fence();
  wgmma_m64n64k16(d, a, wgmma_matrix(raw, 1024, 128));  // fault no_fence_of_writes
  finish_products();
  if (threadIdx.x < 64) out[threadIdx.x] = d[0][0];
}
EMU_KERNEL(no_fence_of_writes)

extern "C" __global__ void products_of_three_warps(u32* out) {
  float d[8][4] = {};
  u32 a[4] = {};
  u64 b = zeros();
  wgmma_fence();
  wgmma_m64n64k16(d, a, b);  // fault products_of_three_warps
  finish_products();
  if (threadIdx.x < 64) out[threadIdx.x] = d[0][0];
}
EMU_KERNEL(products_of_three_warps)

extern "C" __global__ void products_of_a_warp_alone(u32* out) {
  float d[8][4] = {};
  u32 a[4] = {};
  u64 b = zeros();
  wgmma_fence();
  if (threadIdx.x / 32 == 2) wgmma_m64n64k16(d, a, b);  // fault products_of_a_warp_alone
  finish_products();
  if (threadIdx.x < 64) out[threadIdx.x] = d[0][0];
}
EMU_KERNEL(products_of_a_warp_alone)

extern "C" __global__ void matrix_of_each_warp(u32* out) {
  float d[8][4] = {};
  u32 a[4] = {};
  u64 b = zeros();
  wgmma_fence();
  wgmma_m64n64k16(d, a, b + threadIdx.x / 32);  // fault matrix_of_each_warp
  finish_products();
  if (threadIdx.x < 64) out[threadIdx.x] = d[0][0];
}
EMU_KERNEL(matrix_of_each_warp)

extern "C" __global__ void matrix_beyond_shared(u32* out) {
  float d[8][4] = {};
  u32 a[4] = {};
  u64 b = zeros();
  wgmma_fence();
  wgmma_m64n64k16(d, a, b + 8);  // fault matrix_beyond_shared
  finish_products();
  if (threadIdx.x < 64) out[threadIdx.x] = d[0][0];
}
EMU_KERNEL(matrix_beyond_shared)

extern "C" __global__ void swizzled_matrix(u32* out) {
  float d[8][4] = {};
  u32 a[4] = {};
  u64 b = zeros();
  wgmma_fence();
  wgmma_m64n64k16(d, a, b | 1ull << 62);  // fault swizzled_matrix
  finish_products();
  if (threadIdx.x < 64) out[threadIdx.x] = d[0][0];
}
EMU_KERNEL(swizzled_matrix)

extern "C" __global__ void products_without_end(u32* out) {
  float d[8][4] = {};
  u32 a[4] = {};
  u64 b = zeros();
  wgmma_fence();
  wgmma_m64n64k16(d, a, b);  // fault products_without_end
  wgmma_wait<0>();           // of no group: there was no commit
  if (threadIdx.x < 64) out[threadIdx.x] = 1;
}
EMU_KERNEL(products_without_end)

// One product of a warp group, of registers that are stored thread by thread and a matrix. If `early` is not 0,
// something happens before the wait: 1 registers of A are written again, 2 the matrix is, 3 the sums are read.
extern "C" __global__ void warp_group(const u32* a, const u32* b, float* d, u64* matrix, int early) {
  DYN_SMEM(raw);
  const int thread = threadIdx.x;
  cp_async16(raw + thread * 16, b + thread * 4, true);
  cp_async_commit();
  u32 r[4] = {a[thread * 4], a[thread * 4 + 1], a[thread * 4 + 2], a[thread * 4 + 3]};
  float sum[8][4] = {};
  cp_async_wait<0>();
  fence_proxy_async();
  __syncthreads();
  const u64 place = wgmma_matrix(raw, 1024, 128);
  if (thread == 0) matrix[0] = place;
  wgmma_fence();
  wgmma_m64n64k16(sum, r, place);
  wgmma_commit();
  if (early == 1) r[thread % 4] = 0;
  if (early == 2) {
    __syncthreads();
    ((u32*)raw)[thread] = 0;
  }
  if (early != 3) wgmma_wait<0>();
  for (int i = 0; i < 32; i++) d[thread * 32 + i] = sum[i / 4][i % 4];
  wgmma_wait<0>();
}
EMU_KERNEL(warp_group)

// If `waits` is 0, copies are read without a wait: the result is wrong when they arrive late.
extern "C" __global__ void missing_wait(u32* out, const u32* in, int waits) {
  DYN_SMEM(raw);
  copy_rows(raw, in);
  cp_async_commit();
  if (waits) cp_async_wait<0>();
  __syncthreads();
  out[threadIdx.x] = ((u32*)raw)[(threadIdx.x + 1) % (blockDim.x * 4)];
}
EMU_KERNEL(missing_wait)

// If `barriers` is 0, a second copy overwrites memory that others still read: wrong when it arrives at once.
extern "C" __global__ void missing_barrier(u32* out, const u32* in, int barriers) {
  DYN_SMEM(raw);
  copy_rows(raw, in);
  cp_async_commit();
  cp_async_wait<0>();
  __syncthreads();
  u32 before = ((u32*)raw)[(threadIdx.x * 4 + 4) % (blockDim.x * 4)];
  if (barriers) __syncthreads();
  copy_rows(raw, in + blockDim.x * 4);
  cp_async_commit();
  cp_async_wait<0>();
  __syncthreads();
  out[threadIdx.x] = before;
}
EMU_KERNEL(missing_barrier)

// The faults of the next kernels are found by sanitizers.
extern "C" __global__ void overrun(u32* out, int n) { out[n] = 1; }
EMU_KERNEL(overrun)
extern "C" __global__ void shared_overrun(u32* out, int n) {
  DYN_SMEM(raw);
  raw[n] = 1;
  out[0] = raw[n];
}
EMU_KERNEL(shared_overrun)
extern "C" __global__ void overflow(u32* out, int n) { out[0] = n + 0x7fffffff; }
EMU_KERNEL(overflow)
extern "C" __global__ void block_race(u32* out, int n) { out[threadIdx.x % n] += 1; }
EMU_KERNEL(block_race)
extern "C" __global__ void grid_race(u32* out, int n) {
  if ((int)threadIdx.x < n) out[threadIdx.x] += 1;
}
EMU_KERNEL(grid_race)
extern "C" __global__ void shared_race(u32* out, int n) {
  DYN_SMEM(raw);
  u32* words = (u32*)raw;
  words[threadIdx.x] = threadIdx.x;
  out[blockIdx.x * blockDim.x + threadIdx.x] = words[(threadIdx.x + n) % blockDim.x];
}
EMU_KERNEL(shared_race)

// The warps read a matrix that others may still be writing: a barrier is missing.
extern "C" __global__ void matrix_race(u32* out, int n) {
  DYN_SMEM(raw);
  float d[8][4] = {};
  u32 a[4] = {};
  for (int i = 0; i < 4; i++) ((u32*)raw)[threadIdx.x * 4 + i] = n;
  fence_proxy_async();
  wgmma_fence();
  wgmma_m64n64k16(d, a, wgmma_matrix(raw, 1024, 128));
  finish_products();
  if (threadIdx.x < 64) out[threadIdx.x] = d[0][0];
}
EMU_KERNEL(matrix_race)

// The first of two blocks passes a value to the second by a flag, which needs fences.
extern "C" __global__ void flag(u32* out, int fences) {
  if (threadIdx.x) return;
  if (blockIdx.x == 0) {
    out[0] = 7;
    if (fences) __threadfence();
    atomicExch(&out[1], 1u);
  } else {
    while (!*(volatile u32*)&out[1]) {}
    if (fences) __threadfence();
    out[2] = out[0];
  }
}
EMU_KERNEL(flag)

// One mma of fragments that are stored lane by lane.
extern "C" __global__ void product(const u32* a, const u32* b, float* d) {
  int lane = threadIdx.x;
  u32 r[4] = {a[lane * 4], a[lane * 4 + 1], a[lane * 4 + 2], a[lane * 4 + 3]};
  float sum[4] = {};
  mma_m16n8k16(sum, r, b[lane * 2], b[lane * 2 + 1]);
  for (int i = 0; i < 4; i++) d[lane * 4 + i] = sum[i];
}
EMU_KERNEL(product)

// Reads 32 rows of 8 halves with ldmatrix, plain and transposed.
extern "C" __global__ void rows(const u32* in, u32* plain, u32* transposed) {
  DYN_SMEM(raw);
  int lane = threadIdx.x;
  u32* words = (u32*)raw;
  for (int i = 0; i < 4; i++) words[lane * 4 + i] = in[lane * 4 + i];
  __syncthreads();
  u32 r[4];
  ldmatrix_x4(r, raw + lane * 16);
  for (int i = 0; i < 4; i++) plain[lane * 4 + i] = r[i];
  ldmatrix_x4_trans(r, raw + lane * 16);
  for (int i = 0; i < 4; i++) transposed[lane * 4 + i] = r[i];
}
EMU_KERNEL(rows)

// Steps for the tests of streams; their order shows in the result.
extern "C" __global__ void times_ten_plus(u32* out, u32 digit) { out[0] = out[0] * 10 + digit; }
EMU_KERNEL(times_ten_plus)
extern "C" __global__ void copy_word(u32* to, const u32* from) { to[0] = from[0]; }
EMU_KERNEL(copy_word)

// Counts how often each block ran, and lists the blocks in the order in which they began.
extern "C" __global__ void count_blocks(u32* blocks, u32* next, u32* order) {
  if (threadIdx.x == 0) order[atomicAdd(next, 1)] = blockIdx.x;
  atomicAdd(&blocks[blockIdx.x], 1);
}
EMU_KERNEL(count_blocks)

// In place of a kernel that writes a result.
extern "C" __global__ void idle(u32*) {}
EMU_KERNEL(idle)
