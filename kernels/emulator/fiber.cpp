#include "fiber.h"

#include <sys/mman.h>

#include <cstdlib>

// Saves the registers that a function must preserve and the stack pointer, and loads those of the other fiber.
extern "C" void emu_switch(void** save, void* to);
asm(R"(.text
.globl emu_switch
.hidden emu_switch
.type emu_switch,@function
emu_switch:
  pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
  ret
.size emu_switch,.-emu_switch
)");

// Kernels use volatile accesses to read values that another thread may change, so they are not reported as races.
#define VOLATILE(size)                        \
  extern "C" {                                \
  void __tsan_volatile_read##size(void*) {}   \
  void __tsan_volatile_write##size(void*) {}  \
  void __tsan_unaligned_volatile_read##size(void*) {}  \
  void __tsan_unaligned_volatile_write##size(void*) {} \
  }
VOLATILE(1)
VOLATILE(2)
VOLATILE(4)
VOLATILE(8)
VOLATILE(16)

namespace emu {
namespace {
constexpr int SAVED = 6;
constexpr size_t PAGE = 4096;
// The fiber that switched last in this system thread; the sanitizer tells a new fiber where the stack of that one is.
__thread Context* previous EMU_NEAR;
}  // namespace

char* new_stack() {
  void* p = mmap(nullptr, STACK + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED || mprotect(p, PAGE, PROT_NONE)) abort();
  return (char*)p + PAGE;
}

void prepare(Context& c, char* stack, int index, void (*entry)()) {
  c.stack = stack;
  c.size = STACK;
  c.fake = nullptr;
  // Stacks lie at multiples of a page, so their tops would share the same few lines of the L1 cache.
  void** top = (void**)(stack + STACK - 64 - index % 32 * 128);
  *top = (void*)entry;
  for (int i = 1; i <= SAVED; i++) top[-i] = nullptr;
  c.sp = top - SAVED;
}

void switch_to(Context& from, Context& to, bool done) {
  previous = &from;
  if (address_sanitizer()) __sanitizer_start_switch_fiber(done ? nullptr : &from.fake, to.stack, to.size);
  if (thread_sanitizer()) __tsan_switch_to_fiber(to.thread, 1);  // 1: the switch does not order memory accesses
  emu_switch(&from.sp, to.sp);
  if (address_sanitizer()) __sanitizer_finish_switch_fiber(from.fake, &previous->stack, &previous->size);
}

void entered() {
  if (address_sanitizer()) __sanitizer_finish_switch_fiber(nullptr, &previous->stack, &previous->size);
}

}  // namespace emu
