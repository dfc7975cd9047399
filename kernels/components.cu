// Cleans up masks: measures boxes and areas, fills holes, drops small masks and those at the border, and numbers the
// labels without gaps. The twin on the CPU is src/cpu/components.rs.
#include "boxes.cuh"
#include "holes.cuh"
#include "warp.cuh"

namespace {
constexpr int WORDS = 1024;   // the largest box, in words of 32 pixels, whose holes are found in shared memory

// The pixels of a box, one bit each. Each row begins with a new word.
struct Bits {
  u32 *open, *reached, *next; // pixels without the mask's label; those known to reach the rim; the next `reached`
  int across, words;          // words of a row and of the box
};

DEV int words_of(Rect b) { return (b.width + 31) / 32 * b.height; }

// Calls `pixel(word, within, y, x, index)` for each pixel of the box; a warp works on one word. `within` is false for
// bits beyond the width; y and x are in the box, the index is in the image.
template <class F> DEV void each_pixel(Rect b, const Bits& bits, int width, F pixel) {
  int lane = threadIdx.x & 31, warps = blockDim.x / 32;
  for (int i = threadIdx.x / 32; i < bits.words; i += warps) {
    int y = i / bits.across, x = i % bits.across * 32 + lane;
    pixel(i, x < b.width, y, x, (size_t)(b.top + y) * width + b.left + x);
  }
}

// Floods the open pixels from the rim of the box by their four neighbours. Returns whether there are holes: open pixels
// that the flood does not reach.
DEV bool flood(const u32* labels, int width, Rect b, u32 label, u32* memory, Bits& bits) {
  bits.across = (b.width + 31) / 32;
  bits.words = words_of(b);
  bits.open = memory;
  bits.reached = memory + bits.words;
  bits.next = bits.reached + bits.words;
  each_pixel(b, bits, width, [&](int word, bool within, int y, int x, size_t pixel) {
    bool open = within && labels[pixel] != label;
    bool rim = y == 0 || x == 0 || y == b.height - 1 || x == b.width - 1;
    u32 opens = __ballot_sync(~0u, open), rims = __ballot_sync(~0u, open && rim);
    if ((threadIdx.x & 31) == 0) { bits.open[word] = opens; bits.reached[word] = rims; }
  });
  __syncthreads();
  int changed;
  do {
    changed = 0;
    for (int i = threadIdx.x; i < bits.words; i += blockDim.x) {
      int column = i % bits.across;
      u32 now = bits.reached[i], seed = now;
      if (i >= bits.across) seed |= bits.reached[i - bits.across];
      if (i + bits.across < bits.words) seed |= bits.reached[i + bits.across];
      if (column > 0) seed |= bits.reached[i - 1] >> 31;
      if (column + 1 < bits.across) seed |= bits.reached[i + 1] << 31;
      u32 open = bits.open[i], then = spread(seed & open, open);
      bits.next[i] = then;
      changed |= then != now;
    }
    u32* reached = bits.reached;
    bits.reached = bits.next;
    bits.next = reached;
  } while (__syncthreads_or(changed));
  int hole = 0;
  for (int i = threadIdx.x; i < bits.words; i += blockDim.x) hole |= (bits.open[i] & ~bits.reached[i]) != 0;
  return __syncthreads_or(hole);
}

// Calls `pixel(index in the image)` for each pixel of a hole.
template <class F> DEV void each_hole(Rect b, const Bits& bits, int width, F pixel) {
  each_pixel(b, bits, width, [&](int word, bool, int, int x, size_t where) {
    if ((bits.open[word] & ~bits.reached[word]) >> (x & 31) & 1) pixel(where);
  });
}

// The box of a mask in an image of this width, whose holes are looked for.
struct Area {
  Rect bounds;
  int width;
  Bits bits;
};

DEV bool find_holes(Area& a, const u32* labels, u32 label, u32* memory) {
  return flood(labels, a.width, a.bounds, label, memory, a.bits);
}

template <class F> DEV void each_hole(const Area& a, F pixel) { each_hole(a.bounds, a.bits, a.width, pixel); }
}  // namespace

// Measures the box and the area of each label. Within a warp and a row, the first pixel of a run of equal labels counts
// for the run. Time is bound by the 4 bytes read per pixel.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1) mask_bounds(const u32* labels, int width, u64 plane, uint4* boxes, u32* pixels) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x, y = i / (u32)width, x = i % (u32)width;
  u32 label = i < plane ? labels[i] : 0, heads = run_heads(label, x);
  if (!label || !is_head(heads)) return;
  u32 length = run_length(heads);
  uint4* box = boxes + (label - 1);
  atomicMax(&box->x, ~y);
  atomicMax(&box->y, ~x);
  atomicMax(&box->z, y + 1);
  atomicMax(&box->w, x + length);
  atomicAdd(&pixels[label - 1], length);
}
EMU_KERNEL(mask_bounds)

// Drops the labels whose value in the table is below `smallest`. Time is bound by the 4 bytes read per pixel.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1) mask_drop(u32* labels, u64 plane, const u32* table, u32 smallest) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= plane) return;
  u32 label = labels[i];
  if (label && table[label - 1] < smallest) labels[i] = 0;
}
EMU_KERNEL(mask_drop)

// Marks the labels that occur in the image.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1) mask_present(const u32* pixels, u32 most, u32* present) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < most) present[i] = pixels[i] != 0;
}
EMU_KERNEL(mask_present)

// Repeats a fault of cellpose 3.1.1 (Compat::V3_1_1): an area is looked up by the rank of a label, not by the label.
// The areas of the labels that occur are listed in ascending order of labels, after that of the background if it
// occurs, and the first entry is left out. `ranks` counts the labels that occur before each label; `sums[most]` is the
// area of all labels.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1) mask_sizes_by_rank(const u32* pixels, const u32* ranks, const u32* sums,
                                                                  u32 most, u64 plane, u32* table) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= most || !pixels[i]) return;
  u32 rank = ranks[i] + (sums[most] < plane ? 1 : 0);
  if (rank) table[rank - 1] = pixels[i];
}
EMU_KERNEL(mask_sizes_by_rank)

// Replaces each label by its rank among the labels that occur, from 1 on.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1) mask_rank(u32* labels, u64 plane, const u32* ranks) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < plane && labels[i]) labels[i] = ranks[labels[i] - 1] + 1;
}
EMU_KERNEL(mask_rank)

// Sets the entry of each label that touches the border of the image to 0.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1) mask_edges(const u32* labels, int height, int width, u32* table) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x, h = height, w = width;
  size_t pixel;
  if (i < w) pixel = i;
  else if (i < 2 * w) pixel = (size_t)(h - 1) * w + (i - w);
  else if (i < 2 * w + h) pixel = (size_t)(i - 2 * w) * w;
  else if (i < 2 * w + 2 * h) pixel = (size_t)(i - 2 * w - h) * w + w - 1;
  else return;
  u32 label = labels[pixel];
  if (label) atomicAnd(&table[label - 1], 0u);
}
EMU_KERNEL(mask_edges)

// Lists the masks that may have holes, in two lists: boxes that fit in shared memory, and larger ones.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1) holes_plan(const uint4* boxes, const u32* pixels, u32 most, u32* lists,
                                                          Counters* counters) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= most || !pixels[i]) return;
  Rect b = box_of(boxes, i + 1);
  if (b.height < 3 || b.width < 3 || (u64)b.height * b.width == pixels[i]) return;
  int large = words_of(b) > WORDS;
  lists[(size_t)large * most + atomicAdd(&counters->masks[large], 1u)] = i + 1;
}
EMU_KERNEL(holes_plan)

// Fills the holes in which there is no other mask, for all masks at once. Holes are found in `before`, the labels
// before any hole was filled. The result is the same as when masks are filled one after another: a hole and the pixels
// around it, which belong to its mask, lie either both in the hole of another mask or both outside. If they lie in it,
// that other mask paints over all of them later (holes_enclosing). Boxes are flooded in shared memory or, if `large`, in
// `words` words of `memory` for each block. Time is bound by the 4 bytes read per pixel of the boxes.
extern "C" __global__ void LAUNCH_BOUNDS(512, 1) holes_fill(const u32* before, u32* labels, int width, const uint4* boxes,
                                                          const u32* lists, u32 most, int large, u32* memory, u64 words,
                                                          u32* enclosing, Counters* counters) {
  auto area = [=](u32 label) { return Area{box_of(boxes, label), width, {}}; };
  fill_listed(area, before, labels, lists + (size_t)large * most, large, memory, words, enclosing, counters);
}
EMU_KERNEL(holes_fill)

// Fills the holes of the masks in `enclosing`, which have other masks in their holes, one after another in ascending
// order of labels, and paints over the masks inside. One block does this; in most images there is no such mask.
extern "C" __global__ void LAUNCH_BOUNDS(512, 1) holes_enclosing(u32* labels, int width, const uint4* boxes, u32 most,
                                                               u32* memory, const u32* enclosing,
                                                               const Counters* counters) {
  auto area = [=](u32 label) { return Area{box_of(boxes, label), width, {}}; };
  fill_enclosing(area, labels, most, memory, enclosing, counters);
}
EMU_KERNEL(holes_enclosing)
