// Exclusive prefix sums in three launches: the total of each tile (a range of TILE values), the sums before each tile,
// and the sums within the tiles. No block waits for another, so the result does not depend on the order in which blocks
// run. The kernels move 12 bytes of memory for each value.
#include "warp.cuh"

namespace {
constexpr int WARPS = 8, ROUNDS = 4, ROW = 32 * 4, TILE = WARPS * ROUNDS * ROW;

DEV uint4 load(const u32* values, int i, int n) {
  if (i + 4 <= n) return *(const uint4*)(values + i);
  return make_uint4(i < n ? values[i] : 0, i + 1 < n ? values[i + 1] : 0, i + 2 < n ? values[i + 2] : 0, 0);
}

DEV void store(u32* out, int i, int n, uint4 v) {
  if (i + 4 <= n) { *(uint4*)(out + i) = v; return; }
  if (i < n) out[i] = v.x;
  if (i + 1 < n) out[i + 1] = v.y;
  if (i + 2 < n) out[i + 2] = v.z;
}

// Writes the prefix sums of the tile that begins at `base` and returns the total of the tile. `before` is the sum of
// all values before the tile. A thread only writes where it alone has read, so that `in` and `out` may be the same
// memory.
DEV u32 scan_tile(const u32* in, u32* out, int base, int n, u32 before, u32* totals) {
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32, at = base + warp * ROUNDS * ROW + lane * 4;
  uint4 v[ROUNDS];
  u32 start[ROUNDS], sum = 0, total = 0;
#pragma unroll
  for (int r = 0; r < ROUNDS; r++) v[r] = load(in, at + r * ROW, n);
#pragma unroll
  for (int r = 0; r < ROUNDS; r++) {
    u32 own = v[r].x + v[r].y + v[r].z + v[r].w, upto = warp_scan(own, lane);
    start[r] = sum + upto - own;
    sum += __shfl_sync(~0u, upto, 31);
  }
  if (lane == 0) totals[warp] = sum;
  __syncthreads();
  for (int w = 0; w < WARPS; w++) {
    if (w < warp) before += totals[w];
    total += totals[w];
  }
#pragma unroll
  for (int r = 0; r < ROUNDS; r++) {
    u32 a = before + start[r], b = a + v[r].x, c = b + v[r].y;
    store(out, at + r * ROW, n, make_uint4(a, b, c, c + v[r].z));
  }
  __syncthreads();  // The next tile writes `totals` again.
  return total;
}
}  // namespace

extern "C" __global__ void LAUNCH_BOUNDS(256, 4) scan_totals(const u32* values, u32* totals, int n) {
  DYN_SMEM(raw);
  u32* warps = (u32*)raw;  // the total of each warp
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32, at = blockIdx.x * TILE + warp * ROUNDS * ROW + lane * 4;
  u32 sum = 0;
#pragma unroll
  for (int r = 0; r < ROUNDS; r++) {
    uint4 v = load(values, at + r * ROW, n);
    sum += v.x + v.y + v.z + v.w;
  }
  for (int d = 16; d > 0; d /= 2) sum += __shfl_xor_sync(~0u, sum, d);
  if (lane == 0) warps[warp] = sum;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int w = 1; w < WARPS; w++) sum += warps[w];
  totals[blockIdx.x] = sum;
}
EMU_KERNEL(scan_totals)

// Sums the totals in one block: even 2^28 values have only 2^16 totals.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1) scan_offsets(u32* totals, u32* sums, int tiles, int n) {
  DYN_SMEM(raw);
  u32* warps = (u32*)raw;  // the total of each warp
  u32 sum = 0;
  for (int base = 0; base < tiles; base += TILE) sum += scan_tile(totals, totals, base, tiles, sum, warps);
  if (threadIdx.x == 0) sums[n] = sum;
}
EMU_KERNEL(scan_offsets)

extern "C" __global__ void LAUNCH_BOUNDS(256, 4) scan_sums(const u32* values, const u32* offsets, u32* sums, int n) {
  DYN_SMEM(raw);
  u32* warps = (u32*)raw;  // the total of each warp
  scan_tile(values, sums, blockIdx.x * TILE, n, offsets[blockIdx.x], warps);
}
EMU_KERNEL(scan_sums)
