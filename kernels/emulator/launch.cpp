// Starts kernels and distributes the blocks of a grid over all cores.
#include "launch.h"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <numeric>
#include <thread>
#include <vector>

#include "worker.h"

namespace emu {
namespace {

// A worker on loan. Workers are reused, since their stacks are costly to make.
struct Lent {
  static std::mutex lock;
  static std::vector<Worker*> idle;
  Worker* worker;

  Lent() {
    std::lock_guard<std::mutex> guard(lock);
    if (idle.empty()) idle.push_back(new Worker());
    worker = idle.back();
    idle.pop_back();
  }
  ~Lent() {
    std::lock_guard<std::mutex> guard(lock);
    idle.push_back(worker);
  }
};
std::mutex Lent::lock;
std::vector<Worker*> Lent::idle;

// Threads that help with launches. They live as long as the process.
class Helpers {
 public:
  Helpers() {
    // With ThreadSanitizer there are two threads, to find races between blocks: it has no room for more fibers.
    long long all = thread_sanitizer() ? 2 : std::thread::hardware_concurrency();
    long long cores = environment("FLOWMASK_EMULATOR_THREADS", all);
    count = std::max(0ll, (thread_sanitizer() ? std::min(cores, all) : cores) - 1);
    for (int i = 0; i < count; i++) std::thread([this] { help(); }).detach();
  }

  void run(Launch& launch) {
    int wanted = (int)std::min<u64>(count, launch.blocks - 1);
    if (wanted > 0) {
      std::lock_guard<std::mutex> guard(lock);
      waiting.insert(waiting.end(), wanted, &launch);
      wake.notify_all();
    }
    if (wanted > 0 && thread_sanitizer()) {  // Both threads run blocks even of a small grid.
      std::unique_lock<std::mutex> guard(lock);
      came.wait(guard, [&] { return launch.helped; });
    }
    run_blocks(launch);
    if (wanted == 0) return;
    std::unique_lock<std::mutex> guard(lock);
    waiting.erase(std::remove(waiting.begin(), waiting.end(), &launch), waiting.end());
    left.wait(guard, [&] { return launch.inside == 0; });
  }

 private:
  void help() {
    std::unique_lock<std::mutex> guard(lock);
    for (;;) {
      wake.wait(guard, [&] { return !waiting.empty(); });
      Launch& launch = *waiting.front();
      waiting.pop_front();
      launch.inside++;
      launch.helped = true;
      came.notify_all();
      guard.unlock();
      run_blocks(launch);
      guard.lock();
      launch.inside--;
      left.notify_all();
    }
  }

  int count;
  std::mutex lock;
  std::condition_variable wake, came, left;
  std::deque<Launch*> waiting;
};

std::mutex options_lock;
bool options_set = false;
Options options_of_all;
thread_local bool own_options = false;
thread_local Options options;
thread_local std::shared_ptr<Counters> counters;
thread_local const Host* acting = nullptr;
thread_local std::string error;

// The options of a thread that has not chosen any: those that any thread chose last, else those of the environment.
Options default_options() {
  std::lock_guard<std::mutex> guard(options_lock);
  if (!options_set) {
    options_of_all.order = environment("FLOWMASK_EMULATOR_ORDER", LOCKSTEP);
    options_of_all.eager = environment("FLOWMASK_EMULATOR_EAGER", 0);
    options_of_all.seed = environment("FLOWMASK_EMULATOR_SEED", 1);
    options_set = true;
  }
  return options_of_all;
}

void add(Stats& to, const Stats& from) {
  for (size_t i = 0; i < sizeof(Stats) / sizeof(u64); i++) ((u64*)&to)[i] += ((const u64*)&from)[i];
}

// Sets the order of blocks: by number, backwards, or in steps of a random length.
void order_blocks(Launch& l) {
  l.first = 0;
  l.stride = 1;
  if (l.options.order == BACKWARD) l.first = l.stride = l.blocks - 1;
  if (l.options.order != RANDOM || l.blocks < 3) return;
  u64 mixed = (l.options.seed + 1) * 0x9E3779B97F4A7C15ull;
  l.first = (mixed >> 33) % l.blocks;
  l.stride = 1 + (mixed >> 17) % (l.blocks - 1);
  while (std::gcd(l.stride, l.blocks) != 1) l.stride = l.stride % (l.blocks - 1) + 1;
}

}  // namespace

long long environment(const char* name, long long otherwise) {
  const char* value = getenv(name);
  return value && *value ? atoll(value) : otherwise;
}

Host this_host() {
  if (acting) return *acting;
  if (!counters) counters = std::make_shared<Counters>();
  return {own_options ? options : default_options(), counters};
}

ActFor::ActFor(const Host& host) : before(acting) { acting = &host; }
ActFor::~ActFor() { acting = before; }

const std::string& last_error() { return error; }

void run_blocks(Launch& launch) {
  Lent lent;
  Worker& w = *lent.worker;
  w.begin(launch);
  while (!launch.failed) {
    u64 i = launch.next.fetch_add(1);
    if (i >= launch.blocks) break;
    w.run(i);
  }
  w.finish();
  std::lock_guard<std::mutex> guard(launch.lock);
  add(launch.stats, w.stats);
}

int launch(const char* name, Thunk thunk, void* const* arguments, const u32 g[3], const u32 b[3], size_t smem) {
  static Helpers* helpers = new Helpers;
  static std::mutex one;
  std::unique_lock<std::mutex> alone(one, std::defer_lock);
  if (thread_sanitizer()) alone.lock();

  Launch l;
  l.thunk = thunk;
  l.arguments = arguments;
  l.grid = {g[0], g[1], g[2]};
  l.dim = {b[0], b[1], b[2]};
  l.smem = smem;
  l.blocks = (u64)g[0] * g[1] * g[2];
  Host host = this_host();
  l.options = host.options;
  u64 threads = (u64)b[0] * b[1] * b[2];
  if (threads > 1024 || smem > 227 << 10) {
    l.message = std::to_string(threads) + " threads, " + std::to_string(smem) + " bytes of shared memory: too many";
    l.failed = true;
  } else if (l.blocks && threads) {
    order_blocks(l);
    helpers->run(l);
  }
  {
    std::lock_guard<std::mutex> guard(host.counters->lock);
    add(host.counters->stats, l.stats);
  }
  error = l.failed ? std::string("kernel ") + name + ": " + l.message : "";
  return l.failed;
}

}  // namespace emu

// Sets the options for launches of this thread and of threads that never set any: the order of threads (0 all warps in
// step, 1 each warp runs as far as it can, 2 the same backwards, 3 random) and whether asynchronous copies arrive at
// once.
EMU_EXPORT void emu_options(int order, int eager, uint64_t seed) {
  emu::options = {order, eager != 0, seed};
  emu::own_options = true;
  std::lock_guard<std::mutex> guard(emu::options_lock);
  emu::options_of_all = emu::options;
  emu::options_set = true;
}

// Writes the counters of this thread's launches since the last call: mma, ldmatrix, bank conflicts of ldmatrix,
// barriers, shuffles, cp.async, switches of threads, wgmma of a warp.
EMU_EXPORT void emu_stats(uint64_t out[8]) {
  auto counters = emu::this_host().counters;
  std::lock_guard<std::mutex> guard(counters->lock);
  memcpy(out, &counters->stats, sizeof counters->stats);
  counters->stats = {};
}

// The error message of the last launch that this thread ran; empty if there was no error.
EMU_EXPORT const char* emu_error() { return emu::error.c_str(); }
