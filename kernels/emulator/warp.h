// Operations of a warp: all lanes of a mask meet and exchange values.
#pragma once
#include "runtime.h"

// As in CUDA, this is the only operation of a warp that orders memory.
static inline void __syncwarp(u32 mask = ~0u, EMU_SITE) { emu::meet(mask, emu::SYNC, {}, true, fl, ln); }

namespace emu {
inline int lane() { return cur->index & 31; }

template <class T>
T shuffle(u32 mask, T value, int from, Operation operation, const char* file, int line) {
  static_assert(sizeof(T) <= 8);
  Row row{};
  std::memcpy(&row, &value, sizeof(T));
  const Meeting& meeting = meet(mask, operation, row, false, file, line);
  cur->stats.shuffles++;
  if (!(mask >> from & 1)) fail("%s:%d shuffle reads lane %d, which is not in mask %08x", file, line, from, mask);
  u64 bits = meeting.in[from].v[0];
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}
}  // namespace emu

// `w` lanes form a group; a source outside the group is the lane itself.
template <class T>
static inline T __shfl_sync(u32 mask, T value, int from, int w = 32, EMU_SITE) {
  int lane = emu::lane();
  return emu::shuffle(mask, value, (lane & ~(w - 1)) | (from & (w - 1)), emu::SHUFFLE, fl, ln);
}
template <class T>
static inline T __shfl_xor_sync(u32 mask, T value, int x, int w = 32, EMU_SITE) {
  int lane = emu::lane(), from = lane ^ x;
  bool beyond = (from & ~(w - 1)) > (lane & ~(w - 1));  // a lower group may be read
  return emu::shuffle(mask, value, beyond ? lane : from, emu::SHUFFLE_XOR, fl, ln);
}
template <class T>
static inline T __shfl_up_sync(u32 mask, T value, u32 by, int w = 32, EMU_SITE) {
  int lane = emu::lane();
  return emu::shuffle(mask, value, (lane & (w - 1)) >= (int)by ? lane - (int)by : lane, emu::SHUFFLE_UP, fl, ln);
}
template <class T>
static inline T __shfl_down_sync(u32 mask, T value, u32 by, int w = 32, EMU_SITE) {
  int lane = emu::lane();
  return emu::shuffle(mask, value, (lane & (w - 1)) + (int)by < w ? lane + (int)by : lane, emu::SHUFFLE_DOWN, fl, ln);
}

static inline u32 __ballot_sync(u32 mask, int predicate, EMU_SITE) {
  const emu::Meeting& meeting = emu::meet(mask, emu::VOTE, {{(u64)!!predicate}}, false, fl, ln);
  u32 votes = 0;
  for (int i = 0; i < 32; i++)
    if (mask >> i & 1) votes |= (u32)meeting.in[i].v[0] << i;
  return votes;
}
static inline int __any_sync(u32 mask, int p, EMU_SITE) { return __ballot_sync(mask, p, fl, ln) != 0; }
static inline int __all_sync(u32 mask, int p, EMU_SITE) { return __ballot_sync(mask, p, fl, ln) == mask; }
