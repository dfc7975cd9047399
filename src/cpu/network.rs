//! The U-Net on one tile: `[height, width, nchan]` in, `[nout, height, width]` and the style vector out.

use rayon::prelude::*;

use super::conv::{ConvSum, Map, Start, activate, activate_norm};
use crate::model::network::{Linear, Network, ResDown, ResUp};

/// The feature maps of one tile: allocated once, used for every tile of that size.
pub struct State {
    input: Map,
    levels: Vec<Level>,
    /// The style vector of the last tile, of unit length.
    pub style: Vec<f32>,
}

/// The maps of one level of the pyramid.
struct Level {
    /// Input of the block on the way down (unused at the finest level, where the tile is).
    pooled: Map,
    /// The same, activated.
    pooled_active: Map,
    /// Output of the block on the way down: the skip.
    skip: Map,
    /// Input of the block on the way up (unused at the deepest level, where the skip is).
    upsampled: Map,
    /// The same, activated.
    upsampled_active: Map,
    /// Output of the block on the way up.
    out: Map,
    /// Activated maps between the convolutions.
    odd: Map,
    even: Map,
}

impl State {
    /// Maps for tiles of `height` by `width`, both multiples of `2^(levels - 1)`.
    pub fn new(network: &Network, height: usize, width: usize) -> Self {
        let levels = network.levels();
        let level = |n: usize| {
            let map = |channels: usize, used: bool| match used {
                true => Map::new(height >> n, width >> n, channels),
                false => Map::new(0, 0, channels),
            };
            let (inputs, channels) = (network.nbase[n], network.nbase[n + 1]);
            let below = network.nbase[(n + 2).min(levels)];
            Level {
                pooled: map(inputs, n > 0),
                pooled_active: map(inputs, true),
                skip: map(channels, true),
                upsampled: map(below, n + 1 < levels),
                upsampled_active: map(below, true),
                out: map(channels, true),
                odd: map(channels, true),
                even: map(channels, true),
            }
        };
        State {
            input: Map::new(height, width, network.nbase[0]),
            levels: (0..levels).map(level).collect(),
            style: vec![0.0; network.nbase[levels]],
        }
    }

    /// Row `y` of the input, `[width, nchan]`.
    pub fn input_row(&mut self, y: usize) -> &mut [f32] {
        let (stride, channels) = (self.input.stride(), self.input.channels);
        let start = (y + 1) * stride + channels;
        &mut self.input.data[start..start + stride - 2 * channels]
    }

    /// The output of the block on the way down at a level, of the last tile.
    pub fn skip(&self, level: usize, channel: usize, y: usize, x: usize) -> f32 {
        let skip = &self.levels[level].skip;
        skip.row(y)[x * skip.channels + channel]
    }
}

/// Runs the network on the input in `state`; `out` is `[nout, height, width]`.
pub fn forward(network: &Network, state: &mut State, out: &mut [f32]) {
    let levels = network.levels();
    for n in 0..levels {
        if n > 0 {
            let (above, level) = pair(&mut state.levels, n - 1);
            max_pool(&above.skip, &mut level.pooled);
        }
        let input = (n == 0).then_some(&state.input);
        res_down(&network.down[n], input, &mut state.levels[n]);
    }
    style(&state.levels[levels - 1].skip, &mut state.style);
    for n in (0..levels).rev() {
        if n + 1 < levels {
            let (level, below) = pair(&mut state.levels, n);
            upsample(&below.out, &mut level.upsampled);
        }
        let deepest = n + 1 == levels;
        res_up(&network.up[n], &state.style, deepest, &mut state.levels[n]);
    }
    output(network, &mut state.levels[0], out);
}

fn pair(levels: &mut [Level], n: usize) -> (&mut Level, &mut Level) {
    let (left, right) = levels.split_at_mut(n + 1);
    (&mut left[n], &mut right[0])
}

/// See [`ResDown`] for the formula.
fn res_down(block: &ResDown, input: Option<&Map>, level: &mut Level) {
    let Level { pooled, pooled_active, skip: x, odd, even, .. } = level;
    let input = input.unwrap_or(pooled);
    let ResDown { before0, conv0, conv1, proj, before2, conv2, conv3 } = block;

    activate_norm(input, before0, pooled_active);
    ConvSum::of(pooled_active, conv0).relu().write(odd);
    ConvSum::of(odd, conv1).proj(input, proj).write(x);

    activate_norm(x, before2, even);
    ConvSum::of(even, conv2).relu().write(odd);
    ConvSum::of(odd, conv3).start(Start::Destination).write(x);
}

/// See [`ResUp`] for the formula.
fn res_up(block: &ResUp, style: &[f32], deepest: bool, level: &mut Level) {
    let Level { skip, upsampled, upsampled_active, out: x, odd, even, .. } = level;
    let input = if deepest { &*skip } else { &*upsampled };
    let ResUp { before0, conv0, skip_scale, shift1, conv1, proj, .. } = block;
    let ResUp { scale2, shift2, conv2, shift3, conv3, .. } = block;
    let (shift1, shift2, shift3) = (shift1.of(style), shift2.of(style), shift3.of(style));

    activate_norm(input, before0, upsampled_active);
    let skip = Start::Scaled(skip, skip_scale);
    ConvSum::of(upsampled_active, conv0).bias(&shift1).start(skip).relu().write(odd);
    ConvSum::of(odd, conv1).proj(input, proj).write(x);

    activate(x, scale2, &shift2, even);
    ConvSum::of(even, conv2).bias(&shift3).relu().write(odd);
    ConvSum::of(odd, conv3).start(Start::Destination).write(x);
}

impl Linear {
    fn of(&self, style: &[f32]) -> Vec<f32> {
        let rows = self.weight.chunks_exact(style.len()).zip(&self.bias);
        rows.map(|(row, bias)| row.iter().zip(style).map(|(w, s)| w * s).sum::<f32>() + bias).collect()
    }
}

/// The maximum of 2×2 pixels.
fn max_pool(src: &Map, dst: &mut Map) {
    let channels = src.channels;
    dst.rows_mut().enumerate().for_each(|(y, row)| {
        let (upper, lower) = (src.row(2 * y), src.row(2 * y + 1));
        let fours = upper.chunks_exact(2 * channels).zip(lower.chunks_exact(2 * channels));
        let inner = channels..row.len() - channels;
        for (to, (upper, lower)) in row[inner].chunks_exact_mut(channels).zip(fours) {
            for (c, to) in to.iter_mut().enumerate() {
                let right = c + channels;
                *to = upper[c].max(upper[right]).max(lower[c].max(lower[right]));
            }
        }
    });
}

/// Each pixel four times.
fn upsample(src: &Map, dst: &mut Map) {
    let channels = src.channels;
    dst.rows_mut().enumerate().for_each(|(y, row)| {
        let inner = channels..row.len() - channels;
        let pairs = row[inner].chunks_exact_mut(2 * channels);
        for (to, from) in pairs.zip(src.row(y / 2).chunks_exact(channels)) {
            to[..channels].copy_from_slice(from);
            to[channels..].copy_from_slice(from);
        }
    });
}

/// The mean of the deepest map over its pixels, scaled to unit length; zeros when it has none.
fn style(deepest: &Map, style: &mut [f32]) {
    let mut sums = vec![0.0f64; deepest.channels];
    for y in 0..deepest.height {
        for pixel in deepest.row(y).chunks_exact(deepest.channels) {
            sums.iter_mut().zip(pixel).for_each(|(sum, v)| *sum += f64::from(*v));
        }
    }
    let pixels = (deepest.height * deepest.width) as f64;
    style.iter_mut().zip(&sums).for_each(|(s, sum)| *s = (sum / pixels) as f32);
    unit_length(style);
}

/// Divides by the L2 norm. The original divides zeros by zero; they stay zeros here.
pub fn unit_length(style: &mut [f32]) {
    let norm = style.iter().map(|s| s * s).sum::<f32>().sqrt();
    if norm > 0.0 {
        style.iter_mut().for_each(|s| *s /= norm);
    }
}

/// Batch norm, ReLU and the last 1×1 convolution.
fn output(network: &Network, level: &mut Level, out: &mut [f32]) {
    let Level { out: x, odd, .. } = level;
    activate_norm(x, &network.before_output, odd);
    let (conv, width) = (&network.output, odd.width);
    let plane = odd.height * width;
    let mut rows: Vec<Vec<&mut [f32]>> = (0..odd.height).map(|_| Vec::with_capacity(conv.outputs)).collect();
    for plane in out.chunks_exact_mut(plane) {
        for (y, row) in plane.chunks_exact_mut(width).enumerate() {
            rows[y].push(row);
        }
    }
    rows.into_par_iter().enumerate().for_each(|(y, mut row)| {
        for (x, pixel) in odd.row(y).chunks_exact(odd.channels).enumerate() {
            for (o, row) in row.iter_mut().enumerate() {
                let weights = conv.weight.chunks_exact(conv.outputs);
                row[x] = pixel.iter().zip(weights).map(|(v, w)| v * w[o]).sum::<f32>() + conv.bias[o];
            }
        }
    });
}
