// Atomic operations: relaxed ones of the processor, since blocks run on several of its cores and since
// ThreadSanitizer knows them.
#pragma once
#include <cstring>
#include <type_traits>

#include "language.h"

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

// `V` apart from `T`, since callers write atomicAdd(&unsigned, 1) as in CUDA.
template <class T, class V> static inline T atomicAdd(T* p, V v) { return emu::update(p, [=](T o) { return (T)(o + (T)v); }); }
template <class T, class V> static inline T atomicSub(T* p, V v) { return emu::update(p, [=](T o) { return (T)(o - (T)v); }); }
template <class T, class V> static inline T atomicMax(T* p, V v) { return emu::update(p, [=](T o) { return o > (T)v ? o : (T)v; }); }
template <class T, class V> static inline T atomicMin(T* p, V v) { return emu::update(p, [=](T o) { return o < (T)v ? o : (T)v; }); }
template <class T, class V> static inline T atomicOr(T* p, V v) { return emu::update(p, [=](T o) { return (T)(o | (T)v); }); }
template <class T, class V> static inline T atomicAnd(T* p, V v) { return emu::update(p, [=](T o) { return (T)(o & (T)v); }); }
template <class T, class V> static inline T atomicExch(T* p, V v) { return emu::update(p, [=](T) { return (T)v; }); }
template <class T, class C, class V> static inline T atomicCAS(T* p, C c, V v) { return emu::update(p, [=](T o) { return o == (T)c ? (T)v : o; }); }

static inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline void __threadfence_block() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
