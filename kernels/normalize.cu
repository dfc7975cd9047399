// Normalises each channel to its percentiles, in place. A radix selection finds the percentiles: each of three passes
// over the values builds histograms of one digit, which give the next digit of the values at the four ranks.
#include "warp.cuh"

namespace {

constexpr int BINS = 2048, THREADS = 256, PASSES = 3, RANKS = 4;
constexpr int LOOKS = 16;   // values that a thread compares to find out whether a channel varies

// The state of the selection for one channel. It is all zeros before the first pass.
struct Channel {
  u32 prefix[PASSES][RANKS];  // for each rank, the digits of its value that are known before the pass
  u32 rank[PASSES][RANKS];    // the rank among the values with that prefix
  u32 blocks[PASSES];         // blocks that have finished the pass
  u32 varies;                 // 1 if some value differs from the first value
  float low, range;           // `low` becomes 0 and `low + range` becomes 1; a range of 0 has no contrast
  u32 histogram[PASSES][RANKS][BINS];
};

// The values that the percentiles are taken from: a grid in the image, or the whole image as one row.
struct Sample {
  u32 size, columns, down, across, width;
};

// For both percentiles, the rank below it and how far it lies from there to the next rank, 0 to 1.
struct Percentiles {
  double fraction[2];
  u32 rank[2];
};

struct Shared {
  u32 histogram[RANKS][BINS];
  u32 sums[THREADS / 32];
  u32 last, digit[RANKS], left[RANKS];
};

// The lowest bit of each digit; digits have 11, 11 and 10 bits.
DEV int shift(int pass) { return pass == 0 ? 21 : pass == 1 ? 10 : 0; }
DEV u32 digit(u32 key, int pass) { return key >> shift(pass) & (pass < 2 ? 2047 : 1023); }
DEV u32 prefix(u32 key, int pass) { return pass == 0 ? 0 : key >> shift(pass - 1); }

// Maps floats to unsigned numbers in the same total order, in which -0 comes before 0.
DEV u32 to_key(float v) {
  u32 bits = __float_as_uint(v);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
DEV float of_key(u32 key) { return __uint_as_float(key & 0x80000000u ? key & 0x7fffffffu : ~key); }

// The index of a rank's histogram. Ranks whose values have the same prefix share the histogram of the first of them.
DEV int slot(const u32 (&prefixes)[RANKS], int rank) {
  int first = 0;
  while (prefixes[first] != prefixes[rank]) first++;
  return first;
}

// The sum of the values of this thread and of all threads of the block before it.
DEV u32 scan(u32 value, u32* sums) {
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  value = warp_scan(value, lane);
  if (lane == 31) sums[warp] = value;
  __syncthreads();
  for (int w = 0; w < warp; w++) value += sums[w];
  __syncthreads();
  return value;
}

// Finds the bin of a histogram that has the value of this rank, and the rank among the values of the bin.
DEV void find(u32* histogram, u32 rank, u32* sums, u32* bin, u32* left) {
  constexpr int OWN = BINS / THREADS;
  u32 own[OWN], sum = 0;
  for (int k = 0; k < OWN; k++) sum += own[k] = atomicAdd(&histogram[threadIdx.x * OWN + k], 0u);
  u32 before = scan(sum, sums) - sum;
  if (rank < before || rank - before >= sum) return;
  rank -= before;
  for (int k = 0; k < OWN; k++) {
    if (rank < own[k]) {
      *bin = threadIdx.x * OWN + k, *left = rank;
      return;
    }
    rank -= own[k];
  }
}

// Interpolates between two ranks as numpy's method "linear" does, in double precision.
DEV float between(u32 low_key, u32 high_key, double fraction) {
  double low = (double)of_key(low_key), high = (double)of_key(high_key);
  return (float)(low + (high - low) * fraction);
}

// Percentiles that are no further apart than this have no contrast (plan::percentiles::min_contrast). `original` is the
// constant of cellpose 3.1.1.
DEV float min_contrast(float low, float high, int original) {
  constexpr float NOISE = 16.0f * 1.1920929e-7f;
  return original ? 1e-3f : NOISE * fmaxf(fabsf(low), fabsf(high));
}

// Finds the digits of a pass and, after the last pass, the percentiles. `find` reads the histograms with atomics, since
// other blocks wrote them.
DEV void settle(Channel& channel, const u32 (&prefixes)[RANKS], const u32 (&ranks)[RANKS], const Percentiles& want,
                int pass, int original, Shared& s) {
  for (int r = 0; r < RANKS; r++) {
    find(channel.histogram[pass][slot(prefixes, r)], ranks[r], s.sums, &s.digit[r], &s.left[r]);
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
  u32 key[RANKS];
  for (int r = 0; r < RANKS; r++) {
    key[r] = prefixes[r] << (pass < 2 ? 11 : 10) | s.digit[r];
    if (pass + 1 < PASSES) channel.prefix[pass + 1][r] = key[r], channel.rank[pass + 1][r] = s.left[r];
  }
  if (pass + 1 < PASSES) return;
  float low = between(key[0], key[1], want.fraction[0]), high = between(key[2], key[3], want.fraction[1]);
  channel.low = low;
  channel.range = high - low > min_contrast(low, high, original) ? high - low : 0.0f;
}

}  // namespace

// One pass of the selection. Each row of blocks works on one channel of pixels, [height, width, nchan]; the block that
// finishes last finds the digits. Time is bound by the bytes of the sample, in each pass.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
normalize_select(const float* pixels, Channel* work, Sample sample, Percentiles want, int pass, int original) {
  DYN_SMEM(raw);
  Shared& s = *reinterpret_cast<Shared*>(raw);
  u32 c = blockIdx.y, nchan = gridDim.y;
  Channel& channel = work[c];
  u32 prefixes[RANKS], ranks[RANKS];
  int slots[RANKS];
  for (int r = 0; r < RANKS; r++) {
    u32 first = min(want.rank[r / 2] + r % 2, sample.size - 1);
    prefixes[r] = pass == 0 ? 0 : channel.prefix[pass][r];
    ranks[r] = pass == 0 ? first : channel.rank[pass][r];
  }
  for (int r = 0; r < RANKS; r++) slots[r] = slot(prefixes, r);
  for (int i = threadIdx.x; i < RANKS * BINS; i += THREADS) s.histogram[i / BINS][i % BINS] = 0;
  __syncthreads();
  for (u32 i = blockIdx.x * THREADS + threadIdx.x; i < sample.size; i += gridDim.x * THREADS) {
    size_t at = (size_t)(i / sample.columns) * sample.down * sample.width + i % sample.columns * sample.across;
    u32 key = to_key(pixels[at * nchan + c]);
    for (int r = 0; r < RANKS; r++) {
      if (slots[r] == r && prefix(key, pass) == prefixes[r]) atomicAdd(&s.histogram[r][digit(key, pass)], 1u);
    }
  }
  __syncthreads();
  for (int r = 0; r < RANKS; r++) {
    for (int i = threadIdx.x; slots[r] == r && i < BINS; i += THREADS) {
      if (s.histogram[r][i]) atomicAdd(&channel.histogram[pass][r][i], s.histogram[r][i]);
    }
  }
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) s.last = atomicAdd(&channel.blocks[pass], 1u) == gridDim.x - 1;
  __syncthreads();
  if (!s.last) return;
  __threadfence();
  settle(channel, prefixes, ranks, want, pass, original, s);
}
EMU_KERNEL(normalize_select)

// Finds out whether a channel has at least two different values. Blocks that begin after this is known end at once. For
// a constant channel, time is bound by the bytes of the image.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1) normalize_varies(const float* pixels, Channel* work, u32 size) {
  u32 c = blockIdx.y, nchan = gridDim.y;
  Channel& channel = work[c];
  if (__syncthreads_or(threadIdx.x == 0 && atomicOr(&channel.varies, 0u))) return;
  bool varies = false;
  float first = pixels[c];
  for (int k = 0; k < LOOKS; k++) {
    u32 i = (blockIdx.x * LOOKS + k) * THREADS + threadIdx.x;
    if (i < size && pixels[(size_t)i * nchan + c] != first) varies = true;
  }
  if (varies) atomicOr(&channel.varies, 1u);
}
EMU_KERNEL(normalize_varies)

// Scales the percentiles to 0 and 1. A channel without contrast becomes 0. `invert` replaces x by 1 - x, except
// in a constant channel. Each thread computes one value. Time is bound by the bytes of the image, read and written.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
normalize_apply(float* pixels, const Channel* work, u32 size, int nchan, int invert) {
  u32 i = blockIdx.x * THREADS + threadIdx.x;
  if (i >= size) return;
  const Channel& channel = work[i % nchan];
  float x = channel.range > 0.0f ? (pixels[i] - channel.low) / channel.range : 0.0f;
  pixels[i] = invert && channel.varies ? 1.0f - x : x;
}
EMU_KERNEL(normalize_apply)
