// What the threads of a warp find out together. All of a warp must call these.
#pragma once
#include "prims.cuh"

namespace {

// The sum of this lane's value and of those of the lanes before it.
DEV u32 warp_scan(u32 value, int lane) {
  for (int d = 1; d < 32; d *= 2) {
    u32 below = __shfl_up_sync(~0u, value, d);
    if (lane >= d) value += below;
  }
  return value;
}

// Some of n values are chosen. For every 32 values, a word has the bits of those that are chosen, and a count says how
// many that is; the sums of the counts (scan.cu) then number the chosen ones.
DEV void write_chosen(bool chosen, u32* words, u32* counts, int i, int n) {
  u32 word = __ballot_sync(~0u, chosen);
  if (threadIdx.x % 32 != 0 || i >= n) return;
  words[i / 32] = word;
  counts[i / 32] = __popc(word);
}

DEV bool is_chosen(const u32* words, u32 i) { return words[i / 32] >> i % 32 & 1; }

// How many of the values before value i are chosen.
DEV u32 chosen_before(const u32* words, const u32* sums, u32 i) {
  return sums[i / 32] + __popc(words[i / 32] & ((1u << i % 32) - 1));
}

}  // namespace
