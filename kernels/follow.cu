// Points walk along the flows. Each thread takes all steps of one point in one launch. A step needs four loads of 8
// bytes, about 40 FLOP and four conversions, which run at a quarter of the rate. The loads mostly hit the L1 cache,
// since neighbours walk together. By this count an H100 needs about 20 ms for 200 steps of 8192² points if no point
// stops early.
#include "walk.cuh"
#include "warp.cuh"

namespace {
// The flows, and for `GRID_SAMPLE` the length of a pixel in coordinates from -1 to 1.
struct Field { const Vec* flow; int height, width; Vec unit; };

DEV float weighted(float a, float b, float c, float d, const float (&w)[4]) {
  return a * w[0] + b * w[1] + c * w[2] + d * w[3];
}

DEV Vec weighted(Vec a, Vec b, Vec c, Vec d, const float (&w)[4]) {
  return {weighted(a.y, b.y, c.y, d.y, w), weighted(a.x, b.x, c.x, d.x, w)};
}

DEV Vec nearest(const Field& f, Vec p) { return f.flow[pixel(p.y, f.height) * f.width + pixel(p.x, f.width)]; }

DEV Vec bilinear(const Field& f, Vec p) {
  int top = pixel(p.y, f.height), left = pixel(p.x, f.width);
  int right = min(left + 1, f.width - 1);
  float y = p.y - (float)top, x = p.x - (float)left;
  const Vec *above = f.flow + top * f.width, *below = f.flow + min(top + 1, f.height - 1) * f.width;
  float weights[4] = {(1.0f - y) * (1.0f - x), (1.0f - y) * x, y * (1.0f - x), y * x};
  return weighted(above[left], above[right], below[left], below[right], weights);
}

// The flow of a pixel; it is zero outside of the image.
DEV Vec flow_at(const Field& f, float row, float column) {
  bool inside = row >= 0.0f && column >= 0.0f && row < (float)f.height && column < (float)f.width;
  return inside ? f.flow[(int)row * f.width + (int)column] : Vec{0.0f, 0.0f};
}

DEV Vec grid_sample(const Field& f, Vec p) {
  float y = ((p.y + 1.0f) * (float)f.height - 1.0f) / 2.0f, x = ((p.x + 1.0f) * (float)f.width - 1.0f) / 2.0f;
  float top = floorf(y), left = floorf(x);
  float south = y - top, east = x - left, north = top + 1.0f - y, west = left + 1.0f - x;
  float weights[4] = {north * west, north * east, south * west, south * east};
  return weighted(flow_at(f, top, left), flow_at(f, top, left + 1.0f), flow_at(f, top + 1.0f, left),
    flow_at(f, top + 1.0f, left + 1.0f), weights);
}

template <int SAMPLING> DEV Vec step(const Field& f, Vec p) {
  if constexpr (SAMPLING == GRID_SAMPLE) {
    Vec d = grid_sample(f, p);
    return {clamp(p.y + d.y * f.unit.y, -1.0f, 1.0f), clamp(p.x + d.x * f.unit.x, -1.0f, 1.0f)};
  }
  Vec d = SAMPLING == NEAREST ? nearest(f, p) : bilinear(f, p);
  return {clamp(p.y + d.y, 0.0f, (float)(f.height - 1)), clamp(p.x + d.x, 0.0f, (float)(f.width - 1))};
}

template <int SAMPLING> DEV Vec walk(const Field& f, Vec at, u32 left) {
  return walk(at, left, [&](Vec p) { return step<SAMPLING>(f, p); });
}

// Walks in the coordinates of torch's grid_sample, in which the image spans -1 to 1.
DEV Vec walk_grid(Field f, Vec at, u32 left) {
  float tall = (float)(f.height - 1), wide = (float)(f.width - 1);
  Vec span = {fmaxf(tall, 1.0f), fmaxf(wide, 1.0f)};
  f.unit = {2.0f / span.y, 2.0f / span.x};
  at = walk<GRID_SAMPLE>(f, {at.y / span.y * 2.0f - 1.0f, at.x / span.x * 2.0f - 1.0f}, left);
  return {(at.y + 1.0f) * 0.5f * tall, (at.x + 1.0f) * 0.5f * wide};
}
}  // namespace

// Writes the step of each pixel, a fifth of its flow or zero outside cells, and marks the pixels in cells
// (write_chosen). Time is bound by 20 bytes for each pixel.
extern "C" __global__ void LAUNCH_BOUNDS(256, 4) follow_field(
    const float* maps, Vec* field, u32* words, u32* counts, float threshold, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  bool inside = i < n && maps[2 * (size_t)n + i] > threshold;
  write_chosen(inside, words, counts, i, n);
  if (i < n) field[i] = inside ? Vec{maps[i] / 5.0f, maps[(size_t)n + i] / 5.0f} : Vec{0.0f, 0.0f};
}
EMU_KERNEL(follow_field)

// Lists the pixels in cells in row-major order, and counts them.
extern "C" __global__ void LAUNCH_BOUNDS(256, 4) follow_pixels(
    const u32* words, const u32* sums, u32* pixels, u32* count, u32 n) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i == 0) count[0] = sums[word_count(n)];
  if (i < n && is_chosen(words, i)) pixels[chosen_before(words, sums, i)] = i;
}
EMU_KERNEL(follow_pixels)

extern "C" __global__ void LAUNCH_BOUNDS(256, 4) follow_walk(
    const Vec* field, const u32* pixels, const u32* count, Vec* ends, int height, int width, u32 niter, Sampling sampling) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= (int)count[0]) return;
  Field f = {field, height, width, {0.0f, 0.0f}};
  int start = pixels[i];
  Vec at = {(float)(start / width), (float)(start % width)};
  if (sampling == BILINEAR) at = walk<BILINEAR>(f, at, niter);
  else if (sampling == NEAREST) at = walk<NEAREST>(f, at, niter);
  else at = walk_grid(f, at, niter);
  ends[i] = at;
}
EMU_KERNEL(follow_walk)
