// The driver: events.
#include <unordered_map>

#include "driver.h"

using namespace driver;

namespace {

struct Event {
  Device* device;
  RecordPtr record;
  bool timing;
};
std::unordered_map<void*, std::unique_ptr<Event>> events;

Event* event_of(void* handle, Result* error) {
  auto found = events.find(handle);
  *error = found == events.end() ? report(INVALID_HANDLE, "an event that is not there") : SUCCESS;
  return *error ? nullptr : found->second.get();
}

}  // namespace

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
