// The order in which the threads of a block run.
#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <numeric>

#include "worker.h"

namespace emu {

__thread Fiber* cur EMU_NEAR;
__thread Block* blk EMU_NEAR;
__thread Worker* worker EMU_NEAR;

namespace {

// Unlike memset, this is not seen by sanitizers.
void fill(void* p, size_t n) {
  asm volatile("rep stosb" : "+D"(p), "+c"(n) : "a"(0xff) : "memory");
}

void run_thread() {
  entered();
  Worker& w = *worker;
  acquire(&w.main);
  w.launch->thunk(w.launch->arguments);
  if (w.returned + 1 == w.threads) w.warp_groups.end();
  release(&w.end);
  Warp& warp = w.warp_of(cur);
  u32 lane = 1u << cur->index % 32;
  warp.ready &= ~lane;
  warp.live &= ~lane;
  w.forget_answer(cur);
  w.returned++;
  w.next(true);
  __builtin_trap();
}

}  // namespace

u32 Worker::draw() {
  random ^= random << 13;
  random ^= random >> 7;
  random ^= random << 17;
  return (u32)(random >> 32);
}

void Worker::begin(Launch& l) {
  launch = &l;
  threads = l.dim.x * l.dim.y * l.dim.z;
  block = {l.grid, l.dim, {}, nullptr, l.smem, l.options.eager};
  int sets = thread_sanitizer() ? 2 : 1;
  size_t old = fibers.size();
  fibers.resize(std::max<size_t>(old, sets * threads));
  while (stacks.size() < fibers.size()) stacks.push_back(new_stack());
  // ThreadSanitizer's fibers are kept for later launches, since a launch begins after all earlier ones have ended.
  if (thread_sanitizer())
    for (size_t i = old; i < fibers.size(); i++) fibers[i].thread = __tsan_create_fiber(0);
  if (thread_sanitizer()) main.thread = __tsan_get_current_fiber();
  warps.resize((threads + 31) / 32);
  warp_order.resize(warps.size());
  std::iota(warp_order.begin(), warp_order.end(), 0);
  std::iota(lane_order, lane_order + 32, 0);
  if (l.options.order == BACKWARD) {
    std::reverse(warp_order.begin(), warp_order.end());
    std::reverse(lane_order, lane_order + 32);
  }
  stats = {};
  failed = false;
  parity = 0;
  worker = this;
  blk = &block;
}

void Worker::finish() {
  if (failed) abandon();
  for (Fiber& f : fibers) {
    for (size_t i = 0; i < sizeof(Stats) / sizeof(u64); i++) ((u64*)&stats)[i] += ((u64*)&f.stats)[i];
    f.stats = {};
  }
  acquire(&end);
  for (void* p : memory) free(p);
  memory.clear();
  memory_bytes = 0;
  worker = nullptr;
  blk = nullptr;
  cur = nullptr;
}

// Cleans up after threads that were stopped inside a kernel: for the sanitizers, their stacks would still be in use and
// their accesses would not be ordered before later ones.
void Worker::abandon() {
  if (__asan_unpoison_memory_region)
    for (char* s : stacks) __asan_unpoison_memory_region(s, STACK);
  if (!thread_sanitizer()) return;
  for (Fiber& f : fibers) {
    __tsan_switch_to_fiber(f.thread, 0);  // 0: its accesses happen before later ones
    __tsan_switch_to_fiber(main.thread, 0);
    __tsan_destroy_fiber(f.thread);
    f.thread = __tsan_create_fiber(0);
  }
}

// Allocates shared memory of the exact size, so that AddressSanitizer notices accesses beyond it.
void Worker::new_memory() {
  if (!memory.empty() && !thread_sanitizer()) return;
  constexpr size_t MOST = 256 << 20;
  if (memory_bytes > MOST) {
    acquire(&end);
    for (void* p : memory) free(p);
    memory.clear();
    memory_bytes = 0;
  }
  size_t bytes = block.smem_bytes + (thread_sanitizer() ? ORDER_BYTES : block.smem_bytes == 0);
  void* p = nullptr;
  if (posix_memalign(&p, 128, bytes)) abort();
  memory.push_back(p);
  memory_bytes += bytes;
  block.smem = (unsigned char*)p;
  order = (char*)p + block.smem_bytes;
}

void Worker::begin_block(u64 id) {
  const dim3 g = launch->grid, b = launch->dim;
  block.id = {(u32)(id % g.x), (u32)(id / g.x % g.y), (u32)(id / g.x / g.y)};
  new_memory();
  fill(block.smem, block.smem_bytes);
  if (thread_sanitizer()) parity ^= 1;
  random = 0x9E3779B97F4A7C15ull * (launch->options.seed + 1) ^ (id + 1) * 0xD1B54A32D192ED03ull;
  returned = waiting = generation = 0;
  reduced[OR] = reduced[COUNT] = 0;
  reduced[AND] = 1;
  for (size_t i = 0; i < warps.size(); i++) {
    Warp& w = warps[i];
    int lanes = std::min<int>(32, threads - 32 * i);
    w.lanes = w.live = w.ready = ~0u >> (32 - lanes);
    w.latest = 0;
    for (Slot& s : w.slot) s = {};
  }
  warp_groups.begin(warps.size(), block.smem_bytes);
  for (int i = 0; i < threads; i++) {
    Fiber& f = fiber(i);
    f.index = i;
    f.tid = {(u32)i % b.x, (u32)i / b.x % b.y, (u32)i / b.x / b.y};
    f.file = nullptr;
    f.last = -1;
    f.copies = f.group = f.fences = 0;
    f.fenced = false;
    prepare(f, stacks[parity * threads + i], i, run_thread);
  }
  release(&main);
}

void Worker::run(u64 sequence) {
  begin_block((launch->first + sequence * launch->stride) % launch->blocks);
  while (returned < threads && !failed) {
    bool any = false;
    if (launch->options.order == RANDOM) {
      for (int i = warps.size() - 1; i > 0; i--) std::swap(warp_order[i], warp_order[draw() % (i + 1)]);
      for (int i = 31; i > 0; i--) std::swap(lane_order[i], lane_order[draw() % (i + 1)]);
    }
    for (int i : warp_order) {
      if (launch->options.order == RANDOM && any && (draw() & 1)) continue;
      while (warps[i].ready && !failed) {
        any = true;
        pass(i);
        // In step, each warp runs to its next wait; in other orders, it runs as far as it can.
        if (launch->options.order == LOCKSTEP || (launch->options.order == RANDOM && (draw() & 1))) break;
      }
    }
    if (!any && !failed && returned < threads) report_deadlock();
  }
}

// Lets each lane of a warp that is ready run until it waits. Lanes switch to the next themselves.
void Worker::pass(int i) {
  warp = i;
  position = -1;
  next(false);
}

// Continues the next lane of the pass or, after the last, the loop over warps.
void Worker::next(bool done) {
  Context& from = cur ? *cur : main;
  Fiber* to = nullptr;
  while (!to && !failed && ++position < 32)
    if (warps[warp].ready >> lane_order[position] & 1) to = &fiber(warp * 32 + lane_order[position]);
  cur = to;
  stats.switches++;
  switch_to(from, to ? *to : main, done);
}

void Worker::wait(const char* file, int line) {
  cur->file = file;
  cur->line = line;
  warp_of(cur).ready &= ~(1u << cur->index % 32);
  next(false);
}

void Worker::report_deadlock() {
  char text[160];
  snprintf(text, sizeof text, "deadlock in block (%u,%u,%u): %d of %d threads have returned", block.id.x, block.id.y,
           block.id.z, returned, threads);
  std::string message = text;
  const Fiber* last = nullptr;
  for (int i = 0; i < threads && message.size() < 400; i++) {
    const Fiber& f = fiber(i);
    if (!(warps[i / 32].live >> i % 32 & 1) || (last && last->line == f.line && last->file == f.file)) continue;
    message += "; from thread " + std::to_string(i) + " on, they wait at " + f.file + ":" + std::to_string(f.line);
    last = &f;
  }
  failed = true;
  std::lock_guard<std::mutex> guard(launch->lock);
  if (!launch->failed.exchange(true)) launch->message = message;
}

void fail(const char* format, ...) {
  char text[512];
  const uint3 b = blk->id, t = cur->tid;
  int n = snprintf(text, sizeof text, "block (%u,%u,%u) thread (%u,%u,%u): ", b.x, b.y, b.z, t.x, t.y, t.z);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text + n, sizeof text - n, format, arguments);
  va_end(arguments);
  {
    std::lock_guard<std::mutex> guard(worker->launch->lock);
    if (!worker->launch->failed.exchange(true)) worker->launch->message = text;
  }
  worker->failed = true;
  worker->next(false);
  __builtin_trap();
}

void barrier(const char* file, int line, int id) {
  Worker& w = *worker;
  if (w.waiting && id != w.barrier_id)
    fail("divergent __syncthreads: this thread is at %s:%d, others wait at %s:%d", file, line, w.barrier_file,
         w.barrier_line);
  w.barrier_file = file;
  w.barrier_line = line;
  w.barrier_id = id;
  void* ordered = w.order + w.generation;
  release(ordered);
  if (++w.waiting < w.threads) {
    w.wait(file, line);
  } else {
    std::copy(w.reduced, w.reduced + 3, w.reduction);
    w.reduced[OR] = w.reduced[COUNT] = 0;
    w.reduced[AND] = 1;
    w.waiting = 0;
    w.generation ^= 1;
    w.stats.barriers++;
    for (Warp& warp : w.warps) warp.ready = warp.live;
  }
  acquire(ordered);
}

// For ThreadSanitizer, accesses before a fence happen before those after any later fence of the launch. This covers a
// flag that is set after the first fence and read before the second.
void fence() {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  release(&worker->launch->fence);
  acquire(&worker->launch->fence);
}

int barrier_reduce(const char* file, int line, int id, int value, Reduction reduction) {
  Worker& w = *worker;
  w.reduced[OR] |= value;
  w.reduced[AND] &= value;
  w.reduced[COUNT] += value;
  barrier(file, line, id);
  return w.reduction[reduction];
}

}  // namespace emu
