// A worker runs blocks of a launch, one after the other, in one thread of the system.
#pragma once
#include <deque>
#include <memory>
#include <vector>

#include "fiber.h"
#include "launch.h"
#include "wgmma.h"

namespace emu {

// An operation of a warp. The slot is in use while lanes wait for others, or have not read the result.
struct Slot {
  u32 mask, arrived, left;
  Operation operation;
};
constexpr int SLOTS = 8;

struct Warp {
  u32 lanes, live, ready;  // all lanes; those that have not returned; those that can go on
  int latest;              // the slot that was used last
  Slot slot[SLOTS];
  Meeting meeting[SLOTS];
};

struct Worker {
  Launch* launch;
  Block block;
  int threads, returned;
  std::vector<Fiber> fibers;  // two sets with ThreadSanitizer, see `parity`
  std::vector<Warp> warps;
  WarpGroups warp_groups;
  std::vector<char*> stacks;
  Context main;
  Stats stats;
  bool failed;

  // Neighbouring blocks run in different fibers with ThreadSanitizer, so that it sees races between them.
  int parity;

  // The order of warps and lanes, and how far the present pass over the lanes of a warp has come.
  std::vector<int> warp_order;
  int lane_order[32], position, warp;
  u64 random;

  // __syncthreads
  int waiting, barrier_id, generation;
  int reduced[3], reduction[3];
  const char* barrier_file;
  int barrier_line;

  // Addresses that order threads for ThreadSanitizer: two for __syncthreads and one for each slot. Each block has new
  // ones.
  char* order;
  char end;
  std::vector<void*> memory;
  size_t memory_bytes;

  Fiber& fiber(int index) { return fibers[parity * threads + index]; }
  Warp& warp_of(const Fiber* f) { return warps[f->index / 32]; }
  void begin(Launch&);
  void run(u64 sequence);
  void finish();
  void pass(int warp);
  void next(bool done);
  void wait(const char* file, int line);
  void forget_answer(Fiber*);
  bool choose_orders();
  u32 draw();

 private:
  void new_memory();
  void begin_block(u64 id);
  void report_deadlock();
  void abandon();
};

extern __thread Worker* worker EMU_NEAR;

constexpr size_t ORDER_BYTES = 2 + 32 * SLOTS;

// Multiplies the fragments of a warp.
void multiply(Meeting&);

}  // namespace emu
