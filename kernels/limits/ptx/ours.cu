// One kernel for each primitive of prims.cuh that is inline PTX. nvidia.cu has the same kernels with NVIDIA's
// functions.
#include "prims.cuh"

extern "C" __global__ void h2f(const half_t* a, float* out) { out[threadIdx.x] = h2f(a[threadIdx.x]); }
extern "C" __global__ void f2h(const float* a, half_t* out) { out[threadIdx.x] = f2h(a[threadIdx.x]); }
extern "C" __global__ void pack2(const float2* a, u32* out) {
  float2 x = a[threadIdx.x];
  out[threadIdx.x] = pack2(x.x, x.y);
}
extern "C" __global__ void hadd2(const u32* a, u32* out) {
  out[threadIdx.x] = hadd2(a[threadIdx.x], a[threadIdx.x + 32]);
}
extern "C" __global__ void hmax2(const u32* a, u32* out) {
  out[threadIdx.x] = hmax2(a[threadIdx.x], a[threadIdx.x + 32]);
}
extern "C" __global__ void hfma2(const u32* a, u32* out) {
  out[threadIdx.x] = hfma2(a[threadIdx.x], a[threadIdx.x + 32], a[threadIdx.x + 64]);
}
extern "C" __global__ void hfma2_relu(const u32* a, u32* out) {
  out[threadIdx.x] = hfma2_relu(a[threadIdx.x], a[threadIdx.x + 32], a[threadIdx.x + 64]);
}

// Two groups, the second empty: CuTe waits for all in another way.
extern "C" __global__ void cp_async(const uint4* a, uint4* out, int n) {
  __shared__ uint4 shared[64];
  int i = threadIdx.x;
  cp_async16(shared + i, a + i, i < n);
  cp_async_commit();
  cp_async_commit();
  cp_async_wait<1>();
  __syncthreads();
  out[i] = shared[i ^ 1];
}

extern "C" __global__ void ldmatrix_x4(const uint4* a, uint4* out) {
  __shared__ uint4 shared[32];
  int i = threadIdx.x;
  shared[i] = a[i];
  __syncthreads();
  u32 r[4];
  ldmatrix_x4(r, shared + (i ^ 1));
  out[i] = make_uint4(r[0], r[1], r[2], r[3]);
}
extern "C" __global__ void ldmatrix_x4_trans(const uint4* a, uint4* out) {
  __shared__ uint4 shared[32];
  int i = threadIdx.x;
  shared[i] = a[i];
  __syncthreads();
  u32 r[4];
  ldmatrix_x4_trans(r, shared + (i ^ 1));
  out[i] = make_uint4(r[0], r[1], r[2], r[3]);
}

extern "C" __global__ void mma_m16n8k16(const uint4* a, const uint2* b, float4* c) {
  uint4 x = a[threadIdx.x];
  uint2 y = b[threadIdx.x];
  float4 z = c[threadIdx.x];
  u32 r[4] = {x.x, x.y, x.z, x.w};
  float d[4] = {z.x, z.y, z.z, z.w};
  mma_m16n8k16(d, r, y.x, y.y);
  c[threadIdx.x] = make_float4(d[0], d[1], d[2], d[3]);
}

#ifdef __CUDA_ARCH_FEAT_SM90_ALL
// Two products of a warp group, the second of which adds to the first.
extern "C" __global__ void wgmma_m64n64k16(const uint4* a, const uint4* b, float* d) {
  __shared__ alignas(128) uint4 shared[128];
  int i = threadIdx.x;
  uint4 x = a[i];
  shared[i] = b[i];
  fence_proxy_async();
  __syncthreads();
  u32 r[4] = {x.x, x.y, x.z, x.w};
  float sum[8][4] = {};
  u64 matrix = wgmma_matrix(shared, 1024, 128);
  wgmma_fence();
  wgmma_m64n64k16(sum, r, matrix);
  wgmma_commit();
  wgmma_m64n64k16(sum, r, matrix);
  wgmma_commit();
  wgmma_wait<1>();
  wgmma_wait<0>();
  for (int k = 0; k < 32; k++) d[i * 32 + k] = sum[k / 4][k % 4];
}
#endif
