//! `conv`: a convolution with its other terms against the plain sum in double precision, for each instruction set.

use flowmask::cpu::conv::{ConvSum, Isa, Map, WIDEST_VECTOR, Weights};
use flowmask::model::network::Conv;
use proptest::prelude::*;

use crate::check::{close, config, noise};

/// The largest error, relative to the largest sum of absolute terms. Winograd's transforms lose two of the seven digits
/// of single precision.
const BOUND: f64 = 2e-6;

/// A convolution with some of the terms and operations of [`ConvSum`].
#[derive(Clone, Copy, Debug)]
struct Case {
    height: usize,
    width: usize,
    inputs: usize,
    outputs: usize,
    doubled: bool,
    act: bool,
    accumulate: bool,
    skip: bool,
    /// The channels of the projected map, and whether it has half the height and width.
    proj: Option<(usize, bool)>,
    relu: bool,
    pooled: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let sums = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let proj = proptest::option::of((1..40usize, any::<bool>()));
    let channels = || prop_oneof![1..5usize, 1..80usize];
    ((1..14usize, 1..40usize), (channels(), channels()), sums, proj).prop_map(
        |((height, width), (inputs, outputs), (doubled, act, accumulate, skip, relu, pooled), proj)| Case {
            height: 2 * height,
            width: 2 * width,
            inputs,
            outputs,
            doubled,
            act,
            accumulate,
            skip,
            proj,
            relu,
            pooled,
        },
    )
}

/// A map of noise. The added channels are zero, as in every map.
fn map(seed: u64, (height, width): (usize, usize), channels: usize) -> Map {
    let mut map = Map::new(height, width, channels);
    let stored = map.channels;
    let values = noise(seed, height * width * channels);
    for (pixel, values) in map.data.chunks_exact_mut(stored).zip(values.chunks_exact(channels)) {
        pixel[..channels].copy_from_slice(values);
    }
    map
}

fn conv(seed: u64, taps: usize, inputs: usize, outputs: usize) -> Conv {
    Conv { inputs, outputs, weight: noise(seed, taps * inputs * outputs), bias: noise(seed + 1, outputs) }
}

/// One number for each channel of a map; those of the added channels are zero.
fn row(seed: u64, channels: usize) -> Vec<f32> {
    let mut row = noise(seed, channels);
    row.resize(channels.next_multiple_of(WIDEST_VECTOR), 0.0);
    row
}

fn at(map: &Map, y: usize, x: usize) -> &[f32] {
    &map.row(y)[x * map.channels..][..map.channels]
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn conv_sum(case in case(), seed in any::<u32>()) {
        let Case { height, width, inputs, outputs, .. } = case;
        let seed = 1000 * u64::from(seed);
        let half = |half: bool| if half { (height / 2, width / 2) } else { (height, width) };
        let src = map(seed, half(case.doubled), inputs);
        let taps = conv(seed + 10, 9, inputs, outputs);
        let (scale, shift) = (row(seed + 20, inputs), row(seed + 21, inputs));
        let before = map(seed + 30, (height, width), outputs);
        let (skip, skip_scale) = (map(seed + 40, (height, width), outputs), row(seed + 41, outputs));
        let proj = case.proj.map(|(inputs, up)| {
            (map(seed + 50, half(up), inputs), up, conv(seed + 60, 1, inputs, outputs))
        });

        // The expected values, and the largest sum of absolute terms.
        let (mut want, mut extent) = (vec![], 0f64);
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            for (o, &bias) in taps.bias.iter().enumerate() {
                let mut terms = vec![f64::from(bias)];
                for tap in 0..9 {
                    let (y, x) = ((y + tap / 3).wrapping_sub(1), (x + tap % 3).wrapping_sub(1));
                    if y >= height || x >= width {
                        continue;
                    }
                    let pixel = if case.doubled { at(&src, y / 2, x / 2) } else { at(&src, y, x) };
                    for i in 0..inputs {
                        let value = f64::from(pixel[i]);
                        let active = (value * f64::from(scale[i]) + f64::from(shift[i])).max(0.0);
                        let weight = f64::from(taps.weight[(o * inputs + i) * 9 + tap]);
                        terms.push(weight * if case.act { active } else { value });
                    }
                }
                if case.accumulate {
                    terms.push(at(&before, y, x)[o].into());
                }
                if case.skip {
                    terms.push(f64::from(at(&skip, y, x)[o]) * f64::from(skip_scale[o]));
                }
                if let Some((map, up, conv)) = &proj {
                    let pixel = if *up { at(map, y / 2, x / 2) } else { at(map, y, x) };
                    let weights = conv.weight[o * conv.inputs..].iter();
                    terms.extend(weights.zip(&pixel[..conv.inputs]).map(|(w, v)| f64::from(*w) * f64::from(*v)));
                }
                extent = extent.max(terms.iter().map(|term| term.abs()).sum());
                let sum = terms.iter().sum::<f64>();
                want.push(if case.relu { sum.max(0.0) } else { sum });
            }
        }

        let weights = if case.doubled { Weights::doubled(&taps) } else { Weights::new(&taps) };
        let proj = proj.map(|(map, up, conv)| (map, up, Weights::new(&conv)));
        for isa in Isa::all() {
            let (mut dst, mut pooled) = (before.clone(), Map::new(height / 2, width / 2, outputs));
            let mut sum = ConvSum::of(&src, &weights);
            if case.act {
                sum = sum.act(&scale, &shift);
            }
            if case.accumulate {
                sum = sum.accumulate();
            }
            if case.skip {
                sum = sum.skip(&skip, &skip_scale);
            }
            if let Some((map, up, weights)) = &proj {
                sum = sum.proj(map, *up, weights);
            }
            if case.relu {
                sum = sum.relu();
            }
            match case.pooled {
                true => sum.write_pooled(isa, &mut dst, &mut pooled),
                false => sum.write(isa, &mut dst),
            }
            let got = dst.data.chunks_exact(dst.channels).flat_map(|pixel| &pixel[..outputs]);
            close(&got.copied().collect::<Vec<_>>(), &want, |_| BOUND * extent, width * outputs)
                .map_err(|e| TestCaseError::fail(format!("{}: {e}", isa.name())))?;
            for (y, x) in (0..height / 2).flat_map(|y| (0..width / 2).map(move |x| (y, x))).filter(|_| case.pooled) {
                for (o, got) in at(&pooled, y, x).iter().enumerate() {
                    let four = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(j, i)| at(&dst, 2 * y + j, 2 * x + i)[o]);
                    prop_assert_eq!(*got, four.into_iter().fold(f32::MIN, f32::max));
                }
            }
        }
    }
}
