//! `network`: the U-Net in double precision, one operation at a time. Batch norms are not folded, and maps are
//! `[channels, height, width]`.

use std::collections::{BTreeMap, HashMap};

use flowmask::Model;
use flowmask::cpu::conv::Isa;
use flowmask::cpu::network::{State, Unet, down, up};
use proptest::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::check::{close, config, noise};

/// The tensors of a network, by their names in the original's state dict.
struct Weights {
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    seed: u64,
}

impl Weights {
    fn random(nbase: &[usize], nout: usize, seed: u64) -> Self {
        let mut weights = Weights { tensors: BTreeMap::new(), seed };
        let style = nbase[4];
        for n in 0..4 {
            let at = format!("downsample.down.res_down_{n}");
            weights.norm_conv(&format!("{at}.proj"), 1, [nbase[n], nbase[n + 1]], 1);
            for t in 0..4 {
                let inputs = nbase[if t == 0 { n } else { n + 1 }];
                weights.norm_conv(&format!("{at}.conv.conv_{t}"), 2, [inputs, nbase[n + 1]], 3);
            }
            let at = format!("upsample.up.res_up_{n}");
            let (inputs, outputs) = (nbase[(n + 2).min(4)], nbase[n + 1]);
            weights.norm_conv(&format!("{at}.proj"), 1, [inputs, outputs], 1);
            weights.norm_conv(&format!("{at}.conv.conv_0"), 2, [inputs, outputs], 3);
            for t in 1..4 {
                weights.norm_conv(&format!("{at}.conv.conv_{t}.conv"), 2, [outputs; 2], 3);
                weights.add(format!("{at}.conv.conv_{t}.full.weight"), &[outputs, style], 1.0);
                weights.add(format!("{at}.conv.conv_{t}.full.bias"), &[outputs], 1.0);
            }
        }
        weights.norm_conv("output", 2, [nbase[1], nout], 1);
        weights.tensors.insert("diam_mean".into(), (vec![1], vec![30.0]));
        weights.tensors.insert("diam_labels".into(), (vec![1], vec![25.0]));
        weights
    }

    /// Adds a tensor of random numbers from `-scale` to `scale`.
    fn add(&mut self, name: String, shape: &[usize], scale: f32) {
        self.seed += 1;
        let values = noise(self.seed, shape.iter().product()).into_iter().map(|v| v * scale).collect();
        self.tensors.insert(name, (shape.to_vec(), values));
    }

    /// Adds a batch norm `AT.0` and the convolution `AT.INDEX` after it. Some variances are as small as the epsilon of
    /// the norm, and the weights compensate for them, so that a wrong epsilon would show.
    fn norm_conv(&mut self, at: &str, index: usize, [inputs, outputs]: [usize; 2], side: usize) {
        for part in ["weight", "bias", "running_mean", "running_var"] {
            self.add(format!("{at}.0.{part}"), &[inputs], 1.0);
        }
        for i in 0..inputs {
            let get =
                |tensors: &mut BTreeMap<String, (Vec<usize>, Vec<f32>)>, part, f: &dyn Fn(f32) -> f32| {
                    let value = &mut tensors.get_mut(&format!("{at}.0.{part}")).unwrap().1[i];
                    *value = f(*value);
                    *value
                };
            let variance = get(&mut self.tensors, "running_var", &|v| 10f32.powf(-2.5 + 2.5 * v));
            get(&mut self.tensors, "weight", &|v| 1.5 * v * variance.sqrt());
            get(&mut self.tensors, "running_mean", &|v| v * variance.sqrt());
        }
        let fan = (inputs * side * side) as f32;
        self.add(format!("{at}.{index}.weight"), &[outputs, inputs, side, side], (3.0 / fan).sqrt());
        self.add(format!("{at}.{index}.bias"), &[outputs], 0.5);
    }

    fn bytes(&self) -> Vec<u8> {
        let bytes: HashMap<&String, Vec<u8>> = self
            .tensors
            .iter()
            .map(|(n, t)| (n, t.1.iter().flat_map(|v| v.to_le_bytes()).collect()))
            .collect();
        let views = self
            .tensors
            .iter()
            .map(|(n, t)| (n, TensorView::new(Dtype::F32, t.0.clone(), &bytes[n]).unwrap()));
        safetensors::serialize(views, None).unwrap()
    }

    fn get(&self, name: String, i: usize) -> f64 {
        self.tensors[&name].1[i].into()
    }
}

#[derive(Clone)]
struct Maps {
    channels: usize,
    height: usize,
    width: usize,
    data: Vec<f64>,
}

impl Maps {
    fn new(channels: usize, height: usize, width: usize, f: impl Fn(usize, usize, usize) -> f64) -> Self {
        let mut data = Vec::new();
        for c in 0..channels {
            for y in 0..height {
                data.extend((0..width).map(|x| f(c, y, x)));
            }
        }
        Maps { channels, height, width, data }
    }

    fn at(&self, c: usize, y: usize, x: usize) -> f64 {
        self.data[(c * self.height + y) * self.width + x]
    }

    fn map(&self, f: impl Fn(usize, f64) -> f64) -> Maps {
        Maps::new(self.channels, self.height, self.width, |c, y, x| f(c, self.at(c, y, x)))
    }

    fn plus(&self, other: &Maps) -> Maps {
        assert_eq!((self.channels, self.height, self.width), (other.channels, other.height, other.width));
        Maps::new(self.channels, self.height, self.width, |c, y, x| self.at(c, y, x) + other.at(c, y, x))
    }
}

impl Weights {
    fn norm(&self, at: &str, x: &Maps) -> Maps {
        x.map(|c, v| {
            let get = |part: &str| self.get(format!("{at}.{part}"), c);
            (v - get("running_mean")) / (get("running_var") + 1e-5).sqrt() * get("weight") + get("bias")
        })
    }

    /// A convolution with zeros around the map.
    fn conv(&self, at: &str, x: &Maps) -> Maps {
        let shape = &self.tensors[&format!("{at}.weight")].0;
        let (outputs, inputs, side) = (shape[0], shape[1], shape[2]);
        assert_eq!(inputs, x.channels);
        Maps::new(outputs, x.height, x.width, |o, row, column| {
            let mut sum = self.get(format!("{at}.bias"), o);
            let weights = &self.tensors[&format!("{at}.weight")].1;
            for i in 0..inputs * side * side {
                let (c, dy, dx) = (i / side / side, i / side % side, i % side);
                let (y, x_) = ((row + dy).wrapping_sub(side / 2), (column + dx).wrapping_sub(side / 2));
                if y < x.height && x_ < x.width {
                    sum += f64::from(weights[o * inputs * side * side + i]) * x.at(c, y, x_);
                }
            }
            sum
        })
    }

    fn norm_relu_conv(&self, at: &str, x: &Maps) -> Maps {
        self.conv(&format!("{at}.2"), &self.norm(&format!("{at}.0"), x).map(|_, v| v.max(0.0)))
    }

    fn proj(&self, at: &str, x: &Maps) -> Maps {
        self.conv(&format!("{at}.proj.1"), &self.norm(&format!("{at}.proj.0"), x))
    }

    fn res_down(&self, n: usize, x: &Maps) -> Maps {
        let at = format!("downsample.down.res_down_{n}");
        let conv = |t: usize, x: &Maps| self.norm_relu_conv(&format!("{at}.conv.conv_{t}"), x);
        let x = self.proj(&at, x).plus(&conv(1, &conv(0, x)));
        x.plus(&conv(3, &conv(2, &x)))
    }

    fn res_up(&self, n: usize, x: &Maps, skip: &Maps, style: &[f64]) -> Maps {
        let at = format!("upsample.up.res_up_{n}");
        let styled = |t: usize, x: &Maps| {
            let at = format!("{at}.conv.conv_{t}");
            let full = |c: usize| {
                let weight = |i: usize| self.get(format!("{at}.full.weight"), c * style.len() + i);
                let sum: f64 = style.iter().enumerate().map(|(i, s)| weight(i) * s).sum();
                sum + self.get(format!("{at}.full.bias"), c)
            };
            self.norm_relu_conv(&format!("{at}.conv"), &x.map(|c, v| v + full(c)))
        };
        let first = self.norm_relu_conv(&format!("{at}.conv.conv_0"), x);
        let x = self.proj(&at, x).plus(&styled(1, &first.plus(skip)));
        x.plus(&styled(3, &styled(2, &x)))
    }

    /// The output, the style vector and the skips.
    fn forward(&self, x: &Maps) -> (Maps, Vec<f64>, Vec<Maps>) {
        let mut skips = vec![self.res_down(0, x)];
        for n in 1..4 {
            let above = &skips[n - 1];
            let pooled = Maps::new(above.channels, above.height / 2, above.width / 2, |c, y, x| {
                let four = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(j, i)| above.at(c, 2 * y + j, 2 * x + i));
                four.into_iter().fold(f64::NEG_INFINITY, f64::max)
            });
            skips.push(self.res_down(n, &pooled));
        }
        let deepest = &skips[3];
        let pixels = deepest.height * deepest.width;
        let sum = |c: usize| deepest.data[c * pixels..][..pixels].iter().sum::<f64>();
        let mean: Vec<f64> = (0..deepest.channels).map(|c| sum(c) / pixels as f64).collect();
        let length = mean.iter().map(|m| m * m).sum::<f64>().sqrt();
        let style: Vec<f64> = mean.iter().map(|m| m / length).collect();
        let mut x = self.res_up(3, deepest, deepest, &style);
        for n in [2, 1, 0] {
            let twice = Maps::new(x.channels, 2 * x.height, 2 * x.width, |c, j, i| x.at(c, j / 2, i / 2));
            x = self.res_up(n, &twice, &skips[n], &style);
        }
        (self.norm_relu_conv("output", &x), style, skips)
    }
}

/// The largest error, relative to the largest value of a map. 33 convolutions in a row, each with at most 72 terms that
/// are not larger than the map, round like a random walk of 33 · 72 steps: √(33 · 72) · 2⁻²⁴ = 3e-6, and a little more
/// where norms amplify the error. The measured error is 1.9e-6.
const BOUND: f64 = 5e-6;

/// The largest value, at least 1.
fn extent(values: &[f64]) -> f64 {
    values.iter().fold(1.0, |a, b| a.max(b.abs()))
}

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn u_net(
        channels in (1..4usize, proptest::array::uniform4(1..8usize)),
        nout in 1..5usize,
        tiles in proptest::collection::vec((1..4usize, 1..4usize), 1..3),
        seed in any::<u32>(),
    ) {
        let nbase = [&[channels.0][..], &channels.1].concat();
        let weights = Weights::random(&nbase, nout, seed.into());
        let model = Model::from_bytes("tiny", &weights.bytes()).unwrap();
        for (i, (rows, columns)) in tiles.into_iter().enumerate() {
            let (height, width) = (16 * rows, 16 * columns);
            let unets = Isa::all().into_iter().map(|isa| Unet::new(model.network(), isa));
            let mut unets: Vec<_> = unets.map(|unet| (State::new(&unet, height, width), unet)).collect();
            // Two tiles with the same state: the first one must not change the result of the second.
            for i in [2 * i, 2 * i + 1] {
                let pixels = noise(u64::from(seed) ^ i as u64 ^ 99, nbase[0] * height * width);
                let at = |c: usize, y: usize, x: usize| pixels[(c * height + y) * width + x];
                let input = Maps::new(nbase[0], height, width, |c, y, x| at(c, y, x).into());
                let value = |j: usize| at(j % nbase[0], j / nbase[0] / width, j / nbase[0] % width);
                let pixels: Vec<f32> = (0..pixels.len()).map(value).collect();
                let (want, style, skips) = weights.forward(&input);
                for (state, unet) in &mut unets {
                    state.set_input(&pixels);
                    down(unet, state);
                    for (level, want) in skips.iter().enumerate() {
                        let plane = want.height * want.width;
                        let skip =
                            |i: usize| state.skip(level, i / plane, i % plane / want.width, i % want.width);
                        let got: Vec<f32> = (0..want.data.len()).map(skip).collect();
                        let bound = BOUND * extent(&want.data);
                        close(&got, &want.data, |_| bound, want.width)
                            .map_err(|e| TestCaseError::fail(format!("level {level}, {e}")))?;
                    }
                    let mut out = vec![0.0; nout * height * width];
                    up(unet, state, &mut out);
                    let bound = BOUND * extent(&want.data);
                    close(&out, &want.data, |_| bound, width)?;
                    close(&state.style, &style, |_| BOUND, 1)?;
                }
            }
        }
    }
}
