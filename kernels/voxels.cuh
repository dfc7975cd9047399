// Voxels of a volume in C order, and the bounding boxes of masks in it. A volume has fewer than 2^32 voxels.
#pragma once
#include "prims.cuh"

namespace {

struct Extent { u32 depth, height, width; };

struct Voxel { u32 z, y, x; };

DEV u32 voxels_of(Extent s) { return s.depth * s.height * s.width; }

DEV u32 index_of(Extent s, u32 z, u32 y, u32 x) { return (z * s.height + y) * s.width + x; }

DEV Voxel voxel_of(Extent s, u32 i) {
  u32 row = i / s.width;
  return {row / s.height, row % s.height, i % s.width};
}

struct Box { u32 front, top, left, depth, height, width; };

// A stored box has six numbers: the complements of its first plane, row and column, then the plane, row and column after
// its last. All grow by atomicMax, so that memory filled with zeros is an empty box.
DEV Box box_of(const u32* boxes, u32 label) {
  const u32* b = boxes + 6 * (size_t)(label - 1);
  return {~b[0], ~b[1], ~b[2], b[3] - ~b[0], b[4] - ~b[1], b[5] - ~b[2]};
}

}  // namespace
