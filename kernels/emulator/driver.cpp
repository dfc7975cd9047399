// driver.cpp -> libcuda.so.1: a CPU "driver" so that the host code runs through cudarc unchanged.
// Modules are ignored; cuModuleGetFunction(name) finds emu_<name> (the kernels compiled with emulator.h).
// Streams are synchronous; capture records closures and cuGraphLaunch replays them.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>
typedef int R; typedef uint64_t P; enum { OK = 0, INVALID = 1, OOM = 2, NO_DEVICE = 100, NOT_FOUND = 500, LAUNCH_FAILED = 719 };
#define API extern "C" __attribute__((visibility("default"))) R
using Clock = std::chrono::steady_clock;
struct Fn { std::string name; int (*k)(const uint32_t*, const uint32_t*, size_t, void* const*); const uint32_t* sizes; };
struct Graph { std::vector<std::function<R()>> ops; };
struct Stream { Graph* cap = nullptr; };
static void* self() { Dl_info i; dladdr((void*)self, &i); static void* h = dlopen(i.dli_fname, RTLD_NOW | RTLD_NOLOAD); return h; }   // cudarc loads us RTLD_LOCAL
static Stream null_stream; static R sticky = OK;
static Stream& S(void* s) { return s ? *(Stream*)s : null_stream; }
static R run(void* s, std::function<R()> f) { if (sticky) return sticky; if (S(s).cap) { S(s).cap->ops.push_back(std::move(f)); return OK; } R r = f(); if (r) sticky = r; return r; }
API cuInit(unsigned) { return getenv("FAKECUDA_NO_DEVICE") ? NO_DEVICE : OK; }
API cuGetExportTable(const void** t, const void* id) { if (getenv("FAKECUDA_TRACE")) { auto p = (const unsigned char*)id; for (int i = 0; i < 16; i++) fprintf(stderr, "%02x", p[i]); fprintf(stderr, "\n"); } *t = nullptr; return NOT_FOUND; }   // NVRTC asks for one when it sees libcuda.so.1
API cuDriverGetVersion(int* v) { *v = 12090; return OK; }
API cuDeviceGetCount(int* n) { *n = 2; return OK; }
API cuDeviceGet(int* d, int i) { *d = i; return i < 2 ? OK : 101; }
API cuDeviceGetName(char* s, int n, int d) { snprintf(s, n, "CPU emulator %d", d); return OK; }
API cuDeviceTotalMem_v2(size_t* n, int) { *n = 8ull << 30; return OK; }
API cuDeviceGetAttribute(int* v, int a, int) { *v = a == 75 ? 8 : a == 76 ? 0 : a == 16 ? 108 : a == 115 ? 1 : a == 97 ? 166912 : 1; return OK; }   // cc 8.0, 108 SMs, memory pools
API cuDevicePrimaryCtxRetain(void** c, int d) { *c = (void*)(uintptr_t)(d + 1); return OK; }
API cuDevicePrimaryCtxRelease_v2(int) { return OK; }
static thread_local void* ctx;
API cuCtxSetCurrent(void* c) { ctx = c; return OK; }
API cuCtxGetCurrent(void** c) { *c = ctx; return OK; }
API cuCtxSynchronize() { return sticky; }
API cuMemGetInfo_v2(size_t* f, size_t* t) { *f = *t = 8ull << 30; return OK; }
API cuStreamCreate(void** s, unsigned) { *s = new Stream; return OK; }
API cuStreamDestroy_v2(void* s) { delete (Stream*)s; return OK; }
API cuStreamSynchronize(void*) { return sticky; }
API cuStreamWaitEvent(void*, void*, unsigned) { return OK; }
API cuEventCreate(void** e, unsigned) { *e = new Clock::time_point; return OK; }
API cuEventDestroy_v2(void* e) { delete (Clock::time_point*)e; return OK; }
API cuEventRecord(void* e, void* s) { (void)s; *(Clock::time_point*)e = Clock::now(); return OK; }
API cuEventSynchronize(void*) { return sticky; }
API cuEventQuery(void*) { return sticky; }
static R elapsed(float* ms, void* a, void* b) { *ms = std::chrono::duration<float, std::milli>(*(Clock::time_point*)b - *(Clock::time_point*)a).count(); return OK; }
API cuEventElapsedTime(float* ms, void* a, void* b) { return elapsed(ms, a, b); }
API cuEventElapsedTime_v2(float* ms, void* a, void* b) { return elapsed(ms, a, b); }
static std::map<P, size_t> live; static std::mutex live_lock;
static R mem(P* p, size_t n) { void* q = malloc(n ? n : 1); if (!q) return OOM; memset(q, 0xff, n); *p = (P)q; std::lock_guard<std::mutex> g(live_lock); live[*p] = n; return OK; }   // exact size: ASan sees overruns; 0xff: NaN
API cuMemAlloc_v2(P* p, size_t n) { return mem(p, n); }
API cuMemAllocAsync(P* p, size_t n, void*) { return mem(p, n); }
static R forget(P p) { { std::lock_guard<std::mutex> g(live_lock); live.erase(p); } free((void*)p); return OK; }
API cuMemFree_v2(P p) { return forget(p); }
// The device of an address (attribute 9), which is always the first.
API cuPointerGetAttribute(int* v, int, P p) { std::lock_guard<std::mutex> g(live_lock); auto i = live.upper_bound(p); *v = 0; return i != live.begin() && p - std::prev(i)->first < std::prev(i)->second ? OK : INVALID; }
API cuMemFreeAsync(P p, void*) { return forget(p); }
API cuMemHostAlloc(void** p, size_t n, unsigned) { *p = malloc(n ? n : 1); return OK; }
API cuMemFreeHost(void* p) { free(p); return OK; }
API cuMemcpyHtoDAsync_v2(P d, const void* h, size_t n, void* s) { return run(s, [=] { memcpy((void*)d, h, n); return OK; }); }
API cuMemcpyDtoHAsync_v2(void* h, P d, size_t n, void* s) { return run(s, [=] { memcpy(h, (void*)d, n); return OK; }); }
API cuMemcpyDtoDAsync_v2(P d, P a, size_t n, void* s) { return run(s, [=] { memcpy((void*)d, (void*)a, n); return OK; }); }
API cuMemsetD8Async(P d, unsigned char v, size_t n, void* s) { return run(s, [=] { memset((void*)d, v, n); return OK; }); }
API cuModuleLoadData(void** m, const void* image) { *m = (void*)image; return OK; }
API cuModuleLoad(void** m, const char*) { *m = (void*)1; return OK; }
API cuModuleUnload(void*) { return OK; }
API cuModuleGetFunction(void** f, void*, const char* name) {
  auto* fn = new Fn{name, nullptr, nullptr};
  fn->k = (decltype(fn->k))dlsym(self(), ("emu_" + fn->name).c_str()); fn->sizes = (const uint32_t*)dlsym(self(), ("emu_sizes_" + fn->name).c_str());
  if (!fn->k) { fprintf(stderr, "fakecuda: no emulated kernel %s\n", name); delete fn; return NOT_FOUND; }
  *f = fn; return OK;
}
API cuFuncSetAttribute(void*, int, int) { return OK; }
API cuFuncGetAttribute(int* v, int, void*) { *v = 0; return OK; }
API cuLaunchKernel(void* f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned sm, void* s, void** args, void**) {
  Fn* fn = (Fn*)f; auto copy = std::make_shared<std::vector<uint64_t>>(); auto ptrs = std::make_shared<std::vector<size_t>>();
  for (int i = 0; fn->sizes[i]; i++) { size_t at = copy->size(); ptrs->push_back(at); copy->resize(at + (fn->sizes[i] + 7) / 8); memcpy(copy->data() + at, args[i], fn->sizes[i]); }
  return run(s, [=] {
    std::vector<void*> a; for (size_t at : *ptrs) a.push_back(copy->data() + at);
    uint32_t g[3] = {gx, gy, gz}, b[3] = {bx, by, bz}; return fn->k(g, b, sm, a.data()) ? (R)LAUNCH_FAILED : (R)OK; });
}
API cuStreamBeginCapture_v2(void* s, int) { S(s).cap = new Graph; return OK; }
API cuStreamEndCapture(void* s, void** g) { *g = S(s).cap; S(s).cap = nullptr; return OK; }
API cuStreamIsCapturing(void* s, int* st) { *st = S(s).cap ? 1 : 0; return OK; }
static R inst(void** e, void* g) { *e = g; return OK; }
API cuGraphInstantiateWithFlags(void** e, void* g, unsigned long long) { return inst(e, g); }
API cuGraphLaunch(void* e, void*) { for (auto& f : ((Graph*)e)->ops) if (R r = f()) return sticky = r; return OK; }
API cuGraphUpload(void*, void*) { return OK; }
API cuGraphExecDestroy(void*) { return OK; }
API cuGraphDestroy(void* g) { delete (Graph*)g; return OK; }
API cuGetErrorName(R r, const char** s) { *s = r == NO_DEVICE ? "CUDA_ERROR_NO_DEVICE" : r == LAUNCH_FAILED ? "CUDA_ERROR_LAUNCH_FAILED" : "CUDA_ERROR"; return OK; }
API cuGetErrorString(R r, const char** s) { return cuGetErrorName(r, s); }
