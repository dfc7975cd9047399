// The convolutions in half precision with warp-group MMA, for sm_90a alone: the same sums as those of conv.cu, whose
// strips, slices and fragments these are, in the same order.
//
// A block has two warp groups and computes 8 strips by 64 channels. A warp has a strip: fragment f of the four strips of
// a warp group is the operand A of a wgmma with 64 rows, from registers. The operand B is the weights of a tap of a
// slice, 64 channels in pieces of 8x8, which wgmma reads from shared memory itself, once for four strips where mma.sync
// needs them in the registers of each. A group of 12 wgmma, those of a dx, runs while the warp loads the rows for the
// next one; three sets of registers for rows take turns.
//
// Blocks stay on their multiprocessor. Each walks over items, S::SQUARES squares by a column of 64 channels, and the
// ring of slices does not end with an item: the first slices of the next one arrive while the sums of this one are
// stored. The slice that is copied is two ahead, so that the stage it goes to is that of the slice before the last one,
// whose products are done; those of the last one may still run.
//
// Time is bound by 2 * 9 * pixels * inputs * outputs FLOP at the rate of wgmma; shared memory and the L2 cache are close
// behind (docs/gpu-performance.md).
#include "conv_f16.cuh"

namespace {
constexpr int STAGES = 4, AHEAD = STAGES - 2;
constexpr int COLUMN = 2 * GROUP;                      // output channels of a block, the N of a wgmma
constexpr int PIECE_BYTES = 128;                       // of weights: 8 inputs by 8 outputs
using Together = Shape<2, STRIP_SIDE, WARPS>;
using Apart = Shape<2, QUARTER_SIDE, WARPS>;

// Shared memory. `pixels` has two sets of tables, for items in turn: for each halo pixel its index in the map, shifted
// left by ROW_BITS, plus its tile's distance from the item's first one; it is negative outside of the map. A thread
// reads only what its own warp has written there.
template <class S> struct alignas(128) Shared {
  unsigned char ring[STAGES][S::STAGE];
  int pixels[2][S::TABLES][S::PIXELS];
  Square squares[S::SQUARES];
};
// What src/cuda/conv asks for.
constexpr int SHARED_TOGETHER = 189568, SHARED_APART = 231296;
static_assert(sizeof(Shared<Together>) == SHARED_TOGETHER && sizeof(Shared<Apart>) == SHARED_APART, "shared memory");
static_assert(WARPS * PATCH_BYTES <= Together::STAGE && WARPS <= 1 << ROW_BITS, "epilogue, distances of tiles");

// The sizes that all items have in common. Items of the same squares follow each other.
struct Work {
  int columns, slices, items;
};

// The slice that is copied next, the column of its item, and the set of tables.
struct Next {
  int item, slice, column, set;
};

template <class S> DEV Work work_of(const ConvSum<half_t>& a) {
  const int across = (a.width + S::SIDE - 1) / S::SIDE, squares = (a.height + S::SIDE - 1) / S::SIDE * across;
  const int columns = a.channels / COLUMN;
  return {columns, (a.src_channels + a.proj_channels) / SLICE, (a.count * squares + S::SQUARES - 1) / S::SQUARES * columns};
}

// Fills the tables for an item from square `first` on, as far as the threads of this warp need them.
template <class S> DEV void fill_tables(const ConvSum<half_t>& a, int (&pixels)[S::TABLES][S::PIXELS], int first) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, tile = square_at<S::SIDE>(a, first).tile;
  for (int i = lane / 16 * (THREADS / 2) + warp * 16 + lane % 16; i < S::PIXELS; i += THREADS) {
    const Square square = square_at<S::SIDE>(a, first + i / S::HALO_PIXELS);
    const int pixel = i % S::HALO_PIXELS, row = square.tile - tile;
    pixels[0][i] = halo_pixel<S::SIDE>(a, square, pixel, a.src_up) * (1 << ROW_BITS) + row;
    if (S::TABLES == 2) pixels[1][i] = centre_pixel<S::SIDE>(a, square, pixel) * (1 << ROW_BITS) + row;
  }
  __syncwarp();
}

// Starts the copies of the next slice, if there is one. Each call makes a group of copies.
template <class S>
DEV void copy_next(const ConvSum<half_t>& a, const Work& work, Shared<S>& m, Next& next, int slot) {
  if (next.item < work.items) {
    int(&pixels)[S::TABLES][S::PIXELS] = m.pixels[next.set];
    if (next.slice == 0) {
      next.column = next.item % work.columns;
      fill_tables<S>(a, pixels, next.item / work.columns * S::SQUARES);
    }
    load<S>(a, pixels[0], pixels[S::TABLES - 1], m.ring[slot], next.slice, next.column);
    next.slice++;
    if (next.slice == work.slices) next = {next.item + (int)gridDim.x, 0, 0, next.set ^ 1};
  }
  cp_async_commit();
}

// Applies relu(scale * x + shift) to the chunks that this thread has copied itself, so that no barrier is needed.
// Pixels outside of the map stay zero: the convolution pads with zeros after the activation. `tile` is the item's first.
template <class S>
DEV void activate(const ConvSum<half_t>& a, const int* pixels, unsigned char* stage, int slice, int tile) {
  const int t = threadIdx.x, c = slice * SLICE + t % 2 * 8;
  const uint4 scale = *reinterpret_cast<const uint4*>(a.scale + c);
  const half_t* shifts = a.shift + (size_t)tile * a.shift_stride + c;
  unsigned char* chunks = stage + t % 2 * S::PLANE + t / 2 * CHUNK;
#pragma unroll
  for (int k = 0; k < S::ROUNDS; k++) {
    if (k == S::ROUNDS - 1 && t >= S::REST) break;
    const int pixel = pixels[t / 2 + k * (THREADS / 2)];
    if (pixel < 0) continue;
    const uint4 shift = *reinterpret_cast<const uint4*>(shifts + (pixel & ((1 << ROW_BITS) - 1)) * a.shift_stride);
    uint4* x = reinterpret_cast<uint4*>(chunks + k * (THREADS / 2) * CHUNK);
    *x = activated(*x, scale, shift);
  }
}

// Where this lane reads the first rows of its strip's quarters, in bytes from the beginning of the halos. Lanes 0 to 15
// have the addresses of the quarters' pixels in the first plane, the others those in the second.
template <class S> DEV int first_row(int strip, int lane) {
  const int pixel = strip * S::OF_STRIP * S::HALO_PIXELS + corner<S>(lane / QUARTER_SIDE % 4) + lane % QUARTER_SIDE;
  return lane / 16 * S::PLANE + pixel * CHUNK;
}

// Starts the products of one slice. acc[f][n] has row f of the quarters and channels 8n to 8n + 7. `halo` points to the
// first row that this lane reads. The last group of products runs on; those before it are done.
template <class S, bool CONV>
DEV void multiply(float (&acc)[QUARTER_SIDE][8][4], u32 (&rows)[3][QUARTER_SIDE + 2][4], const unsigned char* halo,
                  const unsigned char* weights) {
  constexpr int FIRST = CONV ? 0 : 1, LAST = CONV ? 2 : 1;   // dx and dy: the projection is the tap in the middle
#pragma unroll
  for (int dx = FIRST; dx <= LAST; dx++) {
#pragma unroll
    for (int r = FIRST; r < QUARTER_SIDE + LAST; r++) ldmatrix_x4(rows[dx][r], halo + (r * S::HALO + dx) * CHUNK);
    wgmma_fence();
#pragma unroll
    for (int dy = FIRST; dy <= LAST; dy++) {
      const unsigned char* tap = weights + (CONV ? 3 * dy + dx : 0) * S::GROUPS * UNIT_BYTES;
      const u64 b = wgmma_matrix(tap, COLUMN / 8 * PIECE_BYTES, PIECE_BYTES);
#pragma unroll
      for (int f = 0; f < QUARTER_SIDE; f++) wgmma_m64n64k16(acc[f], rows[dx][f + dy], b);
    }
    wgmma_commit();
    // Of a projection each slice uses the same registers.
    wgmma_wait<CONV ? 1 : 0>();
  }
}

template <class S> DEV void conv(const ConvSum<half_t>& a) {
  DYN_SMEM(raw);
  Shared<S>& m = *reinterpret_cast<Shared<S>*>(raw);
  const Work work = work_of<S>(a);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, halo = first_row<S>(warp, lane);
  Next next = {(int)blockIdx.x, 0, 0, 0};
  for (int slot = 0; slot < AHEAD; slot++) copy_next(a, work, m, next, slot);

  u32 rows[3][QUARTER_SIDE + 2][4];
  int slot = 0, set = 0;
  for (int item = blockIdx.x; item < work.items; item += gridDim.x, set ^= 1) {
    const int first = item / work.columns * S::SQUARES, tile = square_at<S::SIDE>(a, first).tile;
    float acc[QUARTER_SIDE][8][4] = {};
    for (int s = 0; s < work.slices; s++, slot = (slot + 1) % STAGES) {
      unsigned char* stage = m.ring[slot];
      cp_async_wait<AHEAD - 1>();
      const bool conv = s < a.src_channels / SLICE;
      if (a.scale && conv) activate<S>(a, m.pixels[set][0], stage, s, tile);
      fence_proxy_async();
      __syncthreads();
      // The products of the slice before the last one are done, so its stage is free.
      copy_next(a, work, m, next, (slot + AHEAD) % STAGES);
      if (conv) multiply<S, true>(acc, rows, stage + halo, stage + S::HALOS);
      else multiply<S, false>(acc, rows, stage + halo, stage + S::HALOS);
    }
    wgmma_wait<0>();
    __syncthreads();
    // The stage of the last slice is free until two slices of the next item are done.
    float* patch = reinterpret_cast<float*>(m.ring[(slot + STAGES - 1) % STAGES] + warp * PATCH_BYTES);
    Square* squares = m.squares + warp * S::OF_STRIP;
    if (lane < S::OF_STRIP) squares[lane] = square_at<S::SIDE>(a, first + warp * S::OF_STRIP + lane);
    __syncwarp();
#pragma unroll
    for (int group = 0; group < S::GROUPS; group++)
      store<S>(a, squares, item % work.columns * S::GROUPS + group, acc, group * 4, patch);
  }
}
}  // namespace

extern "C" __global__ void LAUNCH_BOUNDS(256, 1) conv_sm_90a(ConvSum<half_t> a) { conv<Together>(a); }
EMU_KERNEL(conv_sm_90a)

// The same, of quarters that lie apart. A tile must have at least 5 of them, so that the first and the last tile of an
// item are at most 7 apart. The maps of source and projection must have the same size.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1) conv_sm_90a_apart(ConvSum<half_t> a) { conv<Apart>(a); }
EMU_KERNEL(conv_sm_90a_apart)
