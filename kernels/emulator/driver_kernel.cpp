// The driver: modules and kernels.
//
// The contents of modules are ignored: the function NAME is emu_NAME in this library (EMU_KERNEL in runtime.h).
#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "driver.h"

using namespace driver;

namespace {

constexpr size_t SHARED_MEMORY = 48 << 10;

struct Function {
  std::string name;
  int (*launch)(const uint32_t* grid, const uint32_t* block, size_t smem, void* const* arguments);
  const uint32_t* sizes;
  Device* device;
  size_t shared = SHARED_MEMORY;
};

// Each module has its own functions, with their own limits.
struct Module {
  Device* device;
  std::map<std::string, std::unique_ptr<Function>> functions;
};
std::map<void*, std::unique_ptr<Module>> modules;
std::vector<std::unique_ptr<Module>> unloaded;

// A handle of this library, since the host loads it without making its symbols global.
void* self() {
  static void* handle = [] {
    Dl_info info;
    return dladdr((void*)self, &info) ? dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD) : nullptr;
  }();
  return handle;
}

// The kernel that FLOWMASK_EMULATOR_INSTEAD, as NAME=OTHER, plants in place of another one.
std::string in_place_of(const std::string& name) {
  const char* planted = getenv("FLOWMASK_EMULATOR_INSTEAD");
  std::string prefix = name + "=";
  return planted && !strncmp(planted, prefix.c_str(), prefix.size()) ? planted + prefix.size() : name;
}

int most_shared() { return attribute(MAX_SHARED_MEMORY_PER_BLOCK_OPTIN); }

// A copy of a kernel's arguments, kept until it runs.
struct Arguments {
  std::vector<uint64_t> words;
  std::vector<size_t> places, sizes;

  Arguments(const uint32_t* s, void** values) {
    for (int i = 0; s[i]; i++) {
      places.push_back(words.size());
      sizes.push_back(s[i]);
      words.resize(words.size() + (s[i] + 7) / 8);
      memcpy(&words[places[i]], values[i], s[i]);
    }
  }
  Outcome check(const Device& d) const {
    for (size_t i = 0; i < sizes.size(); i++)
      if (sizes[i] == 8) {
        Outcome o = check_argument(d, words[places[i]]);
        if (o.result) return {o.result, "argument " + std::to_string(i) + " " + o.message};
      }
    return {};
  }
};

Outcome run(const Function& f, dim3 grid, dim3 block, size_t smem, Arguments& arguments, const emu::Host& host) {
  {
    Guard guard = lock();
    Outcome o = arguments.check(*f.device);
    if (o.result) return {o.result, "kernel " + f.name + ": " + o.message};
  }
  std::vector<void*> pointers;
  for (size_t place : arguments.places) pointers.push_back(&arguments.words[place]);
  uint32_t g[3] = {grid.x, grid.y, grid.z}, b[3] = {block.x, block.y, block.z};
  emu::ActFor acting(host);
  if (f.launch(g, b, smem, pointers.data())) return {LAUNCH_FAILED, emu::last_error()};
  return {};
}

}  // namespace

API cuModuleLoadData(void** module, const void*) {
  Guard guard = lock();
  Result error;
  Device* d = current(&error);
  if (!d) return error;
  auto m = std::make_unique<Module>();
  m->device = d;
  *module = m.get();
  modules[*module] = std::move(m);
  return SUCCESS;
}
API cuModuleLoad(void** module, const char*) { return cuModuleLoadData(module, nullptr); }
API cuModuleUnload(void* module) {
  Guard guard = lock();
  auto found = modules.find(module);
  if (found == modules.end()) return report(INVALID_HANDLE, "a module that is not there");
  unloaded.push_back(std::move(found->second));  // kernels that were launched may still need it
  modules.erase(found);
  return SUCCESS;
}
API cuModuleGetFunction(void** handle, void* module, const char* name) {
  Guard guard = lock();
  auto found = modules.find(module);
  if (found == modules.end()) return report(INVALID_HANDLE, "a module that is not there");
  std::string symbol = in_place_of(name);
  auto launch = dlsym(self(), ("emu_" + symbol).c_str()), sizes = dlsym(self(), ("emu_sizes_" + symbol).c_str());
  if (!launch || !sizes) return report(NOT_FOUND, "there is no EMU_KERNEL(" + symbol + ")");
  auto& f = found->second->functions[symbol];
  Device* d = found->second->device;
  if (!f) f.reset(new Function{symbol, (decltype(Function::launch))launch, (const uint32_t*)sizes, d});
  *handle = f.get();
  return SUCCESS;
}
API cuFuncSetAttribute(void* handle, int which, int value) {
  if (which != 8) return SUCCESS;  // 8: the most dynamic shared memory
  if (value < 0 || value > most_shared()) return INVALID_VALUE;
  Guard guard = lock();
  ((Function*)handle)->shared = std::max<size_t>(SHARED_MEMORY, value);
  return SUCCESS;
}
API cuFuncGetAttribute(int* value, int which, void*) {
  *value = which == 0 ? 1024 : 0;  // 0: the most threads of a block; the emulator does not know the others
  return SUCCESS;
}
API cuFuncSetCacheConfig(void*, int) { return SUCCESS; }
API cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void*, int threads, size_t smem) {
  int most = 2048 / std::max(threads, 32);
  *blocks = std::min<int>({most, 32, most_shared() / (int)(smem + 1024)});
  return SUCCESS;
}
API cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, void* f, int threads, size_t smem, unsigned) {
  return cuOccupancyMaxActiveBlocksPerMultiprocessor(blocks, f, threads, smem);
}

API cuLaunchKernel(void* handle, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned smem, void* stream, void** values, void**) {
  Guard guard = lock();
  Result error;
  Stream* s = stream_of(stream, &error);
  if (!s) return error;
  const Function& f = *(Function*)handle;
  std::string kernel = "kernel " + f.name + ": ";
  if (f.device != s->device) return report(INVALID_HANDLE, kernel + "it belongs to another device than the stream");
  if (!gx || !gy || !gz || !bx || !by || !bz) return report(INVALID_VALUE, kernel + "a grid or a block of nothing");
  if (gx > 0x7fffffff || gy > 0xffff || gz > 0xffff) return report(INVALID_VALUE, kernel + "too large a grid");
  if (bx > 1024 || by > 1024 || bz > 64 || (uint64_t)bx * by * bz > 1024)
    return report(INVALID_VALUE, kernel + "too large a block");
  if (smem > f.shared)
    return report(INVALID_VALUE, kernel + std::to_string(smem) + " bytes of shared memory, of which it may have " +
                                     std::to_string(f.shared));
  auto arguments = std::make_shared<Arguments>(f.sizes, values);
  emu::Host host = emu::this_host();
  dim3 grid{gx, gy, gz}, block{bx, by, bz};
  auto work = [=, &f] { return run(f, grid, block, smem, *arguments, host); };
  return enqueue(guard, *s, {work, nullptr, nullptr});
}
API cuLaunchHostFunc(void* stream, void (*function)(void*), void* data) {
  Guard guard = lock();
  Result error;
  Stream* s = stream_of(stream, &error);
  if (!s) return error;
  auto work = [=] {
    function(data);
    return Outcome{};
  };
  return enqueue(guard, *s, {work, nullptr, nullptr});
}
