//! Planes, of an image one, that are restored one by one after their intensities were scaled together (`DenoiseModel.eval`).

use ndarray::Array3;

use super::{Net, Restorer};
use crate::cpu::channels::channels;
use crate::cpu::resize;
use crate::memory::{enough, require, zeros};
use crate::plan::channels::{chosen, present};
use crate::plan::memory::{PROGRAM, pixels, pixels_of};
use crate::plan::percentiles::sample_of_volume;
use crate::watch::Watch;
use crate::{Compat, Device, Error, Image, Options, PixelType, Pixels, Result, prepare};

/// The channel of the nuclei is scaled by this much more, since nuclei are smaller than their cells (`DenoiseModel.eval`).
const NUCLEI: f64 = 30.0 / 17.0;

/// Planes of one size whose intensities are scaled together.
struct Group<'a> {
    planes: &'a [&'a Image],
    /// The channels to restore, from 1; 0 is the mean of all.
    chosen: &'a [usize],
    /// Of the restored planes.
    size: (usize, usize),
    /// The bytes in the host's memory of all planes as they are, and as they will be when all are restored.
    held: u64,
    options: &'a Options,
}

impl Restorer {
    /// Restores planes, whose intensities are scaled together unless the options say otherwise.
    pub(super) fn planes(&self, planes: &[&Image], options: &Options, watch: &Watch) -> Result<Vec<Image>> {
        self.check(options)?;
        let Some(first) = planes.first() else { return Ok(Vec::new()) };
        alike(planes)?;
        let channels = chosen(options, first.channels(), 2)?;
        present(first.channels(), channels)?;
        let chosen = if channels[1] > 0 { &channels[..] } else { &channels[..1] };
        let (size, how) = (self.size_of(first, options), &options.normalize);
        // Percentiles of blocks are smoothed along z even where each plane has its own.
        let together = how.enabled && (how.norm3d || how.tile_norm_blocksize > 0);
        let inputs: u64 = planes.iter().map(|plane| pixels_of(plane)).sum();
        let restored = pixels(size, chosen.len(), PixelType::F32).saturating_mul(planes.len() as u64);
        // So that what does not fit at the end is refused at the start.
        let held = inputs.saturating_add(restored);
        let what = |count: usize| {
            let (height, width) = first.size();
            match count {
                1 => format!("an image of {height} by {width} pixels to restore"),
                _ => format!("{count} planes of {height} by {width} pixels to restore"),
            }
        };
        // They are there before the arrays that come and go, between which they would leave gaps.
        let room = || Ok(planes.iter().map(|_| zeros(size.0 * size.1 * chosen.len())).collect());
        let mut all: Vec<Vec<f32>> = enough(|| what(planes.len()), room)?;
        let steps = planes.len() * chosen.len();
        let length = if together { planes.len() } else { 1 };
        for (g, (planes, restored)) in planes.chunks(length).zip(all.chunks_mut(length)).enumerate() {
            let begin = |step: usize| watch.begin(g * length * chosen.len() + step, steps);
            let group = Group { planes, chosen, size, held, options };
            enough(|| what(planes.len()), || self.group(&group, restored, begin, watch))?;
        }
        watch.finish();
        all.into_iter().map(|values| image(values, size, chosen.len())).collect()
    }

    /// Restores a group of planes. `begin` is called with the number of each step, of which a channel of a plane is one.
    fn group(
        &self,
        group: &Group,
        restored: &mut [Vec<f32>],
        begin: impl Fn(usize),
        watch: &Watch,
    ) -> Result<()> {
        let count = group.planes.len();
        (0..group.chosen.len()).try_for_each(|i| {
            let begin = |plane: usize| begin(i * count + plane);
            self.channel(group, i, restored, begin, watch)
        })
    }

    /// Restores the chosen channel number `i` of each plane.
    fn channel(
        &self,
        group: &Group,
        i: usize,
        restored: &mut [Vec<f32>],
        begin: impl Fn(usize),
        watch: &Watch,
    ) -> Result<()> {
        let Group { planes, size, options, .. } = *group;
        let own = self.chan2.as_ref().filter(|_| i == 1 && options.compat == Compat::None);
        let net: &Net = own.unwrap_or(&self.net);
        let scale = self.scale(options) * if i == 1 { NUCLEI } else { 1.0 };
        // The channel before it is scaled and after it, and the sample of which percentiles are taken; of one plane, one
        // after the other.
        let (map, count) = (pixels(size, 1, PixelType::F32), planes.len() as u64);
        let scaled = match planes.len() {
            1 => map,
            depth => map.saturating_mul(2 * count).saturating_add(sample_of_volume([depth, size.0, size.1])),
        };
        require(group.held.saturating_add(scaled).saturating_add(PROGRAM), options.memory);
        let mut own = options.clone().channels([1, 0]).all_channels(false).augment(false).resample(true);
        own.normalize.lowhigh = own.normalize.lowhigh.map(|of| [of[i]; 2]);
        let (ready, left) = self.pool.install(|| {
            let values = self.values(group, i)?;
            let first = values[0][0];
            if values.iter().flatten().all(|value| *value == first) {
                return Ok((Vec::new(), own));
            }
            let values = values.into_iter().map(|values| image(values, size, 1));
            prepared(values.collect::<Result<_>>()?, own, watch)
        })?;
        let held = self.on_host(group.held.saturating_add(map.saturating_mul(count)));
        let left = Options { memory: left.memory.map(|memory| memory.saturating_sub(held)), ..left };
        let mut taken = net.lanes.take();
        for (z, (plane, restored)) in ready.into_iter().zip(restored).enumerate() {
            begin(z);
            let values = taken.lane().restore(&plane, scale, &left, watch);
            let values =
                values.map_err(|error| if left.memory.is_some() { error.beside(held) } else { error })?;
            let places = restored.iter_mut().skip(i).step_by(group.chosen.len());
            places.zip(values).for_each(|(place, value)| *place = value);
        }
        Ok(())
    }

    /// The values of the chosen channel number `i` of each plane, at the size of the restored planes.
    fn values(&self, group: &Group, i: usize) -> Result<Vec<Vec<f32>>> {
        let several = group.planes.len() > 1;
        let of = |(z, &plane): (usize, &&Image)| match channels(plane, [group.chosen[i], 0], 1) {
            Ok(values) if group.size != plane.size() => {
                Ok(resize::linear(&values, plane.size(), group.size, 1))
            }
            Err(error) if several => Err(error.in_plane(z)),
            values => values,
        };
        group.planes.iter().enumerate().map(of).collect()
    }

    /// So many bytes of the host's memory, or none if the network runs elsewhere.
    fn on_host(&self, held: u64) -> u64 {
        if self.net.lanes.devices().contains(&Device::Cpu) { held } else { 0 }
    }
}

/// Planes of one channel, ready for the network, and the options with which it gets them. One plane is scaled by its stages.
fn prepared(planes: Vec<Image>, options: Options, watch: &Watch) -> Result<(Vec<Image>, Options)> {
    let several = planes.len() > 1;
    if !several && !prepare::needed(&options, 1) {
        return Ok((planes, options));
    }
    let ready = match several {
        true => prepare::together(&planes, &options, 1, watch)?,
        false => prepare::prepared(&[&planes[0]], &options, options.memory, watch)?,
    };
    let mut left = prepare::left(&options, ready.len());
    left.channels = [1, 0];
    left.normalize.enabled &= !several;
    Ok((ready, left))
}

/// Refuses planes that are not of one size, or have not as many channels.
fn alike(planes: &[&Image]) -> Result<()> {
    let about = |plane: &Image| (plane.size(), plane.channels());
    let Some(z) = planes.iter().position(|plane| about(plane) != about(planes[0])) else { return Ok(()) };
    let ((height, width), channels) = about(planes[z]);
    let reason = format!("plane {z} has {height} by {width} pixels of {channels} channels, unlike the first");
    Err(Error::Image(reason))
}

/// An image of these values, `[height, width, channels]`.
fn image(values: Vec<f32>, (height, width): (usize, usize), channels: usize) -> Result<Image> {
    let pixels = Array3::from_shape_vec((height, width, channels), values);
    Image::new(Pixels::F32(pixels.map_err(|error| Error::Image(error.to_string()))?))
}
