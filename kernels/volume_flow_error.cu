// The flow check of volumes. The planes of each orientation are images, whose masks' flows flow_error.cu computes; here they
// are cut out, their flows are summed, and the errors are computed. The twin on the CPU is src/cpu/volume/flow_error.rs.
#include "voxels.cuh"

namespace {
// Planes of one orientation from plane `first` on, of this height and width, with the distances of neighbouring planes,
// rows and columns in the volume.
struct Planes { u32 first, height, width, along, down, across; };

// The index in the volume of a pixel of the planes, which lie one behind the other.
DEV u32 place(const Planes& p, u32 i) {
  Voxel at = voxel_of({0, p.height, p.width}, i);
  return (p.first + at.z) * p.along + at.y * p.down + at.x * p.across;
}
}  // namespace

// Cuts out n pixels of planes. The labels of each plane get numbers of their own: after `most` numbers of one plane come
// those of the next.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1) volume_flow_cut(const u32* labels, u32* sections, Planes planes, u32 most,
                                                               u32 n) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  u32 label = labels[place(planes, i)], plane = i / (planes.height * planes.width);
  sections[i] = label ? plane * most + label : 0;
}
EMU_KERNEL(volume_flow_cut)

// Adds the flows of the masks of n pixels of planes, [2, n], to two of the volume's flows, which begin at `rows` and
// `columns`.
extern "C" __global__ void LAUNCH_BOUNDS(256, 1) volume_flow_add(const float* own, float* flows, Planes planes, u64 rows,
                                                               u64 columns, u32 n) {
  u32 i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  u32 at = place(planes, i);
  flows[rows + at] += own[i];
  flows[columns + at] += own[(size_t)n + i];
}
EMU_KERNEL(volume_flow_add)

// Computes the error of each label, one block for each. The threads compute the squares of as many voxels of its box, and one
// thread sums them in C order, so that the bits are those of the CPU; voxels of others add zero. `own` and `network` are the
// flows of the masks and of the network, [3, depth, height, width].
extern "C" __global__ void LAUNCH_BOUNDS(128, 1) volume_flow_errors(
    const u32* labels, u32 depth, u32 height, u32 width, const u32* boxes, const u32* volumes, u32 most, const float* own,
    const float* network, double* errors) {
  DYN_SMEM(raw);
  double* squares = (double*)raw;
  size_t volume = voxels_of({depth, height, width});
  for (u32 label = blockIdx.x + 1; label <= most; label += gridDim.x) {
    Box b = volumes[label - 1] ? box_of(boxes, label) : Box{0, 0, 0, 0, 0, 0};
    u64 voxels = (u64)b.depth * b.height * b.width;
    double sum = 0.0;
    for (u64 first = 0; first < voxels; first += blockDim.x) {
      u32 many = (u32)min((u64)blockDim.x, voxels - first);
      double square = 0.0;
      if (threadIdx.x < many) {
        Voxel at = voxel_of({b.depth, b.height, b.width}, (u32)(first + threadIdx.x));
        size_t i = index_of({depth, height, width}, b.front + at.z, b.top + at.y, b.left + at.x);
        for (int axis = 0; axis < 3 && labels[i] == label; axis++) {
          double difference = (double)(own[axis * volume + i] - network[axis * volume + i] / 5.0f);
          square += difference * difference;
        }
      }
      squares[threadIdx.x] = square;
      __syncthreads();
      if (threadIdx.x == 0)
        for (u32 k = 0; k < many; k++) sum += squares[k];
      __syncthreads();
    }
    // No voxel: 0 / 0.
    if (threadIdx.x == 0) errors[label - 1] = sum / (double)volumes[label - 1];
  }
}
EMU_KERNEL(volume_flow_errors)
