// Points walk along the flows of a volume, each thread with one point, as in follow.cu. A step of grid_sample takes eight
// loads of 16 bytes and about 80 FLOP. The twin on the CPU is src/cpu/volume/follow.rs.
#include "voxels.cuh"
#include "walk.cuh"
#include "warp.cuh"

namespace {
// The step of a voxel, zero outside cells, in the units in which points walk. `unused` makes it one load.
struct alignas(16) Step { float z, y, x, unused; };

struct Field { const Step* steps; Extent size; };

// The length of an axis from the centre of its first voxel to that of its last, in voxels.
DEV float span(u32 length) { return (float)(length - 1); }

// Half the length of the volume in grid_sample's coordinates, in voxels. Where the volume is one voxel long, the original
// divides by zero.
DEV float unit(u32 length, Sampling sampling) { return sampling == NEAREST ? 1.0f : 2.0f / fmaxf(span(length), 1.0f); }

DEV Vec3 nearest(const Field& f, Vec3 p) {
  Extent s = f.size;
  Step d = f.steps[index_of(s, pixel(p.z, s.depth), pixel(p.y, s.height), pixel(p.x, s.width))];
  return {clamp(p.z + d.z, 0.0f, span(s.depth)), clamp(p.y + d.y, 0.0f, span(s.height)),
          clamp(p.x + d.x, 0.0f, span(s.width))};
}

// The step of a voxel; it is zero outside of the volume.
DEV Step step_at(const Field& f, int z, int y, int x) {
  bool inside = (u32)z < f.size.depth && (u32)y < f.size.height && (u32)x < f.size.width;
  return inside ? f.steps[index_of(f.size, z, y, x)] : Step{0.0f, 0.0f, 0.0f, 0.0f};
}

// Where a point is along an axis: the voxel before it, and the weights of that one and of the next.
struct Place {
  int first;
  float weights[2];
};

// -1 and 1 are the outer borders of the volume. NaN gives weights that are NaN.
DEV Place place(float p, u32 length) {
  float at = ((p + 1.0f) * (float)length - 1.0f) / 2.0f;
  int first = (int)fmaxf(floorf(at), -1.0f);
  float begin = (float)first;
  return {first, {begin + 1.0f - at, at - begin}};
}

// The order of the products and of the sum is that of PyTorch.
DEV Vec3 grid_sample(const Field& f, Vec3 p) {
  Place z = place(p.z, f.size.depth), y = place(p.y, f.size.height), x = place(p.x, f.size.width);
  Vec3 sum = {0.0f, 0.0f, 0.0f};
#pragma unroll
  for (int corner = 0; corner < 8; corner++) {
    int back = corner >> 2, below = corner >> 1 & 1, right = corner & 1;
    Step d = step_at(f, z.first + back, y.first + below, x.first + right);
    float weight = x.weights[right] * y.weights[below] * z.weights[back];
    sum = {sum.z + d.z * weight, sum.y + d.y * weight, sum.x + d.x * weight};
  }
  return {clamp(p.z + sum.z, -1.0f, 1.0f), clamp(p.y + sum.y, -1.0f, 1.0f), clamp(p.x + sum.x, -1.0f, 1.0f)};
}

// A position along an axis in the coordinates of grid_sample, in which the volume spans -1 to 1, and back.
DEV float to_grid(float v, u32 length) { return v / fmaxf(span(length), 1.0f) * 2.0f - 1.0f; }
DEV float from_grid(float v, u32 length) { return (v + 1.0f) * 0.5f * span(length); }
}  // namespace

// Writes the step of each voxel, and marks the voxels in cells (write_chosen). `maps` are the flows along z, y and x, then
// the cell probability. Time is bound by 32 bytes for each voxel.
extern "C" __global__ void LAUNCH_BOUNDS(256, 4) volume_follow_field(
    const float* maps, Step* field, u32* words, u32* counts, float threshold, u32 depth, u32 height, u32 width,
    Sampling sampling) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x, n = voxels_of({depth, height, width});
  size_t volume = n;
  bool inside = i < n && maps[3 * volume + i] > threshold;
  write_chosen(inside, words, counts, i, n);
  if (i >= n) return;
  Step step = {0.0f, 0.0f, 0.0f, 0.0f};
  if (inside) {
    step.z = maps[i] / 5.0f * unit(depth, sampling);
    step.y = maps[volume + i] / 5.0f * unit(height, sampling);
    step.x = maps[2 * volume + i] / 5.0f * unit(width, sampling);
  }
  field[i] = step;
}
EMU_KERNEL(volume_follow_field)

extern "C" __global__ void LAUNCH_BOUNDS(256, 4) volume_follow_walk(
    const Step* field, const u32* voxels, const u32* count, Vec3* ends, u32 depth, u32 height, u32 width, u32 niter,
    Sampling sampling) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count[0]) return;
  Field f = {field, {depth, height, width}};
  Voxel start = voxel_of(f.size, voxels[i]);
  Vec3 at = {(float)start.z, (float)start.y, (float)start.x};
  if (sampling == NEAREST) {
    ends[i] = walk(at, niter, [&](Vec3 p) { return nearest(f, p); });
    return;
  }
  at = {to_grid(at.z, depth), to_grid(at.y, height), to_grid(at.x, width)};
  at = walk(at, niter, [&](Vec3 p) { return grid_sample(f, p); });
  ends[i] = {from_grid(at.z, depth), from_grid(at.y, height), from_grid(at.x, width)};
}
EMU_KERNEL(volume_follow_walk)
