// scheduler.cpp — the scheduler.  Build WITHOUT sanitizers (g++ -O3 -march=x86-64-v3 -std=c++17 -c); x86-64 only (emu_switch).
#include "emulator.h"
#include <algorithm>
#include <cstdarg>
#include <cstdlib>
#include <immintrin.h>
#include <sys/mman.h>
#include <vector>
#undef threadIdx
#undef blockIdx
extern "C" {
void emu_switch(void** save, void* to);
__attribute__((weak)) void __sanitizer_start_switch_fiber(void**, const void*, size_t);
__attribute__((weak)) void __sanitizer_finish_switch_fiber(void*, const void**, size_t*);
__attribute__((weak)) void __asan_unpoison_memory_region(const volatile void*, size_t);
__attribute__((weak)) void* __tsan_create_fiber(unsigned);
__attribute__((weak)) void __tsan_destroy_fiber(void*);
__attribute__((weak)) void* __tsan_get_current_fiber();
__attribute__((weak)) void __tsan_switch_to_fiber(void*, unsigned);
__attribute__((weak)) void __tsan_acquire(void*);
__attribute__((weak)) void __tsan_release(void*);
}
asm(R"(.text
.globl emu_switch
.type emu_switch,@function
emu_switch:
  pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
  ret
.size emu_switch,.-emu_switch
)");
namespace emu {
__thread Fiber* cur; __thread Block* blk; static __thread Stats stats;
namespace {
constexpr size_t STACK = 256 << 10;
struct Op { u32 mask, arrived, left; int kind; };
struct Pay { Row in[32]; float out[32][4]; };                // out must follow in
constexpr int NOP = 8;                                        // warp operations open at once per warp
struct Warp { Op op[NOP]; u32 ready, live, lanes; Pay pay[NOP]; };
struct Run {
  std::vector<Fiber> f; std::vector<Warp> w; std::vector<char*> stacks;
  Thunk fn; void* const* args; void* main_sp; void *main_tsan, *main_fake; const void* main_bot; size_t main_size;
  int n, done, waiting, red[3], out[3]; u64 rng; char end_obj, sync_obj[2 + 32 * NOP], *so; int gen, bar_id; std::vector<void*> smems; bool failed; char msg[512]; const char* bar_file; int bar_line;
};
__thread Run* R;
int opt_sched = -1, opt_eager = -1; u64 opt_seed = 1;   // sched: 0 lockstep, 1 greedy forward, 2 greedy backward, 3 random
u32 rnd() { u64& x = R->rng; x ^= x << 13; x ^= x >> 7; x ^= x << 17; return (u32)(x >> 32); }

void to_main(bool dying) {                       // fiber -> scheduler
  Fiber* f = cur; stats.switches++;
  if (__sanitizer_start_switch_fiber) __sanitizer_start_switch_fiber(dying ? nullptr : &f->fake, R->main_bot, R->main_size);
  if (__tsan_switch_to_fiber) __tsan_switch_to_fiber(R->main_tsan, 1);
  emu_switch(&f->sp, R->main_sp);
  if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(f->fake, &R->main_bot, &R->main_size);
}
void to_fiber(Fiber* f) {
  cur = f;
  if (__sanitizer_start_switch_fiber) __sanitizer_start_switch_fiber(&R->main_fake, f->stack, STACK);
  if (__tsan_switch_to_fiber) __tsan_switch_to_fiber(f->tsan, 1);          // 1 = no happens-before by switching
  emu_switch(&R->main_sp, f->sp);
  if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(R->main_fake, nullptr, nullptr);
}
void block_me(const char* file, int line) {
  cur->file = file; cur->line = line; R->w[cur->lin / 32].ready &= ~(1u << cur->lin % 32); to_main(false);
}
extern "C" void emu_entry() {
  if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(nullptr, &R->main_bot, &R->main_size);
  if (__tsan_acquire) __tsan_acquire(&R->main_sp);
  R->fn(R->args);
  if (__tsan_release) __tsan_release(&R->end_obj);
  Warp& w = R->w[cur->lin / 32]; u32 b = 1u << cur->lin % 32; w.ready &= ~b; w.live &= ~b; R->done++;
  to_main(true); __builtin_trap();
}
void release_barrier() {
  for (int i = 0; i < 3; i++) R->out[i] = R->red[i];
  R->red[0] = 0; R->red[1] = 1; R->red[2] = 0; R->waiting = 0; R->gen ^= 1; stats.barriers++;
  for (auto& w : R->w) w.ready = w.live;
}
}  // namespace

void fail(const char* fmt, ...) {
  Block* b = blk; Fiber* f = cur; int k = snprintf(R->msg, sizeof R->msg, "block (%u,%u,%u) thread (%u,%u,%u): ", b->bid.x, b->bid.y, b->bid.z, f->tid.x, f->tid.y, f->tid.z);
  va_list ap; va_start(ap, fmt); vsnprintf(R->msg + k, sizeof R->msg - k, fmt, ap); va_end(ap);
  R->failed = true; to_main(false); __builtin_trap();
}
void barrier(const char* file, int line, int id) {
  if (R->waiting && id != R->bar_id)
    fail("divergent __syncthreads: this thread is at %s:%d, others wait at %s:%d", file, line, R->bar_file, R->bar_line);
  R->bar_file = file; R->bar_line = line; R->bar_id = id; void* o = R->so + R->gen;
  if (__tsan_release) __tsan_release(o);
  if (++R->waiting == R->n) release_barrier(); else block_me(file, line);
  if (__tsan_acquire) __tsan_acquire(o);
}
int barrier_reduce(const char* file, int line, int id, int v, int op) {
  R->red[0] |= v; R->red[1] &= v; R->red[2] += v; barrier(file, line, id); return R->out[op];
}
void mma_all(const Row* in, float out[32][4]) {
  alignas(32) float A[16][16], Bm[16][8], D[16][8];
  for (int l = 0; l < 32; l++) {
    int g = l >> 2, t = (l & 3) * 2; alignas(32) float h[16];
    _mm256_store_ps(h, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)in[l].v)));
    _mm256_store_ps(h + 8, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)(in[l].v + 2))));
    for (int e = 0; e < 2; e++) {
      A[g][t + e] = h[e]; A[g + 8][t + e] = h[2 + e]; A[g][t + 8 + e] = h[4 + e]; A[g + 8][t + 8 + e] = h[6 + e];
      Bm[t + e][g] = h[8 + e]; Bm[t + 8 + e][g] = h[10 + e];
    }
  }
  for (int i = 0; i < 16; i++) {
    __m256 s = _mm256_setzero_ps();
    for (int k = 0; k < 16; k++) s = _mm256_fmadd_ps(_mm256_set1_ps(A[i][k]), _mm256_load_ps(Bm[k]), s);
    _mm256_store_ps(D[i], s);
  }
  for (int l = 0; l < 32; l++) { int g = l >> 2, t = (l & 3) * 2; out[l][0] = D[g][t]; out[l][1] = D[g][t + 1]; out[l][2] = D[g + 8][t]; out[l][3] = D[g + 8][t + 1]; }
}
const Row* meet(u32 mask, int kind, const Row& in, bool fence, const char* file, int line) {
  Warp& w = R->w[cur->lin / 32]; int l = cur->lin % 32; u32 bit = 1u << l; Op* o = nullptr;
  if (!(mask & bit)) fail("%s:%d lane %d calls a warp operation whose mask %08x leaves it out", file, line, l, mask);
  mask &= w.lanes; if (kind >= 7 && w.lanes != ~0u) fail("%s:%d mma/ldmatrix in an incomplete warp", file, line);
  for (auto& c : w.op) if (c.mask == mask && c.kind == kind && c.arrived != c.mask && !(c.arrived & bit)) { o = &c; break; }
  if (!o) for (auto& c : w.op) if (!c.mask) { o = &c; c.mask = mask; c.kind = kind; c.arrived = 0; break; }
  if (!o) fail("%s:%d too many open warp operations", file, line);
  for (auto& c : w.op) if (c.left & bit) { c.left &= ~bit; if (!c.left && c.arrived == c.mask) c.mask = 0; }   // done reading the last one
  Pay& p = w.pay[o - w.op]; p.in[l] = in; o->arrived |= bit; o->left |= bit;
  if (fence && __tsan_release) __tsan_release(R->so + 2 + cur->lin / 32 * NOP + (o - w.op));
  if (o->arrived == mask) { if (kind == 8) { mma_all(p.in, p.out); stats.mma++; } w.ready |= mask; } else block_me(file, line);
  if (fence && __tsan_acquire) __tsan_acquire(R->so + 2 + cur->lin / 32 * NOP + (o - w.op));
  return p.in;
}
int launch(const char* name, Thunk fn, void* const* args, const u32 g[3], const u32 b[3], size_t smem) {
  if (!R) R = new Run(); Run& r = *R; Block B{}; blk = &B;
  B.grid = {g[0], g[1], g[2]}; B.dim = {b[0], b[1], b[2]}; B.smem_bytes = smem;
  const char* e; int sched = opt_sched >= 0 ? opt_sched : (e = getenv("EMU_SCHED")) ? atoi(e) : 0;
  B.eager = opt_eager >= 0 ? opt_eager : (e = getenv("EMU_EAGER")) ? atoi(e) : 0;
  r.rng = 0x9E3779B97F4A7C15ull * (opt_seed + 1); r.n = b[0] * b[1] * b[2]; r.fn = fn; r.args = args;
  if (r.n > 1024 || smem > 232448) { fprintf(stderr, "cuemu: %s: launch too large (%d threads, %zu B shared)\n", name, r.n, smem); return 1; }
  int nw = (r.n + 31) / 32; r.f.resize(std::max<size_t>(r.f.size(), 2 * r.n)); r.w.assign(nw, Warp{}); int off = 0;   // off: under TSan even and odd blocks use different fibers
  while ((int)r.stacks.size() < r.n * (__tsan_release ? 2 : 1)) {
    char* s = (char*)mmap(nullptr, STACK + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    mprotect(s, 4096, PROT_NONE); r.stacks.push_back(s + 4096);
  }
  void* p = nullptr; if (r.failed && __asan_unpoison_memory_region) for (char* s : r.stacks) __asan_unpoison_memory_region(s, STACK);
  r.failed = false;
  if (__tsan_get_current_fiber) r.main_tsan = __tsan_get_current_fiber();
  r.so = r.sync_obj;
  if (__tsan_create_fiber) for (int i = 0; i < 2 * r.n; i++) r.f[i].tsan = __tsan_create_fiber(0);
  u64 nb = (u64)g[0] * g[1] * g[2]; std::vector<int> wo(nw), lo(32); for (int i = 0; i < nw; i++) wo[i] = i; for (int i = 0; i < 32; i++) lo[i] = i;
  if (sched == 2) { std::reverse(wo.begin(), wo.end()); std::reverse(lo.begin(), lo.end()); }
  for (u64 q = 0; q < nb && !r.failed; q++) {
    u64 id = sched == 2 ? nb - 1 - q : q; B.bid = {(u32)(id % g[0]), (u32)(id / g[0] % g[1]), (u32)(id / g[0] / g[1])};
    if (!p || __tsan_release) {                       // TSan: fresh memory, sync objects and fibers per block, so that blocks stay unordered
      if (posix_memalign(&p, 128, smem + (__tsan_release ? sizeof r.sync_obj : !smem))) abort();
      if (__tsan_release) r.so = (char*)p + smem;
      B.smem = (unsigned char*)p; r.smems.push_back(p);
    }
    for (size_t i = 0; i < smem; i++) ((volatile unsigned char*)p)[i] = 0xff;           // NaN: reading before writing shows
    off = __tsan_release && (q & 1) ? r.n : 0;
    r.done = r.waiting = 0; r.red[0] = r.red[2] = 0; r.red[1] = 1;
    for (int i = 0; i < r.n; i++) {
      Fiber& f = r.f[off + i]; f.lin = i; f.tid = {(u32)i % b[0], (u32)i / b[0] % b[1], (u32)i / b[0] / b[1]}; f.nq = f.group = 0; f.file = nullptr; f.fake = nullptr;
      f.stack = r.stacks[off + i]; void** s = (void**)(f.stack + STACK - 64); s[0] = (void*)emu_entry; f.sp = s - 6; for (int k = 1; k <= 6; k++) s[-k] = nullptr;
      Warp& w = r.w[i / 32]; if (i % 32 == 0) { for (auto& o : w.op) o.mask = o.arrived = o.left = 0; w.ready = w.live = 0; } w.ready |= 1u << i % 32; w.live = w.lanes = w.ready;
    }
    if (__tsan_release) __tsan_release(&r.main_sp);
    while (r.done < r.n && !r.failed) {
      bool any = false;
      if (sched == 3) { for (int i = nw - 1; i > 0; i--) std::swap(wo[i], wo[rnd() % (i + 1)]); for (int i = 31; i > 0; i--) std::swap(lo[i], lo[rnd() % (i + 1)]); }
      for (int wi : wo) {
        Warp& w = r.w[wi]; if (sched == 3 && any && (rnd() & 1)) continue;
        while (w.ready && !r.failed) {
          for (int l : lo) if ((w.ready >> l & 1) && !r.failed) { any = true; to_fiber(&r.f[off + wi * 32 + l]); }
          if (sched == 0 || (sched == 3 && (rnd() & 1))) break;
        }
      }
      if (any || r.failed || r.done == r.n) continue;
      r.failed = true; int k = snprintf(r.msg, sizeof r.msg, "deadlock in block (%u,%u,%u): %d of %d threads have returned;", B.bid.x, B.bid.y, B.bid.z, r.done, r.n);
      const char* lf = nullptr; int ll = -1;
      for (int i = 0; i < r.n && k < 440; i++) { Fiber& f = r.f[off + i]; if ((r.w[i / 32].live >> i % 32 & 1) && (f.line != ll || f.file != lf)) { k += snprintf(r.msg + k, sizeof r.msg - k, " thread %d.. waits at %s:%d;", i, f.file, f.line); lf = f.file; ll = f.line; } }
    }
  }
  for (int i = 0; i < 2 * r.n; i++) for (int k = 0; k < 7; k++) ((u64*)&stats)[k] += ((u64*)&r.f[i].st)[k], ((u64*)&r.f[i].st)[k] = 0;
  if (__tsan_destroy_fiber) for (int i = 0; i < 2 * r.n; i++) __tsan_destroy_fiber(r.f[i].tsan);
  if (__tsan_acquire) __tsan_acquire(&r.end_obj);
  for (void* m : r.smems) free(m);
  r.smems.clear(); blk = nullptr; cur = nullptr;
  if (r.failed) fprintf(stderr, "cuemu: %s: %s\n", name, r.msg);
  return r.failed;
}
}  // namespace emu
extern "C" void emu_options(int sched, int eager, u64 seed) { emu::opt_sched = sched; emu::opt_eager = eager; emu::opt_seed = seed; }
extern "C" void emu_stats(u64 out[7]) { memcpy(out, &emu::stats, sizeof emu::stats); memset(&emu::stats, 0, sizeof emu::stats); }
extern "C" const char* emu_error() { return emu::R && emu::R->failed ? emu::R->msg : ""; }
