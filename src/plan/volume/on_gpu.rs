//! The memory of a GPU that a volume takes.

use super::{MAPS, NUMBER, ORIENTATIONS, Orientation, checked_size, voxels};
use crate::Options;
use crate::plan::grid::Shape;
use crate::plan::percentiles::steps_of_volume;

/// What decides how much memory of a GPU a volume takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnGpu {
    /// The bytes of a plane's pixels.
    pub plane: u64,
    /// The volume, and the size at which the network gets it.
    pub image: [usize; 3],
    pub small: [usize; 3],
    /// Channels that the network reads, maps that it returns, and the length of its style vector.
    pub nchan: u64,
    pub nout: u64,
    pub style: u64,
    /// Tiles that go through the network together.
    pub batch: u64,
    /// The bytes of the weights of all networks.
    pub weights: u64,
}

/// Bytes for each voxel that `follow` and `cluster` take on a GPU beside the maps: the points, the seeds with their counts and
/// volumes, and the labels.
const CLUSTER: u64 = 42;
/// Bytes for each voxel that `components` takes for the labels and the sizes of their parts, and later for the labels, as
/// they are and as they were, and their new numbers; then bytes for each label.
const PARTS: u64 = 12;
const FILLED: u64 = 9;
const LABEL: u64 = 90;
/// Bytes for every 32 voxels of a row that the holes of large labels take: two words for each of `LARGE_BLOCKS` blocks.
const HOLES: u64 = 64;
/// For each row and column of a padded plane, a line of 16 bytes, at most a weight, and at most the first row of a tile.
const TABLES: u64 = 16 + 8 + 4;
/// Of the flow check, bytes for each stretched voxel (the flows, and the labels and the network's flows once more), for each
/// pixel of the planes that are computed together, and for each label of a volume and of these planes.
const CHECK: [u64; 4] = [28, 28, 36, 72];
/// The most planes whose flows the flow check computes together, and the most labels in them.
pub(crate) const PLANES_TOGETHER: usize = 64;
pub(crate) const LABELS_TOGETHER: usize = 1 << 22;
/// A seed has at least so many voxels: `SEED_ABOVE` of `kernels/volume_cluster.cu`, and one.
const SEED: u64 = 11;

impl OnGpu {
    /// The kernels number the values of both channels of a volume with 32 bits.
    pub const MAX_VOXELS: u64 = (1 << 31) - 1;

    /// The voxels at the largest size that a stage gets.
    pub fn most_voxels(&self, options: &Options) -> u64 {
        let checked = match options.flow3d_threshold > 0.0 {
            true => checked_size(self.image, self.small, options),
            false => self.image,
        };
        [self.image, self.small, checked].map(voxels).into_iter().max().unwrap_or(0)
    }

    /// The bytes at the fullest moment, without the feature maps of the network.
    pub fn bytes(&self, options: &Options) -> u64 {
        let bytes = |count: u64, each: u64| count.saturating_mul(each);
        let (image, small, maps) = (voxels(self.image), voxels(self.small), MAPS as u64 * NUMBER);
        let followed = if options.resample { image } else { small };
        let network = bytes(self.nchan * NUMBER + maps, small).saturating_add(self.outputs(options));
        let resize = if followed == small { 0 } else { bytes(maps, small.saturating_add(followed)) };
        let cluster = bytes(maps + CLUSTER, followed);
        let check = match options.flow3d_threshold > 0.0 {
            true => bytes(maps + NUMBER, followed).saturating_add(self.check(options)),
            false => 0,
        };
        let components = bytes(maps + NUMBER, followed).saturating_add(self.components(followed));
        let stages = [self.input(), network, resize, cluster, check, components];
        let fullest = stages.into_iter().max().unwrap_or(0);
        fullest.saturating_add(self.weights).saturating_add(self.styles())
    }

    /// `components`, at the size of the volume, of as many labels as there may be at the size at which they were found.
    fn components(&self, followed: u64) -> u64 {
        let [depth, height, width] = self.image;
        let image = voxels(self.image);
        let holes = voxels([depth, height, width.div_ceil(32)]).saturating_mul(HOLES);
        let filled = image.saturating_mul(FILLED).saturating_add(holes);
        let labels = (followed / SEED).saturating_mul(LABEL);
        image.saturating_mul(PARTS).max(filled).saturating_add(labels)
    }

    /// The style vectors of the planes of an orientation, which are there from the network to the end.
    fn styles(&self) -> u64 {
        let planes = self.small.into_iter().max().unwrap_or(0) as u64;
        planes.saturating_mul(self.style * NUMBER)
    }

    /// The channels, and beside them a plane on its way, the sample of the percentiles, or the channels at the other size.
    fn input(&self) -> u64 {
        let bytes = |size: [usize; 3]| voxels(size).saturating_mul(self.nchan * NUMBER);
        let plane = self.plane.saturating_add(bytes([1, self.image[1], self.image[2]]));
        let sample = match steps_of_volume(self.image) {
            [1, 1, 1] => 0,
            steps => bytes([0, 1, 2].map(|axis| self.image[axis].div_ceil(steps[axis]))),
        };
        let other = if self.small == self.image { 0 } else { bytes(self.small) };
        bytes(self.image).saturating_add(plane.max(sample).max(other))
    }

    /// The outputs for the planes that a batch has tiles of, the style vectors of all tiles of an orientation, and the tables
    /// of a plane's tiles.
    fn outputs(&self, options: &Options) -> u64 {
        let outputs = |orientation: &Orientation| {
            let (planes, plane) = orientation.planes(self.small);
            let shape = Shape::of(plane, options);
            let (count, (height, width)) = (shape.count().max(1), shape.tile());
            let tiles = (self.batch.div_ceil(count) + 1).saturating_mul(count);
            let values = tiles.saturating_mul(voxels([1, height, width])).saturating_mul(self.nout * NUMBER);
            let styles = (planes as u64).saturating_mul(count).saturating_mul(self.style * NUMBER);
            let (rows, columns) = shape.padded();
            let tables = (rows as u64).saturating_add(columns as u64).saturating_mul(TABLES);
            values.saturating_add(styles).saturating_add(tables)
        };
        ORIENTATIONS.iter().map(outputs).max().unwrap_or(0)
    }

    /// The flow check, in a volume that is stretched along z.
    fn check(&self, options: &Options) -> u64 {
        let size = checked_size(self.image, self.small, options);
        let plane = ORIENTATIONS.iter().map(|orientation| {
            let (_, (height, width)) = orientation.planes(size);
            voxels([1, height, width])
        });
        let planes = plane.max().unwrap_or(0).saturating_mul(PLANES_TOGETHER as u64).min(voxels(size));
        let labels = voxels(size) / SEED;
        let sections = labels.max(labels.saturating_mul(PLANES_TOGETHER as u64).min(LABELS_TOGETHER as u64));
        let parts = [voxels(size), planes, labels, sections];
        let bytes = parts.iter().zip(CHECK).map(|(count, each)| count.saturating_mul(each));
        bytes.fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::super::scaled_size;
    use super::*;

    #[test]
    fn a_gpu_holds_the_fullest_stage() {
        let volume = |image: [usize; 3], anisotropy: f64| {
            let small = scaled_size(image, 1.0, anisotropy);
            OnGpu { plane: 512 * 512, image, small, nchan: 2, nout: 3, style: 256, batch: 64, weights: 1 }
        };
        let (options, voxels) = (Options::default(), 64 * 512 * 512);
        let flat = volume([64, 512, 512], 1.0);
        assert_eq!(flat.bytes(&options), (16 + 42) * voxels + 1 + 512 * 256 * 4);
        let checked = options.clone().flow3d_threshold(1.0);
        assert!(flat.bytes(&checked) > (16 + 4 + 28 + 28) * voxels);
        // The outputs of a batch of 64 tiles of the nine of a plane take 190 MB.
        let tall = volume([64, 512, 512], 2.5);
        let batch = (64 / 9 + 2) * 9 * 224 * 224 * 12;
        assert!(tall.bytes(&options) > (8 + 16) * voxels * 5 / 2 + batch, "{}", tall.bytes(&options));
        assert!(tall.bytes(&options) < 2_000_000_000);
        for options in [options, checked] {
            assert_eq!(volume([1 << 40; 3], 100.0).bytes(&options.augment(true)), u64::MAX);
        }
    }

    #[test]
    fn the_flow_check_stretches_a_volume_that_the_network_gets_smaller() {
        let (image, small) = ([1000, 1000, 1000], [500, 100, 100]);
        let volume = OnGpu { plane: 1, image, small, nchan: 2, nout: 3, style: 256, batch: 64, weights: 1 };
        let options = Options::default().anisotropy(5.0);
        assert_eq!(volume.most_voxels(&options), 1_000_000_000);
        let checked = options.flow3d_threshold(1.0);
        assert!(volume.most_voxels(&checked) > OnGpu::MAX_VOXELS);
        assert_eq!(volume.most_voxels(&checked.resample(false)), 1_000_000_000);
    }
}
