//! A trial: variants are compared with the reference and timed on one problem.

use cudarc::driver::sys::CUevent_flags;
use half::f16;

use super::super::kernels::Half;
use super::super::{Buffer, Gpu};
use super::problem::Problem;
use super::variants::{Kind, Variant};
use super::{Act, ConvSum, Layout, Map, Rows, Size, Weights};
use crate::model::network::{Affine, Conv};
use crate::{Precision, Result};

/// A result may differ from the reference by this part of 1 + its size: the tests have the same bound. The activation and
/// the sum are rounded, each by 2⁻¹¹ at most.
const BOUND: f32 = 2e-3;
/// Runs of which the fastest counts, and seconds after which there are enough.
const RUNS: usize = 5;
const ENOUGH: f64 = 0.05;
/// Values of which all maps are made: a prime number, so that no row of a map is that of another.
const POOL: usize = 65_521;

/// What the trial of a variant showed.
pub(super) enum Outcome {
    /// It is right, and takes so many seconds.
    Right(f64),
    /// It is not, for this reason.
    Wrong(String),
}

/// A problem on the GPU, with the result of the reference for its first two tiles. All tiles are like these in turn.
pub(super) struct Trial<'a> {
    gpu: &'a Gpu,
    problem: Problem,
    conv: [Conv; 2],
    layouts: &'a [Layout],
    inputs: Option<Inputs>,
    want: Vec<Vec<f32>>,
}

impl<'a> Trial<'a> {
    pub fn new(gpu: &'a Gpu, problem: Problem, layouts: &'a [Layout]) -> Result<Self> {
        let Kind { inputs, proj_inputs, outputs, .. } = problem.kind;
        let terms = (9 * inputs + proj_inputs) as f32;
        let conv = |taps: usize, inputs: usize| Conv {
            inputs,
            outputs,
            weight: values(taps * inputs * outputs, 7 * taps, (2.0 / terms).sqrt()),
            bias: values(outputs, 3, 0.5),
        };
        let conv = [conv(9, inputs), conv(1, proj_inputs)];
        let mut trial = Trial { gpu, problem, conv, layouts, inputs: None, want: Vec::new() };
        let two = Size { count: 2, ..problem.size };
        let reference = trial.inputs(two, &[Layout::Plain])?;
        trial.launch(&reference, two, None)?;
        trial.want = trial.outputs(&reference, two)?;
        trial.inputs = Some(trial.inputs(problem.size, layouts)?);
        Ok(trial)
    }

    /// Compares a variant with the reference and, if it is right, times it.
    ///
    /// # Errors
    /// [`Error::Device`] when it cannot be launched or fails.
    pub fn run(&mut self, variant: &'static Variant) -> Result<Outcome> {
        let size = self.problem.size;
        let mut inputs = match self.inputs.take() {
            Some(inputs) => inputs,
            None => self.inputs(size, self.layouts)?,
        };
        inputs.out = Map::new(self.gpu, Precision::F16, 0)?;
        inputs.out = self.map(Precision::F16, size, false, self.problem.kind.outputs, 5)?;
        self.launch(&inputs, size, Some(variant))?;
        let got = self.outputs(&inputs, size)?;
        let outcome = match self.difference(&got) {
            Some(wrong) => Outcome::Wrong(wrong),
            None => Outcome::Right(self.seconds(&inputs, variant)?),
        };
        self.inputs = Some(inputs);
        Ok(outcome)
    }

    fn seconds(&self, inputs: &Inputs, variant: &'static Variant) -> Result<f64> {
        let error = |e| self.gpu.error(e);
        let event = || self.gpu.stream().record_event(Some(CUevent_flags::CU_EVENT_DEFAULT)).map_err(error);
        let (mut least, mut all) = (f64::INFINITY, 0.0);
        for _ in 0..RUNS {
            if all > ENOUGH {
                break;
            }
            // The GPU is busy while the three that follow are queued, so that it does not wait for the host between the events.
            self.launch(inputs, self.problem.size, Some(variant))?;
            let start = event()?;
            self.launch(inputs, self.problem.size, Some(variant))?;
            let ms = start.elapsed_ms(&event()?).map_err(error)?;
            all += f64::from(ms) / 1e3;
            least = least.min(f64::from(ms) / 1e3);
        }
        Ok(least)
    }

    /// The first value that is beyond the bound.
    fn difference(&self, got: &[Vec<f32>]) -> Option<String> {
        let Problem { kind, size, .. } = self.problem;
        // What is no number is not near either.
        let near = |(got, want): (&f32, &f32)| (got - want).abs() <= BOUND * (1.0 + want.abs());
        let mut all = got.iter().flatten().zip(self.want.iter().flatten());
        let (got, want) = all.find(|&pair| !near(pair))?;
        Some(format!(
            "it gives {got}, not {want}, for {} to {} channels at {}×{}",
            kind.inputs, kind.outputs, size.height, size.width
        ))
    }

    /// The results of the first tile and of the last one, which is like the second.
    fn outputs(&self, inputs: &Inputs, size: Size) -> Result<Vec<Vec<f32>>> {
        let maps = [&inputs.out, &inputs.pooled].into_iter().filter(|map| !map.is_empty());
        let ends = |map: &Map| {
            let tile = map.len() / size.count;
            match map {
                Map::F32(map) => ends(self.gpu, map, tile),
                Map::F16(map) => Ok(ends(self.gpu, map, tile)?.into_iter().map(Half::to_f32).collect()),
            }
        };
        maps.map(ends).collect()
    }

    fn launch(&self, inputs: &Inputs, size: Size, variant: Option<&'static Variant>) -> Result<()> {
        let Problem { kind, of_tile, relu, skip, accumulate, pooled, .. } = self.problem;
        let rows = |table, stride| Rows { table, at: 0, stride: if of_tile { stride } else { 0 } };
        let mut sum = ConvSum::of(&inputs.src, &inputs.weights).up(kind.up);
        if kind.act {
            sum = sum.act_of_tile(&inputs.act.scale, rows(&inputs.shifts, kind.inputs));
        }
        if of_tile {
            let table = &inputs.biases;
            sum = sum.bias(Rows { table, at: 0, stride: kind.outputs });
        }
        sum = if kind.proj_inputs > 0 { sum.proj(&inputs.proj, kind.proj_up) } else { sum };
        sum = if skip { sum.skip(&inputs.skip, &inputs.skip_scale) } else { sum };
        sum = if accumulate { sum.accumulate() } else { sum };
        sum = if relu { sum.relu() } else { sum };
        sum = match variant {
            Some(variant) => sum.only(variant),
            None => sum,
        };
        let sum = ConvSum { pooled: pooled.then_some(&inputs.pooled), ..sum };
        sum.launch(self.gpu, size, &inputs.out)
    }

    /// The inputs for tiles of this size, in the precision of these orders of weights.
    fn inputs(&self, size: Size, layouts: &[Layout]) -> Result<Inputs> {
        let (gpu, precision) = (self.gpu, layouts[0].precision());
        let Problem { kind, skip, pooled, .. } = self.problem;
        let Kind { inputs, proj_inputs, outputs, up, proj_up, .. } = kind;
        let map = |up, channels, at| self.map(precision, size, up, channels, at);
        let [conv, proj] = &self.conv;
        let affine = Affine { scale: values(inputs, 11, 2.0), shift: values(inputs, 13, 1.0) };
        let proj_weights = (proj_inputs > 0).then_some((proj, proj_inputs));
        Ok(Inputs {
            src: map(up, inputs, 1)?,
            weights: Weights::in_layouts(gpu, layouts, conv, inputs, proj_weights)?,
            act: Act::new(gpu, precision, &affine, inputs)?,
            shifts: Map::of(gpu, precision, &in_turn(values(2 * inputs, 17, 1.0), size.count))?,
            biases: Buffer::of(gpu, &in_turn(values(2 * outputs, 19, 1.0), size.count))?,
            proj: map(proj_up, proj_inputs, 2)?,
            skip: map(false, if skip { outputs } else { 0 }, 3)?,
            skip_scale: Buffer::of(gpu, &values(outputs, 23, 2.0))?,
            out: map(false, outputs, 5)?,
            pooled: Map::new(gpu, precision, if pooled { size.pixels() / 4 * outputs } else { 0 })?,
        })
    }

    /// A map of two tiles in turn; with `up`, of half the size.
    fn map(&self, precision: Precision, size: Size, up: bool, channels: usize, at: usize) -> Result<Map> {
        let (gpu, factor) = (self.gpu, if up { 4 } else { 1 });
        let len = size.pixels() / factor * channels;
        let two = 2 * size.height * size.width / factor * channels;
        let pool = Map::of(gpu, precision, &values(POOL, at, 1.0))?;
        let mut map = Map::new(gpu, precision, len)?;
        match (&pool, &mut map) {
            (Map::F16(pool), Map::F16(map)) => fill(gpu, pool, map, two)?,
            (Map::F32(pool), Map::F32(map)) => fill(gpu, pool, map, two)?,
            _ => {}
        }
        Ok(map)
    }
}

/// What a convolution reads and writes.
struct Inputs {
    src: Map,
    weights: Weights,
    act: Act,
    shifts: Map,
    biases: Buffer<f32>,
    proj: Map,
    skip: Map,
    skip_scale: Buffer<f32>,
    out: Map,
    pooled: Map,
}

/// Fills a map with the values of the pool, which begin anew after every `two` values.
fn fill<T: cudarc::driver::DeviceRepr>(
    gpu: &Gpu,
    pool: &Buffer<T>,
    map: &mut Buffer<T>,
    two: usize,
) -> Result<()> {
    let mut at = 0;
    while at < map.len() {
        let count = pool.len().min(two - at % two).min(map.len() - at);
        pool.copy_to(gpu, 0, map, at, count)?;
        at += count;
    }
    Ok(())
}

/// The first and the last so many values.
fn ends<T>(gpu: &Gpu, map: &Buffer<T>, len: usize) -> Result<Vec<T>>
where
    T: cudarc::driver::DeviceRepr + Clone + Default,
{
    let mut both = Buffer::new();
    both.resize(gpu, 2 * len)?;
    map.copy_to(gpu, 0, &mut both, 0, len)?;
    map.copy_to(gpu, map.len() - len, &mut both, len, len)?;
    both.download(gpu)
}

/// A row for each tile, of two in turn.
fn in_turn(two: Vec<f32>, count: usize) -> Vec<f32> {
    two.repeat(count / 2)
}

/// Numbers from `-scale` to `scale` that half precision has, always the same for a seed.
fn values(len: usize, seed: usize, scale: f32) -> Vec<f32> {
    let mut state = seed as u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f16::from_f32(((state >> 40) as f32 / (1 << 23) as f32 - 1.0) * scale).to_f32()
    };
    (0..len).map(|_| next()).collect()
}
