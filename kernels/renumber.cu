// Labels 1 to n in the order in which they first come in memory. 16 bytes of memory traffic a pixel: what is kept of
// which pixels come first is one bit a pixel.
#include "warp.cuh"

// The first pixel of each label. Only a pixel that differs from the one before can be it.
extern "C" __global__ void LAUNCH_BOUNDS(256, 4) renumber_first(const u32* labels, u32* first, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  u32 label = labels[i];
  if (label != 0 && (i == 0 || labels[i - 1] != label)) atomicMin(&first[label], (u32)i);
}
EMU_KERNEL(renumber_first)

// A word for 32 pixels: the bits of those that are the first of their label, and how many these are.
extern "C" __global__ void LAUNCH_BOUNDS(256, 4) renumber_flags(
    const u32* labels, const u32* first, u32* words, u32* counts, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  u32 label = i < n ? labels[i] : 0;
  write_chosen(label != 0 && first[label] == (u32)i, words, counts, i, n);
}
EMU_KERNEL(renumber_flags)

extern "C" __global__ void LAUNCH_BOUNDS(256, 4) renumber_labels(
    u32* labels, const u32* first, const u32* words, const u32* sums, u32* count, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i == 0) count[0] = sums[(n + 31) / 32];
  if (i >= n || labels[i] == 0) return;
  labels[i] = chosen_before(words, sums, first[labels[i]]) + 1;
}
EMU_KERNEL(renumber_labels)
