// The driver: streams.
//
// A step runs as late as possible, when something waits for it (0), or in another order that streams allow: at once
// (1), after all possible steps of other streams (2), or at random (3). So a missing synchronisation shows. The order
// is FLOWMASK_EMULATOR_STREAMS or, if that is not set, the order of threads (emu_options).
#include <algorithm>
#include <unordered_map>

#include "driver.h"

using namespace driver;

namespace driver {
namespace {

std::condition_variable progress;
std::unordered_map<void*, std::shared_ptr<Stream>> streams;

enum Policy { LATE, AT_ONCE, OTHERS_FIRST, AT_RANDOM };

Policy policy() {
  static const long long fixed = emu::environment("FLOWMASK_EMULATOR_STREAMS", -1);
  return (Policy)(fixed >= 0 ? fixed : emu::this_host().options.order);
}

bool coin() {
  static uint64_t x = 0x9E3779B97F4A7C15ull;
  x ^= emu::this_host().options.seed;
  x = x * 6364136223846793005ull + 1442695040888963407ull;
  return x >> 63;
}

bool possible(const Stream& s) {
  return !s.busy && !s.steps.empty() && !(s.steps.front().awaited && !s.steps.front().awaited->done);
}

// After an error, the device runs no more steps, and nothing waits for them.
void drop_work(Device& d) {
  auto drop = [](Stream& s) {
    for (Step& step : s.steps)
      if (step.reached) step.reached->done = true;
    s.steps.clear();
  };
  drop(*d.null_stream);
  for (Stream* s : d.streams) drop(*s);
}

void do_step(Guard& guard, Stream& s) {
  auto alive = s.shared_from_this();
  Step step = std::move(s.steps.front());
  s.steps.pop_front();
  if (step.work) {
    s.busy = true;
    guard.unlock();
    Outcome outcome = step.work();
    step.work = nullptr;  // Frees what the step holds before its record is reached.
    guard.lock();
    s.busy = false;
    if (outcome.result && !s.device->error.result) {
      s.device->error = outcome;
      report(outcome.result, outcome.message);
      drop_work(*s.device);
    }
  }
  if (step.reached) {
    step.reached->done = true;
    step.reached->time = Clock::now();
  }
  progress.notify_all();
}

// Some stream of the device that has a step to run.
Stream* other_work(Device& d, const Stream& but) {
  std::vector<Stream*> found;
  for (Stream* s : d.streams)
    if (s != &but && possible(*s)) found.push_back(s);
  if (found.empty()) return nullptr;
  size_t i = 0;
  while (i + 1 < found.size() && coin()) i++;
  return found[i];
}

}  // namespace

void advance(Guard& guard, Stream& s) {
  if (s.busy) {
    progress.wait(guard);
    return;
  }
  if (s.steps.empty()) return;
  RecordPtr awaited = s.steps.front().awaited;
  if (!awaited || awaited->done) return do_step(guard, s);
  if (auto other = awaited->stream.lock()) return advance(guard, *other);
  awaited->done = true;  // The stream was destroyed, after its last step.
}

Stream* stream_of(void* handle, Result* error) {
  Device* d = current(error);
  if (!d) return nullptr;
  if ((uintptr_t)handle <= 2) return d->null_stream.get();  // 1 and 2 name the legacy and the per-thread stream
  auto found = streams.find(handle);
  if (found == streams.end()) *error = report(INVALID_HANDLE, "a stream that is not there");
  return *error ? nullptr : found->second.get();
}

Result finish(Guard& guard, const RecordPtr& record) {
  while (!record->done) {
    auto s = record->stream.lock();
    if (!s || s->device->error.result) break;
    Policy p = policy();
    Stream* other = p == OTHERS_FIRST || (p == AT_RANDOM && coin()) ? other_work(*s->device, *s) : nullptr;
    advance(guard, other ? *other : *s);
  }
  auto s = record->stream.lock();
  return s ? s->device->error.result : SUCCESS;
}

Result finish(Guard& guard, Stream& s) {
  if (s.capture) {
    s.capture->invalid = true;
    return report(CAPTURE_UNSUPPORTED, "a stream that is captured cannot be waited for");
  }
  auto record = std::make_shared<Record>();
  record->stream = s.shared_from_this();
  s.steps.push_back({nullptr, record, nullptr});
  return finish(guard, record);
}

Result finish_device(Guard& guard, Device& d) {
  std::vector<std::shared_ptr<Stream>> all{d.null_stream};
  for (Stream* s : d.streams) all.push_back(s->shared_from_this());
  for (auto& s : all)
    if (Result r = finish(guard, *s)) return r;
  return SUCCESS;
}

Result enqueue(Guard& guard, Stream& s, Step step) {
  Device& d = *s.device;
  if (d.error.result) return d.error.result;
  if (Capture* c = s.capture.get()) {
    size_t place = std::find(c->streams.begin(), c->streams.end(), &s) - c->streams.begin();
    c->steps.push_back({place, std::move(step)});
    return SUCCESS;
  }
  auto alive = s.shared_from_this();
  if (&s == d.null_stream.get()) {  // The step runs at once, which is one of the allowed orders.
    std::vector<std::shared_ptr<Stream>> others;
    for (Stream* o : d.streams)
      if (o->blocking) others.push_back(o->shared_from_this());
    for (auto& o : others)
      if (Result r = finish(guard, *o)) return r;
    s.steps.push_back(std::move(step));
    return finish(guard, s);
  }
  s.steps.push_back(std::move(step));
  Policy p = policy();
  if (p == AT_ONCE)
    while (possible(s)) do_step(guard, s);
  if (p == AT_RANDOM)
    while (coin() && coin())
      if (Stream* any = other_work(d, *d.null_stream)) do_step(guard, *any);
  return SUCCESS;
}

}  // namespace driver

API cuStreamCreateWithPriority(void** handle, unsigned flags, int) {
  Guard guard = lock();
  Result error;
  Device* d = current(&error);
  if (!d) return error;
  auto s = std::make_shared<Stream>();
  s->device = d;
  s->blocking = !(flags & 1);
  d->streams.insert(s.get());
  streams[*handle = s.get()] = s;
  return SUCCESS;
}
API cuStreamCreate(void** handle, unsigned flags) { return cuStreamCreateWithPriority(handle, flags, 0); }
API cuStreamDestroy_v2(void* handle) {
  Guard guard = lock();
  auto found = streams.find(handle);
  if (found == streams.end()) return report(INVALID_HANDLE, "a stream that is not there");
  auto s = found->second;
  Result r = s->device->error.result ? s->device->error.result : finish(guard, *s);
  s->device->streams.erase(s.get());
  streams.erase(handle);
  return r;
}
API cuStreamSynchronize(void* handle) {
  Guard guard = lock();
  Result error;
  Stream* s = stream_of(handle, &error);
  return s ? finish(guard, *s) : error;
}
// Each query runs a step, so that a loop of queries ends.
API cuStreamQuery(void* handle) {
  Guard guard = lock();
  Result error;
  Stream* s = stream_of(handle, &error);
  if (!s) return error;
  if (!s->busy) advance(guard, *s);
  return s->device->error.result ? s->device->error.result : s->busy || !s->steps.empty() ? NOT_READY : SUCCESS;
}
