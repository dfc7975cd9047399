// Fills the holes of masks, in images and in volumes. A kernel gives the box of a label, for which there are
// two functions: `find_holes(box, labels, label, memory)` returns whether there are any, and then `each_hole(box, f)` calls
// f with the index of each of their pixels. All threads of a block call them together.
#pragma once
#include "boxes.cuh"

namespace {

struct Counters {
  u32 masks[2], taken[2];     // masks listed and masks begun: [0] with boxes that fit in shared memory, [1] with others
  u32 enclosing;                 // 1 if some mask has another mask in its hole
};

// Returns the open bits of a word that are connected to `seed`.
DEV u32 spread(u32 seed, u32 open) {
  u32 way = open;
  for (int d = 1; d < 32; d *= 2) { seed |= way & seed << d; way &= way << d; }
  way = open;
  for (int d = 1; d < 32; d *= 2) { seed |= way & seed >> d; way &= way >> d; }
  return seed;
}

// Fills the holes of one mask. If another mask lies in a hole, only marks the mask in `enclosing`, for fill_enclosing.
template <class Box> DEV void fill_or_mark(Box box, const u32* before, u32* labels, u32 label, u32* memory, u32* enclosing,
                                           Counters* c) {
  if (!find_holes(box, before, label, memory)) return;
  int other = 0;
  each_hole(box, [&](size_t pixel) { other |= before[pixel] != 0; });
  if (!__syncthreads_or(other)) {
    each_hole(box, [&](size_t pixel) { labels[pixel] = label; });
  } else if (threadIdx.x == 0) {
    atomicOr(&enclosing[(label - 1) / 32], 1u << (label - 1) % 32);
    atomicOr(&c->enclosing, 1u);
  }
}

// Fills the holes in which there is no other mask, of all masks of a list: the kernel holes_fill. Bits are in shared memory
// or, if `large`, in `words` words of `memory` for each block.
template <class BoxOf> DEV void fill_listed(BoxOf box_of_label, const u32* before, u32* labels, const u32* list, int large,
                                            u32* memory, u64 words, u32* enclosing, Counters* counters) {
  DYN_SMEM(raw);
  u32* item = (u32*)raw;
  u32* space = large ? memory + (size_t)blockIdx.x * words : item + 1;
  for (;;) {
    u32 place = next_piece(&counters->taken[large], item);
    if (place >= counters->masks[large]) return;
    u32 label = list[place];
    fill_or_mark(box_of_label(label), before, labels, label, space, enclosing, counters);
    __syncthreads();
  }
}

// Fills the holes of the masks in `enclosing` one after another: the kernel holes_enclosing, of one block.
template <class BoxOf> DEV void fill_enclosing(BoxOf box_of_label, u32* labels, u32 most, u32* memory,
                                               const u32* enclosing, const Counters* counters) {
  DYN_SMEM(raw);
  u32* chunk = (u32*)raw;
  if (!counters->enclosing) return;
  u32 words = (most + 31) / 32;
  for (u32 base = 0; base < words; base += blockDim.x) {
    u32 mine = base + threadIdx.x < words ? enclosing[base + threadIdx.x] : 0;
    chunk[threadIdx.x] = mine;
    if (__syncthreads_or(mine != 0)) {
      for (u32 i = 0; i < blockDim.x; i++)
        for (u32 left = chunk[i]; left; left &= left - 1) {
          u32 label = (base + i) * 32 + __ffs((int)left);
          auto box = box_of_label(label);
          if (find_holes(box, labels, label, memory)) each_hole(box, [&](size_t pixel) { labels[pixel] = label; });
          __syncthreads();
        }
    }
    __syncthreads();
  }
}

}  // namespace
