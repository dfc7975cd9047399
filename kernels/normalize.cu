// Percentile normalisation, a channel at a time, in place. The percentiles come from a radix selection: three passes
// over the values, each of which settles the next digit of the four ranks wanted, from histograms of that digit.
#include "warp.cuh"

namespace {

constexpr int BINS = 2048, THREADS = 256, PASSES = 3, RANKS = 4;
constexpr int LOOKS = 16;   // values that a thread looks at for whether a channel varies
constexpr float MIN_CONTRAST = 1e-3f;

// A channel's part of the work memory, all zeros before the first pass.
struct Channel {
  u32 prefix[PASSES][RANKS];  // the digits that are settled before a pass, of each rank's value
  u32 rank[PASSES][RANKS];    // among the values of that prefix
  u32 blocks[PASSES];         // that are done
  u32 varies;                 // whether some value is not the first one
  float low, range;           // what becomes 0, and how far above it is what becomes 1
  u32 histogram[PASSES][RANKS][BINS];
};

// The values that the percentiles are taken from: a grid in the image, or all of it as one row.
struct Sample {
  u32 size, columns, down, across, width;
};

// The two ranks below the percentiles and how far each is from there to the next one.
struct Percentiles {
  double fraction[2];
  u32 rank[2];
};

struct Shared {
  u32 histogram[RANKS][BINS];
  u32 sums[THREADS / 32];
  u32 last, digit[RANKS], left[RANKS];
};

// Digits of 11, 11 and 10 bits: where each begins.
DEV int shift(int pass) { return pass == 0 ? 21 : pass == 1 ? 10 : 0; }
DEV u32 digit(u32 key, int pass) { return key >> shift(pass) & (pass < 2 ? 2047 : 1023); }
DEV u32 prefix(u32 key, int pass) { return pass == 0 ? 0 : key >> shift(pass - 1); }

// Unsigned numbers in the total order of floats, in which -0 comes before 0.
DEV u32 to_key(float v) {
  u32 bits = __float_as_uint(v);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
DEV float of_key(u32 key) { return __uint_as_float(key & 0x80000000u ? key & 0x7fffffffu : ~key); }

// Ranks whose values share a prefix share the histogram of the first of them.
DEV int slot(const u32 (&prefixes)[RANKS], int rank) {
  int first = 0;
  while (prefixes[first] != prefixes[rank]) first++;
  return first;
}

// Sums of the block's values up to and with this thread's.
DEV u32 scan(u32 value, u32* sums) {
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  value = warp_scan(value, lane);
  if (lane == 31) sums[warp] = value;
  __syncthreads();
  for (int w = 0; w < warp; w++) value += sums[w];
  __syncthreads();
  return value;
}

// Where the running count of a histogram passes `rank`: the bin, and what is left of the rank there.
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

// numpy's linear rule, in double precision as there.
DEV float between(u32 low_key, u32 high_key, double fraction) {
  double low = (double)of_key(low_key), high = (double)of_key(high_key);
  return (float)(low + (high - low) * fraction);
}

// Settles the digits of a pass; after the last, the percentiles. Other blocks made the histograms, hence the atomics.
DEV void settle(Channel& channel, const u32 (&prefixes)[RANKS], const u32 (&ranks)[RANKS], const Percentiles& want,
                int pass, Shared& s) {
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
  channel.low = between(key[0], key[1], want.fraction[0]);
  channel.range = between(key[2], key[3], want.fraction[1]) - channel.low;
}

}  // namespace

// One pass of the selection, a row of blocks a channel of [., ., nchan] pixels. The last block to end settles the
// digits. Roof: the bytes of the sample, in each pass.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
normalize_select(const float* pixels, Channel* work, Sample sample, Percentiles want, int pass) {
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
  settle(channel, prefixes, ranks, want, pass, s);
}
EMU_KERNEL(normalize_select)

// Whether a channel has two values. Blocks that begin after one was found have nothing to do. Roof: the bytes of the
// image, where a channel is constant.
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

// The percentiles become 0 and 1; too little contrast becomes 0. `invert` takes 1 - x, except where a channel is
// constant. A thread a value. Roof: the bytes of the image, read and written.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1)
normalize_apply(float* pixels, const Channel* work, u32 size, int nchan, int invert) {
  u32 i = blockIdx.x * THREADS + threadIdx.x;
  if (i >= size) return;
  const Channel& channel = work[i % nchan];
  float x = channel.range > MIN_CONTRAST ? (pixels[i] - channel.low) / channel.range : 0.0f;
  pixels[i] = invert && channel.varies ? 1.0f - x : x;
}
EMU_KERNEL(normalize_apply)
