// The kernels of ours.cu with NVIDIA's cuda_fp16.h and CuTe.
#include <cuda_fp16.h>
#include <cute/arch/copy_sm75.hpp>
#include <cute/arch/copy_sm80.hpp>
#include <cute/arch/mma_sm80.hpp>
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
#include <cuda/ptx>
#include <cute/arch/mma_sm90_desc.hpp>
#include <cute/arch/mma_sm90_gmma.hpp>
#endif

extern "C" __global__ void h2f(const half* a, float* out) { out[threadIdx.x] = __half2float(a[threadIdx.x]); }
extern "C" __global__ void f2h(const float* a, half* out) { out[threadIdx.x] = __float2half_rn(a[threadIdx.x]); }
extern "C" __global__ void pack2(const float2* a, half2* out) {
  float2 x = a[threadIdx.x];
  out[threadIdx.x] = __floats2half2_rn(x.x, x.y);
}
extern "C" __global__ void hadd2(const half2* a, half2* out) {
  out[threadIdx.x] = __hadd2_rn(a[threadIdx.x], a[threadIdx.x + 32]);
}
extern "C" __global__ void hmax2(const half2* a, half2* out) {
  out[threadIdx.x] = __hmax2(a[threadIdx.x], a[threadIdx.x + 32]);
}
extern "C" __global__ void hfma2(const half2* a, half2* out) {
  out[threadIdx.x] = __hfma2(a[threadIdx.x], a[threadIdx.x + 32], a[threadIdx.x + 64]);
}
extern "C" __global__ void hfma2_relu(const half2* a, half2* out) {
  out[threadIdx.x] = __hfma2_relu(a[threadIdx.x], a[threadIdx.x + 32], a[threadIdx.x + 64]);
}

extern "C" __global__ void cp_async(const uint4* a, uint4* out, int n) {
  __shared__ uint4 shared[64];
  int i = threadIdx.x;
  using Copy = cute::SM80_CP_ASYNC_CACHEGLOBAL_ZFILL<uint4>;
  Copy::copy(a[i], shared[i], i < n);
  cute::cp_async_fence();
  cute::cp_async_fence();
  cute::cp_async_wait<1>();
  __syncthreads();
  out[i] = shared[i ^ 1];
}

extern "C" __global__ void ldmatrix_x4(const uint4* a, uint4* out) {
  __shared__ uint4 shared[32];
  int i = threadIdx.x;
  shared[i] = a[i];
  __syncthreads();
  unsigned r[4];
  cute::SM75_U32x4_LDSM_N::copy((const cute::uint128_t&)shared[i ^ 1], r[0], r[1], r[2], r[3]);
  out[i] = make_uint4(r[0], r[1], r[2], r[3]);
}
extern "C" __global__ void ldmatrix_x4_trans(const uint4* a, uint4* out) {
  __shared__ uint4 shared[32];
  int i = threadIdx.x;
  shared[i] = a[i];
  __syncthreads();
  unsigned r[4];
  cute::SM75_U16x8_LDSM_T::copy((const cute::uint128_t&)shared[i ^ 1], r[0], r[1], r[2], r[3]);
  out[i] = make_uint4(r[0], r[1], r[2], r[3]);
}

extern "C" __global__ void mma_m16n8k16(const uint4* a, const uint2* b, float4* c) {
  uint4 x = a[threadIdx.x];
  uint2 y = b[threadIdx.x];
  float4 z = c[threadIdx.x];
  cute::SM80_16x8x16_F32F16F16F32_TN::fma(z.x, z.y, z.z, z.w, x.x, x.y, x.z, x.w, y.x, y.y, z.x, z.y, z.z, z.w);
  c[threadIdx.x] = z;
}

#ifdef __CUDA_ARCH_FEAT_SM90_ALL
extern "C" __global__ void wgmma_m64n64k16(const uint4* a, const uint4* b, float* d) {
  using namespace cute;
  using Product = SM90::GMMA::MMA_64x64x16_F32F16F16_RS<SM90::GMMA::Major::K, SM90::GMMA::Major::K>;
  __shared__ alignas(128) uint4 shared[128];
  int i = threadIdx.x;
  uint4 x = a[i];
  shared[i] = b[i];
  cuda::ptx::fence_proxy_async(cuda::ptx::space_shared);
  __syncthreads();
  float s[32] = {};
  GmmaDescriptor matrix;
  matrix.bitfield.start_address_ = cast_smem_ptr_to_uint(shared) >> 4;
  matrix.bitfield.leading_byte_offset_ = 1024 >> 4;
  matrix.bitfield.stride_byte_offset_ = 128 >> 4;
  auto add = [&] {
    Product::fma(x.x, x.y, x.z, x.w, matrix, s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8], s[9], s[10], s[11],
                 s[12], s[13], s[14], s[15], s[16], s[17], s[18], s[19], s[20], s[21], s[22], s[23], s[24], s[25],
                 s[26], s[27], s[28], s[29], s[30], s[31]);
    warpgroup_commit_batch();
  };
  warpgroup_arrive();
  add();
  add();
  warpgroup_wait<1>();
  warpgroup_wait<0>();
  for (int k = 0; k < 32; k++) d[i * 32 + k] = s[k];
}
#endif
