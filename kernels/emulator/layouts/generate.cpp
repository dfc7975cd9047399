// Prints layouts.txt: which matrix element each lane holds, from NVIDIA's own description of the instructions (CuTe).
// Tests compare the emulator with it. A line has the operand (A, B, C of mma.m16n8k16; N, T of ldmatrix, plain and
// transposed), the lane, the value, and its row and column (for ldmatrix the lane that gave the row, and the index in
// the row).
//
// For wgmma.m64n64k16 there are longer lines: U (A) and W (C) have a thread of the warp group, and for each of its values
// the index of the element by rows; V has a column of B, and for each k the index of the element in shared memory; M is
// the descriptor of that memory, at address 0. The layout of B in shared memory is the one without a swizzle, of which
// the pieces of 8 by 8 follow each other first along N, then along K.
//
// It needs the headers of CuTe, which are not part of this repository:
//   pip download --no-deps nvidia-cutlass==4.2.0.0 nvidia-cuda-runtime nvidia-cuda-crt nvidia-cuda-cccl
//   for wheel in *.whl; do unzip -q "$wheel"; done
//   g++ -std=c++17 -I cutlass_library/source/include -I nvidia/cu13/include -I nvidia/cu13/include/cccl generate.cpp
//   ./a.out | grep -v ERROR > layouts.txt   # CuTe says that there is no address in shared memory
#include <cstdio>
#include <cute/atom/copy_traits_sm75.hpp>
#include <cute/atom/mma_traits_sm80.hpp>
#include <cute/atom/mma_traits_sm90_gmma.hpp>

namespace {
// The description of a matrix in shared memory, of which CuTe takes the address only on a device.
void warp_group() {
  using namespace cute;
  using Product = MMA_Traits<SM90_64x64x16_F32F16F16_RS<GMMA::Major::K, GMMA::Major::K>>;
  typename Product::ALayout a;
  typename Product::CLayout c;
  constexpr int M = 64, N = 64, K = 16;
  auto by_rows = [](int element, int columns) { return element % M * columns + element / M; };
  for (int thread = 0; thread < 128; thread++) {
    printf("U %d", thread);
    for (int v = 0; v < 8; v++) printf(" %d", by_rows(a(thread, v), K));
    printf("\nW %d", thread);
    for (int v = 0; v < 32; v++) printf(" %d", by_rows(c(thread, v), N));
    printf("\n");
  }
  auto b = tile_to_shape(GMMA::Layout_K_INTER_Atom<cute::half_t>{}, Shape<Int<N>, Int<K>>{}, Step<_1, _2>{});
  for (int n = 0; n < N; n++) {
    printf("V %d", n);
    for (int k = 0; k < K; k++) printf(" %d", int(b(n, k)));
    printf("\n");
  }
  auto descriptor = GMMA::make_gmma_desc<GMMA::Major::K>(make_tensor(make_smem_ptr((cute::half_t*)nullptr), b));
  printf("M %llu\n", (unsigned long long)uint64_t(descriptor));
}
}  // namespace

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
  warp_group();
}
