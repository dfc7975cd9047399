// The average of a pixel over the tiles that cover it.
#pragma once
#include "prims.cuh"

namespace {

// A row or column of the padded image: the sum of the weights of the tiles that cover it, and the range of these tiles.
struct Line {
  double total;
  u32 first, end;
};

// The size of the image, the zeros above and left of it, the padded height, the size of a tile, the grid of tiles, and
// whether tiles are flipped.
struct Layout {
  int height, width, top, left, padded_height, tile_height, tile_width, tile_rows, tile_columns, augment;
};

// The weighted average for the pixel (y, x) of the image: the sum of the values of its tiles in their order, divided by the
// sum of their weights. `values` is [tile, nout, tile height, tile width]. The flow along a flipped axis changes its sign.
// Each of the three tables has its entries for rows first, then those for columns.
DEV float average(const float* values, const Line* lines, const u32* starts, const double* tapers, const Layout& g,
                  u32 channel, u32 nout, int y, int x) {
  Line row = lines[g.top + y], column = lines[g.padded_height + g.left + x];
  float sum = 0.0f;
  for (u32 j = row.first; j < row.end; j++) {
    int in_y = g.top + y - starts[j];
    double down = tapers[in_y];
    for (u32 i = column.first; i < column.end; i++) {
      int in_x = g.left + x - starts[g.tile_rows + i];
      double weight = down * tapers[g.tile_height + in_x];
      // Odd columns of tiles are flipped in y and odd rows in x.
      bool flip_y = g.augment && i % 2, flip_x = g.augment && j % 2;
      bool negative = channel + 1 < nout && ((channel == 0 && flip_y) || (channel == 1 && flip_x));
      int from_y = flip_y ? g.tile_height - 1 - in_y : in_y, from_x = flip_x ? g.tile_width - 1 - in_x : in_x;
      size_t plane = ((size_t)j * g.tile_columns + i) * nout + channel;
      float value = values[(plane * g.tile_height + from_y) * g.tile_width + from_x];
      sum = (float)((double)sum + (double)(negative ? -value : value) * weight);
    }
  }
  return (float)((double)sum / (row.total * column.total));
}

constexpr float MOST = 3.4028235e38f;   // the largest number in single precision

DEV bool is_finite(float v) { return fabsf(v) <= MOST; }

}  // namespace
