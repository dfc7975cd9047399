//! Planes, of an image one, that are restored one by one after their intensities were scaled together (`DenoiseModel.eval`).

use ndarray::Array3;

use super::{Net, Restorer};
use crate::cpu::channels::channels;
use crate::cpu::resize;
use crate::memory::{enough, require, zeros};
use crate::plan::channels::{chosen, present};
use crate::plan::memory::{pixels, pixels_of};
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
    /// The bytes of other planes in the host's memory, and of those of the group.
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
        let mut all: Vec<Image> = Vec::new();
        for group in planes.chunks(if together { planes.len() } else { 1 }) {
            let held = inputs + all.iter().map(pixels_of).sum::<u64>();
            let (before, count) = (all.len() * chosen.len(), planes.len() * chosen.len());
            let begin = |step: usize| watch.begin(before + step, count);
            let (height, width) = first.size();
            let what = || match group.len() {
                1 => format!("an image of {height} by {width} pixels to restore"),
                count => format!("{count} planes of {height} by {width} pixels to restore"),
            };
            let group = Group { planes: group, chosen, size, held, options };
            all.extend(enough(what, || self.group(&group, begin, watch))?);
        }
        watch.finish();
        Ok(all)
    }

    /// Restores a group of planes. `begin` is called with the number of each step, of which a channel of a plane is one.
    fn group(&self, group: &Group, begin: impl Fn(usize), watch: &Watch) -> Result<Vec<Image>> {
        let count = group.planes.len();
        let mut maps = Vec::new();
        for i in 0..group.chosen.len() {
            let begin = |plane: usize| begin(i * count + plane);
            maps.push(self.channel(group, i, begin, watch)?.into_iter());
        }
        let plane = |_| together(maps.iter_mut().filter_map(Iterator::next).collect(), group.size);
        (0..count).map(plane).collect()
    }

    /// The chosen channel number `i` of each plane, restored.
    fn channel(
        &self,
        group: &Group,
        i: usize,
        begin: impl Fn(usize),
        watch: &Watch,
    ) -> Result<Vec<Vec<f32>>> {
        let Group { planes, size, options, .. } = *group;
        let own = self.chan2.as_ref().filter(|_| i == 1 && options.compat == Compat::None);
        let net: &Net = own.unwrap_or(&self.net);
        let scale = self.scale(options) * if i == 1 { NUCLEI } else { 1.0 };
        // The channel, and a copy of it at another size; of several planes, one more that is scaled.
        let (map, count) = (pixels(size, 1, PixelType::F32), planes.len() as u64);
        require(map.saturating_mul(if count > 1 { 3 * count } else { 2 }), options.memory);
        let mut own = options.clone().channels([1, 0]).all_channels(false).augment(false).resample(true);
        own.normalize.lowhigh = own.normalize.lowhigh.map(|of| [of[i]; 2]);
        let (ready, left) = self.pool.install(|| {
            let values = self.values(group, i)?;
            let first = values[0][0];
            if values.iter().flatten().all(|value| *value == first) {
                return Ok((Vec::new(), own));
            }
            let values = values.into_iter().map(|values| together(vec![values], size));
            prepared(values.collect::<Result<_>>()?, own, watch)
        })?;
        if ready.is_empty() {
            return Ok(planes.iter().map(|_| zeros(size.0 * size.1)).collect());
        }
        let done = (i as u64 + 1) * count - 1;
        let left = self.beside(left, group.held.saturating_add(map.saturating_mul(done)));
        let mut taken = net.lanes.take();
        let restore = |(z, plane): (usize, Image)| {
            begin(z);
            taken.lane().restore(&plane, scale, &left, watch)
        };
        ready.into_iter().enumerate().map(restore).collect()
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

    /// The options of the network's run, beside which `held` bytes are in the host's memory.
    fn beside(&self, mut options: Options, held: u64) -> Options {
        let on_host = self.net.lanes.devices().contains(&Device::Cpu);
        options.memory =
            options.memory.map(|memory| if on_host { memory.saturating_sub(held) } else { memory });
        options
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

/// An image of these channels, each `[height, width]`.
fn together(mut channels: Vec<Vec<f32>>, (height, width): (usize, usize)) -> Result<Image> {
    let count = channels.len();
    let values = match count {
        1 => channels.remove(0),
        _ => {
            let mut values = zeros(height * width * count);
            for (c, channel) in channels.iter().enumerate() {
                let places = values.iter_mut().skip(c).step_by(count);
                places.zip(channel).for_each(|(place, value)| *place = *value);
            }
            values
        }
    };
    let pixels = Array3::from_shape_vec((height, width, count), values);
    Image::new(Pixels::F32(pixels.map_err(|error| Error::Image(error.to_string()))?))
}
