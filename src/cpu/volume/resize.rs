//! Resizing volumes with the results of `cv2.resize`, plane by plane and then along z.

use rayon::prelude::*;

use super::{Size, voxels};
use crate::cpu::resize::{linear_to, nearest as nearest_plane, neighbours, planes_while};
use crate::memory::{room, zeros};
use crate::plan::scale::step;
use crate::watch::GoOn;

/// Resizes several volumes, `[volume, depth, height, width]`, with linear interpolation along each axis: first the
/// planes, as images, then along z.
pub fn volumes(source: Vec<f32>, from: Size, to: Size) -> Vec<f32> {
    volumes_while(source, from, to, &|| true)
}

/// Like [`volumes`], and stops early, with values that mean nothing, when `go_on` is false.
pub(crate) fn volumes_while(source: Vec<f32>, from: Size, to: Size, go_on: GoOn) -> Vec<f32> {
    let ([_, from_height, from_width], [_, height, width]) = (from, to);
    let flat = match (from_height, from_width) == (height, width) {
        true => source,
        false => planes_while(&source, (from_height, from_width), (height, width), go_on),
    };
    along_z(flat, [from[0], height, width], to[0], go_on)
}

/// Resizes one volume with several channels, `[depth, height, width, channels]`, like [`volumes`].
pub fn channels(source: Vec<f32>, from: Size, to: Size, channels: usize) -> Vec<f32> {
    channels_while(source, from, to, channels, &|| true)
}

/// Like [`channels`], and stops early, with values that mean nothing, when `go_on` is false.
pub(crate) fn channels_while(
    source: Vec<f32>,
    from: Size,
    to: Size,
    channels: usize,
    go_on: GoOn,
) -> Vec<f32> {
    let ([depth, from_height, from_width], [_, height, width]) = (from, to);
    let flat = match (from_height, from_width) == (height, width) {
        true => source,
        false => {
            let mut flat = zeros(depth * height * width * channels);
            let planes = source.chunks_exact(from_height * from_width * channels);
            let pairs = planes.zip(flat.chunks_exact_mut(height * width * channels));
            for (plane, out) in pairs.take_while(|_| go_on()) {
                linear_to(plane, (from_height, from_width), (height, width), channels, out);
            }
            flat
        }
    };
    along_z(flat, [depth, height, width * channels], to[0], go_on)
}

/// Resizes several volumes along z to `depth` planes.
fn along_z(source: Vec<f32>, size: Size, depth: usize, go_on: GoOn) -> Vec<f32> {
    let plane = size[1] * size[2];
    if size[0] == depth {
        return source;
    }
    let neighbours = neighbours(size[0], depth);
    let mut out = zeros(source.len() / size[0] * depth);
    out.par_chunks_exact_mut(plane).enumerate().filter(|_| go_on()).for_each(|(i, out)| {
        let (volume, z) = (&source[i / depth * voxels(size)..], &neighbours[i % depth]);
        let (near, far) = (&volume[z.near * plane..][..plane], &volume[z.far * plane..][..plane]);
        for ((out, near), far) in out.iter_mut().zip(near).zip(far) {
            *out = near * (1.0 - z.weight) + far * z.weight;
        }
    });
    out
}

/// Resizes labels, `[depth, height, width]`: along each axis the source index is `floor(i · from / to)` (`INTER_NEAREST`).
pub fn nearest(source: &[u32], from: Size, to: Size) -> Vec<u32> {
    let step = step(from[0], to[0]);
    let plane = from[1] * from[2];
    let mut out = room(voxels(to));
    for z in 0..to[0] {
        let z = ((z as f64 * step) as usize).min(from[0] - 1);
        out.extend(nearest_plane(&source[z * plane..][..plane], (from[1], from[2]), (to[1], to[2])));
    }
    out
}
