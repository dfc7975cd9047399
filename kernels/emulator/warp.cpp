// Where the lanes of a warp meet.
#include "worker.h"

namespace emu {
namespace {

// The slot of an operation that waits for this lane, else a free slot; -1 if there is none.
int find(Warp& warp, u32 mask, Operation operation, u32 lane) {
  auto lacks = [&](const Slot& s) {
    return s.mask == mask && s.operation == operation && s.arrived != mask && !(s.arrived & lane);
  };
  if (lacks(warp.slot[warp.latest])) return warp.latest;
  for (int i = 0; i < SLOTS; i++)
    if (lacks(warp.slot[i])) return i;
  for (int i = 0; i < SLOTS; i++)
    if (!warp.slot[i].mask) {
      warp.slot[i] = {mask, 0, 0, operation};
      return i;
    }
  return -1;
}

}  // namespace

// The thread no longer needs the result of its last operation. When this holds for all its threads, the slot is free.
void Worker::forget_answer(Fiber* f) {
  if (f->last < 0) return;
  Slot& s = warp_of(f).slot[f->last];
  if (!(s.left &= ~(1u << f->index % 32))) s.mask = 0;
  f->last = -1;
}

const Meeting& meet(u32 mask, Operation operation, const Row& row, bool fence, const char* file, int line) {
  Worker& w = *worker;
  Warp& warp = w.warp_of(cur);
  const int number = cur->index % 32;
  const u32 lane = 1u << number;
  if (!(mask & lane))
    fail("%s:%d lane %d calls an operation of its warp whose mask %08x leaves it out", file, line, number, mask);
  mask &= warp.lanes;
  if (operation >= LDMATRIX && warp.lanes != ~0u) fail("%s:%d matrices need a whole warp", file, line);

  w.forget_answer(cur);
  const int i = find(warp, mask, operation, lane);
  if (i < 0) fail("%s:%d more than %d open operations of a warp", file, line, SLOTS);
  Slot& slot = warp.slot[i];
  Meeting& meeting = warp.meeting[i];
  warp.latest = i;
  cur->last = i;
  slot.arrived |= lane;
  slot.left |= lane;
  meeting.in[number] = row;

  void* ordered = w.order + 2 + cur->index / 32 * SLOTS + i;
  if (fence) release(ordered);
  if (slot.arrived == mask) {
    if (operation == MMA) {
      multiply(meeting);
      w.stats.mma++;
    }
    if (operation == WGMMA) {
      w.warp_groups.start(cur->index / 32, meeting, file, line);
      w.stats.wgmma++;
    }
    if (operation == WGMMA_COMMIT) w.warp_groups.commit(cur->index / 32);
    if (operation == WGMMA_WAIT) w.warp_groups.wait(cur->index / 32, (int)row.v[0]);
    warp.ready |= mask;
  } else {
    w.wait(file, line);
  }
  if (fence) acquire(ordered);
  return meeting;
}

}  // namespace emu
