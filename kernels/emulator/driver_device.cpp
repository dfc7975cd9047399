// The driver: devices, contexts and errors.
//
// All driver_*.cpp have only the functions that the host code and its bindings call; cuda.h is their reference.
#include <cstdio>
#include <cstring>

#include "driver.h"

using namespace driver;

namespace driver {

std::mutex state;
Guard lock() { return Guard(state); }

namespace {

thread_local Device* current_device = nullptr;

std::vector<std::unique_ptr<Device>>& devices() {
  static auto* all = [] {
    auto* list = new std::vector<std::unique_ptr<Device>>;
    long long count = emu::environment("FLOWMASK_EMULATOR_DEVICES", 2);
    for (int i = 0; i < count; i++) {
      list->push_back(std::make_unique<Device>());
      Device& d = *list->back();
      d.ordinal = i;
      d.total = emu::environment("FLOWMASK_EMULATOR_MEMORY", 8ll << 30);
      d.null_stream = std::make_shared<Stream>();
      d.null_stream->device = &d;
      d.null_stream->blocking = true;
    }
    return list;
  }();
  return *all;
}

// The latest message of each error. Messages are never freed, since callers get their addresses.
std::map<Result, const std::string*> messages;

const char* name_of(Result r) {
  switch (r) {
    case SUCCESS: return "CUDA_SUCCESS";
    case INVALID_VALUE: return "CUDA_ERROR_INVALID_VALUE";
    case OUT_OF_MEMORY: return "CUDA_ERROR_OUT_OF_MEMORY";
    case NO_DEVICE: return "CUDA_ERROR_NO_DEVICE";
    case INVALID_DEVICE: return "CUDA_ERROR_INVALID_DEVICE";
    case INVALID_CONTEXT: return "CUDA_ERROR_INVALID_CONTEXT";
    case INVALID_HANDLE: return "CUDA_ERROR_INVALID_HANDLE";
    case NOT_FOUND: return "CUDA_ERROR_NOT_FOUND";
    case NOT_READY: return "CUDA_ERROR_NOT_READY";
    case ILLEGAL_ADDRESS: return "CUDA_ERROR_ILLEGAL_ADDRESS";
    case LAUNCH_FAILED: return "CUDA_ERROR_LAUNCH_FAILED";
    case CAPTURE_UNSUPPORTED: return "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED";
    case CAPTURE_INVALIDATED: return "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED";
    case CAPTURE_UNJOINED: return "CUDA_ERROR_STREAM_CAPTURE_UNJOINED";
    case CAPTURE_ISOLATION: return "CUDA_ERROR_STREAM_CAPTURE_ISOLATION";
  }
  return "CUDA_ERROR_UNKNOWN";
}

}  // namespace

bool coherent() {
  static const bool yes = emu::environment("FLOWMASK_EMULATOR_COHERENT", 0);
  return yes;
}

Device* device(int ordinal) {
  auto& all = devices();
  return ordinal >= 0 && ordinal < (int)all.size() ? all[ordinal].get() : nullptr;
}

Device* current(Result* error) {
  *error = !current_device ? INVALID_CONTEXT : current_device->error.result;
  return *error ? nullptr : current_device;
}

int attribute(int which) {
  int capability = emu::environment("FLOWMASK_EMULATOR_CAPABILITY", 80);
  // KiB of a multiprocessor: of cards for workstations, and of those of data centres. Each block costs 1 KiB more than
  // it uses.
  bool small = capability == 86 || capability == 89 || capability >= 120;
  int shared = small ? 100 : capability >= 90 ? 228 : 164;
  switch (which) {
    case 1: case 2: case 3: return 1024;      // threads of a block, and in x and y
    case 4: return 64;                        // threads in z
    case 5: return 0x7fffffff;                // blocks in x
    case 6: case 7: return 0xffff;            // blocks in y and z
    case 8: return 48 << 10;                  // shared memory of a block, without asking
    case 10: return 32;                       // lanes of a warp
    case 12: case 82: return 64 << 10;        // registers of a block and of a multiprocessor
    case 16: return emu::environment("FLOWMASK_EMULATOR_MULTIPROCESSORS", 108);
    case 19: case 40: case 41: return 1;      // host memory can be mapped; copies run beside kernels; unified addresses
    case 38: return 40 << 20;                 // bytes of the L2 cache
    case 39: return 2048;                     // threads of a multiprocessor
    case 75: return capability / 10;
    case 76: return capability % 10;
    case 81: return shared << 10;             // shared memory of a multiprocessor
    case MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: return (shared - 1) << 10;       // shared memory of a block, when asked for
    case 88: return coherent();               // pageable memory is read
    case 115: return 1;                       // memory can be allocated in the order of a stream
  }
  return 0;
}

Result report(Result result, const std::string& message) {
  static auto* kept = new std::set<std::string>;
  messages[result] = &*kept->insert(message).first;
  fprintf(stderr, "emulator: %s: %s\n", name_of(result), message.c_str());
  return result;
}

}  // namespace driver

API cuInit(unsigned) { return device(0) ? SUCCESS : NO_DEVICE; }
API cuDriverGetVersion(int* version) {
  *version = 12090;  // not below that of the NVRTC in nvrtc.cpp
  return SUCCESS;
}
// NVRTC asks for a table when it sees a driver, and crashes where the function is not there.
API cuGetExportTable(const void** table, const void*) {
  *table = nullptr;
  return NOT_FOUND;
}

API cuDeviceGetCount(int* count) {
  for (*count = 0; device(*count);) ++*count;
  return SUCCESS;
}
API cuDeviceGet(int* handle, int ordinal) {
  *handle = ordinal;
  return device(ordinal) ? SUCCESS : INVALID_DEVICE;
}
API cuDeviceGetName(char* name, int size, int ordinal) {
  snprintf(name, size, "Emulator");
  return device(ordinal) ? SUCCESS : INVALID_DEVICE;
}
API cuDeviceGetUuid(char* uuid, int ordinal) {
  memset(uuid, 0, 16);
  uuid[15] = (char)ordinal;
  return SUCCESS;
}
API cuDeviceGetUuid_v2(char* uuid, int ordinal) { return cuDeviceGetUuid(uuid, ordinal); }
API cuDeviceTotalMem_v2(size_t* bytes, int ordinal) {
  if (!device(ordinal)) return INVALID_DEVICE;
  *bytes = device(ordinal)->total;
  return SUCCESS;
}
API cuDeviceGetAttribute(int* value, int which, int ordinal) {
  *value = attribute(which);
  return device(ordinal) ? SUCCESS : INVALID_DEVICE;
}

API cuDevicePrimaryCtxRetain(void** context, int ordinal) {
  *context = device(ordinal);
  return *context ? SUCCESS : INVALID_DEVICE;
}
API cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
API cuCtxSetCurrent(void* context) {
  current_device = (Device*)context;
  return SUCCESS;
}
API cuCtxGetCurrent(void** context) {
  *context = current_device;
  return SUCCESS;
}
API cuCtxGetDevice(int* ordinal) {
  if (!current_device) return INVALID_CONTEXT;
  *ordinal = current_device->ordinal;
  return SUCCESS;
}
API cuCtxSynchronize() {
  Guard guard = lock();
  Result error;
  Device* d = current(&error);
  return d ? finish_device(guard, *d) : error;
}
API cuCtxGetStreamPriorityRange(int* least, int* greatest) {
  *least = *greatest = 0;
  return SUCCESS;
}

API cuGetErrorName(Result r, const char** name) {
  *name = name_of(r);
  return SUCCESS;
}
API cuGetErrorString(Result r, const char** text) {
  Guard guard = lock();
  auto found = messages.find(r);
  *text = found != messages.end() ? found->second->c_str() : name_of(r);
  return SUCCESS;
}
