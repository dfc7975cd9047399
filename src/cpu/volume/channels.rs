//! The network's channels of a volume: `[depth, height, width, nchan]` in single precision.

use rayon::prelude::*;

use crate::cpu::channels::Channels;
use crate::memory::zeros;
use crate::watch::GoOn;
use crate::{Image, Result};

/// The channels of planes of one size; `choice` and `nchan` are those of an image ([`Channels::of`]).
///
/// # Errors
/// [`Error::Image`](crate::Error::Image) when the planes do not have a channel, or a pixel is not finite; it names the plane.
pub fn channels(planes: &[&Image], choice: [usize; 2], nchan: usize) -> Result<Vec<f32>> {
    channels_while(planes, choice, nchan, &|| true)
}

/// Like [`channels`], and stops early, with planes of zeros, when `go_on` is false.
pub(crate) fn channels_while(
    planes: &[&Image],
    choice: [usize; 2],
    nchan: usize,
    go_on: GoOn,
) -> Result<Vec<f32>> {
    check(planes, choice, nchan)?;
    let (height, width) = planes.first().map_or((0, 0), |plane| plane.size());
    let mut values = zeros(planes.len() * height * width * nchan);
    let rows = values.par_chunks_exact_mut(width * nchan).enumerate();
    rows.filter(|_| go_on()).try_for_each(|(i, out)| {
        Channels::of(planes[i / height], choice, nchan)?.row(i % height, 0..width, out);
        Ok(())
    })?;
    Ok(values)
}

/// Checks that all planes have the channels, and that their pixels are finite.
pub(crate) fn check(planes: &[&Image], choice: [usize; 2], nchan: usize) -> Result<()> {
    for (z, plane) in planes.iter().enumerate() {
        let checked = Channels::of(plane, choice, nchan)?.check();
        checked.map_err(|error| error.in_plane(z))?;
    }
    Ok(())
}
