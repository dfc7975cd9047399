//! What options ask for that needs whole planes before the network gets a pixel: `sharpen`, `tile_norm`, and
//! `normalize` of each plane of a stack. The processor does it for all devices, whose stages then get other planes and
//! other options.

use crate::cpu::channels::Channels;
use crate::cpu::normalize::{apply, levels, levels_of_volume};
use crate::cpu::sharpen::sharpen_while;
use crate::cpu::tile_norm::{self, tile_norm_while};
use crate::memory::{enough, require, zeros};
use crate::plan::memory::pixels_of;
use crate::pool::Pool;
use crate::watch::Watch;
use crate::{Compat, Device, Error, Image, Normalize, Options, Pixels, Result};
use ndarray::Array3;

/// Whether planes that belong together, of an image one, have to be prepared.
pub(crate) fn needed(options: &Options, planes: usize) -> bool {
    options.normalize.enabled && (options.normalize.needs_planes() || by_plane(options, planes))
}

/// Whether each of these planes is normalised by itself, where stages would take all together.
fn by_plane(options: &Options, planes: usize) -> bool {
    let Normalize { norm3d, lowhigh, tile_norm_blocksize, .. } = options.normalize;
    tile_norm_blocksize == 0 && planes > 1 && (!norm3d || lowhigh.is_some())
}

/// The options that are left for prepared planes: their channels are chosen, and they may be normalised.
pub(crate) fn left(options: &Options, planes: usize) -> Options {
    let Normalize { percentile, invert, tile_norm_blocksize, .. } = options.normalize;
    let done = tile_norm_blocksize > 0 || by_plane(options, planes);
    let rest = Normalize::default().enabled(!done).percentile(percentile).invert(invert);
    let second = scales_absent(options) || options.channels[1] > 0;
    let channels = if second { [1, 2] } else { [1, 0] };
    // With `all_channels`, the network gets the channels of prepared planes so, too: more than it takes are an error.
    let all_channels = options.all_channels && !scales_absent(options);
    Options { channels, all_channels, normalize: rest, ..options.clone() }
}

/// Whether the original scales a channel that is not there, too.
fn scales_absent(options: &Options) -> bool {
    options.normalize.lowhigh.is_some() && options.compat == Compat::V3_1_1
}

/// How many channels prepared planes have.
pub(crate) fn nchan(planes: &[&Image], options: &Options) -> usize {
    match options.all_channels {
        _ if scales_absent(options) => 2,
        true => planes.iter().map(|plane| plane.channels()).max().unwrap_or(1).min(2),
        false => 1 + usize::from(options.channels[1] > 0),
    }
}

/// The planes of an image (one) or of a volume, prepared: they have the channels that the options choose.
///
/// # Errors
/// [`Error::Image`], [`Error::Cancelled`]. Unwinds with [`OutOfMemory`](crate::OutOfMemory), also for more than `limit`
/// bytes.
pub(crate) fn prepared(
    planes: &[&Image],
    options: &Options,
    limit: Option<u64>,
    watch: &Watch,
) -> Result<Vec<Image>> {
    let nchan = nchan(planes, options);
    let all_channels = checked(planes, options, nchan)?;
    let Some(&first) = planes.first() else { return Ok(Vec::new()) };
    let (height, width) = first.size();
    let length = width * nchan;
    let plane = (height * length * size_of::<f32>()) as u64;
    let Normalize { sharpen_radius, smooth_radius, tile_norm_blocksize, .. } = options.normalize;
    let blocks = match tile_norm_blocksize {
        0 => 0,
        side => {
            let threads = rayon::current_num_threads();
            tile_norm::bytes(planes.len(), (height, width), nchan, side, threads)
        }
    };
    // One more plane is there while a plane is sharpened.
    require(plane.saturating_mul(planes.len() as u64 + 1).saturating_add(blocks), limit);
    let (how, compat, go_on) = (&options.normalize, options.compat, &|| watch.go_on());
    let mut all = Vec::with_capacity(planes.len());
    for channels in all_channels {
        let mut pixels = zeros(height * length);
        let rows = pixels.chunks_exact_mut(length).enumerate();
        rows.for_each(|(y, row)| channels.row(y, 0..width, row));
        if sharpen_radius > 0.0 || smooth_radius > 0.0 {
            let radii = [smooth_radius, sharpen_radius];
            pixels = sharpen_while(&pixels, [height, width, nchan], radii, compat, go_on);
        }
        if by_plane(options, planes.len()) {
            let row = |y: usize, out: &mut [f32]| out.copy_from_slice(&pixels[y * length..][..length]);
            let mut levels = levels(row, height, width, nchan, how, compat);
            channels.leave_absent(&mut levels, compat);
            apply(&levels, &mut pixels);
        }
        watch.check()?;
        all.push(pixels);
    }
    if tile_norm_blocksize > 0 {
        tile_norm_while(&mut all, (height, width), nchan, how, compat, go_on);
        watch.check()?;
    }
    all.into_iter().map(|pixels| image(pixels, [height, width, nchan])).collect()
}

/// The planes of a volume, of which the options normalise the intensities, with nothing of that left to do: they have the first
/// `nchan` of the chosen channels, whose percentiles in all planes together become 0 and 1, or what else [`Normalize`] says.
///
/// # Errors
/// Those of [`prepared`].
pub(crate) fn together(
    volume: &[Image],
    options: &Options,
    nchan: usize,
    watch: &Watch,
) -> Result<Vec<Image>> {
    if !needed(options, volume.len()) {
        return scaled(volume, options, nchan);
    }
    let prepared = prepared(&volume.iter().collect::<Vec<_>>(), options, options.memory, watch)?;
    let left = left(options, volume.len());
    if left.normalize.enabled { scaled(&prepared, &left, nchan) } else { Ok(prepared) }
}

/// The chosen channels of planes, whose percentiles in all planes together become 0 and 1.
fn scaled(planes: &[Image], options: &Options, nchan: usize) -> Result<Vec<Image>> {
    let Some((height, width)) = planes.first().map(Image::size) else { return Ok(Vec::new()) };
    let all: Vec<&Image> = planes.iter().collect();
    let channels = checked(&all, options, nchan)?;
    let row = |z: usize, y: usize, out: &mut [f32]| channels[z].row(y, 0..width, out);
    let size = [planes.len(), height, width];
    let levels = levels_of_volume(row, size, nchan, &options.normalize, options.compat);
    let plane = |z: usize| {
        let mut pixels = zeros(height * width * nchan);
        for (y, out) in pixels.chunks_exact_mut(width * nchan).enumerate() {
            row(z, y, out);
            apply(&levels, out);
        }
        image(pixels, [height, width, nchan])
    };
    (0..planes.len()).map(plane).collect()
}

fn image(pixels: Vec<f32>, [height, width, nchan]: [usize; 3]) -> Result<Image> {
    let pixels = Array3::from_shape_vec((height, width, nchan), pixels);
    Image::new(Pixels::F32(pixels.map_err(|e| Error::Image(e.to_string()))?))
}

/// The channels of planes whose pixels are all finite.
fn checked<'a>(planes: &[&'a Image], options: &Options, nchan: usize) -> Result<Vec<Channels<'a>>> {
    let channels = |(z, plane): (usize, &&'a Image)| {
        let channels = Channels::chosen(plane, options, nchan)?;
        match channels.check() {
            Err(error) if planes.len() > 1 => Err(error.in_plane(z)),
            checked => checked.map(|()| channels),
        }
    };
    planes.iter().enumerate().map(channels).collect()
}

/// Prepares images, each by itself, and calls `run` with those that are to be segmented, and the options for them. The
/// results are in the order of the images.
pub(crate) fn of_images<T>(
    images: &[&Image],
    options: &Options,
    (pool, device): (&Pool, Device),
    watch: &Watch,
    run: impl FnOnce(&[&Image], &Options) -> Vec<Result<T>>,
) -> Vec<Result<T>> {
    if !needed(options, 1) {
        return run(images, options);
    }
    let memory = beside(images, options, device);
    let mut rest = memory;
    let prepare = |&image: &&Image| {
        let prepared = prepared_within(&[image], options, rest, pool, watch)?;
        let bytes = prepared.iter().map(pixels_of).sum();
        rest = rest.map(|rest| rest.saturating_sub(bytes));
        Ok(prepared)
    };
    let prepared: Vec<Result<Vec<Image>>> = images.iter().map(prepare).collect();
    let good: Vec<&Image> = prepared.iter().flatten().flatten().collect();
    let left = left(options, 1);
    let left = if device == Device::Cpu { left.memory(memory) } else { left };
    let mut found = run(&good, &left).into_iter();
    prepared
        .into_iter()
        .map(|prepared| prepared.and_then(|_| found.next().unwrap_or(Err(Error::Cancelled))))
        .collect()
}

/// Prepares the planes of a volume, if that is needed, as [`prepared`], and returns them with the options for them.
///
/// # Errors
/// [`Error::Image`], [`Error::Memory`], [`Error::Cancelled`].
pub(crate) fn of_volume(
    volume: &[&Image],
    options: &Options,
    (pool, device): (&Pool, Device),
    watch: &Watch,
) -> Result<Option<(Vec<Image>, Options)>> {
    if !needed(options, volume.len()) {
        return Ok(None);
    }
    let memory = beside(volume, options, device);
    let planes = prepared_within(volume, options, memory, pool, watch)?;
    let left = left(options, volume.len());
    Ok(Some((planes, if device == Device::Cpu { left.memory(memory) } else { left })))
}

/// What is left of the limit of the host's memory, if the options have one, beside these images.
fn beside(images: &[&Image], options: &Options, device: Device) -> Option<u64> {
    let pixels = images.iter().map(|image| pixels_of(image)).sum();
    options.memory.filter(|_| device == Device::Cpu).map(|memory| memory.saturating_sub(pixels))
}

/// [`prepared`] on the threads of a pool; too little memory is an error.
fn prepared_within(
    all: &[&Image],
    options: &Options,
    limit: Option<u64>,
    pool: &Pool,
    watch: &Watch,
) -> Result<Vec<Image>> {
    let (height, width) = all.first().map_or((0, 0), |image| image.size());
    let what = || match all.len() {
        1 => format!("the intensities of an image of {height} by {width} pixels"),
        count => format!("the intensities of {count} planes of {height} by {width} pixels"),
    };
    enough(what, || pool.install(|| prepared(all, options, limit, watch)))
}
