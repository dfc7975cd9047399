// The interface of kernels and scheduler: the threads of a block, their barriers, and the start of a kernel.
#pragma once
#include <cstring>
#include <type_traits>
#include <utility>

#include "language.h"

namespace emu {

// Counters of a launch, in the order in which emu_stats gives them.
struct Stats {
  u64 mma, ldmatrix, bank_conflicts, barriers, shuffles, async_copies, switches, wgmma;
};

// An asynchronous copy that has not arrived.
struct Copy {
  void* to;
  const void* from;  // null: zeros are written
  int group;
};

// The state of a fiber that does not run: its stack, and the sanitizers' handles for it.
struct Context {
  void* sp;
  const void* stack;
  size_t size;
  void *thread, *fake;  // handles of ThreadSanitizer and of AddressSanitizer
};

// A CUDA thread.
struct Fiber : Context {
  uint3 tid;
  int index;         // in the block
  const char* file;  // where the thread waits
  int line;
  int last;  // the slot of its last warp operation, whose result it may still read; -1: none
  Stats stats;  // each thread has its own, so that counting is no race
  int group, copies;
  Copy copy[64];
  bool fenced;  // there was a wgmma.fence since the thread last wrote or got registers of a wgmma
  u32 fences;   // how many times the thread has called fence.proxy.async
};

struct Block {
  dim3 grid, dim;
  uint3 id;
  unsigned char* smem;
  size_t smem_bytes;
  bool eager;  // asynchronous copies arrive at once
};

// initial-exec makes access to these thread-local variables fast; otherwise each use of threadIdx would be a function
// call. A library that is loaded at run time has little space for such variables, but these few fit.
#define EMU_NEAR __attribute__((tls_model("initial-exec")))
extern __thread Fiber* cur EMU_NEAR;
extern __thread Block* blk EMU_NEAR;

// Ends the launch with an error; the launch, or the next call that waits for it, returns it.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

// __syncthreads; each call in the source has its own `id`.
void barrier(const char* file, int line, int id);
enum Reduction { OR, AND, COUNT };
int barrier_reduce(const char* file, int line, int id, int value, Reduction);

// __threadfence
void fence();

// The values that a lane contributes to an operation of its warp, and all values together.
struct Row {
  u64 v[4];
};
struct Meeting {
  Row in[32];
  alignas(32) float product[16][8];  // the result of mma
};
enum Operation {
  SYNC, SHUFFLE, SHUFFLE_XOR, SHUFFLE_UP, SHUFFLE_DOWN, VOTE, LDMATRIX, MMA, WGMMA, WGMMA_FENCE, WGMMA_COMMIT, WGMMA_WAIT
};
// Waits for all lanes of `mask`. The result is valid until this lane's next operation. With `fence` it orders memory.
const Meeting& meet(u32 mask, Operation, const Row&, bool fence, const char* file, int line);

// This thread's cp.async has written 16 bytes of shared memory; it calls fence.proxy.async.
void wrote_shared(const void* to);
void fence_shared();

typedef void (*Thunk)(void* const* arguments);
int launch(const char* name, Thunk, void* const* arguments, const u32 grid[3], const u32 block[3], size_t smem);

template <class... A, size_t... I>
void call(void (*kernel)(A...), void* const* p, std::index_sequence<I...>) {
  kernel(*static_cast<std::remove_cv_t<A>*>(p[I])...);
}
template <class... A>
void call(void (*kernel)(A...), void* const* p) {
  call(kernel, p, std::index_sequence_for<A...>{});
}
template <class... A>
struct Sizes {
  u32 v[sizeof...(A) + 1];
};
template <class... A>
constexpr Sizes<A...> sizes(void (*)(A...)) {
  return {{sizeof(A)..., 0}};
}

}  // namespace emu

// EMU_KERNEL follows each kernel. It exports emu_NAME, which takes pointers to the arguments, as cuLaunchKernel does,
// and emu_sizes_NAME, the sizes of the parameters with a 0 at the end.
#define EMU_EXPORT extern "C" __attribute__((visibility("default")))
#define EMU_KERNEL(kernel)                                                                                         \
  EMU_EXPORT int emu_##kernel(const u32* grid, const u32* block, size_t smem, void* const* arguments) {            \
    return ::emu::launch(#kernel, [](void* const* p) { ::emu::call(kernel, p); }, arguments, grid, block, smem);   \
  }                                                                                                                \
  EMU_EXPORT const decltype(::emu::sizes(kernel)) emu_sizes_##kernel = ::emu::sizes(kernel);

#define threadIdx (::emu::cur->tid)
#define blockIdx (::emu::blk->id)
#define blockDim (::emu::blk->dim)
#define gridDim (::emu::blk->grid)
#define warpSize 32
#define __syncthreads() ::emu::barrier(__FILE__, __LINE__, __COUNTER__)
#define __syncthreads_or(v) ::emu::barrier_reduce(__FILE__, __LINE__, __COUNTER__, !!(v), ::emu::OR)
#define __syncthreads_and(v) ::emu::barrier_reduce(__FILE__, __LINE__, __COUNTER__, !!(v), ::emu::AND)
#define __syncthreads_count(v) ::emu::barrier_reduce(__FILE__, __LINE__, __COUNTER__, !!(v), ::emu::COUNT)
// The last parameters of a function that reports the place of its call.
#define EMU_SITE const char *fl = __builtin_FILE(), int ln = __builtin_LINE()
