// Numbers labels from 1 to n in the order of their first pixels, in row-major order. The kernels move 16 bytes of
// memory for each pixel. One bit for each pixel says whether it is the first of its label.
#include "warp.cuh"

// Finds the first pixel of each label. Only a pixel whose label differs from that of the pixel before can be the first.
extern "C" __global__ void LAUNCH_BOUNDS(256, 4) renumber_first(const u32* labels, u32* first, u32 n) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  u32 label = labels[i];
  if (label != 0 && (i == 0 || labels[i - 1] != label)) atomicMin(&first[label], i);
}
EMU_KERNEL(renumber_first)

// Marks the pixels that are the first of their label (write_chosen).
extern "C" __global__ void LAUNCH_BOUNDS(256, 4) renumber_flags(
    const u32* labels, const u32* first, u32* words, u32* counts, u32 n) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  u32 label = i < n ? labels[i] : 0;
  write_chosen(label != 0 && first[label] == i, words, counts, i, n);
}
EMU_KERNEL(renumber_flags)

extern "C" __global__ void LAUNCH_BOUNDS(256, 4) renumber_labels(
    u32* labels, const u32* first, const u32* words, const u32* sums, u32* count, u32 n) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i == 0) count[0] = sums[word_count(n)];
  if (i >= n || labels[i] == 0) return;
  labels[i] = chosen_before(words, sums, first[labels[i]]) + 1;
}
EMU_KERNEL(renumber_labels)
