//! The stages of a volume on a device, under the names that they have for images.

use crate::options::{Compat, Options};
use crate::plan::volume::Orientation;
use crate::watch::Watch;
use crate::{Image, Result};

pub(crate) use crate::cpu::volume::Size;

/// A processor or a GPU that runs the stages of volumes. The arrays of a volume stay in its memory, from the pixels to the
/// labels; [`Backend`](crate::backend::Backend) has the stages of images.
///
/// Each method names the stage that it runs, which is a module of `cpu::volume` and of `cuda::volume`. Those that
/// get a watch stop with [`Error::Cancelled`](crate::Error::Cancelled) when it says so.
pub(crate) trait Volumes {
    /// The network's channels of a volume, which are needed up to the network.
    type Channels;

    /// The arrays of a volume from the network on.
    type Volume: Default;

    /// Checks that the memory suffices for a volume, before anything is allocated for it.
    fn check_memory(&mut self, job: &Job, options: &Options) -> Result<()>;

    /// `channels`: takes the network's channels from the planes, with their size and their values unchanged.
    ///
    /// # Errors
    /// [`Error::Image`](crate::Error::Image) for a channel that is not there, and for a pixel that is not finite.
    fn channels(&mut self, planes: &[&Image], options: &Options, watch: &Watch) -> Result<Self::Channels>;

    /// `normalize`: scales the intensities of these channels, so that the chosen percentiles of all planes become 0 and 1.
    fn normalize(
        &mut self,
        channels: &mut Self::Channels,
        size: Size,
        options: &Options,
        watch: &Watch,
    ) -> Result<()>;

    /// `resize`: scales the channels to the size of the network's input.
    fn resize_channels(
        &mut self,
        channels: Self::Channels,
        from: Size,
        to: Size,
        watch: &Watch,
    ) -> Result<Self::Channels>;

    /// `tiles`, `network`, `blend`: computes the outputs of all planes of one orientation, and adds them to the maps that they
    /// belong to; the maps are zeros before the first orientation. The style vectors are those of the orientation's planes.
    /// Each tile is a unit of the watch's step.
    ///
    /// # Errors
    /// [`Error::Image`](crate::Error::Image) when an output is not finite.
    fn network(
        &mut self,
        channels: &Self::Channels,
        volume: &mut Self::Volume,
        size: Size,
        orientation: Orientation,
        options: &Options,
        watch: &Watch,
    ) -> Result<()>;

    /// `resize`: scales the maps to another size.
    fn resize_maps(&mut self, volume: &mut Self::Volume, from: Size, to: Size, watch: &Watch) -> Result<()>;

    /// `smooth`: smooths the flows, with these standard deviations along z, y and x in voxels.
    fn smooth(&mut self, volume: &mut Self::Volume, size: Size, sigma: [f64; 3], watch: &Watch)
    -> Result<()>;

    /// `follow`: moves each voxel that is in a cell `niter` steps along the flows.
    fn follow(
        &mut self,
        volume: &mut Self::Volume,
        size: Size,
        niter: u32,
        options: &Options,
        watch: &Watch,
    ) -> Result<()>;

    /// `cluster`: gives voxels whose end points lie together the same label.
    fn cluster(
        &mut self,
        volume: &mut Self::Volume,
        size: Size,
        max_size_fraction: f64,
        watch: &Watch,
    ) -> Result<()>;

    /// `flow_error`: drops the masks whose own flows differ too much from the network's, in a volume whose planes lie
    /// `anisotropy` times as far apart as its pixels.
    fn drop_bad_flows(
        &mut self,
        volume: &mut Self::Volume,
        size: Size,
        anisotropy: f64,
        threshold: f64,
        watch: &Watch,
    ) -> Result<()>;

    /// `resize`: scales the labels to another size.
    fn resize_labels(&mut self, volume: &mut Self::Volume, from: Size, to: Size) -> Result<()>;

    /// `parts`: keeps the largest connected part of each mask.
    fn keep_largest_parts(&mut self, volume: &mut Self::Volume, size: Size, watch: &Watch) -> Result<()>;

    /// `components`: fills holes and drops small masks.
    fn fill_holes_and_drop_small(
        &mut self,
        volume: &mut Self::Volume,
        size: Size,
        min_size: usize,
        compat: Compat,
        watch: &Watch,
    ) -> Result<()>;

    /// `components`: drops masks that touch the border of the volume.
    fn drop_edges(&mut self, volume: &mut Self::Volume, size: Size) -> Result<()>;

    /// Copies the style vectors of the last orientation's planes to the host, one behind the other.
    fn styles(&mut self, volume: &mut Self::Volume) -> Result<Vec<f32>>;

    /// Copies the maps to the host: the flows, `[3, depth, height, width]`, and the cellprob, `[depth, height, width]`.
    fn maps(&mut self, volume: &mut Self::Volume, size: Size) -> Result<(Vec<f32>, Vec<f32>)>;

    /// Copies the labels, `[depth, height, width]`, to the host.
    fn labels(&mut self, volume: &mut Self::Volume) -> Result<Vec<u32>>;
}

/// What is known of a volume before its stages run.
pub(crate) struct Job<'a> {
    /// The planes along z, which are equally large.
    pub planes: &'a [&'a Image],
    /// The size of the volume.
    pub image: Size,
    /// The size of the network's input.
    pub small: Size,
}

impl Job<'_> {
    /// The volume in the words of an error about its memory.
    pub fn describe(&self) -> String {
        let ([planes, height, width], [depth, rows, columns]) = (self.image, self.small);
        format!(
            "a volume of {planes} planes of {height} by {width} pixels, which the network gets as {depth} of {rows} by \
             {columns}"
        )
    }
}
