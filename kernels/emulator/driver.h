// The state behind the functions of the driver: devices, streams and memory. One lock guards all of it; work is done
// without the lock.
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

// What a piece of work came to.
struct Outcome {
  Result result = SUCCESS;
  std::string message;
};

struct Stream;
struct Capture;

// A point in a stream's work.
struct Record {
  std::weak_ptr<Stream> stream;
  Capture* capture;  // in which it was made, else null; only to be compared
  bool done = false;
  Clock::time_point time;
};
typedef std::shared_ptr<Record> RecordPtr;

// A step of a stream: something to do, a record to reach, or one to wait for.
struct Step {
  std::function<Outcome()> work;
  RecordPtr reached, awaited;
};

struct Device {
  int ordinal;
  size_t total, used = 0, most = 0;
  Outcome error;  // of work, from then on of every call
  std::shared_ptr<Stream> null_stream;
  std::set<Stream*> streams;
};

struct Stream : std::enable_shared_from_this<Stream> {
  Device* device;
  bool blocking;  // waits for the null stream, and the other way round
  bool busy = false;
  std::deque<Step> steps;
  std::shared_ptr<Capture> capture;
};

// Steps recorded instead of done, each with the place of its stream in `streams`; the first began it.
struct Capture {
  std::vector<Stream*> streams;
  std::vector<std::pair<size_t, Step>> steps;
  bool invalid = false;
};

extern std::mutex state;
Guard lock();

// ---- devices ----
Device* device(int ordinal);    // null: there is none
Device* current(Result* error);  // of this thread; null with the error to return, which may be that of earlier work
enum Attribute { MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97 };
int attribute(int which);
// Keeps the message for cuGetErrorString and says it on standard error, since an error in a destructor is not heard.
Result report(Result, const std::string& message);

// ---- streams ----
Stream* stream_of(void* handle, Result* error);
Result enqueue(Guard&, Stream&, Step);
// Does a step, or what it waits for, or waits for another thread that is at it.
void advance(Guard&, Stream&);
Result finish(Guard&, Stream&);
Result finish(Guard&, const RecordPtr&);
Result finish_device(Guard&, Device&);

// ---- memory ----
// Whether these bytes are a device's memory; of any, if `d` is null.
Outcome check_range(const Device* d, Pointer, size_t bytes);
// Whether an argument of a kernel points to memory that the device may not use.
Outcome check_argument(const Device&, Pointer);
bool pinned(const void* p, size_t bytes);

}  // namespace driver
