// The driver: streams and events.
//
// A step is done when something waits for it, as late as it may be, or in another order that streams allow: at once
// (1), after all that other streams can do (2), or at random (3). So what lacks a synchronisation shows. The order is
// that of the threads of kernels, emu_options, or FLOWMASK_EMULATOR_STREAMS.
#include <algorithm>
#include <unordered_map>

#include "driver.h"

using namespace driver;

namespace driver {
namespace {

std::condition_variable progress;
std::unordered_map<void*, std::shared_ptr<Stream>> streams;
std::unordered_map<void*, std::unique_ptr<Event>> events;

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

// After an error, nothing of the device is done any more, and nothing waits for it.
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
    step.work = nullptr;  // What it holds goes before its record is reached.
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

// Does a step of `s`, or what it waits for, or waits for another thread that is at it.
void advance(Guard& guard, Stream& s) {
  if (s.busy) {
    progress.wait(guard);
    return;
  }
  if (s.steps.empty()) return;
  RecordPtr awaited = s.steps.front().awaited;
  if (!awaited || awaited->done) return do_step(guard, s);
  if (auto other = awaited->stream.lock()) return advance(guard, *other);
  awaited->done = true;  // Its stream is gone, and was empty then.
}

// Any stream of the device that has something to do.
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

Stream* stream_of(void* handle, Result* error) {
  Device* d = current(error);
  if (!d) return nullptr;
  if ((uintptr_t)handle <= 2) return d->null_stream.get();  // also the names of the thread's own
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
  if (&s == d.null_stream.get()) {  // Done at once, which is one of the orders that are right.
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

namespace {

Event* event_of(void* handle, Result* error) {
  auto found = events.find(handle);
  *error = found == events.end() ? report(INVALID_HANDLE, "an event that is not there") : SUCCESS;
  return *error ? nullptr : found->second.get();
}

}  // namespace

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
// Asking makes work go on, so that asking again and again comes to an end.
API cuStreamQuery(void* handle) {
  Guard guard = lock();
  Result error;
  Stream* s = stream_of(handle, &error);
  if (!s) return error;
  if (!s->busy) advance(guard, *s);
  return s->device->error.result ? s->device->error.result : s->busy || !s->steps.empty() ? NOT_READY : SUCCESS;
}

API cuEventCreate(void** handle, unsigned flags) {
  Guard guard = lock();
  Result error;
  Device* d = current(&error);
  if (!d) return error;
  auto e = std::make_unique<Event>();
  e->device = d;
  e->timing = !(flags & 2);
  *handle = e.get();
  events[*handle] = std::move(e);
  return SUCCESS;
}
API cuEventDestroy_v2(void* handle) {
  Guard guard = lock();
  return events.erase(handle) ? SUCCESS : report(INVALID_HANDLE, "an event that is not there");
}
API cuEventRecord(void* handle, void* stream) {
  Guard guard = lock();
  Result error;
  Stream* s = stream_of(stream, &error);
  Event* e = s ? event_of(handle, &error) : nullptr;
  if (!e) return error;
  if (e->device != s->device) return report(INVALID_HANDLE, "an event and a stream of different devices");
  auto record = std::make_shared<Record>();
  record->stream = s->shared_from_this();
  record->capture = s->capture.get();
  if (Result r = enqueue(guard, *s, {nullptr, record, nullptr})) return r;
  e->record = record;
  return SUCCESS;
}
API cuStreamWaitEvent(void* stream, void* handle, unsigned) {
  Guard guard = lock();
  Result error;
  Stream* s = stream_of(stream, &error);
  Event* e = s ? event_of(handle, &error) : nullptr;
  if (!e) return error;
  if (!e->record) return SUCCESS;
  Capture* captured = e->record->capture;
  auto from = e->record->stream.lock();
  if (captured && from && from->capture.get() == captured && !s->capture) {  // The stream joins the capture.
    s->capture = from->capture;
    captured->streams.push_back(s);
  }
  if (s->capture.get() != captured) {
    if (s->capture) s->capture->invalid = true;
    return report(CAPTURE_ISOLATION, "a wait for an event that was recorded outside the capture, or inside another");
  }
  return enqueue(guard, *s, {nullptr, nullptr, e->record});
}
API cuEventQuery(void* handle) {
  Guard guard = lock();
  Result error;
  Event* e = event_of(handle, &error);
  if (!e) return error;
  if (e->device->error.result) return e->device->error.result;
  if (!e->record) return SUCCESS;
  if (e->record->capture) return report(CAPTURE_UNSUPPORTED, "an event of a capture has no state");
  auto s = e->record->stream.lock();
  RecordPtr record = e->record;
  if (!record->done && s && !s->busy) advance(guard, *s);
  return record->done ? SUCCESS : NOT_READY;
}
API cuEventSynchronize(void* handle) {
  Guard guard = lock();
  Result error;
  Event* e = event_of(handle, &error);
  if (!e) return error;
  if (!e->record) return e->device->error.result;
  if (e->record->capture) return report(CAPTURE_UNSUPPORTED, "an event of a capture cannot be waited for");
  return finish(guard, RecordPtr(e->record));
}
API cuEventElapsedTime(float* ms, void* from, void* to) {
  Guard guard = lock();
  Result error;
  Event* a = event_of(from, &error);
  Event* b = a ? event_of(to, &error) : nullptr;
  if (!b) return error;
  if (!a->record || !b->record || !a->timing || !b->timing) return INVALID_HANDLE;
  if (!a->record->done || !b->record->done) return NOT_READY;
  *ms = std::chrono::duration<float, std::milli>(b->record->time - a->record->time).count();
  return SUCCESS;
}
API cuEventElapsedTime_v2(float* ms, void* from, void* to) { return cuEventElapsedTime(ms, from, to); }
