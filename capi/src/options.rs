//! The options of a call.

use std::ffi::c_void;

use crate::fault::Fault;
use crate::flowmask_status;
use crate::sized::{self, sized};
use flowmask::{Compat, Diameter, Normalize, Options, Sampling};

/// The diameter that stands for an estimate from the image.
pub const FLOWMASK_DIAMETER_AUTO: f64 = 0.0;

/// The diameter that stands for that of the model: of the cells that it was trained on, if its file tells, or else the one
/// that images are scaled to.
pub const FLOWMASK_DIAMETER_MODEL: f64 = -1.0;

/// How the flow at a point between pixels is read.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum flowmask_sampling {
    /// Bilinear interpolation, as cellpose does in 2D on a CPU.
    FLOWMASK_SAMPLING_BILINEAR = 0,
    /// Bilinear interpolation half a pixel off, as cellpose does on a GPU and in 3D.
    FLOWMASK_SAMPLING_GRID_SAMPLE = 1,
    /// The flow of the pixel that contains the point.
    FLOWMASK_SAMPLING_NEAREST = 2,
}

// The library and its GPU kernels use the same numbers.
const _: () = {
    assert!(flowmask_sampling::FLOWMASK_SAMPLING_BILINEAR as i32 == Sampling::Bilinear as i32);
    assert!(flowmask_sampling::FLOWMASK_SAMPLING_GRID_SAMPLE as i32 == Sampling::GridSample as i32);
    assert!(flowmask_sampling::FLOWMASK_SAMPLING_NEAREST as i32 == Sampling::Nearest as i32);
};

/// Bugs of cellpose that are reproduced, for comparisons with it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum flowmask_compat {
    /// None.
    FLOWMASK_COMPAT_NONE = 0,
    /// Those of cellpose 3.1.1: after the flow check has dropped masks, its filter of small masks removes others than
    /// the small ones; a mask may have several parts; a channel whose percentiles differ by at most 0.001 becomes
    /// zeros; sharpening and smoothing stretch images that are not square; tiles that are normalised by themselves are
    /// not inverted; a channel that is not there is scaled by lowhigh; norm3d has no effect on volumes; channels has none on
    /// images of one channel.
    FLOWMASK_COMPAT_3_1_1 = 1,
}

/// A function that gets the part of the call that is done, from 0 to 1. It is called at least ten times a second, and at
/// last with 1. It returns 0 to stop the call, which takes no more than 100 ms, and anything else to go on. It may be called
/// in a thread of the library while the call waits, but never in two threads at the same time. It must not throw, and must
/// not leave with longjmp.
pub type flowmask_progress_callback = Option<unsafe extern "C" fn(user_data: *mut c_void, done: f64) -> i32>;

/// The options of a call, with the names and defaults of cellpose 3.1.1. Call flowmask_options_default first, then set what
/// differs.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct flowmask_options {
    /// sizeof(flowmask_options).
    pub size: u32,
    /// The channel to segment, counted from 1; 0 means the mean of all channels. Default 0.
    pub channel: u32,
    /// The channel of the nuclei, counted from 1; 0 means none. Default 0.
    pub channel_nuclei: u32,
    /// A flowmask_sampling. Default FLOWMASK_SAMPLING_BILINEAR.
    pub sampling: i32,
    /// A flowmask_compat. Default FLOWMASK_COMPAT_NONE.
    pub compat: i32,
    /// How many tiles go through the network together; 0 lets the library choose. The result does not depend on it.
    /// Default 0.
    pub batch_size: u32,
    /// Height and width of a tile in pixels: a multiple of 16, from 32 to 4096. Default 224.
    pub bsize: u32,
    /// Steps along the flows; 0 lets the library choose. Default 0.
    pub niter: i32,
    /// Masks of fewer pixels than this are dropped; 0 drops none. Default 15.
    pub min_size: u64,
    /// Median diameter of the cells in pixels. FLOWMASK_DIAMETER_AUTO, which is 0, estimates it; FLOWMASK_DIAMETER_MODEL
    /// takes the model's. Default FLOWMASK_DIAMETER_MODEL.
    pub diameter: f64,
    /// The percentile of each channel that becomes 0. Default 1.
    pub percentile_low: f64,
    /// The percentile of each channel that becomes 1. Default 99.
    pub percentile_high: f64,
    /// A mask is dropped when the mean squared difference between the flows that follow from its shape and the network's
    /// flows exceeds this; 0 drops none. Default 0.4.
    pub flow_threshold: f64,
    /// Pixels whose cellprob (a logit, about -6 to 6) exceeds this are in a cell. Default 0.
    pub cellprob_threshold: f64,
    /// Masks that cover more than this fraction of the image are dropped. Default 0.4.
    pub max_size_fraction: f64,
    /// The fraction of a tile that overlaps the next tile, from 0.05 to 0.5. Default 0.1.
    pub tile_overlap: f64,
    /// Whether intensities are scaled so that the percentiles become 0 and 1. Default 1.
    pub normalize: u32,
    /// Whether the cells are dark on a bright background. Default 0.
    pub invert: u32,
    /// Whether flows are followed at the size of the image (1) or of the network's input (0). Default 1.
    pub resample: u32,
    /// Whether masks that touch the border of the image are dropped. Default 0.
    pub exclude_on_edges: u32,
    /// Whether to average the network over flipped tiles that overlap by half, which is slower. Default 0.
    pub augment: u32,
    /// Whether the result has the flows and cellprob. Default 1.
    pub flows: u32,
    /// A function that gets the progress of the call, and can stop it; may be NULL. Default NULL.
    pub progress: flowmask_progress_callback,
    /// The first argument of progress. Default NULL.
    pub progress_user_data: *mut c_void,
    /// Whether a label keeps all its parts when they do not touch; else it becomes its largest part. Default 0.
    pub keep_parts: u32,
    /// Must be 0.
    pub reserved: u32,
    /// How many bytes of memory the call may use; what needs more is FLOWMASK_ERROR_MEMORY. 0 takes what the machine has
    /// free. Default 0.
    pub memory: u64,
    /// Of volumes: how many times farther apart planes are than pixels, from 0.01 to 100. Default 1.
    pub anisotropy: f64,
    /// Of volumes: the standard deviations in voxels, along z, y and x, by which the flows are smoothed before they are
    /// followed; 0 leaves them as they are. Default 0 each.
    pub flow3d_smooth: [f64; 3],
    /// Of volumes: as flow_threshold, which has no effect on them; 0 drops none. Default 0.
    pub flow3d_threshold: f64,
    /// In place of percentiles, the intensities that become 0 and 1: of the channel to segment, then of that of the
    /// nuclei. When the last two numbers are equal, such as 0 and 0, the first two are for both channels; when each two
    /// are equal, they stand for percentiles. The first two alone must not be equal. Default 0 each.
    pub lowhigh: [f64; 4],
    /// Sharpens: the standard deviation in pixels of the Gaussian whose surround is subtracted; 0 does not. Default 0.
    pub sharpen_radius: f64,
    /// Smooths: the standard deviation of the Gaussian in pixels; 0 does not. Default 0.
    pub smooth_radius: f64,
    /// The height and width in pixels of blocks that have percentiles of their own; 0 takes those of the channel. Default 0.
    pub tile_norm_blocksize: u64,
    /// The standard deviation, in blocks along y, by which the percentiles of blocks are smoothed once more. Default 1.
    pub tile_norm_smooth3d: f64,
    /// The factor by which the image is scaled for the network; diameter must be FLOWMASK_DIAMETER_MODEL then. 0 scales by
    /// the diameter. Default 0.
    pub rescale: f64,
    /// Of volumes and stitched stacks: whether percentiles are those of all planes together. Default 1.
    pub norm3d: u32,
    /// Whether the network gets the channels of the image as they are; channel and channel_nuclei have no effect then.
    /// Default 0.
    pub all_channels: u32,
    /// Whether labels are computed; 0 leaves them out, so that a result has the flows, cellprob and style only. Default 1.
    pub compute_masks: u32,
    /// Must be 0.
    pub reserved2: u32,
}

sized!(
    flowmask_options, "options", first: 136,
    fields: [
        size: u32, channel: u32, channel_nuclei: u32, sampling: i32, compat: i32, batch_size: u32, bsize: u32,
        niter: i32, min_size: u64, diameter: f64, percentile_low: f64, percentile_high: f64, flow_threshold: f64,
        cellprob_threshold: f64, max_size_fraction: f64, tile_overlap: f64, normalize: u32, invert: u32,
        resample: u32, exclude_on_edges: u32, augment: u32, flows: u32, progress: flowmask_progress_callback,
        progress_user_data: *mut c_void, keep_parts: u32, reserved: u32, memory: u64,
        anisotropy: f64, flow3d_smooth: [f64; 3], flow3d_threshold: f64,
        lowhigh: [f64; 4], sharpen_radius: f64, smooth_radius: f64, tile_norm_blocksize: u64,
        tile_norm_smooth3d: f64, rescale: f64, norm3d: u32, all_channels: u32, compute_masks: u32, reserved2: u32,
    ],
    defaults()
);

/// The defaults of the library.
fn defaults() -> flowmask_options {
    let ours = Options::default();
    flowmask_options {
        size: size_of::<flowmask_options>() as u32,
        channel: ours.channels[0] as u32,
        channel_nuclei: ours.channels[1] as u32,
        sampling: 0,
        compat: 0,
        batch_size: 0,
        bsize: ours.bsize as u32,
        niter: 0,
        min_size: ours.min_size as u64,
        diameter: FLOWMASK_DIAMETER_MODEL,
        percentile_low: ours.normalize.percentile[0],
        percentile_high: ours.normalize.percentile[1],
        flow_threshold: ours.flow_threshold,
        cellprob_threshold: f64::from(ours.cellprob_threshold),
        max_size_fraction: ours.max_size_fraction,
        tile_overlap: ours.tile_overlap,
        normalize: ours.normalize.enabled.into(),
        invert: ours.normalize.invert.into(),
        resample: ours.resample.into(),
        exclude_on_edges: ours.exclude_on_edges.into(),
        augment: ours.augment.into(),
        flows: ours.flows.into(),
        progress: None,
        progress_user_data: std::ptr::null_mut(),
        keep_parts: ours.keep_parts.into(),
        reserved: 0,
        memory: 0,
        anisotropy: ours.anisotropy,
        flow3d_smooth: ours.flow3d_smooth,
        flow3d_threshold: ours.flow3d_threshold,
        lowhigh: [0.0; 4],
        sharpen_radius: ours.normalize.sharpen_radius,
        smooth_radius: ours.normalize.smooth_radius,
        tile_norm_blocksize: ours.normalize.tile_norm_blocksize as u64,
        tile_norm_smooth3d: ours.normalize.tile_norm_smooth3d,
        rescale: 0.0,
        norm3d: ours.normalize.norm3d.into(),
        all_channels: ours.all_channels.into(),
        compute_masks: ours.compute_masks.into(),
        reserved2: 0,
    }
}

/// Sets all fields to their defaults. size is sizeof(flowmask_options), so that a newer library writes no more than the
/// caller has.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_options_default(
    options: *mut flowmask_options,
    size: u32,
) -> flowmask_status {
    // SAFETY: the caller's struct has `size` bytes.
    crate::fault::guard(|| unsafe { sized::set_defaults(options, size) })
}

/// The caller's progress function and its data.
#[derive(Clone, Copy)]
pub(crate) struct Progress {
    callback: flowmask_progress_callback,
    user_data: *mut c_void,
}

// SAFETY: the data is only passed to the callback, and the header says that it may be called in another thread.
unsafe impl Send for Progress {}

impl Progress {
    /// Calls the function with the part that is done. Returns whether to go on.
    pub fn at(&mut self, done: f64) -> bool {
        // SAFETY: this calls the caller's function with its data.
        self.callback.is_none_or(|callback| unsafe { callback(self.user_data, done) } != 0)
    }
}

/// Reads the caller's options; NULL stands for the defaults.
///
/// # Safety
/// `options` is NULL or points to a struct that has the size in its first field.
pub(crate) unsafe fn read(options: *const flowmask_options) -> Result<(Options, Progress), Fault> {
    let from = match options.is_null() {
        true => defaults(),
        // SAFETY: the caller guarantees it.
        false => unsafe { sized::read(options) }?,
    };
    if from.reserved != 0 || from.reserved2 != 0 {
        return Err(Fault::argument("options", "its field reserved or reserved2 is not 0"));
    }
    let options = convert(&from)?;
    options.check()?;
    Ok((options, Progress { callback: from.progress, user_data: from.progress_user_data }))
}

/// The value of a flowmask_compat.
pub(crate) fn compat(number: i32) -> Result<Compat, Fault> {
    match number {
        0 => Ok(Compat::None),
        1 => Ok(Compat::V3_1_1),
        other => {
            let reason = format!("{other} is not a flowmask_compat");
            Err(flowmask::Error::Option { name: "compat", reason }.into())
        }
    }
}

/// The intensities of both channels that become 0 and 1.
fn lowhigh([low, high, low_nuclei, high_nuclei]: [f64; 4]) -> Result<Option<[[f64; 2]; 2]>, Fault> {
    let (cells, nuclei) = ([low, high], [low_nuclei, high_nuclei]);
    match (low == high, low_nuclei == high_nuclei) {
        (true, true) => Ok(None),
        (false, true) => Ok(Some([cells; 2])),
        (false, false) => Ok(Some([cells, nuclei])),
        (true, false) => {
            let reason = "has two equal numbers for the cells, and others for the nuclei".into();
            Err(flowmask::Error::Option { name: "lowhigh", reason }.into())
        }
    }
}

fn convert(from: &flowmask_options) -> Result<Options, Fault> {
    let wrong = |name, reason: String| Err(Fault::from(flowmask::Error::Option { name, reason }));
    let diameter = match from.diameter {
        FLOWMASK_DIAMETER_MODEL if from.rescale != 0.0 => Diameter::Scale(from.rescale),
        _ if from.rescale != 0.0 => return wrong("rescale", "is given beside a diameter".into()),
        FLOWMASK_DIAMETER_AUTO => Diameter::Auto,
        FLOWMASK_DIAMETER_MODEL => Diameter::Model,
        pixels => Diameter::Pixels(pixels),
    };
    let samplings = [Sampling::Bilinear, Sampling::GridSample, Sampling::Nearest];
    let Some(sampling) = samplings.into_iter().find(|&sampling| sampling as i32 == from.sampling) else {
        return wrong("sampling", format!("{} is not a flowmask_sampling", from.sampling));
    };
    let compat = compat(from.compat)?;
    let niter = match from.niter {
        0 => None,
        niter => match u32::try_from(niter) {
            Ok(niter) => Some(niter),
            Err(_) => return wrong("niter", format!("{niter} is not a number of steps; 0 is automatic")),
        },
    };
    let lowhigh = lowhigh(from.lowhigh)?;
    Ok(Options::default()
        .diameter(diameter)
        .channels([from.channel as usize, from.channel_nuclei as usize])
        .all_channels(from.all_channels != 0)
        .compute_masks(from.compute_masks != 0)
        .normalize(
            Normalize::default()
                .enabled(from.normalize != 0)
                .percentile([from.percentile_low, from.percentile_high])
                .invert(from.invert != 0)
                .lowhigh(lowhigh)
                .sharpen_radius(from.sharpen_radius)
                .smooth_radius(from.smooth_radius)
                .tile_norm_blocksize(usize::try_from(from.tile_norm_blocksize).unwrap_or(usize::MAX))
                .tile_norm_smooth3d(from.tile_norm_smooth3d)
                .norm3d(from.norm3d != 0),
        )
        .flow_threshold(from.flow_threshold)
        .cellprob_threshold(from.cellprob_threshold as f32)
        .niter(niter)
        .min_size(usize::try_from(from.min_size).unwrap_or(usize::MAX))
        .max_size_fraction(from.max_size_fraction)
        .resample(from.resample != 0)
        .sampling(sampling)
        .exclude_on_edges(from.exclude_on_edges != 0)
        .keep_parts(from.keep_parts != 0)
        .memory((from.memory != 0).then_some(from.memory))
        .augment(from.augment != 0)
        .batch_size((from.batch_size != 0).then_some(from.batch_size as usize))
        .tile_overlap(from.tile_overlap)
        .bsize(from.bsize as usize)
        .compat(compat)
        .anisotropy(from.anisotropy)
        .flow3d_smooth(from.flow3d_smooth)
        .flow3d_threshold(from.flow3d_threshold)
        .flows(from.flows != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_library() {
        assert_eq!(convert(&defaults()).unwrap(), Options::default());
        let mut from = defaults();
        (from.lowhigh, from.rescale) = ([1.0, 90.0, 2.0, 80.0], 0.5);
        (from.norm3d, from.all_channels, from.compute_masks) = (0, 1, 0);
        let normalize = Normalize::default().lowhigh(Some([[1.0, 90.0], [2.0, 80.0]])).norm3d(false);
        let options = Options::default().diameter(Diameter::Scale(0.5)).normalize(normalize);
        assert_eq!(convert(&from).unwrap(), options.all_channels(true).compute_masks(false));
        from.diameter = 20.0;
        assert!(convert(&from).is_err());
        (from.lowhigh, from.rescale) = ([0.0; 4], 0.0);
        (from.sharpen_radius, from.smooth_radius) = (6.0, 1.0);
        (from.tile_norm_blocksize, from.tile_norm_smooth3d) = (80, 2.0);
        let normalize = Normalize::default().sharpen_radius(6.0).smooth_radius(1.0).norm3d(false);
        let normalize = normalize.tile_norm_blocksize(80).tile_norm_smooth3d(2.0);
        assert_eq!(convert(&from).unwrap().normalize, normalize);
        // SAFETY: the function checks for NULL.
        assert_eq!(unsafe { read(std::ptr::null()) }.unwrap().0, Options::default());
    }

    #[test]
    fn two_numbers_are_for_both_channels() {
        let of = |lowhigh| {
            let from = flowmask_options { lowhigh, ..defaults() };
            convert(&from).map(|options| options.normalize.lowhigh)
        };
        assert_eq!(of([1.0, 90.0, 0.0, 0.0]).unwrap(), Some([[1.0, 90.0]; 2]));
        assert_eq!(of([1.0, 90.0, 5.0, 80.0]).unwrap(), Some([[1.0, 90.0], [5.0, 80.0]]));
        assert_eq!(of([7.0, 7.0, 3.0, 3.0]).unwrap(), None);
        let fault = of([0.0, 0.0, 5.0, 90.0]).unwrap_err();
        assert!(fault.message.contains("lowhigh: has two equal numbers for the cells"), "{}", fault.message);
    }
}
