// The warp-group MMA of a block: what runs, and what wgmma may read.
#pragma once
#include <deque>
#include <vector>

#include "runtime.h"

namespace emu {

// The registers of a warp that products are added to. While products run, the registers have NaN in them, and the sums
// are here: [lane, n, i], as in the registers.
struct Sums {
  float (*registers[32])[8][4];
  float v[32][8][4];
  int running;
};

// A product that nothing has waited for.
struct Product {
  float (*to)[8][4];  // the registers of the first lane
  const u32* a[32];
  u64 b;
  int group;
};

// What a warp has started.
struct Started {
  std::deque<Product> products;
  std::vector<Sums> sums;
  int group;
  size_t count;
  const char* file;  // where the last product was started
  int line;
};

// Which thread has written 16 bytes of shared memory, and how many times it had called fence.proxy.async by then.
struct Written {
  int thread;
  u32 fences;
};

struct WarpGroups {
  std::vector<Started> warps;
  std::vector<std::vector<u64>> operands;  // of each warp group, the operands B in order
  std::vector<Written> written;
  u32 fences;  // calls of fence.proxy.async by any thread

  void begin(size_t warps, size_t bytes);
  void start(int warp, const Meeting&, const char* file, int line);
  void commit(int warp);
  void wait(int warp, int groups);
  void end();

 private:
  void check_operands(int warp, u64 b, const char* file, int line);
  void check_written(u64 b, const char* file, int line);
};

// Adds A * B to the sums, where the lanes' registers have A, and B is in shared memory.
void multiply(Sums&, const u32* const a[32], const unsigned char* b, int k, int n);

}  // namespace emu
