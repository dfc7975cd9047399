// Sums and lists that the threads of a warp compute together. All threads of the warp must call `warp_scan`,
// `write_chosen` and `run_heads`.
#pragma once
#include "prims.cuh"

namespace {

// The sum of the values of this lane and of all lanes before it.
DEV u32 warp_scan(u32 value, int lane) {
  for (int d = 1; d < 32; d *= 2) {
    u32 below = __shfl_up_sync(~0u, value, d);
    if (lane >= d) value += below;
  }
  return value;
}

// The number of words with a bit for each of n values.
DEV u32 word_count(u32 n) { return n / 32 + (n % 32 != 0); }

// Records which of n values are chosen. For every 32 values, `words` has one word with a bit for each chosen value and
// `counts` the number of these bits. The prefix sums of the counts (scan.cu) then number the chosen values.
DEV void write_chosen(bool chosen, u32* words, u32* counts, u32 i, u32 n) {
  u32 word = __ballot_sync(~0u, chosen);
  if (threadIdx.x % 32 != 0 || i >= n) return;
  words[i / 32] = word;
  counts[i / 32] = __popc(word);
}

DEV bool is_chosen(const u32* words, u32 i) { return words[i / 32] >> i % 32 & 1; }

// The number of chosen values before value i. `sums` has the prefix sums of the counts.
DEV u32 chosen_before(const u32* words, const u32* sums, u32 i) {
  return sums[i / 32] + __popc(words[i / 32] & ((1u << i % 32) - 1));
}

// One bit for each lane whose pixel is the first of a run of equal labels within its warp and row; x is its column.
DEV u32 run_heads(u32 label, u32 x) {
  u32 before = __shfl_up_sync(~0u, label, 1);
  return __ballot_sync(~0u, threadIdx.x % 32 == 0 || x == 0 || label != before);
}

DEV bool is_head(u32 heads) { return heads >> threadIdx.x % 32 & 1; }

// The length of the run that begins at this lane.
DEV u32 run_length(u32 heads) {
  u32 lane = threadIdx.x % 32, later = lane == 31 ? 0 : heads >> (lane + 1);
  return later ? __ffs((int)later) : 32 - lane;
}

}  // namespace
