//! The straight line from the planes of a volume to its masks, on any backend.

use std::time::Instant;

use super::Found;
use super::backend::{Job, Size, Volumes};
use crate::memory::enough;
use crate::plan::volume::{ORIENTATIONS, scaled_size, tiles};
use crate::watch::Watch;
use crate::{Compat, Image, Options, Result};

/// The part of a volume's time that the network takes, roughly: progress is reported by it.
const NETWORK: f64 = 0.9;

/// The stages after the network that report that they are done.
pub(crate) const STAGES: usize = 5;

/// Turns the planes of a volume, which are equally large, into masks. `scale` is what the volume is scaled by for the
/// network.
///
/// # Errors
/// [`Error::Image`](crate::Error::Image), [`Error::Memory`](crate::Error::Memory),
/// [`Error::Device`](crate::Error::Device), [`Error::Cancelled`](crate::Error::Cancelled).
pub(crate) fn segment<B: Volumes>(
    backend: &mut B,
    planes: &[&Image],
    scale: f64,
    options: &Options,
    watch: &Watch,
) -> Result<Found> {
    let start = Instant::now();
    let [height, width] = planes.first().map_or([0; 2], |plane| [plane.height(), plane.width()]);
    let image = [planes.len(), height, width];
    let small = scaled_size(image, scale, options.anisotropy);
    let job = Job { planes, image, small };
    backend.check_memory(&job, options)?;
    enough(
        || format!("{},", job.describe()),
        || {
            let mut volume = B::Volume::default();
            watch.part(0.0, NETWORK);
            maps(backend, &mut volume, &job, options, watch)?;
            watch.part(NETWORK, 1.0);
            watch.units(STAGES);
            let size = stages_after_network(backend, &mut volume, (image, small, scale), options, watch)?;
            watch.finish();
            let (mut flows, mut cellprob) = Default::default();
            if options.flows {
                (flows, cellprob) = backend.maps(&mut volume, size)?;
            }
            let style = backend.styles(&mut volume)?;
            let masks = if options.compute_masks { backend.labels(&mut volume)? } else { Vec::new() };
            Ok(Found { image, size, flows, cellprob, style, masks, time: start.elapsed() })
        },
    )
}

/// The stages up to the network, which computes the maps.
fn maps<B: Volumes>(
    backend: &mut B,
    volume: &mut B::Volume,
    &Job { planes, image, small, .. }: &Job,
    options: &Options,
    watch: &Watch,
) -> Result<()> {
    let mut channels = backend.channels(planes, options, watch)?;
    if options.normalize.enabled {
        backend.normalize(&mut channels, image, options, watch)?;
    }
    if small != image {
        channels = backend.resize_channels(channels, image, small, watch)?;
    }
    watch.units(tiles(small, options) as usize);
    for orientation in ORIENTATIONS {
        backend.network(&channels, volume, small, orientation, options, watch)?;
    }
    Ok(())
}

/// The stages after the network, in the order of the images' stages. Flows are followed, clustered and checked at the size
/// that is returned; the masks are then scaled to the volume, filled and dropped there.
pub(crate) fn stages_after_network<B: Volumes>(
    backend: &mut B,
    volume: &mut B::Volume,
    (image, small, scale): (Size, Size, f64),
    options: &Options,
    watch: &Watch,
) -> Result<Size> {
    let size = if options.resample { image } else { small };
    if size != small {
        backend.resize_maps(volume, small, size, watch)?;
    }
    if options.flow3d_smooth != [0.0; 3] {
        backend.smooth(volume, size, options.flow3d_smooth, watch)?;
    }
    watch.add(1)?;
    if !options.compute_masks {
        return Ok(size);
    }
    backend.follow(volume, size, options.steps(scale), options, watch)?;
    watch.add(1)?;
    backend.cluster(volume, size, options.max_size_fraction, watch)?;
    watch.add(1)?;
    if options.flow3d_threshold > 0.0 {
        // Maps that were not resized are stretched already.
        let anisotropy = if options.resample { options.anisotropy } else { 1.0 };
        backend.drop_bad_flows(volume, size, anisotropy, options.flow3d_threshold, watch)?;
    }
    if size != image {
        backend.resize_labels(volume, size, image)?;
    }
    if !options.keep_parts && options.compat == Compat::None {
        backend.keep_largest_parts(volume, image, watch)?;
    }
    watch.add(1)?;
    backend.fill_holes_and_drop_small(volume, image, options.min_size, options.compat, watch)?;
    watch.add(1)?;
    if options.exclude_on_edges {
        backend.drop_edges(volume, image)?;
    }
    Ok(size)
}
