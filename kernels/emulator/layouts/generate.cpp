// Prints layouts.txt: which matrix element each lane holds, from NVIDIA's own description of the instructions (CuTe).
// Tests compare the emulator with it. A line has the operand (A, B, C of mma.m16n8k16; N, T of ldmatrix, plain and
// transposed), the lane, the value, and its row and column (for ldmatrix the lane that gave the row, and the index in
// the row).
//
// It needs the headers of CuTe, which are not part of this repository:
//   pip download --no-deps nvidia-cutlass==4.2.0.0 nvidia-cuda-runtime nvidia-cuda-crt nvidia-cuda-cccl
//   for wheel in *.whl; do unzip -q "$wheel"; done
//   g++ -std=c++17 -I cutlass_library/source/include -I nvidia/cu13/include -I nvidia/cu13/include/cccl generate.cpp
//   ./a.out > layouts.txt
#include <cstdio>
#include <cute/atom/copy_traits_sm75.hpp>
#include <cute/atom/mma_traits_sm80.hpp>

int main() {
  using namespace cute;
  using Product = MMA_Traits<SM80_16x8x16_F32F16F16F32_TN>;
  typename Product::ALayout a;
  typename Product::BLayout b;
  typename Product::CLayout c;
  typename Copy_Traits<SM75_U32x4_LDSM_N>::DstLayout plain;
  typename Copy_Traits<SM75_U16x8_LDSM_T>::DstLayout transposed;
  constexpr int BITS = 16, ROW = 8 * BITS;
  for (int lane = 0; lane < 32; lane++) {
    for (int v = 0; v < 8; v++) printf("A %d %d %d %d\n", lane, v, int(a(lane, v)) % 16, int(a(lane, v)) / 16);
    for (int v = 0; v < 4; v++) printf("B %d %d %d %d\n", lane, v, int(b(lane, v)) / 8, int(b(lane, v)) % 8);
    for (int v = 0; v < 4; v++) printf("C %d %d %d %d\n", lane, v, int(c(lane, v)) % 16, int(c(lane, v)) / 16);
    for (int v = 0; v < 8; v++) {
      int n = plain(lane, v * BITS), t = transposed(lane, v * BITS);
      printf("N %d %d %d %d\nT %d %d %d %d\n", lane, v, n / ROW, n % ROW / BITS, lane, v, t / ROW, t % ROW / BITS);
    }
  }
}
