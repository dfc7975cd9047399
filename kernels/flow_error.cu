// The flow check (`dynamics.remove_bad_flow_masks`). Heat from the centre of each mask spreads within the mask. The
// error of the mask is the mean squared difference between the direction of the heat's gradient and the network's flow.
// Heat is computed in double precision, in the order of src/cpu/flow_error.rs, so that the bits are the same.
//
// A mask whose box fits in shared memory is computed by one block. The box of a larger mask is cut into tiles, each of
// which a block advances by CHUNK steps in shared memory. Tiles exchange their heat through two planes of the image's
// size, which all masks share: the boxes of masks may overlap, but their pixels do not.
#include "boxes.cuh"
#include "vec.cuh"

namespace {
constexpr int CLASSES = 3;    // classes of boxes that fit in shared memory; the next class is that of tiled masks
constexpr int CHUNK = 8;      // steps that a tile is advanced before it needs the heat of its neighbours
constexpr int TILE = 60;      // side of a tile; with CHUNK pixels around it 76 x 76, as many cells as CELLS_2
constexpr int STRIP = 32;     // the most rows of a thread, one bit each
constexpr u64 ONE_MASK = 1ull << 40;   // `large` counts masks in the bits from 40 on and tiles below

// For each class, the most cells of a box with a margin of one cell, and the threads of a block.
constexpr int CELLS_0 = 676, CELLS_1 = 2304, CELLS_2 = 5776;
constexpr int THREADS_0 = 64, THREADS_1 = 128, THREADS_2 = 512;
static_assert(THREADS_0 % 32 == 0 && THREADS_1 % 32 == 0 && THREADS_2 % 32 == 0, "sums of warps take whole warps");
DEV int cells_of(int k) { return k == 0 ? CELLS_0 : k == 1 ? CELLS_1 : CELLS_2; }
DEV int threads_of(int k) { return k == 0 ? THREADS_0 : k == 1 ? THREADS_1 : THREADS_2; }

struct Counters {
  u64 masks[CLASSES];         // masks of each class
  u64 large;                  // tiled masks, times ONE_MASK, plus the number of their tiles
  u64 taken[CLASSES + 1];     // items that blocks have begun: masks of each class; then chunks of tiles
  u64 chunks;                 // the largest number of chunks of a mask
};

// The network's flows, [2, height, width], from which masks differ by their errors; or, where it is null, memory of that
// size for the flows of the masks.
struct Flows {
  const float* network;
  float* own;
};

struct Shared {
  u64 sum_y, sum_x, nearest, item;
  u32 centre, mask, label, chunk;
};

DEV bool inside(Rect r, int y, int x) {
  return y >= r.top && x >= r.left && y < r.top + r.height && x < r.left + r.width;
}

DEV int ceil_div(int a, int b) { return (a + b - 1) / b; }

// The rows of each thread. Neighbouring threads have neighbouring columns.
DEV int strip_rows(Rect r, int threads) { return ceil_div(r.height, threads / r.width); }

DEV int class_of(Rect b) {
  for (int k = 0; k < CLASSES; k++) {
    bool fits = (u64)(b.height + 2) * (u64)(b.width + 2) <= (u64)cells_of(k);
    if (fits && b.width <= threads_of(k) && strip_rows(b, threads_of(k)) <= STRIP) return k;
  }
  return CLASSES;
}

DEV u64 tiles_of(Rect b) { return (u64)ceil_div(b.height, TILE) * (u64)ceil_div(b.width, TILE); }
DEV u64 steps_of(Rect b) { return 2 * ((u64)b.height + 2 + (u64)b.width + 2); }
// The last chunk has fewer steps than CHUNK, since the gradient takes one more pixel.
DEV u64 chunks_of(Rect b) { return steps_of(b) / CHUNK + 1; }

DEV u64 bits_of(double v) { union { double v; u64 bits; } u; u.v = v; return u.bits; }

// The sum and the minimum over the lanes of a warp. Atomic operations on 64 bits of shared memory are loops of attempts,
// which take the longer the more threads there are.
DEV u64 warp_sum(u64 v) {
  for (int d = 16; d; d >>= 1) v += __shfl_xor_sync(~0u, v, d);
  return v;
}

DEV u64 warp_min(u64 v) {
  for (int d = 16; d; d >>= 1) {
    u64 other = __shfl_xor_sync(~0u, v, d);
    v = other < v ? other : v;
  }
  return v;
}

// The pixel of the mask that is nearest to the mean position of its pixels, as an index in its box; the first one, if
// several are. Positions count from 1, as in a box with a margin. Distances are not negative, so that their bits
// compare as the distances do.
DEV u32 centre_of(const u32* labels, int width, Rect b, u32 label, u32 pixels, Shared* s) {
  const u32* first = labels + (size_t)b.top * width + b.left;
  u32 cells = (u32)b.height * b.width, columns = b.width;
  auto mine = [&](u32 i) { return first[(size_t)(i / columns) * width + i % columns] == label; };
  if (threadIdx.x == 0) { s->sum_y = s->sum_x = 0; s->nearest = ~0ull; s->centre = ~0u; }
  __syncthreads();
  u64 sum_y = 0, sum_x = 0;
  for (u32 i = threadIdx.x; i < cells; i += blockDim.x)
    if (mine(i)) { sum_y += i / columns + 1; sum_x += i % columns + 1; }
  sum_y = warp_sum(sum_y);
  sum_x = warp_sum(sum_x);
  const bool first_lane = threadIdx.x % 32 == 0;
  if (first_lane) {
    atomicAdd(&s->sum_y, sum_y);
    atomicAdd(&s->sum_x, sum_x);
  }
  __syncthreads();
  double y = (double)s->sum_y / (double)pixels, x = (double)s->sum_x / (double)pixels;
  auto distance = [&](u32 i) {
    double dy = (double)(i / columns + 1) - y, dx = (double)(i % columns + 1) - x;
    return bits_of(dy * dy + dx * dx);
  };
  u64 nearest = ~0ull;
  for (u32 i = threadIdx.x; i < cells; i += blockDim.x)
    if (mine(i)) { u64 d = distance(i); nearest = d < nearest ? d : nearest; }
  nearest = warp_min(nearest);
  if (first_lane) atomicMin(&s->nearest, nearest);
  __syncthreads();
  nearest = s->nearest;
  for (u32 i = threadIdx.x; i < cells; i += blockDim.x)
    if (mine(i) && distance(i) == nearest) { atomicMin(&s->centre, i); break; }
  __syncthreads();
  return s->centre;
}

// A part of a mask's box, with a ring of one cell around it, whose heat a block advances in two arrays of shared
// memory.
struct Region {
  Rect part;
  double *heat, *next;
  int stride;                 // cells of a row, with the ring
  int row, column, cell;      // where this thread's strip begins
  u32 bits;                   // one bit for each row of the strip, the first row lowest: 1 if in the mask
};

DEV Region region_of(Rect part, const u32* labels, int width, u32 label, double* memory) {
  Region r;
  r.part = part;
  r.stride = part.width + 2;
  r.heat = memory;
  r.next = memory + (part.height + 2) * r.stride;
  int threads = blockDim.x, rows = strip_rows(part, threads);
  r.row = (int)threadIdx.x / part.width * rows;
  r.column = (int)threadIdx.x % part.width;
  r.cell = (r.row + 1) * r.stride + r.column + 1;
  r.bits = 0;
  const u32* first = labels + (size_t)(part.top + r.row) * width + part.left + r.column;
  for (int i = 0; i < rows && r.row + i < part.height; i++) r.bits |= (u32)(first[(size_t)i * width] == label) << i;
  return r;
}

// Fills both arrays: `heat` from the plane `from`, or with zeros if it is null, plus the 1 that the first step adds at
// `centre` (no pixel, if there is no step); `next` with zeros.
DEV void load(const Region& r, Rect box, const u32* labels, int width, u32 label, const double* from, size_t centre) {
  int cells = (r.part.height + 2) * r.stride;
  for (int i = threadIdx.x; i < cells; i += blockDim.x) {
    int y = r.part.top - 1 + i / r.stride, x = r.part.left - 1 + i % r.stride;
    double heat = 0.0;
    if (inside(box, y, x)) {
      size_t pixel = (size_t)y * width + x;
      if (from && labels[pixel] == label) heat = from[pixel];
      if (pixel == centre) heat += 1.0;
    }
    r.heat[i] = heat;
    r.next[i] = 0.0;
  }
  __syncthreads();
}

// x / 9, correctly rounded by Markstein's theorem. Below 1e-280 the remainder might not be exact, hence the division.
DEV double ninth(double x) {
  if (x < 1e-280 && x > 0.0) return x / 9.0;
  double q = x * (1.0 / 9.0);
  return fma(fma(-9.0, q, x), 1.0 / 9.0, q);
}

// Advances this thread's cells by one step. The sum of three cells in a row is used for three rows.
DEV void step(const Region& r) {
  const double* cell = r.heat + r.cell;
  double* next = r.next + r.cell;
  auto row = [](const double* c) { return c[-1] + c[0] + c[1]; };
  double above = row(cell - r.stride), here = row(cell);
  for (u32 bits = r.bits; bits; bits >>= 1, cell += r.stride, next += r.stride) {
    double below = row(cell + r.stride);
    if (bits & 1) *next = ninth(above + here + below);
    above = here;
    here = below;
  }
}

// Advances the region by `steps` steps. Each step first adds 1 at the centre. For the first step `load` has done that;
// for a later step the thread of the centre does it at the end of the step before.
DEV void advance(Region& r, int steps, int centre_y, int centre_x) {
  int y = centre_y - r.part.top - r.row, x = centre_x - r.part.left;
  bool mine = x == r.column && y >= 0 && y < STRIP && (r.bits >> y & 1);
  for (int s = 1; s <= steps; s++) {
    if (r.bits) step(r);
    if (mine && s < steps) r.next[r.cell + y * r.stride] += 1.0;
    __syncthreads();
    double* heat = r.heat;
    r.heat = r.next;
    r.next = heat;
  }
}

// The direction of the gradient.
DEV Vec direction(const double* cell, int stride) {
  double y = cell[stride] - cell[-stride], x = cell[1] - cell[-1];
  double length = sqrt(y * y + x * x) + 1e-60;
  return {(float)(y / length), (float)(x / length)};
}

// The squared difference between the flow of a mask's pixel and a fifth of the network's, or 0 where it is the flow that
// is wanted.
DEV double square(const Flows& flows, u64 plane, size_t pixel, Vec own) {
  if (flows.own) {
    flows.own[pixel] = own.y;
    flows.own[plane + pixel] = own.x;
    return 0.0;
  }
  double dy = (double)(own.y - flows.network[pixel] / 5.0f);
  double dx = (double)(own.x - flows.network[plane + pixel] / 5.0f);
  return dy * dy + dx * dx;
}

// The mask to which a tile belongs: the last mask whose first tile does not come after the tile.
DEV u32 mask_of(const u64* first, u32 masks, u64 tile) {
  u32 low = 0;
  for (u32 high = masks; high - low > 1;) {
    u32 middle = (low + high) / 2;
    if (first[middle] <= tile) low = middle; else high = middle;
  }
  return low;
}
}  // namespace

// Sorts the masks into classes and lists the labels of each class. A tiled mask also gets the number of its first tile.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1) flow_plan(const uint4* boxes, const u32* pixels, u32 most, double* errors,
                                                         u32* lists, u64* first_tile, u64* finished, Counters* counters) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= most) return;
  errors[i] = 0.0 / 0.0;
  if (!pixels[i]) return;
  Rect box = box_of(boxes, i + 1);
  int k = class_of(box);
  u64 place;
  if (k < CLASSES) {
    place = atomicAdd(&counters->masks[k], (u64)1);
  } else {
    u64 before = atomicAdd(&counters->large, ONE_MASK + tiles_of(box));
    place = before / ONE_MASK;
    first_tile[place] = before % ONE_MASK;
    finished[place] = 0;
    atomicMax(&counters->chunks, chunks_of(box));
  }
  lists[(size_t)k * most + place] = i + 1;
}
EMU_KERNEL(flow_plan)

// Computes the errors of the masks of class k. A step takes 7 double-precision operations and 4 accesses of 8 bytes to
// shared memory for each cell; time is bound by the accesses.
extern "C" __global__ void LAUNCH_BOUNDS(512, 1) flow_small(const u32* labels, int width, u64 plane, const uint4* boxes,
                                                          const u32* pixels, u32 most, Flows flows, int k,
                                                          const u32* lists, Counters* counters, double* errors) {
  DYN_SMEM(raw);
  Shared* s = (Shared*)raw;
  double* memory = (double*)(raw + sizeof(Shared));
  for (;;) {
    u64 place = next_piece(&counters->taken[k], &s->item);
    if (place >= counters->masks[k]) return;
    u32 label = lists[(size_t)k * most + place];
    Rect box = box_of(boxes, label);
    u32 centre = centre_of(labels, width, box, label, pixels[label - 1], s);
    int y = box.top + (int)centre / box.width, x = box.left + (int)centre % box.width;
    Region r = region_of(box, labels, width, label, memory);
    load(r, box, labels, width, label, nullptr, (size_t)y * width + x);
    advance(r, (int)steps_of(box), y, x);
    // `next` is free and takes the squares; then `heat` is free and takes the sums of columns. Cells outside hold 0.
    size_t pixel = (size_t)(box.top + r.row) * width + box.left + r.column;
    int cell = r.cell;
    for (u32 bits = r.bits; bits; bits >>= 1, pixel += width, cell += r.stride)
      if (bits & 1) r.next[cell] = square(flows, plane, pixel, direction(r.heat + cell, r.stride));
    __syncthreads();
    for (int column = threadIdx.x; column < box.width; column += blockDim.x) {
      double sum = 0.0;
      for (int row = 1; row <= box.height; row++) sum += r.next[row * r.stride + column + 1];
      r.heat[column] = sum;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      double sum = 0.0;
      for (int column = 0; column < box.width; column++) sum += r.heat[column];
      errors[label - 1] = sum / (double)pixels[label - 1];
    }
  }
}
EMU_KERNEL(flow_small)

// Computes the centres of the tiled masks, as indices of pixels in the image.
extern "C" __global__ void LAUNCH_BOUNDS(512, 1) flow_centres(const u32* labels, int width, const uint4* boxes,
                                                            const u32* pixels, u32 most, const u32* lists,
                                                            const Counters* counters, u64* centres) {
  DYN_SMEM(raw);
  Shared* s = (Shared*)raw;
  u64 masks = counters->large / ONE_MASK;
  for (u64 i = blockIdx.x; i < masks; i += gridDim.x) {
    u32 label = lists[(size_t)CLASSES * most + i];
    Rect box = box_of(boxes, label);
    u32 centre = centre_of(labels, width, box, label, pixels[label - 1], s);
    if (threadIdx.x == 0) centres[i] = (u64)(box.top + centre / box.width) * width + box.left + centre % box.width;
  }
}
EMU_KERNEL(flow_centres)

// Advances the tiles chunk by chunk. The last chunk of a mask writes the square of each pixel to its plane.
//
// An item of the queue is one chunk of one tile: the first chunks of all tiles come first, then all second chunks, and
// so on. A block waits until the chunk before is complete in all tiles of its mask. Blocks that already run have taken
// these items, so that some block never has to wait, however few blocks run at once. Chunks read one plane and write
// the other, so that a plane is only written after all tiles of the mask have read it. Time is bound as in flow_small,
// times 1.6 for the cells around a tile.
extern "C" __global__ void LAUNCH_BOUNDS(512, 2) flow_tiles(const u32* labels, int width, u64 plane, const uint4* boxes,
                                                          u32 most, Flows flows, const u32* lists,
                                                          const u64* first_tile, const u64* centres, u64* finished,
                                                          Counters* counters, double* planes) {
  DYN_SMEM(raw);
  Shared* s = (Shared*)raw;
  double* memory = (double*)(raw + sizeof(Shared));
  const u32* list = lists + (size_t)CLASSES * most;
  u64 tiles = counters->large % ONE_MASK, items = tiles * counters->chunks;
  for (;;) {
    if (threadIdx.x == 0) {
      s->label = 0;
      for (;;) {
        u64 item = atomicAdd(&counters->taken[CLASSES], (u64)1);
        if (item >= items) break;
        u32 mask = mask_of(first_tile, (u32)(counters->large / ONE_MASK), item % tiles), label = list[mask];
        Rect box = box_of(boxes, label);
        u64 chunk = item / tiles;
        if (chunk >= chunks_of(box)) continue;
        while (*(volatile u64*)&finished[mask] < chunk * tiles_of(box)) {}
        __threadfence();
        s->label = label;
        s->mask = mask;
        s->chunk = (u32)chunk;
        s->item = item % tiles - first_tile[mask];
        break;
      }
    }
    __syncthreads();
    u32 label = s->label, mask = s->mask, chunk = s->chunk, tile = (u32)s->item;
    if (!label) return;
    Rect box = box_of(boxes, label);
    int across = ceil_div(box.width, TILE);
    Rect core = {box.top + (int)(tile / across) * TILE, box.left + (int)(tile % across) * TILE, TILE, TILE};
    core.height = min(TILE, box.top + box.height - core.top);
    core.width = min(TILE, box.left + box.width - core.left);
    // The region has all cells of the box from which heat reaches the core within the chunk.
    int top = max(core.top - CHUNK + 1, box.top), left = max(core.left - CHUNK + 1, box.left);
    int bottom = min(core.top + core.height + CHUNK - 1, box.top + box.height);
    int right = min(core.left + core.width + CHUNK - 1, box.left + box.width);
    Region r = region_of({top, left, bottom - top, right - left}, labels, width, label, memory);
    bool wanted = false;
    int y = top + r.row, x = left + r.column;
    for (u32 bits = r.bits, i = 0; bits; bits >>= 1, i++) wanted |= (bits & 1) && inside(core, y + (int)i, x);
    if (__syncthreads_or(wanted)) {
      bool last = chunk + 1 == chunks_of(box);
      const double* from = planes + (size_t)(~chunk & 1) * plane;
      double* to = planes + (size_t)(chunk & 1) * plane;
      u64 centre = centres[mask];
      int steps = last ? (int)(steps_of(box) % CHUNK) : CHUNK;
      load(r, box, labels, width, label, chunk ? from : nullptr, steps ? (size_t)centre : ~(size_t)0);
      advance(r, steps, (int)(centre / width), (int)(centre % width));
      size_t pixel = (size_t)y * width + x;
      int cell = r.cell;
      for (u32 bits = r.bits; bits; bits >>= 1, pixel += width, cell += r.stride, y++) {
        if (!(bits & 1) || !inside(core, y, x)) continue;
        to[pixel] = last ? square(flows, plane, pixel, direction(r.heat + cell, r.stride)) : r.heat[cell];
      }
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      __threadfence();
      atomicAdd(&finished[mask], (u64)1);
    }
  }
}
EMU_KERNEL(flow_tiles)

// Computes the errors of the tiled masks: squares are summed in columns, and the columns from left to right.
extern "C" __global__ void LAUNCH_BOUNDS(512, 1) flow_sums(const u32* labels, int width, u64 plane, const uint4* boxes,
                                                         const u32* pixels, u32 most, const u32* lists,
                                                         const Counters* counters, const double* planes, double* errors) {
  DYN_SMEM(raw);
  double* sums = (double*)raw;
  u64 masks = counters->large / ONE_MASK;
  for (u64 i = blockIdx.x; i < masks; i += gridDim.x) {
    u32 label = lists[(size_t)CLASSES * most + i];
    Rect box = box_of(boxes, label);
    const double* squares = planes + (size_t)((chunks_of(box) - 1) & 1) * plane;
    double total = 0.0;
    for (int left = 0; left < box.width; left += blockDim.x) {
      int column = left + threadIdx.x;
      double sum = 0.0;
      size_t pixel = (size_t)box.top * width + box.left + column;
      if (column < box.width)
        for (int row = 0; row < box.height; row++, pixel += width)
          if (labels[pixel] == label) sum += squares[pixel];
      sums[threadIdx.x] = sum;
      __syncthreads();
      int columns = min((int)blockDim.x, box.width - left);
      if (threadIdx.x == 0)
        for (int t = 0; t < columns; t++) total += sums[t];
      __syncthreads();
    }
    if (threadIdx.x == 0) errors[label - 1] = total / (double)pixels[label - 1];
  }
}
EMU_KERNEL(flow_sums)

// Drops the masks whose error exceeds the threshold; a mask with error NaN stays. Time is bound by the 4 bytes read per
// pixel.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1) flow_drop(u32* labels, u64 plane, const double* errors, double threshold) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= plane) return;
  u32 label = labels[i];
  if (label && errors[label - 1] > threshold) labels[i] = 0;
}
EMU_KERNEL(flow_drop)
