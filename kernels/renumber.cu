// Labels 1 to n in the order in which they first come in memory. 16 bytes of memory traffic a pixel: what is kept of
// which pixels come first is one bit a pixel.
#include "prims.cuh"

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
  u32 word = __ballot_sync(~0u, label != 0 && first[label] == (u32)i);
  if (threadIdx.x % 32 != 0 || i >= n) return;
  words[i / 32] = word;
  counts[i / 32] = __popc(word);
}
EMU_KERNEL(renumber_flags)

extern "C" __global__ void LAUNCH_BOUNDS(256, 4) renumber_labels(
    u32* labels, const u32* first, const u32* words, const u32* sums, u32* count, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i == 0) count[0] = sums[(n + 31) / 32];
  if (i >= n || labels[i] == 0) return;
  u32 at = first[labels[i]], before = words[at / 32] & ((1u << at % 32) - 1);
  labels[i] = sums[at / 32] + __popc(before) + 1;
}
EMU_KERNEL(renumber_labels)
