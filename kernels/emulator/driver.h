// The state behind the functions of the driver: devices, streams and memory. One lock guards all of it. Kernels
// and copies run without the lock.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "launch.h"

#define API extern "C" __attribute__((visibility("default"))) driver::Result

namespace driver {

enum Result {
  SUCCESS = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  NO_DEVICE = 100,
  INVALID_DEVICE = 101,
  INVALID_CONTEXT = 201,
  INVALID_HANDLE = 400,
  NOT_FOUND = 500,
  NOT_READY = 600,
  ILLEGAL_ADDRESS = 700,
  LAUNCH_FAILED = 719,
  CAPTURE_UNSUPPORTED = 900,
  CAPTURE_INVALIDATED = 901,
  CAPTURE_UNJOINED = 904,
  CAPTURE_ISOLATION = 905,
};
typedef uint64_t Pointer;
typedef std::chrono::steady_clock Clock;
typedef std::unique_lock<std::mutex> Guard;

// The result of a copy or a kernel, with a message if it failed.
struct Outcome {
  Result result = SUCCESS;
  std::string message;
};

struct Stream;
struct Capture;

// A point between the steps of a stream, which other streams and the host can wait for.
struct Record {
  std::weak_ptr<Stream> stream;
  Capture* capture;  // the capture in which the record was made, else null; only compared, never read
  bool done = false;
  Clock::time_point time;
};
typedef std::shared_ptr<Record> RecordPtr;

// A step of a stream: something to run, a record to reach, or a record to wait for.
struct Step {
  std::function<Outcome()> work;
  RecordPtr reached, awaited;
};

struct Device {
  int ordinal;
  size_t total, used = 0, most = 0;
  Outcome error;  // of the first step that failed; every later call returns it
  std::shared_ptr<Stream> null_stream;
  std::set<Stream*> streams;
};

struct Stream : std::enable_shared_from_this<Stream> {
  Device* device;
  bool blocking;  // this stream and the null stream wait for each other
  bool busy = false;
  std::deque<Step> steps;
  std::shared_ptr<Capture> capture;
};

// A capture of streams to a graph. It records steps instead of running them, each with the index of its stream in
// `streams`. The first stream began the capture.
struct Capture {
  std::vector<Stream*> streams;
  std::vector<std::pair<size_t, Step>> steps;
  bool invalid = false;
};

extern std::mutex state;
Guard lock();

// ---- devices ----
Device* device(int ordinal);    // null if there is no such device
Device* current(Result* error);  // of this thread; null if there is an error, perhaps of an earlier step
enum Attribute { MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97 };
int attribute(int which);
bool coherent();                // whether devices read pageable memory by themselves
// Keeps the message for cuGetErrorString and prints it to standard error, since an error in a destructor would be lost.
Result report(Result, const std::string& message);

// ---- streams ----
Stream* stream_of(void* handle, Result* error);
Result enqueue(Guard&, Stream&, Step);
// Runs the next step, or a step that it waits for, or waits while another thread runs a step of the stream.
void advance(Guard&, Stream&);
Result finish(Guard&, Stream&);
Result finish(Guard&, const RecordPtr&);
Result finish_device(Guard&, Device&);

// ---- memory ----
// Checks that these bytes are memory of the device `d`, or of any device if `d` is null.
Outcome check_range(const Device* d, Pointer, size_t bytes);
// Checks that an argument of a kernel, if it is a pointer, points to memory that the device may use.
Outcome check_argument(const Device&, Pointer);
bool pinned(const void* p, size_t bytes);

}  // namespace driver
