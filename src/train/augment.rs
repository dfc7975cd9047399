//! Augmentation: a random flip, rotation, scale and translation (`random_rotate_and_resize` of the original).

use std::f64::consts::{FRAC_PI_2, TAU};

use rayon::prelude::*;

use crate::{Error, Result};

/// A random flip, rotation, scale and translation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Augmentation {
    /// Whether the image is mirrored along x first.
    pub flip: bool,
    /// The angle of the rotation in radians, from x towards y.
    pub angle: f64,
    /// Pixels of the tile for one of the image, more than 0.
    pub scale: f64,
    /// The translation along y and x: from −0.5 to 0.5 of what the scaled image is larger than the tile.
    pub shift: [f64; 2],
}

impl Augmentation {
    /// Makes one of five random numbers from 0 to 1, in the order of the original: flip, angle, scale, translation along
    /// x and along y. Scales are `1 − scale_range / 2` to `1 + scale_range / 2`, where `scale_range` is limited to 0 to 2,
    /// divided by `rescale`, which is the diameter of the image's cells over that of the model.
    pub fn new(random: [f64; 5], scale_range: f64, rescale: f64) -> Self {
        let range = scale_range.clamp(0.0, 2.0);
        // The original keeps scales in single precision, and rounds after each of the two operations.
        let scale = (1.0 - range / 2.0 + range * random[2]) as f32;
        let scale = f64::from((f64::from(scale) * (1.0 / rescale)) as f32);
        let shift = [random[4] - 0.5, random[3] - 0.5];
        Augmentation { flip: random[0] > 0.5, angle: random[1] * TAU, scale, shift }
    }

    /// The tile of an image.
    ///
    /// `planes` are `[channel, height, width]`; the tile is `[channel, height, width]` of size `to`, linear between
    /// pixels, with zeros outside of the image.
    ///
    /// # Errors
    /// [`Error::Image`] for an empty image or tile, a length that is not that of whole planes, a scale that is not
    /// from 0.001 to 1000, or an angle that is not finite.
    pub fn image(&self, planes: &[f32], size: (usize, usize), to: (usize, usize)) -> Result<Vec<f32>> {
        let map = self.map(planes.len(), size, to)?;
        Ok(self.warp(planes, size, to, &map, |_| false))
    }

    /// The tile of labels, `[3, height, width]`: whether a pixel is of a cell, which is taken from the nearest pixel;
    /// flow along y and along x, which are linear between pixels and turn with the image.
    ///
    /// # Errors
    /// As [`image`](Augmentation::image), and for another number of planes than 3.
    pub fn labels(&self, labels: &[f32], size: (usize, usize), to: (usize, usize)) -> Result<Vec<f32>> {
        let map = self.map(labels.len(), size, to)?;
        if labels.len() != 3 * size.0 * size.1 {
            return Err(Error::Image("labels that are not three planes".into()));
        }
        let mut tile = self.warp(labels, size, to, &map, |plane| plane == 0);
        let (_, flows) = tile.split_at_mut(to.0 * to.1);
        let (ys, xs) = flows.split_at_mut(to.0 * to.1);
        let (sin, cos) = ((-self.angle).sin() as f32, (-self.angle).cos() as f32);
        for (y, x) in ys.iter_mut().zip(xs) {
            let along = if self.flip { -*x } else { *x };
            (*y, *x) = (*y * cos - along * sin, along * cos + *y * sin);
        }
        Ok(tile)
    }

    /// The affine map from the tile to the image, `[x, y] = m · [x, y, 1]`.
    fn map(
        &self,
        length: usize,
        (height, width): (usize, usize),
        to: (usize, usize),
    ) -> Result<[[f64; 3]; 2]> {
        let pixels = height.saturating_mul(width);
        let whole = pixels > 0 && to.0 > 0 && to.1 > 0 && length.is_multiple_of(pixels);
        if !whole || !(0.001..1000.0).contains(&self.scale) || !self.angle.is_finite() {
            let reason =
                format!("{length} values of {height}×{width} pixels, to be scaled by {}", self.scale);
            return Err(Error::Image(reason));
        }
        // The centre of the image comes to the centre of the tile, moved by a part of what is cut off.
        let moved = |length: usize, tile: usize, shift: f64| {
            // In single precision, as in the original, whose scale is: its points would else have other last digits.
            let cut_off = (length as f32 * self.scale as f32 - tile as f32).max(0.0);
            tile as f64 / 2.0 + shift * f64::from(cut_off)
        };
        let centre = [moved(width, to.1, self.shift[1]), moved(height, to.0, self.shift[0])];
        // Where the centre and the pixels right of and below it come to. The original gives OpenCV these in single
        // precision.
        let single = |v: f64| f64::from(v as f32);
        let end = |angle: f64, axis: usize| {
            let along = if axis == 0 { angle.cos() } else { angle.sin() };
            single(centre[axis] + self.scale * along) - single(centre[axis])
        };
        let (quarter, start) = (FRAC_PI_2 + self.angle, centre.map(single));
        let [[a, c], [b, d]] = [self.angle, quarter].map(|angle| [end(angle, 0), end(angle, 1)]);
        let determinant = a * d - b * c;
        let rows = [[d / determinant, -b / determinant], [-c / determinant, a / determinant]];
        let from = [width as f64 / 2.0, height as f64 / 2.0];
        Ok([0, 1].map(|i| [rows[i][0], rows[i][1], from[i] - rows[i][0] * start[0] - rows[i][1] * start[1]]))
    }

    /// The tile of each plane.
    fn warp(
        &self,
        planes: &[f32],
        size: (usize, usize),
        (height, width): (usize, usize),
        map: &[[f64; 3]; 2],
        nearest: impl Fn(usize) -> bool + Sync,
    ) -> Vec<f32> {
        let count = planes.len() / (size.0 * size.1);
        let mut tile = vec![0.0; count * height * width];
        tile.par_chunks_exact_mut(width).enumerate().for_each(|(row, out)| {
            let (plane, y) = (row / height, (row % height) as f64);
            let from = &planes[plane * size.0 * size.1..][..size.0 * size.1];
            // A pixel outside is 0.
            let value = |y: f64, x: f64| {
                let inside = y >= 0.0 && x >= 0.0 && y < size.0 as f64 && x < size.1 as f64;
                let x = if self.flip { size.1 as f64 - 1.0 - x } else { x };
                if inside { from[y as usize * size.1 + x as usize] } else { 0.0 }
            };
            for (x, out) in out.iter_mut().enumerate() {
                let at = |[a, b, c]: [f64; 3]| a * x as f64 + b * y + c;
                let (x, y) = (at(map[0]), at(map[1]));
                *out = if nearest(plane) {
                    value(y.round(), x.round())
                } else {
                    let (top, left) = (y.floor(), x.floor());
                    let (down, right) = ((y - top) as f32, (x - left) as f32);
                    let line = |y| value(y, left) * (1.0 - right) + value(y, left + 1.0) * right;
                    line(top) * (1.0 - down) + line(top + 1.0) * down
                };
            }
        });
        tile
    }
}
