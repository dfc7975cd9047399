//! How a volume, `[depth, height, width]`, goes through the network: its scale, its three orientations, and
//! its memory.

#[cfg(feature = "cuda")]
pub(crate) mod on_gpu;

use super::grid::Shape;
use super::memory::{Network, Plan};
use super::percentiles::steps_of_volume;
use super::scale::scaled;
use super::together::merging;
use crate::Options;

/// Bytes of a number of the maps, and of a label.
const NUMBER: u64 = 4;
/// Maps of a volume: flows along z, y and x, and the cell probability.
pub(crate) const MAPS: usize = 4;
/// Bytes of a voxel's step in the field that is followed, and of a voxel that is followed: its index and its
/// end point.
const FIELD: u64 = 16;
const POINT: u64 = 16;
/// More voxels than this cannot be numbered.
pub(crate) const MAX_VOXELS: u64 = u32::MAX as u64;

/// One of the three directions in which planes are cut from a volume. Axes are 0 for z, 1 for y, 2 for x.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orientation {
    /// The axis that runs over the planes, that of a plane's rows, and that of its columns.
    pub axes: [usize; 3],
}

/// All orientations in the order in which their outputs are added (`core.run_3D`): XY, ZX and ZY.
pub const ORIENTATIONS: [Orientation; 3] =
    [Orientation { axes: [0, 1, 2] }, Orientation { axes: [1, 0, 2] }, Orientation { axes: [2, 0, 1] }];

impl Orientation {
    /// The number of planes, and their (height, width).
    pub fn planes(&self, size: [usize; 3]) -> (usize, (usize, usize)) {
        let [plane, row, column] = self.axes;
        (size[plane], (size[row], size[column]))
    }

    /// The distance of neighbouring planes, rows and columns in a volume that lies in C order.
    pub fn strides(&self, [_, height, width]: [usize; 3]) -> [usize; 3] {
        self.axes.map(|axis| [height * width, width, 1][axis])
    }

    /// The map of the volume to which each output of the network belongs: the flows along z, y and x, then
    /// cellprob.
    pub fn maps(&self) -> [usize; 3] {
        [self.axes[1], self.axes[2], MAPS - 1]
    }
}

/// The size at which the network gets a volume: stretched along z by `anisotropy`, and scaled.
pub fn scaled_size([depth, height, width]: [usize; 3], scale: f64, anisotropy: f64) -> [usize; 3] {
    let depth = (depth as f64 * anisotropy * scale) as usize;
    [depth.max(1), scaled(height, scale), scaled(width, scale)]
}

/// The largest size at which the flows of a volume are checked: stretched along z, as the network's input is.
fn checked_size(image: [usize; 3], small: [usize; 3], options: &Options) -> [usize; 3] {
    let depth = (image[0] as f64 * options.anisotropy.max(1.0)) as usize;
    if options.resample { [depth, image[1], image[2]] } else { small }
}

/// The number of tiles of all orientations of a volume of this size.
pub(crate) fn tiles(size: [usize; 3], options: &Options) -> u64 {
    let tiles = |orientation: &Orientation| {
        let (planes, plane) = orientation.planes(size);
        (planes as u64).saturating_mul(Shape::of(plane, options).count())
    };
    ORIENTATIONS.iter().map(tiles).fold(0, u64::saturating_add)
}

/// What is known of a volume before its segmentation begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    /// The volume, and the size at which the network gets it.
    pub image: [usize; 3],
    pub small: [usize; 3],
    /// Channels that the network reads.
    pub nchan: usize,
    /// The bytes of the volume's pixels.
    pub pixels: u64,
    pub threads: usize,
    pub batch: usize,
}

impl Plan {
    /// The plan of a volume. Each number is the worst case, in which every voxel is in a cell; `network` has
    /// the tile of the largest orientation.
    pub fn of_volume(work: &Work, network: &Network, options: &Options) -> Self {
        let (image, small) = (voxels(work.image), voxels(work.small));
        let flat = voxels([work.image[0], work.small[1], work.small[2]]);
        let followed = if options.resample { image } else { small };
        let bytes = |count: u64, each: u64| count.saturating_mul(each);
        let channels = work.nchan as u64 * NUMBER;
        let maps = MAPS as u64 * NUMBER;

        let area = |(height, width): (usize, usize)| (height as u64).saturating_mul(width as u64);
        let shapes = ORIENTATIONS.map(|orientation| Shape::of(orientation.planes(work.small).1, options));
        let padded = shapes.iter().map(|shape| area(shape.padded())).max().unwrap_or(0);
        let tile = shapes.iter().map(|shape| area(shape.tile())).max().unwrap_or(0);
        let batch = work.batch.max(1) as u64;
        let share = batch.div_ceil(work.threads.max(1) as u64);
        let values = bytes(share * network.nout * NUMBER, tile);
        let workers = bytes(batch.div_ceil(share), network.tile.saturating_add(values));
        let tiles = workers.saturating_add(bytes(work.threads as u64, network.thread));

        // The volume before and after each of the two steps of resizing.
        let input = bytes(channels, image.saturating_add(flat).max(flat.saturating_add(small)));
        let resize = bytes(maps, small.saturating_add(voxels([work.small[0], work.image[1], work.image[2]])));
        let resize = resize
            .max(bytes(maps, voxels([work.small[0], work.image[1], work.image[2]]).saturating_add(image)));
        let sample = steps_of_volume(work.image).map(|step| step as u64).iter().product::<u64>();
        // With the flow check, the masks' flows and what it compares them with, stretched along z.
        let stretched = voxels(checked_size(work.image, work.small, options));
        let checked = if options.flow3d_threshold > 0.0 { bytes(8 * NUMBER, stretched) } else { 0 };
        let after = bytes(3 * NUMBER, image).max(checked);
        Plan {
            present: network.weights.saturating_add(super::memory::PROGRAM).saturating_add(work.pixels),
            // The sample of one channel, beside all channels.
            normalize: input
                .max(bytes(channels, image).saturating_add(bytes(2 * NUMBER, image.div_ceil(sample)))),
            // The sum of a plane's tiles beside its average.
            network: bytes(channels + maps, small)
                .saturating_add(bytes(2 * network.nout * NUMBER, padded))
                .saturating_add(tiles),
            resize: if followed == small { 0 } else { resize.saturating_add(tiles) },
            follow: bytes(maps + POINT + FIELD.max(3 * NUMBER), followed)
                .saturating_add(merging(followed, work.threads))
                .saturating_add(tiles),
            finish: bytes(maps + NUMBER, followed).saturating_add(after).saturating_add(tiles),
        }
    }
}

/// The number of voxels, or `u64::MAX` if it is beyond.
pub(crate) fn voxels(size: [usize; 3]) -> u64 {
    size.iter().fold(1, |all, &length| (length as u64).saturating_mul(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: Network = Network { weights: 100 << 20, nout: 3, tile: 25 << 20, thread: 3 << 20 };

    fn plan(image: [usize; 3], anisotropy: f64) -> Plan {
        let small = scaled_size(image, 1.0, anisotropy);
        let work = Work { image, small, nchan: 2, pixels: 2 * voxels(image), threads: 2, batch: 8 };
        Plan::of_volume(&work, &NETWORK, &Options::default())
    }

    #[test]
    fn a_volume_of_a_microscope_takes_less_than_two_gigabytes() {
        let plan = plan([64, 512, 512], 2.0);
        let voxels = 64 * 512 * 512;
        assert!(plan.network > voxels * 2 * (8 + 16) && plan.resize > voxels * (2 * 16 + 16));
        assert!(plan.peak() < 2_000_000_000, "{plan:?}");
    }

    #[test]
    fn walks_that_meet_are_counted_for_each_thread() {
        let plan = plan([64, 512, 512], 1.0);
        // Tiles of 224 pixels in batches of 8, four of them with a thread.
        let tiles = 2 * (NETWORK.tile + 4 * 3 * 4 * 224 * 224 + NETWORK.thread);
        assert_eq!(plan.follow, 64 * 512 * 512 * (16 + 16 + 16) + 2 * (4 << 20) + tiles);
    }

    #[test]
    fn sizes_beyond_every_memory_do_not_overflow() {
        assert_eq!(plan([1 << 40; 3], 100.0).peak(), u64::MAX);
    }

    #[test]
    fn an_output_of_the_network_is_the_flow_along_its_plane() {
        let maps = ORIENTATIONS.map(|orientation| orientation.maps());
        assert_eq!(maps, [[1, 2, 3], [0, 2, 3], [0, 1, 3]]);
        assert_eq!(ORIENTATIONS[2].strides([5, 7, 11]), [1, 77, 11]);
        assert_eq!(ORIENTATIONS[2].planes([5, 7, 11]), (11, (5, 7)));
        assert_eq!(scaled_size([26, 104, 120], 17.0 / 22.0, 2.0), [40, 80, 92]);
    }
}
