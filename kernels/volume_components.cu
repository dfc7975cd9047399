// Cleans up the masks of a volume: measures boxes, fills holes, and finds the masks at the border. What does not depend on
// the number of axes is in components.cu. The twin on the CPU is src/cpu/volume/components.rs.
#include "holes.cuh"
#include "voxels.cuh"
#include "warp.cuh"

namespace {
constexpr int WORDS = 4096;   // the largest box, in words of 32 voxels, whose holes are found in shared memory

// The voxels of a box, one bit each. Each row begins with a new word; `across` are the words of a row.
DEV u64 words_of(Box b) { return (u64)b.depth * b.height * ((b.width + 31) / 32); }

// A line of words, `step` apart, through which a flood runs forth and back: from each word to the next go the bits that
// carry(word) gives it. Returns whether bits were added.
template <class Forth, class Back>
DEV bool run(const u32* open, u32* reached, size_t step, u32 length, Forth forth, Back back) {
  u32 changed = 0;
  auto visit = [&](size_t at, u32 carried) {
    u32 now = reached[at], then = spread((now | carried) & open[at], open[at]);
    if (then != now) reached[at] = then;
    changed |= then ^ now;
    return then;
  };
  u32 carried = 0;
  for (u32 i = 0; i < length; i++) carried = forth(visit(i * step, carried));
  carried = 0;
  for (u32 i = length; i-- > 0;) carried = back(visit(i * step, carried));
  return changed != 0;
}

// The box of a mask in a volume of this size, whose holes are looked for.
struct Space {
  Box bounds;
  u32 height, width;          // of the volume
  u32 *open, *reached;        // voxels without the mask's label; those of them known to reach a face of the box
};

DEV u32 across(const Space& s) { return (s.bounds.width + 31) / 32; }

// Calls `voxel(word, within, z, y, x)` for each voxel of the box; a warp works on one word. `within` is false for bits
// beyond the width.
template <class F> DEV void each_voxel(const Space& s, F voxel) {
  u32 lane = threadIdx.x % 32, of_row = across(s);
  u64 words = words_of(s.bounds);
  for (u64 i = threadIdx.x / 32; i < words; i += blockDim.x / 32) {
    u32 row = (u32)(i / of_row), x = (u32)(i % of_row) * 32 + lane;
    voxel((size_t)i, x < s.bounds.width, row / s.bounds.height, row % s.bounds.height, x);
  }
}

// The index in the volume of a voxel of the box.
DEV size_t in_volume(const Space& s, u32 z, u32 y, u32 x) {
  return index_of(Extent{0, s.height, s.width}, s.bounds.front + z, s.bounds.top + y, s.bounds.left + x);
}

// Lets the flood run along all lines of an axis, each thread along its own. Returns whether this thread's grew.
DEV bool run_along(const Space& s, int axis) {
  u32 of_row = across(s);
  u64 words = words_of(s.bounds), plane = (u64)s.bounds.height * of_row;
  bool changed = false;
  auto all = [](u32 bits) { return bits; };
  if (axis == 0) {
    for (u64 i = threadIdx.x; i < plane; i += blockDim.x)
      changed |= run(s.open + i, s.reached + i, plane, s.bounds.depth, all, all);
  } else if (axis == 1) {
    for (u64 i = threadIdx.x; i < (u64)s.bounds.depth * of_row; i += blockDim.x) {
      u64 first = i / of_row * plane + i % of_row;
      changed |= run(s.open + first, s.reached + first, of_row, s.bounds.height, all, all);
    }
  } else {
    auto forth = [](u32 bits) { return bits >> 31; };
    auto back = [](u32 bits) { return bits << 31; };
    for (u64 i = threadIdx.x * (u64)of_row; i < words; i += blockDim.x * (u64)of_row)
      changed |= run(s.open + i, s.reached + i, 1, of_row, forth, back);
  }
  return changed;
}

// Floods the open voxels from the faces of the box through faces of voxels. Returns whether there are holes: open voxels
// that the flood does not reach.
DEV bool find_holes(Space& s, const u32* labels, u32 label, u32* memory) {
  u64 words = words_of(s.bounds);
  s.open = memory;
  s.reached = memory + words;
  each_voxel(s, [&](size_t word, bool within, u32 z, u32 y, u32 x) {
    bool open = within && labels[in_volume(s, z, y, x)] != label;
    bool rim = z == 0 || y == 0 || x == 0 || z + 1 == s.bounds.depth || y + 1 == s.bounds.height || x + 1 == s.bounds.width;
    u32 opens = __ballot_sync(~0u, open), rims = __ballot_sync(~0u, open && rim);
    if (threadIdx.x % 32 == 0) { s.open[word] = opens; s.reached[word] = rims; }
  });
  __syncthreads();
  bool changed;
  do {
    changed = false;
    for (int axis = 0; axis < 3; axis++) {
      changed |= run_along(s, axis);
      __syncthreads();
    }
  } while (__syncthreads_or(changed));
  int hole = 0;
  for (u64 i = threadIdx.x; i < words; i += blockDim.x) hole |= (s.open[i] & ~s.reached[i]) != 0;
  return __syncthreads_or(hole);
}

// Calls `voxel(index in the volume)` for each voxel of a hole.
template <class F> DEV void each_hole(const Space& s, F voxel) {
  each_voxel(s, [&](size_t word, bool, u32 z, u32 y, u32 x) {
    if ((s.open[word] & ~s.reached[word]) >> x % 32 & 1) voxel(in_volume(s, z, y, x));
  });
}
}  // namespace

// Measures the box and the volume of each label. Within a warp and a row, the first voxel of a run of equal labels counts
// for the run. Time is bound by the 4 bytes read per voxel.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1) volume_bounds(const u32* labels, u32 height, u32 width, u64 voxels,
                                                             u32* boxes, u32* volumes) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  Voxel at = voxel_of({0, height, width}, i);
  u32 label = i < voxels ? labels[i] : 0, heads = run_heads(label, at.x);
  if (!label || !is_head(heads)) return;
  u32 length = run_length(heads);
  u32* box = boxes + 6 * (size_t)(label - 1);
  atomicMax(&box[0], ~at.z);
  atomicMax(&box[1], ~at.y);
  atomicMax(&box[2], ~at.x);
  atomicMax(&box[3], at.z + 1);
  atomicMax(&box[4], at.y + 1);
  atomicMax(&box[5], at.x + length);
  atomicAdd(&volumes[label - 1], length);
}
EMU_KERNEL(volume_bounds)

// Sets the entry of each label to 1, or to 0 if its box touches a face of the volume.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1) volume_edges(const u32* boxes, const u32* volumes, u32 most, u32 depth,
                                                            u32 height, u32 width, u32* table) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= most || !volumes[i]) return;
  Box b = box_of(boxes, i + 1);
  bool first = b.front == 0 || b.top == 0 || b.left == 0;
  bool last = b.front + b.depth == depth || b.top + b.height == height || b.left + b.width == width;
  table[i] = !(first || last);
}
EMU_KERNEL(volume_edges)

// Lists the masks that may have holes, in two lists: boxes that fit in shared memory, and larger ones.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1) volume_holes_plan(const u32* boxes, const u32* volumes, u32 most, u32* lists,
                                                                 Counters* counters) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= most || !volumes[i]) return;
  Box b = box_of(boxes, i + 1);
  bool full = (u64)b.depth * b.height * b.width == volumes[i];
  if (b.depth < 3 || b.height < 3 || b.width < 3 || full) return;
  int large = words_of(b) > WORDS;
  lists[(size_t)large * most + atomicAdd(&counters->masks[large], 1u)] = i + 1;
}
EMU_KERNEL(volume_holes_plan)

// Fills the holes in which there is no other mask, for all masks at once, as holes_fill does in images. A flood mostly ends
// after two or three rounds along the axes; a way that winds through the box takes one round for each turn.
extern "C" __global__ void LAUNCH_BOUNDS(512, 1) volume_holes_fill(
    const u32* before, u32* labels, u32 height, u32 width, const u32* boxes, const u32* lists, u32 most, int large,
    u32* memory, u64 words, u32* enclosing, Counters* counters) {
  auto space = [=](u32 label) { return Space{box_of(boxes, label), height, width, nullptr, nullptr}; };
  fill_listed(space, before, labels, lists + (size_t)large * most, large, memory, words, enclosing, counters);
}
EMU_KERNEL(volume_holes_fill)

// Fills the holes of the masks in `enclosing` in ascending order of labels, as holes_enclosing does in images.
extern "C" __global__ void LAUNCH_BOUNDS(512, 1) volume_holes_enclosing(
    u32* labels, u32 height, u32 width, const u32* boxes, u32 most, u32* memory, const u32* enclosing,
    const Counters* counters) {
  auto space = [=](u32 label) { return Space{box_of(boxes, label), height, width, nullptr, nullptr}; };
  fill_enclosing(space, labels, most, memory, enclosing, counters);
}
EMU_KERNEL(volume_holes_enclosing)
