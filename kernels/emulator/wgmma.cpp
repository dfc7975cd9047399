// wgmma.m64n64k16 with A from registers.
//
// A product is computed when it starts (eager) or only at the wait that needs it (late), as asynchronous copies arrive.
// So what is written to B or to the registers of A too early shows in late runs. Until the wait, the sums are not in the
// registers, which have NaN instead, and what a thread writes there is lost.
#include "worker.h"

namespace emu {
namespace {

constexpr int PIECES = 8, CHUNKS_OF_PIECE = 8;

// A field of wgmma_matrix, in bytes.
u32 field(u64 b, int bit) { return (u32)(b >> bit & 0x3fff) << 4; }

}  // namespace

void wrote_shared(const void* to) {
  size_t chunk = ((const unsigned char*)to - blk->smem) / 16;
  worker->warp_groups.written[chunk] = {cur->index, cur->fences};
}

void fence_shared() {
  cur->fences++;
  worker->warp_groups.fences++;
}

void WarpGroups::begin(size_t count, size_t bytes) {
  warps.assign(count, {});
  operands.assign((count + 3) / 4, {});
  written.assign((bytes + 15) / 16, {-1, 0});
  fences = 0;
}

// All warps of a warp group must start the same products.
void WarpGroups::check_operands(int warp, u64 b, const char* file, int line) {
  std::vector<u64>& all = operands[warp / 4];
  size_t number = warps[warp].count++;
  if (number == all.size()) all.push_back(b);
  if (all[number] != b) fail("%s:%d the warps of a warp group start wgmma with different matrices", file, line);
}

// What cp.async wrote must have been fenced by the same thread. Other writes are not seen, but at least one fence must
// have been there.
void WarpGroups::check_written(u64 b, const char* file, int line) {
  for (int piece = 0; piece < 2 * PIECES; piece++) {
    u32 at = field(b, 0) + piece % 2 * field(b, 16) + piece / 2 * field(b, 32);
    for (int i = 0; i < CHUNKS_OF_PIECE; i++) {
      const Written& w = written[at / 16 + i];
      if (w.thread < 0 ? fences > 0 : worker->fiber(w.thread).fences > w.fences) continue;
      fail("%s:%d wgmma reads byte %u of shared memory, written without fence.proxy.async", file, line, at + 16 * i);
    }
  }
}

void WarpGroups::start(int warp, const Meeting& m, const char* file, int line) {
  if (worker->threads % 128) fail("%s:%d wgmma needs four whole warps", file, line);
  Started& s = warps[warp];
  s.file = file;
  s.line = line;
  Product p{(float(*)[8][4])m.in[0].v[0], {}, m.in[0].v[2], s.group};
  check_operands(warp, p.b, file, line);
  check_written(p.b, file, line);
  Sums* sums = nullptr;
  for (Sums& other : s.sums)
    if (other.registers[0] == p.to) sums = &other;
  if (!sums) {
    s.sums.push_back({});
    sums = &s.sums.back();
    for (int i = 0; i < 32; i++) {
      sums->registers[i] = (float(*)[8][4])m.in[i].v[0];
      memcpy(sums->v[i], sums->registers[i], sizeof sums->v[i]);
      memset(sums->registers[i], 0xff, sizeof sums->v[i]);
    }
  }
  for (int i = 0; i < 32; i++) p.a[i] = (const u32*)m.in[i].v[1];
  sums->running++;
  s.products.push_back(p);
  if (blk->eager) multiply(*sums, p.a, blk->smem + field(p.b, 0), field(p.b, 16), field(p.b, 32));
}

void WarpGroups::commit(int warp) { warps[warp].group++; }

void WarpGroups::wait(int warp, int groups) {
  Started& s = warps[warp];
  while (!s.products.empty() && s.products.front().group < s.group - groups) {
    Product& p = s.products.front();
    for (size_t i = 0; i < s.sums.size(); i++) {
      Sums& sums = s.sums[i];
      if (sums.registers[0] != p.to) continue;
      if (!blk->eager) multiply(sums, p.a, blk->smem + field(p.b, 0), field(p.b, 16), field(p.b, 32));
      if (--sums.running) break;
      for (int lane = 0; lane < 32; lane++) {
        memcpy(sums.registers[lane], sums.v[lane], sizeof sums.v[lane]);
        worker->fiber(warp * 32 + lane).fenced = false;
      }
      s.sums.erase(s.sums.begin() + i);
      break;
    }
    s.products.pop_front();
  }
}

// The last thread of the block is about to return.
void WarpGroups::end() {
  for (size_t i = 0; i < warps.size(); i++) {
    const Started& s = warps[i];
    if (!s.products.empty()) fail("%s:%d the kernel ends while a wgmma runs, which nothing has waited for", s.file, s.line);
    if (s.count == operands[i / 4].size()) continue;
    size_t other = i / 4 * 4;
    while (warps[other].count <= s.count) other++;
    fail("%s:%d warp %zu did not start each wgmma of its warp group", warps[other].file, warps[other].line, i);
  }
}

}  // namespace emu
