//! How much memory the segmentation of an image takes on the processor: all stages in one place.

use super::grid::Shape;
use super::percentiles;
use crate::memory::free;
use crate::{Error, Image, Options, PixelType, Result};

/// Bytes of a number of the maps, and of a label.
const NUMBER: u64 = 4;
/// Bytes of a step of the field that is followed, (y, x).
const STEP: u64 = 8;
/// Bytes of a pixel that is followed: its index and its end point.
const POINT: u64 = 12;
/// The program itself: 21 MB of its file that is mapped, most of it weights, and what its threads and tables take.
pub(crate) const PROGRAM: u64 = 24 << 20;

/// What the network of a model takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Network {
    /// The weights as they lie in memory, in bytes.
    pub weights: u64,
    /// Maps that the network returns.
    pub nout: u64,
    /// The feature maps of one tile and its pixels, in bytes.
    pub tile: u64,
    /// The memory of a thread for its convolutions, in bytes.
    pub thread: u64,
}

/// What is known of an image before its segmentation begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    /// (height, width) of the image.
    pub image: (usize, usize),
    /// (height, width) of the network's input.
    pub small: (usize, usize),
    /// The bytes of all images and results that are in memory together with this one: the planes of its file.
    pub others: u64,
    /// Threads that compute.
    pub threads: usize,
    /// Tiles that go through the network together.
    pub batch: usize,
}

/// The bytes that are there before the segmentation, and that each stage adds to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The weights, the images, and the labels of earlier planes.
    pub present: u64,
    /// `normalize`: one channel of the sample that is sorted.
    pub normalize: u64,
    /// `tiles`, `network`, `blend`: the tiles' feature maps, and the sum of the tiles.
    pub network: u64,
    /// `resize`: the maps at both sizes.
    pub resize: u64,
    /// `follow` and `cluster`: the maps; the field and the points; then the points, the counts and the labels.
    pub follow: u64,
    /// `components`, and the result.
    pub finish: u64,
}

impl Plan {
    /// The bytes at the fullest moment.
    pub fn peak(&self) -> u64 {
        self.present.saturating_add(self.added())
    }

    /// The bytes that the fullest stage adds.
    pub fn added(&self) -> u64 {
        [self.normalize, self.network, self.resize, self.follow, self.finish].into_iter().max().unwrap_or(0)
    }

    /// Refuses what takes more memory than the options allow or than is free. Of that `kept` bytes, and what the plan
    /// has as present, are taken already; `what` says what needs the memory.
    pub fn check(&self, options: &Options, kept: u64, what: impl FnOnce() -> String) -> Result<()> {
        let limit = options.memory.unwrap_or_else(|| free().saturating_add(self.present + kept));
        match self.peak() > limit {
            true => Err(Error::memory(what(), self.peak(), limit)),
            false => Ok(()),
        }
    }

    /// The plan of an image. Each number is the worst case, in which every pixel is in a cell.
    pub fn of(work: &Work, network: &Network, options: &Options) -> Self {
        let grid = Shape::of(work.small, options);
        let image = area(work.image);
        let small = area(work.small);
        // What the threads keep from the first batch of tiles to the end.
        let batch = (work.batch.max(1) as u64).min(grid.count());
        let share = batch.div_ceil(work.threads.max(1) as u64);
        let values = share.saturating_mul(network.nout * NUMBER).saturating_mul(area(grid.tile()));
        let threads = (work.threads as u64).saturating_mul(network.thread);
        let tiles = batch.div_ceil(share).saturating_mul(network.tile.saturating_add(values)) + threads;
        let maps = |area: u64| area.saturating_mul(network.nout * NUMBER);
        let followed = if options.resample { image } else { small };
        let resize = if followed == small { 0 } else { maps(small).saturating_add(maps(followed)) };
        let points = POINT + STEP.max(2 * NUMBER);
        let follow = maps(followed).saturating_add(followed.saturating_mul(points));
        // The maps, the copy of their last plane, the labels at two sizes, and the boxes of cells.
        let finish = maps(followed).saturating_add(followed.saturating_mul(NUMBER));
        let finish = finish.saturating_add(image.saturating_mul(3 * NUMBER));
        // A network that restores has one map, and no stages follow.
        let (follow, finish) = if network.nout == 1 { (0, maps(image)) } else { (follow, finish) };
        let with_tiles = |bytes: u64| bytes.saturating_add(tiles);
        Plan {
            present: network.weights.saturating_add(PROGRAM).saturating_add(work.others),
            normalize: sample(work.image).saturating_mul(NUMBER),
            network: with_tiles(maps(area(grid.padded()))),
            resize: with_tiles(resize),
            follow: with_tiles(follow),
            finish: with_tiles(finish),
        }
    }
}

/// What decides how much memory of a GPU an image takes.
#[cfg(feature = "cuda")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnGpu {
    /// The bytes of the image's pixels.
    pub pixels: u64,
    /// (height, width) of the image.
    pub image: (usize, usize),
    /// (height, width) of the network's input.
    pub small: (usize, usize),
    /// Whether the sums over each cell are returned.
    pub sums: bool,
    /// Channels of the image.
    pub channels: u64,
    /// Channels that the network reads.
    pub nchan: u64,
    /// Maps that the network returns.
    pub nout: u64,
    /// Whether the flows are followed at the size of the image.
    pub resample: bool,
}

/// Estimate of the bytes for each pixel that the stages after the network take on a GPU: the flows, the points, the seeds
/// with their counts and areas, the parts of masks, and their boxes and holes. All arrays of an image that is not scaled
/// were measured to take 143.
#[cfg(feature = "cuda")]
const STAGES: u64 = 83;

/// Bytes of the sums over a cell, and over one of its channels (`measure`).
#[cfg(feature = "cuda")]
const SUMS: (u64, u64) = (56, 24);

/// A mask has at least as many pixels where flows are followed: more than ten walks end in its seed (`cluster`).
#[cfg(feature = "cuda")]
const SMALLEST: u64 = 11;

#[cfg(feature = "cuda")]
impl OnGpu {
    /// The bytes of all arrays of the image, which stay there from its first stage to its last.
    pub fn bytes(&self, options: &Options) -> u64 {
        let grid = Shape::of(self.small, options);
        let maps = self.nout * NUMBER;
        let followed = area(if self.resample { self.image } else { self.small });
        let tiles = grid.count().saturating_mul(area(grid.tile()));
        let of_cell = SUMS.0 + self.channels * SUMS.1;
        let arrays = [
            self.pixels,
            area(self.image).saturating_mul(self.nchan * NUMBER),
            tiles.saturating_mul(maps),
            area(self.small).saturating_mul(maps),
            followed.saturating_mul(maps + if self.nout == 1 { 0 } else { NUMBER + STAGES }),
            area(self.image).saturating_mul(NUMBER),
            if self.sums { (followed / SMALLEST).saturating_mul(of_cell) } else { 0 },
        ];
        arrays.into_iter().fold(0, u64::saturating_add)
    }
}

/// Bytes of an image's pixels.
pub(crate) fn pixels(size: (usize, usize), channels: usize, kind: PixelType) -> u64 {
    area(size).saturating_mul(channels as u64 * kind.bytes() as u64)
}

/// [`pixels`] of an image that is there.
pub(crate) fn pixels_of(image: &Image) -> u64 {
    pixels(image.size(), image.channels(), image.pixels().kind())
}

/// Bytes of an image's result.
pub(crate) fn result(size: (usize, usize), options: &Options) -> u64 {
    area(size).saturating_mul(if options.flows { 4 * NUMBER } else { NUMBER })
}

fn area((height, width): (usize, usize)) -> u64 {
    (height as u64).saturating_mul(width as u64)
}

/// Pixels that the percentiles are taken from.
fn sample((height, width): (usize, usize)) -> u64 {
    let (down, across) = percentiles::steps(height, width);
    area((height.div_ceil(down), width.div_ceil(across)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: Network = Network { weights: 100 << 20, nout: 3, tile: 25 << 20, thread: 3 << 20 };

    fn plan(image: (usize, usize), small: (usize, usize), options: &Options) -> Plan {
        Plan::of(&Work { image, small, others: 1000, threads: 2, batch: 8 }, &NETWORK, options)
    }

    #[test]
    fn each_stage_is_planned_by_what_it_holds() {
        let options = Options::default();
        let (side, big) = ((1000, 1000), plan((1000, 1000), (2000, 2000), &options));
        // Two threads with four tiles each, of three maps.
        let tiles = 2 * (25 << 20) + 2 * 4 * 12 * 224 * 224 + 2 * (3 << 20);
        assert_eq!(big.present, (100 << 20) + (24 << 20) + 1000);
        assert_eq!(big.normalize, 4_000_000);
        assert_eq!(big.network, 12 * 2016 * 2016 + tiles);
        assert_eq!(big.resize, 12 * 4_000_000 + 12_000_000 + tiles);
        assert_eq!(big.follow, 32_000_000 + tiles);
        assert_eq!(big.peak(), big.present + big.resize);
        let same = plan(side, side, &options);
        assert_eq!((same.resize, same.added()), (tiles, same.follow));
        let coarse = plan(side, (2000, 2000), &options.clone().resample(false));
        assert_eq!((coarse.resize, coarse.follow), (tiles, 4 * 32_000_000 + tiles));
    }

    #[test]
    fn sizes_beyond_every_memory_do_not_overflow() {
        let huge = (1 << 45, 1 << 45);
        for augment in [false, true] {
            let plan = plan((1 << 20, 1 << 20), huge, &Options::default().augment(augment));
            assert_eq!((plan.network, plan.peak()), (u64::MAX, u64::MAX));
        }
    }
}
