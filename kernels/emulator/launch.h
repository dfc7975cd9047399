// A launch of a kernel, its options and its counters.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "runtime.h"

namespace emu {

enum Order { LOCKSTEP, FORWARD, BACKWARD, RANDOM };

struct Options {
  int order = LOCKSTEP;
  bool eager = false;
  u64 seed = 1;
};

// The state of a host thread. A kernel uses the options and the counters of the thread that launched it, whichever
// thread runs it.
struct Counters {
  std::mutex lock;
  Stats stats{};
};
struct Host {
  Options options;
  std::shared_ptr<Counters> counters;
};
Host this_host();

// While this object lives, launches in this thread use the options and counters of `host`.
struct ActFor {
  explicit ActFor(const Host& host);
  ~ActFor();
  const Host* before;
};

struct Launch {
  Thunk thunk;
  void* const* arguments;
  dim3 grid, dim;
  size_t smem;
  Options options;
  u64 blocks, first, stride;  // block number i runs as number (first + i * stride) % blocks

  std::atomic<u64> next{0};
  std::atomic<bool> failed{false};
  // Guarded by the lock of the helper threads: how many work on this launch, and whether any did.
  int inside = 0;
  bool helped = false;

  std::mutex lock;
  std::string message;
  Stats stats{};

  char fence;  // orders threads for ThreadSanitizer
};

// Runs blocks until there are none left.
void run_blocks(Launch&);

// The error of the last launch in this thread.
const std::string& last_error();

// A number from an environment variable; `otherwise` if it is not set.
long long environment(const char* name, long long otherwise);

}  // namespace emu
