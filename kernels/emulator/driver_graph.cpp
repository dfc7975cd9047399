// The driver: graphs. A graph keeps the steps of captured streams and enqueues them again at each launch.
#include <algorithm>
#include <unordered_map>

#include "driver.h"

using namespace driver;

namespace {

struct Graph {
  std::vector<std::pair<size_t, Step>> steps;
  size_t streams;
  RecordPtr finished;  // reached at the end of the last run
};

// Whether every stream of a capture joins the first stream: after its last step it must reach a record for which a
// stream that joins waits.
bool joined(const Capture& c) {
  std::vector<bool> back(c.streams.size());
  back[0] = true;
  for (size_t round = 0; round < c.streams.size(); round++)
    for (size_t i = 1; i < c.streams.size(); i++) {
      std::set<Record*> last;  // records after the last step of stream i
      for (auto& [place, step] : c.steps)
        if (place == i) {
          if (step.reached) last.insert(step.reached.get());
          else last.clear();
        }
      for (auto& [place, step] : c.steps)
        if (back[place] && step.awaited && last.count(step.awaited.get())) back[i] = true;
    }
  return std::find(back.begin(), back.end(), false) == back.end();
}

std::unordered_map<void*, std::shared_ptr<Graph>> graphs;

}  // namespace

API cuStreamBeginCapture_v2(void* stream, int) {
  Guard guard = lock();
  Result error;
  Stream* s = stream_of(stream, &error);
  if (!s) return error;
  if (s->capture || s == s->device->null_stream.get())
    return report(CAPTURE_UNSUPPORTED, "a stream that is captured already, or the null stream");
  s->capture = std::make_shared<Capture>();
  s->capture->streams.push_back(s);
  return SUCCESS;
}
API cuStreamEndCapture(void* stream, void** handle) {
  Guard guard = lock();
  *handle = nullptr;
  Result error;
  Stream* s = stream_of(stream, &error);
  if (!s) return error;
  auto capture = s->capture;
  if (!capture || capture->streams[0] != s) return report(INVALID_VALUE, "a stream in which no capture began");
  for (Stream* t : capture->streams) t->capture = nullptr;
  if (capture->invalid) return CAPTURE_INVALIDATED;
  if (!joined(*capture)) return report(CAPTURE_UNJOINED, "a capture to which a stream did not come back");
  auto graph = std::make_shared<Graph>();
  graph->steps = std::move(capture->steps);
  graph->streams = capture->streams.size();
  graphs[*handle = graph.get()] = graph;
  return SUCCESS;
}
API cuStreamIsCapturing(void* stream, int* status) {
  Guard guard = lock();
  Result error;
  Stream* s = stream_of(stream, &error);
  if (s) *status = !s->capture ? 0 : s->capture->invalid ? 2 : 1;
  return error;
}

API cuGraphInstantiateWithFlags(void** handle, void* graph, unsigned long long) {
  Guard guard = lock();
  auto found = graphs.find(graph);
  if (found == graphs.end()) return report(INVALID_HANDLE, "a graph that is not there");
  auto copy = std::make_shared<Graph>(*found->second);
  graphs[*handle = copy.get()] = copy;
  return SUCCESS;
}
// The graph's first stream becomes the stream of the launch. The other streams are created for the run.
API cuGraphLaunch(void* handle, void* stream) {
  Guard guard = lock();
  Result error;
  Stream* s = stream_of(stream, &error);
  if (!s) return error;
  auto found = graphs.find(handle);
  if (found == graphs.end()) return report(INVALID_HANDLE, "a graph that is not there");
  auto graph = found->second;
  std::vector<std::shared_ptr<Stream>> streams{s->shared_from_this()};
  auto record_in = [](const std::shared_ptr<Stream>& t) {
    auto record = std::make_shared<Record>();
    record->stream = t;
    return record;
  };
  RecordPtr start = record_in(streams[0]);
  if (graph->finished) error = enqueue(guard, *s, {nullptr, nullptr, graph->finished});
  if (!error) error = enqueue(guard, *s, {nullptr, start, nullptr});
  for (size_t i = 1; i < graph->streams && !error; i++) {
    auto side = std::make_shared<Stream>();
    side->device = s->device;
    side->blocking = false;
    streams.push_back(side);
    error = enqueue(guard, *side, {nullptr, nullptr, start});
  }
  std::map<Record*, RecordPtr> records;
  for (auto& [place, step] : graph->steps) {
    if (error) return error;
    Step now = step;
    if (step.reached) now.reached = records[step.reached.get()] = record_in(streams[place]);
    if (step.awaited) now.awaited = records[step.awaited.get()];
    error = enqueue(guard, *streams[place], now);
  }
  graph->finished = record_in(streams[0]);
  // The side streams live until the last has been joined.
  auto keep = [streams] { return Outcome{}; };
  return error ? error : enqueue(guard, *s, {keep, graph->finished, nullptr});
}
API cuGraphUpload(void*, void*) { return SUCCESS; }
API cuGraphExecDestroy(void* handle) {
  Guard guard = lock();
  return graphs.erase(handle) ? SUCCESS : report(INVALID_HANDLE, "a graph that is not there");
}
API cuGraphDestroy(void* handle) { return cuGraphExecDestroy(handle); }
