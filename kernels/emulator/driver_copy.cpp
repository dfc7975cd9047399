// The driver: copies.
#include <cstring>

#include "driver.h"

using namespace driver;

namespace {

// The kind of memory at one end of a copy.
enum Kind { PAGEABLE, PINNED, OWN, ANY };

Outcome check_end(const Device& d, Kind kind, Pointer p, size_t bytes) {
  if (kind == PAGEABLE) return {};
  if (kind != PINNED) return check_range(kind == OWN ? &d : nullptr, p, bytes);
  if (pinned((void*)p, bytes)) return {};
  return {ILLEGAL_ADDRESS, "pinned memory was freed before a copy of it ran"};
}

// Enqueues a copy. Pageable memory is copied as if through a buffer of the driver, so that the caller may change it at
// once; a graph, and a device that reads pageable memory by itself, copy it when the copy runs.
Result copy(void* stream, Pointer to, Kind to_kind, Pointer from, Kind from_kind, size_t bytes, bool wait = false) {
  Guard guard = lock();
  Result error;
  Stream* s = stream_of(stream, &error);
  if (!s || !bytes) return error;
  if (to_kind == PAGEABLE && pinned((void*)to, bytes)) to_kind = PINNED;
  if (from_kind == PAGEABLE && pinned((void*)from, bytes)) from_kind = PINNED;
  std::shared_ptr<std::vector<char>> staged;
  if (from_kind == PAGEABLE && !s->capture && !coherent()) {
    staged = std::make_shared<std::vector<char>>((char*)from, (char*)from + bytes);
    from = (Pointer)staged->data();
  }
  if (to_kind == PAGEABLE && !s->capture) wait = true;
  Device* d = s->device;
  auto work = [=]() -> Outcome {
    (void)staged;  // keeps the buffer until the copy is done
    {
      Guard guard = lock();
      Outcome bad = check_end(*d, to_kind, to, bytes);
      if (!bad.result) bad = check_end(*d, from_kind, from, bytes);
      if (bad.result) return bad;
    }
    memmove((void*)to, (void*)from, bytes);
    return {};
  };
  auto alive = s->shared_from_this();
  error = enqueue(guard, *s, {work, nullptr, nullptr});
  return !error && wait ? finish(guard, *s) : error;
}

}  // namespace

API cuMemcpyHtoDAsync_v2(Pointer to, const void* from, size_t bytes, void* stream) {
  return copy(stream, to, OWN, (Pointer)from, PAGEABLE, bytes);
}
API cuMemcpyDtoHAsync_v2(void* to, Pointer from, size_t bytes, void* stream) {
  return copy(stream, (Pointer)to, PAGEABLE, from, OWN, bytes);
}
API cuMemcpyDtoDAsync_v2(Pointer to, Pointer from, size_t bytes, void* stream) {
  return copy(stream, to, OWN, from, OWN, bytes);
}
API cuMemcpyPeerAsync(Pointer to, void*, Pointer from, void*, size_t bytes, void* stream) {
  return copy(stream, to, ANY, from, ANY, bytes);
}
API cuMemcpyHtoD_v2(Pointer to, const void* from, size_t bytes) {
  return copy(nullptr, to, OWN, (Pointer)from, PAGEABLE, bytes, true);
}
API cuMemcpyDtoH_v2(void* to, Pointer from, size_t bytes) {
  return copy(nullptr, (Pointer)to, PAGEABLE, from, OWN, bytes, true);
}
API cuMemcpyDtoD_v2(Pointer to, Pointer from, size_t bytes) {
  return copy(nullptr, to, OWN, from, OWN, bytes, true);
}
API cuMemsetD8Async(Pointer p, unsigned char value, size_t bytes, void* stream) {
  Guard guard = lock();
  Result error;
  Stream* s = stream_of(stream, &error);
  if (!s || !bytes) return error;
  Device* d = s->device;
  auto work = [=]() -> Outcome {
    {
      Guard guard = lock();
      if (Outcome bad = check_range(d, p, bytes); bad.result) return bad;
    }
    memset((void*)p, value, bytes);
    return {};
  };
  return enqueue(guard, *s, {work, nullptr, nullptr});
}
API cuMemsetD8_v2(Pointer p, unsigned char value, size_t bytes) { return cuMemsetD8Async(p, value, bytes, nullptr); }
