// The driver: memory.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "driver.h"
#include "fiber.h"

using namespace driver;

namespace driver {
namespace {

// FREED: the host has freed the memory, but its stream has not reached that step.
enum State { LIVE, FREED, RELEASED };
struct Allocation {
  size_t bytes;
  Device* device;
  State state;
};

// Allocations by address. Released memory stays in the table, and is not reused for a while, so that a use after free
// is noticed.
std::map<Pointer, Allocation> allocations;
std::deque<Pointer> kept;
size_t kept_bytes = 0;
std::map<Pointer, size_t> pinned_ranges;

const auto* find(Pointer p) {
  auto after = allocations.upper_bound(p);
  if (after == allocations.begin()) return (decltype(&*after))nullptr;
  --after;
  return p - after->first < std::max<size_t>(after->second.bytes, 1) ? &*after : nullptr;
}

std::string hex(Pointer p) {
  char text[32];
  snprintf(text, sizeof text, "%#llx", (unsigned long long)p);
  return text;
}

// Freed memory reads as NaN while it is kept. With AddressSanitizer it is freed at once: the sanitizer finds later
// uses.
void release(Pointer p) {
  constexpr size_t MOST = 64 << 20;
  size_t bytes = allocations[p].bytes;
  allocations[p].state = RELEASED;
  if (!emu::address_sanitizer()) memset((void*)p, 0xff, bytes);
  kept.push_back(p);
  kept_bytes += bytes;
  while (kept_bytes > (emu::address_sanitizer() ? 0 : MOST) && !kept.empty()) {
    kept_bytes -= allocations[kept.front()].bytes;
    free((void*)kept.front());
    kept.pop_front();
  }
}

// Allocates the exact size, so that AddressSanitizer notices accesses beyond it. Entries of released memory at these
// addresses are removed.
Result allocate(Device& d, Pointer* p, size_t bytes) {
  void* memory = nullptr;
  if (!bytes) return INVALID_VALUE;
  if (bytes > d.total - d.used || posix_memalign(&memory, 256, bytes)) return OUT_OF_MEMORY;
  *p = (Pointer)memory;
  auto from = allocations.lower_bound(*p), to = allocations.lower_bound(*p + bytes);
  if (from != allocations.begin() && std::prev(from)->first + std::prev(from)->second.bytes > *p) --from;
  allocations.erase(from, to);
  allocations[*p] = {bytes, &d, LIVE};
  d.used += bytes;
  d.most = std::max(d.most, d.used);
  return SUCCESS;
}

// The memory counts as free from this call on, since a later allocation in the stream may reuse it.
Result forget(Pointer p) {
  auto found = allocations.find(p);
  if (found == allocations.end()) return report(INVALID_VALUE, "free of " + hex(p) + ", which was not allocated");
  if (found->second.state != LIVE) return report(INVALID_VALUE, "free of " + hex(p) + ", which was freed before");
  found->second.state = FREED;
  found->second.device->used -= found->second.bytes;
  return SUCCESS;
}

}  // namespace

Outcome check_range(const Device* d, Pointer p, size_t bytes) {
  const auto* a = find(p);
  std::string range = std::to_string(bytes) + " bytes at " + hex(p);
  if (!a) return {ILLEGAL_ADDRESS, range + " are no memory of a device"};
  if (a->second.state == RELEASED) return {ILLEGAL_ADDRESS, range + " are memory that was freed"};
  if (d && a->second.device != d) return {ILLEGAL_ADDRESS, range + " are memory of another device"};
  if (p + bytes > a->first + a->second.bytes)
    return {ILLEGAL_ADDRESS, range + " go beyond an allocation of " + std::to_string(a->second.bytes)};
  return {};
}

Outcome check_argument(const Device& d, Pointer p) {
  const auto* a = find(p);
  if (!a) return {};
  if (a->second.state == RELEASED) return {ILLEGAL_ADDRESS, "points to memory that was freed"};
  if (a->second.device != &d) return {ILLEGAL_ADDRESS, "points to memory of another device"};
  return {};
}

bool pinned(const void* p, size_t bytes) {
  auto after = pinned_ranges.upper_bound((Pointer)p);
  if (after == pinned_ranges.begin()) return false;
  --after;
  return (Pointer)p + bytes <= after->first + after->second;
}

}  // namespace driver

// Writes the number of a device's allocations that are not freed, their bytes, the most bytes at any time, and the
// number of pinned allocations.
extern "C" __attribute__((visibility("default"))) void emu_memory(int ordinal, uint64_t out[4]) {
  Guard guard = lock();
  Device* d = device(ordinal);
  out[0] = out[1] = out[2] = out[3] = 0;
  if (!d) return;
  for (auto& [p, a] : allocations) out[0] += a.device == d && a.state == LIVE;
  out[1] = d->used;
  out[2] = d->most;
  out[3] = pinned_ranges.size();
}

API cuMemGetInfo_v2(size_t* available, size_t* total) {
  Guard guard = lock();
  Result error;
  Device* d = current(&error);
  if (!d) return error;
  *available = d->total - d->used;
  *total = d->total;
  return SUCCESS;
}

// Only the attribute that the host code asks for: the ordinal of the device that owns the memory.
API cuPointerGetAttribute(void* value, int attribute, Pointer p) {
  constexpr int DEVICE_ORDINAL = 9;
  Guard guard = lock();
  const auto* a = find(p);
  if (attribute != DEVICE_ORDINAL || !a || a->second.state != LIVE) return INVALID_VALUE;
  *(int*)value = a->second.device->ordinal;
  return SUCCESS;
}

API cuMemAllocAsync(Pointer* p, size_t bytes, void* stream) {
  Guard guard = lock();
  Result error;
  Stream* s = stream_of(stream, &error);
  if (!s) return error;
  if (s->capture) {
    s->capture->invalid = true;
    return report(CAPTURE_UNSUPPORTED, "an allocation in a stream that is captured");
  }
  error = allocate(*s->device, p, bytes);
  Pointer at = *p;
  // If another stream uses the memory before this stream has reached the allocation, this overwrites its values.
  auto work = [=] {
    memset((void*)at, 0xff, bytes);
    return Outcome{};
  };
  return error ? error : enqueue(guard, *s, {work, nullptr, nullptr});
}
API cuMemAlloc_v2(Pointer* p, size_t bytes) {
  Guard guard = lock();
  Result error;
  Device* d = current(&error);
  if (!d) return error;
  error = allocate(*d, p, bytes);
  if (!error) memset((void*)*p, 0xff, bytes);
  return error;
}
API cuMemFreeAsync(Pointer p, void* stream) {
  Guard guard = lock();
  Result error;
  Stream* s = stream_of(stream, &error);
  if (!s) return error;
  if (s->capture) {
    s->capture->invalid = true;
    return report(CAPTURE_UNSUPPORTED, "a free in a stream that is captured");
  }
  error = forget(p);
  auto work = [=]() -> Outcome {
    Guard guard = lock();
    release(p);
    return {};
  };
  return error ? error : enqueue(guard, *s, {work, nullptr, nullptr});
}
// Waits for the whole device.
API cuMemFree_v2(Pointer p) {
  Guard guard = lock();
  Result error;
  Device* d = current(&error);
  if (!d) return error;
  if (!(error = forget(p)) && !(error = finish_device(guard, *d))) release(p);
  return error;
}

API cuMemHostAlloc(void** p, size_t bytes, unsigned) {
  Guard guard = lock();
  Result error;
  if (!current(&error)) return error;
  if (!bytes || posix_memalign(p, 64, bytes)) return OUT_OF_MEMORY;
  pinned_ranges[(Pointer)*p] = bytes;
  return SUCCESS;
}
API cuMemFreeHost(void* p) {
  Guard guard = lock();
  if (!pinned_ranges.erase((Pointer)p)) return report(INVALID_VALUE, "free of host memory that is not pinned");
  free(p);
  return SUCCESS;
}
