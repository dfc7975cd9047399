// Fibers: stacks and the switch between them, for x86-64 only.
#pragma once
#include "runtime.h"

namespace emu {

// Functions of the sanitizers; null if the sanitizer is not loaded.
extern "C" {
__attribute__((weak)) void __sanitizer_start_switch_fiber(void**, const void*, size_t);
__attribute__((weak)) void __sanitizer_finish_switch_fiber(void*, const void**, size_t*);
__attribute__((weak)) void __asan_unpoison_memory_region(const volatile void*, size_t);
__attribute__((weak)) void* __tsan_create_fiber(unsigned);
__attribute__((weak)) void __tsan_destroy_fiber(void*);
__attribute__((weak)) void* __tsan_get_current_fiber();
__attribute__((weak)) void __tsan_switch_to_fiber(void*, unsigned);
__attribute__((weak)) void __tsan_acquire(void*);
__attribute__((weak)) void __tsan_release(void*);
}
inline bool address_sanitizer() { return __sanitizer_start_switch_fiber; }
inline bool thread_sanitizer() { return __tsan_release; }

// Tells ThreadSanitizer that all accesses before release(object) happen before those after acquire(object).
inline void acquire(void* object) {
  if (thread_sanitizer()) __tsan_acquire(object);
}
inline void release(void* object) {
  if (thread_sanitizer()) __tsan_release(object);
}

constexpr size_t STACK = 256 << 10;

// Allocates a stack of this size, above a page that cannot be accessed.
char* new_stack();

// Makes `c` start with `entry` on `stack`; `index` spreads the stacks' tops over the lines of the cache.
void prepare(Context& c, char* stack, int index, void (*entry)());

// Continues `to`; returns when something switches back to `from`, or never if `from` is done.
void switch_to(Context& from, Context& to, bool done = false);

// The entry function that `prepare` sets must call this first.
void entered();

}  // namespace emu
