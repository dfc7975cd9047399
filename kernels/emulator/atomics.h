// CUDA's atomic operations, as relaxed atomic operations of the processor: blocks run on several cores, and
// ThreadSanitizer understands these operations.
#pragma once
#include <cstring>
#include <type_traits>

#include "runtime.h"

namespace emu {
// Replaces the value by f(value) and returns the old one.
template <class T, class F>
T update(T* p, F f) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  using Bits = std::conditional_t<sizeof(T) == 4, u32, u64>;
  Bits old = __atomic_load_n((Bits*)p, __ATOMIC_RELAXED), next;
  T value;
  do {
    std::memcpy(&value, &old, sizeof value);
    T result = f(value);
    std::memcpy(&next, &result, sizeof next);
  } while (!__atomic_compare_exchange_n((Bits*)p, &old, next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return value;
}
}  // namespace emu

// The value has a type of its own, `V`, since callers write atomicAdd(&unsigned, 1) as in CUDA.
#define EMU_ATOMIC(name, result)                                \
  template <class T, class V>                                   \
  static inline T name(T* p, V v) {                             \
    return emu::update(p, [=](T o) { return (T)(result); });    \
  }
EMU_ATOMIC(atomicAdd, o + (T)v)
EMU_ATOMIC(atomicSub, o - (T)v)
EMU_ATOMIC(atomicMax, o > (T)v ? o : (T)v)
EMU_ATOMIC(atomicMin, o < (T)v ? o : (T)v)
EMU_ATOMIC(atomicOr, o | (T)v)
EMU_ATOMIC(atomicAnd, o & (T)v)
EMU_ATOMIC(atomicXor, o ^ (T)v)
EMU_ATOMIC(atomicExch, ((void)o, (T)v))
#undef EMU_ATOMIC
template <class T, class C, class V>
static inline T atomicCAS(T* p, C c, V v) {
  return emu::update(p, [=](T o) { return o == (T)c ? (T)v : o; });
}

static inline void __threadfence() { emu::fence(); }
static inline void __threadfence_block() { emu::fence(); }
