//! Every convolution against a plain sum.

use cudarc::driver::sys::CUdevice_attribute as Attribute;
use flowmask::Precision;
use flowmask::cuda::conv::{
    self, Act, CHANNELS_IN, ConvSum, GROUP, Kind, Last, Layout, Map, Rows, Size, VARIANTS, Weights,
};
use flowmask::cuda::{Buffer, Gpu};
use flowmask::model::network::{Affine, Conv};

use crate::device::on_device;
use crate::random::Random;

/// What is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Case {
    pub count: usize,
    pub height: usize,
    pub width: usize,
    pub inputs: usize,
    pub outputs: usize,
    pub up: bool,
    /// 1: one for all tiles, 2: a shift for each.
    pub act: usize,
    pub bias_of_tile: bool,
    /// Channels of the projection's source, and whether it is taken at twice its size.
    pub proj: Option<(usize, bool)>,
    pub skip: bool,
    pub accumulate: bool,
    pub relu: bool,
    pub pooled: bool,
    pub last: Option<usize>,
}

pub(crate) const CASES: &[Case] = &[
    Case { count: 1, height: 1, width: 1, inputs: 1, outputs: 1, ..DEFAULT },
    Case { count: 2, height: 7, width: 9, inputs: 2, outputs: 33, act: 1, relu: true, ..DEFAULT },
    Case { count: 3, height: 3, width: 17, inputs: 40, outputs: 20, act: 2, bias_of_tile: true, ..DEFAULT },
    Case { count: 1, height: 6, width: 10, inputs: 33, outputs: 96, up: true, skip: true, act: 1, ..DEFAULT },
    Case { count: 2, height: 18, width: 4, inputs: 20, outputs: 40, proj: Some((2, false)), ..DEFAULT },
    Case { count: 5, height: 8, width: 8, inputs: 32, outputs: 32, proj: Some((64, true)), ..DEFAULT },
    Case {
        count: 2,
        height: 10,
        width: 12,
        inputs: 32,
        outputs: 64,
        accumulate: true,
        pooled: true,
        ..DEFAULT
    },
    APART,
    Case {
        count: 3,
        height: 12,
        width: 6,
        inputs: 8,
        outputs: 31,
        accumulate: true,
        last: Some(3),
        ..DEFAULT
    },
    Case { count: 1, height: 8, width: 16, inputs: 8, outputs: 32, last: Some(6), relu: true, ..DEFAULT },
];

/// 21 quarters of strips a tile, where squares of 8×8 pixels would be 8 strips: in half precision, they lie apart.
pub(crate) const APART: Case = Case {
    count: 3,
    height: 11,
    width: 28,
    inputs: 33,
    outputs: 40,
    act: 2,
    bias_of_tile: true,
    proj: Some((20, false)),
    skip: true,
    ..DEFAULT
};

pub(crate) const DEFAULT: Case = Case {
    count: 0,
    height: 0,
    width: 0,
    inputs: 0,
    outputs: 0,
    up: false,
    act: 0,
    bias_of_tile: false,
    proj: None,
    skip: false,
    accumulate: false,
    relu: false,
    pooled: false,
    last: None,
};

/// A batch of maps without padding, `[tile, height, width, channels]`.
struct Plain {
    channels: usize,
    size: Size,
    values: Vec<f32>,
}

impl Plain {
    fn random(random: &mut Random, size: Size, up: bool, channels: usize) -> Self {
        let factor = if up { 2 } else { 1 };
        let size = Size { height: size.height / factor, width: size.width / factor, ..size };
        Plain { channels, size, values: random.values(size.pixels() * channels, 1.0) }
    }

    fn upload(&self, gpu: &Gpu, precision: Precision, stored: usize) -> Map {
        let pixels = self.values.chunks_exact(self.channels);
        let padding = std::iter::repeat_n(0.0, stored - self.channels);
        let values: Vec<f32> = pixels.flat_map(|p| p.iter().copied().chain(padding.clone())).collect();
        Map::of(gpu, precision, &values).unwrap()
    }

    /// A pixel of the map at twice its size if `up`; `None` outside.
    fn pixel(&self, up: bool, tile: usize, y: isize, x: isize) -> Option<&[f32]> {
        let Size { height, width, .. } = self.size;
        let (y, x) = if up { (y.div_euclid(2), x.div_euclid(2)) } else { (y, x) };
        let inside = (0..height as isize).contains(&y) && (0..width as isize).contains(&x);
        let at = ((tile * height) as isize + y) * width as isize + x;
        inside.then(|| &self.values[at as usize * self.channels..][..self.channels])
    }
}

fn stored(channels: usize) -> usize {
    channels.next_multiple_of(GROUP)
}

/// A case with all its inputs.
pub(crate) struct Problem {
    pub case: Case,
    pub size: Size,
    src: Plain,
    conv: Conv,
    act: Affine,
    /// `[tile, stored inputs]` and `[tile, stored outputs]`.
    shifts: Vec<f32>,
    biases: Vec<f32>,
    proj: Option<(Plain, Conv)>,
    skip: Plain,
    skip_scale: Vec<f32>,
    before: Plain,
    norm: Affine,
    last: Conv,
}

impl Problem {
    pub fn new(case: Case) -> Self {
        let mut r = Random(case.outputs as u64 * 1000 + case.inputs as u64);
        let size = Size { count: case.count, height: case.height, width: case.width };
        let channels = case.outputs;
        Problem {
            case,
            size,
            src: Plain::random(&mut r, size, case.up, case.inputs),
            conv: r.conv(9, case.inputs, channels),
            act: r.affine(case.inputs),
            shifts: r.rows(case.count, case.inputs),
            biases: r.rows(case.count, channels),
            proj: case.proj.map(|(inputs, up)| {
                (
                    Plain::random(&mut r, size, up, inputs),
                    Conv { bias: vec![9.0; channels], ..r.conv(1, inputs, channels) },
                )
            }),
            skip: Plain::random(&mut r, size, false, channels),
            skip_scale: r.values(channels, 2.0),
            before: Plain::random(&mut r, size, false, channels),
            norm: r.affine(channels),
            last: r.conv(1, channels, case.last.unwrap_or(1)),
        }
    }

    /// What a variant is asked for.
    fn kind(&self) -> Kind {
        let Case { inputs, outputs, up, act, proj, .. } = self.case;
        let (proj_inputs, proj_up) = proj.unwrap_or_default();
        let [inputs, proj_inputs] = [inputs, proj_inputs].map(stored);
        Kind { inputs, proj_inputs, outputs: stored(outputs), up, proj_up, act: act > 0 }
    }

    /// The sum at one pixel, all outputs.
    fn sum(&self, tile: usize, y: usize, x: usize) -> Vec<f64> {
        let Case { inputs, outputs, act, bias_of_tile, .. } = self.case;
        let bias = if bias_of_tile { &self.biases[tile * stored(outputs)..] } else { &self.conv.bias[..] };
        let mut sums: Vec<f64> = bias[..outputs].iter().map(|&b| b.into()).collect();
        let shift = if act == 2 { &self.shifts[tile * stored(inputs)..] } else { &self.act.shift[..] };
        for tap in 0..9 {
            let (y, x) = ((y + tap / 3) as isize - 1, (x + tap % 3) as isize - 1);
            let Some(pixel) = self.src.pixel(self.case.up, tile, y, x) else { continue };
            for (i, &value) in pixel.iter().enumerate() {
                let value = match act {
                    0 => f64::from(value),
                    _ => (f64::from(value) * f64::from(self.act.scale[i]) + f64::from(shift[i])).max(0.0),
                };
                let row = self.conv.weight[i * 9 + tap..].iter().step_by(inputs * 9);
                sums.iter_mut().zip(row).for_each(|(s, &w)| *s += value * f64::from(w));
            }
        }
        let (y, x) = (y as isize, x as isize);
        if let Some((map, conv)) = &self.proj {
            let pixel = map.pixel(self.case.proj.unwrap().1, tile, y, x).unwrap();
            for (sum, row) in sums.iter_mut().zip(conv.weight.chunks_exact(conv.inputs)) {
                *sum += pixel.iter().zip(row).map(|(&v, &w)| f64::from(v) * f64::from(w)).sum::<f64>();
            }
        }
        for (o, sum) in sums.iter_mut().enumerate() {
            let value = |map: &Plain| f64::from(map.pixel(false, tile, y, x).unwrap()[o]);
            *sum += if self.case.skip { value(&self.skip) * f64::from(self.skip_scale[o]) } else { 0.0 };
            *sum += if self.case.accumulate { value(&self.before) } else { 0.0 };
            *sum = if self.case.relu { sum.max(0.0) } else { *sum };
        }
        sums
    }

    fn last(&self, sums: &[f64], output: usize) -> f64 {
        let norm = self.norm.scale.iter().zip(&self.norm.shift);
        let values = sums.iter().zip(norm).map(|(v, (&s, &t))| (v * f64::from(s) + f64::from(t)).max(0.0));
        let weights = &self.last.weight[output * self.last.inputs..];
        values.zip(weights).map(|(v, &w)| v * f64::from(w)).sum::<f64>() + f64::from(self.last.bias[output])
    }

    /// What the kernel makes: the map, the pooled map, the last layer. What is not made keeps its marks.
    pub fn run(&self, gpu: &Gpu, precision: Precision, change: impl Fn(ConvSum) -> ConvSum) -> [Vec<f32>; 3] {
        let layout = if precision == Precision::F16 { Layout::Lanes } else { Layout::Plain };
        self.run_in(gpu, layout, change)
    }

    /// The same with the weights in a layout, which tells the kernel.
    pub fn run_in(&self, gpu: &Gpu, layout: Layout, change: impl Fn(ConvSum) -> ConvSum) -> [Vec<f32>; 3] {
        let precision = layout.precision();
        let case = self.case;
        let of_input = |channels: usize| if channels < 3 { CHANNELS_IN } else { stored(channels) };
        let inputs = of_input(case.inputs);
        let proj = self.proj.as_ref().map(|(map, conv)| (map, conv, of_input(conv.inputs)));
        let weights = Weights::in_layouts(
            gpu,
            &[layout],
            &self.conv,
            inputs,
            proj.map(|(_, conv, stored)| (conv, stored)),
        )
        .unwrap();
        let src = self.src.upload(gpu, precision, inputs);
        let proj = proj.map(|(map, _, stored)| map.upload(gpu, precision, stored));
        let act = Act::new(gpu, precision, &self.act, inputs).unwrap();
        let mut scale = self.act.scale.clone();
        scale.resize(inputs, 0.0);
        let scale = Map::of(gpu, precision, &scale).unwrap();
        let shifts = Map::of(gpu, precision, &self.shifts).unwrap();
        let biases = Buffer::of(gpu, &self.biases).unwrap();
        let skip = self.skip.upload(gpu, precision, stored(case.outputs));
        let mut skip_scale = self.skip_scale.clone();
        skip_scale.resize(stored(case.outputs), 0.0);
        let skip_scale = Buffer::of(gpu, &skip_scale).unwrap();
        let mut out = self.before.upload(gpu, precision, stored(case.outputs));

        let mut sum = ConvSum::of(&src, &weights).up(case.up);
        sum = match case.act {
            0 => sum,
            1 => sum.act(&act),
            _ => sum.act_of_tile(&scale, Rows { table: &shifts, at: 0, stride: stored(case.inputs) }),
        };
        if case.bias_of_tile {
            sum = sum.bias(Rows { table: &biases, at: 0, stride: stored(case.outputs) });
        }
        if let Some(map) = &proj {
            sum = sum.proj(map, case.proj.unwrap().1);
        }
        sum = if case.skip { sum.skip(&skip, &skip_scale) } else { sum };
        sum = if case.accumulate { sum.accumulate() } else { sum };
        sum = if case.relu { sum.relu() } else { sum };
        let sum = change(sum);
        let mut pooled = Map::of(gpu, precision, &vec![7.0; out.len() / 4 + 1]).unwrap();
        let mut output = Buffer::of(gpu, &vec![7.0; self.size.pixels() * case.last.unwrap_or(1)]).unwrap();
        match case.last {
            _ if case.pooled => sum.write_pooled(gpu, self.size, &mut out, &mut pooled).unwrap(),
            None => sum.write(gpu, self.size, &mut out).unwrap(),
            Some(_) => {
                let last = Last::new(gpu, &self.norm, &self.last).unwrap();
                sum.write_last(gpu, self.size, &out, &last, &mut output).unwrap();
            }
        }
        [out.download(gpu).unwrap(), pooled.download(gpu).unwrap(), output.download(gpu).unwrap()]
    }
}

/// The largest difference, as a part of the bound `bound (1 + |want|)`.
struct Worst<'a> {
    what: String,
    bound: f64,
    part: &'a mut f64,
}

impl Worst<'_> {
    fn see(&mut self, got: f32, want: f64, at: &str) {
        let part = (f64::from(got) - want).abs() / (self.bound * (1.0 + want.abs()));
        assert!(part <= 1.0, "{}: {at}: {got}, not {want}: {part:.2} of the bound", self.what);
        *self.part = self.part.max(part);
    }
}

pub(crate) fn check(problem: &Problem, made: &[Vec<f32>; 3], bound: f64, part: &mut f64) {
    let (case, Size { count, height, width }) = (problem.case, problem.size);
    let [out, pooled, output] = made;
    let mut worst = Worst { what: format!("{case:?}"), bound, part };
    let channels = stored(case.outputs);
    let mut most = vec![f32::NEG_INFINITY; problem.size.pixels() / 4 * channels];
    for pixel in 0..problem.size.pixels() {
        let (tile, y, x) = (pixel / (height * width), pixel / width % height, pixel % width);
        let want = problem.sum(tile, y, x);
        for (o, &got) in out[pixel * channels..][..channels].iter().enumerate() {
            let at = format!("tile {tile} of {count}, y {y}, x {x}, channel {o}");
            match (want.get(o), case.last) {
                (None, _) => assert_eq!(got, 0.0, "{}: padding at {at}", worst.what),
                (Some(&want), None) => worst.see(got, want, &at),
                (Some(_), Some(_)) => assert_eq!(got, problem.before.values[pixel * case.outputs + o]),
            }
            if case.pooled {
                let at = ((tile * height / 2 + y / 2) * (width / 2) + x / 2) * channels + o;
                most[at] = most[at].max(got);
            }
        }
        for o in 0..case.last.unwrap_or(0) {
            let at = ((tile * case.last.unwrap() + o) * height + y) * width + x;
            worst.see(
                output[at],
                problem.last(&want, o),
                &format!("last layer, tile {tile}, output {o}, y {y}, x {x}"),
            );
        }
    }
    let marks = if case.pooled {
        assert_eq!(pooled[..most.len()], most);
        &pooled[most.len()..]
    } else {
        &pooled[..]
    };
    assert!(marks.iter().all(|&v| v == 7.0), "{}: wrote beyond the pooled map", worst.what);
}

fn check_all(precision: Precision, bound: f64) {
    let mut part = 0.0;
    let part = std::sync::Mutex::new(&mut part);
    let problems: Vec<Problem> = CASES.iter().map(|&case| Problem::new(case)).collect();
    on_device(|gpu| {
        for problem in &problems {
            check(problem, &problem.run(gpu, precision, |sum| sum), bound, &mut part.lock().unwrap());
        }
    });
    println!("{precision:?}: {:.3} of the bound {bound:e}", part.lock().unwrap());
}

/// Half precision: the activation, the sum and nothing else is rounded, each by 2⁻¹¹ at most.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn conv_f16_is_the_sum() {
    check_all(Precision::F16, 2e-3);
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn conv_f32_is_the_sum() {
    check_all(Precision::F32, 4e-6);
}

/// Each variant on all that it can compute; one that is for other cards is left out.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn every_variant_is_the_sum() {
    crate::on_hopper("conv::every_variant_is_the_sum", || {
        let (gpu, mut ran) = (crate::device::gpu(), 0);
        for variant in VARIANTS.iter().filter(|variant| conv::pinned(&gpu, variant.name).is_ok()) {
            let (mut count, mut part) = (0, 0.0);
            for problem in CASES.iter().map(|&case| Problem::new(case)) {
                if variant.can(problem.kind(), problem.size) {
                    let made = problem.run_in(&gpu, variant.layout, |sum| sum.only(variant));
                    check(&problem, &made, 2e-3, &mut part);
                    count += 1;
                }
            }
            println!("{}: {count} cases, {part:.3} of the bound", variant.name);
            assert!(count > 0, "{}", variant.name);
            ran += 1;
        }
        let capability = gpu.context().compute_capability().unwrap();
        assert_eq!(ran, if capability == (9, 0) { VARIANTS.len() } else { 2 });
    });
}

/// The depths of the ring that fit into the card's shared memory for every kernel: three slices take up to 115 KB.
fn depths(gpu: &Gpu) -> &'static [usize] {
    let attribute = Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN;
    if gpu.context().attribute(attribute).unwrap() > 120_000 { &[2, 3] } else { &[2] }
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn the_depth_of_the_ring_changes_nothing() {
    let problem = Problem::new(Case { proj: Some((64, false)), act: 2, ..CASES[2] });
    on_device(|gpu| {
        let own = problem.run(gpu, Precision::F16, |sum| sum);
        for &depth in depths(gpu) {
            assert_eq!(problem.run(gpu, Precision::F16, |sum| sum.stages(depth))[0], own[0]);
        }
    });
}

/// The bits, not only the values, so that no result depends on what saves time.
#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn where_the_quarters_of_a_strip_lie_changes_nothing() {
    let pooled = Case {
        count: 2,
        height: 18,
        width: 14,
        inputs: 20,
        outputs: 64,
        up: true,
        act: 1,
        proj: Some((33, true)),
        accumulate: true,
        relu: true,
        pooled: true,
        ..DEFAULT
    };
    let problems = [APART, pooled].map(Problem::new);
    on_device(|gpu| {
        for problem in &problems {
            let bits = |apart, stages| {
                let made = problem.run(gpu, Precision::F16, |sum| sum.apart(apart).stages(stages));
                made.map(|values| values.into_iter().map(f32::to_bits).collect::<Vec<_>>())
            };
            let together = bits(false, 2);
            assert!(together == bits(false, 3), "three slices, {:?}", problem.case);
            for &depth in depths(gpu) {
                assert!(together == bits(true, depth), "apart, {depth} slices, {:?}", problem.case);
            }
        }
    });
}

#[test]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), ignore = "takes a GPU")]
fn what_cannot_be_served_is_an_error() {
    let gpu = crate::device::gpu();
    let large = Conv { inputs: 1, outputs: 1, weight: vec![1e5; 9], bias: vec![0.0] };
    let error = Weights::new(&gpu, Precision::F16, &large, 16, None).unwrap_err().to_string();
    assert!(error.contains("half precision"), "{error}");
    Weights::new(&gpu, Precision::F32, &large, 16, None).unwrap();
    let mut random = Random(1);
    let (norm, conv) = (random.affine(33), random.conv(1, 33, 3));
    let error = Last::new(&gpu, &norm, &conv).unwrap_err().to_string();
    assert!(error.contains("33 channels"), "{error}");
}

/// What only the emulator counts.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod emulator {
    use super::*;

    /// For the 144 multiplications of a slice a warp loads 18 fragments, and a projection's 16 take 4.
    #[test]
    fn fragments_are_loaded_once_and_without_bank_conflicts() {
        let gpu = crate::device::gpu();
        for (case, slices, projection) in [(CASES[2], 4, 0), (APART, 4, 2)] {
            let problem = Problem::new(case);
            for apart in [false, case == APART] {
                flowmask_emulator::statistics();
                problem.run(&gpu, Precision::F16, |sum| sum.apart(apart));
                let [products, lanes, conflicts, ..] = flowmask_emulator::statistics();
                let warps = products / (144 * slices + 16 * projection);
                assert!(warps > 0 && conflicts == 0, "{case:?}: {warps} warps, {conflicts} conflicts");
                assert_eq!(products, warps * (144 * slices + 16 * projection), "{case:?}");
                assert_eq!(lanes / 32, warps * (18 * slices + 4 * projection), "{case:?}");
            }
        }
    }
}
