// The parts that the convolutions of both precisions share: their arguments, the squares that maps are cut into, and
// the epilogue, which completes and stores a sum.
#pragma once
#include "values.cuh"

constexpr int STRIP_SIDE = 8;              // a strip, which is summed together, has 8x8 pixels,
constexpr int QUARTER_SIDE = 4;            // which are four quarters of 4x4 pixels
constexpr int SLICE = 16;                  // input channels that are summed together
constexpr int GROUP = 32;                  // output channels that a warp computes
constexpr int TAPS = 9;
constexpr int UNIT = SLICE * GROUP;        // weights of one tap
constexpr int OUTSIDE = -1;                // index of a halo pixel that is not in the map

// The arguments of conv3x3(relu(scale * src + shift)) + conv1x1(proj) + bias + skip_scale * skip, to which `out` is
// added if `accumulate` is set. The ReLU, the 2x2 maxima and the network's last layer can follow. A null pointer leaves
// its term out. Maps are [tile, height, width, channels].
template <class T> struct ConvSum {
  const T *src, *scale, *shift;            // shift: one row for each tile, shift_stride apart (0: one row for all)
  const T* proj;
  const T* weights;                        // [column, slice, tap, group, UNIT], where a column is the outputs of
                                           // a block; the projection's slices, of one tap, come last
  const float* bias;                       // one row for each tile, bias_stride apart (0: one row for all)
  const T* skip;                           // the map of the skip connection
  const float* skip_scale;
  T *out, *pooled;
  const float *last_scale, *last_shift, *last_weight, *last_bias;   // weight: [outputs, GROUP]
  float* output;                           // last_weight * relu(last_scale * sum + last_shift) + last_bias
  int count, height, width;                // number of tiles; their size at this level
  int src_channels, proj_channels, channels;
  int src_up, proj_up;                     // 1: the map has half the size, and each pixel is read as 2x2
  int shift_stride, bias_stride;
  int accumulate, relu, outputs, stages;
};

// A square of SIDE x SIDE pixels. Its halo is the square with the ring of pixels around it.
struct Square { int tile, y, x; };

// The squares of a batch are numbered tile by tile and row by row. A square after the last lies outside of every map.
template <int SIDE, class T> DEV Square square_at(const ConvSum<T>& a, int index) {
  const int across = (a.width + SIDE - 1) / SIDE, squares = (a.height + SIDE - 1) / SIDE * across;
  const int tile = index / squares, in = index - tile * squares;
  if (tile >= a.count) return {a.count - 1, a.height + SIDE, 0};
  return {tile, in / across * SIDE, in % across * SIDE};
}

// The index in a map of a pixel of a square's halo, or OUTSIDE. `up` is src_up or proj_up.
template <int SIDE, class T> DEV int halo_pixel(const ConvSum<T>& a, const Square& s, int pixel, int up) {
  const int y = s.y + pixel / (SIDE + 2) - 1, x = s.x + pixel % (SIDE + 2) - 1;
  if ((u32)y >= (u32)a.height || (u32)x >= (u32)a.width) return OUTSIDE;
  return (s.tile * (a.height >> up) + (y >> up)) * (a.width >> up) + (x >> up);
}

// The same for the projection: it reads only the square, so that the ring around it counts as OUTSIDE.
template <int SIDE, class T> DEV int centre_pixel(const ConvSum<T>& a, const Square& s, int pixel) {
  const int y = pixel / (SIDE + 2), x = pixel % (SIDE + 2);
  return y == 0 || y > SIDE || x == 0 || x > SIDE ? OUTSIDE : halo_pixel<SIDE>(a, s, pixel, a.proj_up);
}

// The network's last layer on 2x2 pixels. Four neighbouring lanes hold the channels of a pixel and exchange their sums,
// so all threads of a warp must call this.
template <class T> DEV void last_layer(const ConvSum<T>& a, int tile, int y, int x, int c, float (&v)[4][8]) {
  float scale[8], shift[8];
  load8(scale, a.last_scale + c);
  load8(shift, a.last_shift + c);
#pragma unroll
  for (int p = 0; p < 4; p++)
#pragma unroll
    for (int k = 0; k < 8; k++) v[p][k] = fmaxf(v[p][k] * scale[k] + shift[k], 0.f);
  for (int o = 0; o < a.outputs; o++) {
    float weight[8], sum[4];
    load8(weight, a.last_weight + o * GROUP + c);
#pragma unroll
    for (int p = 0; p < 4; p++) {
      sum[p] = 0.f;
#pragma unroll
      for (int k = 0; k < 8; k++) sum[p] = fmaf(v[p][k], weight[k], sum[p]);
      sum[p] += __shfl_xor_sync(~0u, sum[p], 1);
      sum[p] += __shfl_xor_sync(~0u, sum[p], 2);
      sum[p] += a.last_bias[o];
    }
    // Each of the 4 lanes writes its share of the outputs.
    if (o % 4 != c / 8) continue;
    float* plane = a.output + (size_t)(tile * a.outputs + o) * a.height * a.width;
#pragma unroll
    for (int p = 0; p < 4; p++) {
      const int py = y + p / 2, px = x + p % 2;
      if (py < a.height && px < a.width) plane[(size_t)py * a.width + px] = sum[p];
    }
  }
}

// Completes and stores the sums of 2x2 pixels, 8 channels of each: y and x are even, c is a multiple of 8.
template <class T> DEV void finish(const ConvSum<T>& a, int tile, int y, int x, int c, float (&v)[4][8]) {
  float bias[8], skip_scale[8];
  load8(bias, a.bias + (size_t)tile * a.bias_stride + c);
  if (a.skip) load8(skip_scale, a.skip_scale + c);
#pragma unroll
  for (int p = 0; p < 4; p++) {
    const int py = y + p / 2, px = x + p % 2;
    const bool inside = py < a.height && px < a.width;
    const size_t at = ((size_t)(tile * a.height + py) * a.width + px) * a.channels + c;
    float add[8];
#pragma unroll
    for (int k = 0; k < 8; k++) v[p][k] += bias[k];
    if (a.skip && inside) {
      load8(add, a.skip + at);
#pragma unroll
      for (int k = 0; k < 8; k++) v[p][k] = fmaf(add[k], skip_scale[k], v[p][k]);
    }
    if (a.accumulate && inside) {
      load8(add, a.out + at);
#pragma unroll
      for (int k = 0; k < 8; k++) v[p][k] += add[k];
    }
    if (a.relu) {
#pragma unroll
      for (int k = 0; k < 8; k++) v[p][k] = fmaxf(v[p][k], 0.f);
    }
    // If the last layer follows, it takes the sum from registers, and nothing else reads the map.
    if (!a.output && inside) store8(a.out + at, v[p]);
  }
  if (a.pooled && y < a.height && x < a.width) {
    // Rounding keeps the order, so these are also the maxima of the stored, rounded values.
    float most[8];
#pragma unroll
    for (int k = 0; k < 8; k++) most[k] = fmaxf(fmaxf(v[0][k], v[1][k]), fmaxf(v[2][k], v[3][k]));
    const size_t pixel = (size_t)(tile * (a.height / 2) + y / 2) * (a.width / 2) + x / 2;
    store8(a.pooled + pixel * a.channels + c, most);
  }
  if (a.output) last_layer(a, tile, y, x, c, v);
}
