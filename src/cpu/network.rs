//! The U-Net on one tile: from `[height, width, nchan]` to `[nout, height, width]` and the style vector.

use rayon::prelude::*;

use super::conv::{ConvSum, Isa, Map, WIDEST_VECTOR, Weights, Window};
use crate::memory::require;
use crate::model::network::{Affine, Linear, Network, ResDown, ResUp};
use crate::watch::GoOn;

/// A network whose weights are laid out for the CPU's convolutions.
pub struct Unet {
    isa: Isa,
    nbase: Vec<usize>,
    nout: usize,
    down: Vec<Down>,
    up: Vec<Up>,
    before_output: Affine,
    /// `[out, channel]`, with zeros for the added channels.
    output: Vec<f32>,
    output_bias: Vec<f32>,
}

/// [`ResDown`] with its weights laid out.
struct Down {
    before0: Affine,
    conv0: Weights,
    conv1: Weights,
    proj: Weights,
    before2: Affine,
    conv2: Weights,
    conv3: Weights,
}

/// [`ResUp`] with its weights laid out.
struct Up {
    before0: Affine,
    conv0: Weights,
    skip_scale: Vec<f32>,
    shift1: Linear,
    conv1: Weights,
    proj: Weights,
    scale2: Vec<f32>,
    shift2: Linear,
    conv2: Weights,
    shift3: Linear,
    conv3: Weights,
}

impl Unet {
    /// Lays the weights out for the CPU; the convolutions use the instruction set `isa`.
    ///
    /// Unwinds with [`OutOfMemory`](crate::OutOfMemory) when there is too little memory.
    pub fn new(network: &Network, isa: Isa) -> Self {
        require(bytes_of(network).saturating_add(BESIDE), None);
        Unet {
            isa,
            nbase: network.nbase.clone(),
            nout: network.nout,
            down: network.down.par_iter().map(Down::new).collect(),
            up: network
                .up
                .par_iter()
                .enumerate()
                .map(|(n, up)| Up::new(up, n + 1 == network.levels()))
                .collect(),
            before_output: pad_norm(&network.before_output),
            output: network.output.weight.chunks_exact(network.nbase[1]).flat_map(pad).collect(),
            output_bias: network.output.bias.clone(),
        }
    }

    /// Channels of the input.
    pub fn nchan(&self) -> usize {
        self.nbase[0]
    }

    /// Channels of the output.
    pub fn nout(&self) -> usize {
        self.nout
    }

    /// Length of the style vector.
    pub fn style_length(&self) -> usize {
        self.nbase[self.levels()]
    }

    fn levels(&self) -> usize {
        self.nbase.len() - 1
    }

    /// The bytes of the weights.
    pub(super) fn bytes(&self) -> u64 {
        let down = self.down.iter().flat_map(|b| [&b.conv0, &b.conv1, &b.proj, &b.conv2, &b.conv3]);
        let up = self.up.iter().flat_map(|b| [&b.conv0, &b.conv1, &b.proj, &b.conv2, &b.conv3]);
        down.chain(up).map(Weights::bytes).sum()
    }
}

/// Beside the weights, what threads allocate while they lay them out: copies of the style's maps and of biases, and scratch.
const BESIDE: u64 = 8 << 20;

/// What [`Unet::bytes`] will be.
fn bytes_of(network: &Network) -> u64 {
    let levels = network.levels();
    let down = network.down.iter().flat_map(|b| [&b.conv0, &b.conv1, &b.proj, &b.conv2, &b.conv3]);
    let first = network.up.iter().enumerate().map(|(n, b)| Weights::bytes_of(&b.conv0, n + 1 < levels));
    let up = network.up.iter().flat_map(|b| [&b.conv1, &b.proj, &b.conv2, &b.conv3]);
    down.chain(up).map(|conv| Weights::bytes_of(conv, false)).chain(first).sum()
}

fn pad(values: &[f32]) -> Vec<f32> {
    let mut values = values.to_vec();
    values.resize(values.len().next_multiple_of(WIDEST_VECTOR), 0.0);
    values
}

fn pad_norm(norm: &Affine) -> Affine {
    Affine { scale: pad(&norm.scale), shift: pad(&norm.shift) }
}

impl Down {
    fn new(block: &ResDown) -> Self {
        let (conv0, conv1) = rayon::join(|| Weights::new(&block.conv0), || Weights::new(&block.conv1));
        let (conv2, conv3) = rayon::join(|| Weights::new(&block.conv2), || Weights::new(&block.conv3));
        Down {
            before0: pad_norm(&block.before0),
            conv0,
            conv1,
            proj: Weights::new(&block.proj),
            before2: pad_norm(&block.before2),
            conv2,
            conv3,
        }
    }
}

impl Up {
    /// All blocks but the deepest take the output of the next deeper level at twice its size.
    fn new(block: &ResUp, deepest: bool) -> Self {
        let first = if deepest { Weights::new } else { Weights::doubled };
        let (conv0, conv1) = rayon::join(|| first(&block.conv0), || Weights::new(&block.conv1));
        let (conv2, conv3) = rayon::join(|| Weights::new(&block.conv2), || Weights::new(&block.conv3));
        Up {
            before0: pad_norm(&block.before0),
            conv0,
            skip_scale: pad(&block.skip_scale),
            shift1: block.shift1.clone(),
            conv1,
            proj: Weights::new(&block.proj),
            scale2: pad(&block.scale2),
            shift2: block.shift2.clone(),
            conv2,
            shift3: block.shift3.clone(),
            conv3,
        }
    }
}

/// The feature maps of one tile. They are allocated once and used for every tile of this size.
pub struct State {
    nchan: usize,
    input: Map,
    levels: Vec<Level>,
    /// The map between two convolutions, at any level.
    middle: Map,
    /// The deepest skip on the way up. It is also the input of its block, so that block cannot overwrite it.
    deepest: Map,
    /// The style vector of the last tile, of unit length.
    pub style: Vec<f32>,
}

/// The maps of one level of the network.
struct Level {
    /// The output of the block on the way down: the skip, which the block on the way up reads and overwrites.
    out: Map,
    /// The 2×2 maxima of the skip: the input of the next level. Empty at the deepest.
    pooled: Map,
}

impl State {
    /// Maps for tiles of `height` by `width` pixels, both multiples of `2^(levels - 1)`.
    pub fn new(unet: &Unet, height: usize, width: usize) -> Self {
        let levels = unet.levels();
        let map = |n: usize| Map::new(height >> n, width >> n, unet.nbase[n + 1]);
        let level = |n: usize| {
            let pooled = if n + 1 < levels { (height >> (n + 1), width >> (n + 1)) } else { (0, 0) };
            Level { out: map(n), pooled: Map::new(pooled.0, pooled.1, unet.nbase[n + 1]) }
        };
        State {
            nchan: unet.nchan(),
            input: Map::new(height, width, unet.nbase[0]),
            levels: (0..levels).map(level).collect(),
            middle: Map::new(0, 0, 0),
            deepest: map(levels - 1),
            style: vec![0.0; unet.nbase[levels]],
        }
    }

    /// The bytes of the maps.
    pub(super) fn bytes(&self) -> u64 {
        let levels = self.levels.iter().flat_map(|level| [&level.out, &level.pooled]);
        let maps = levels.chain([&self.input, &self.middle, &self.deepest]);
        maps.map(|map| (map.data.len() * size_of::<f32>()) as u64).sum()
    }

    /// The bytes of the maps of a tile of this size, once the network has run.
    pub(super) fn bytes_of(unet: &Unet, (height, width): (usize, usize)) -> u64 {
        let levels = unet.levels();
        let map = |level: usize, channels: usize| {
            let channels = channels.next_multiple_of(WIDEST_VECTOR);
            ((height >> level) * (width >> level) * channels * size_of::<f32>()) as u64
        };
        let out = |level: usize| map(level, unet.nbase[level + 1]);
        let pooled =
            |level: usize| if level + 1 < levels { map(level + 1, unet.nbase[level + 1]) } else { 0 };
        let maps = (0..levels).map(|level| out(level) + pooled(level)).sum::<u64>();
        let middle = (0..levels).map(out).max().unwrap_or(0);
        maps + map(0, unet.nbase[0]) + middle + out(levels - 1)
    }

    fn whole(&self) -> Window {
        Window::whole((self.input.height, self.input.width))
    }

    /// Copies a tile, `[height, width, nchan]`, to the input.
    pub fn set_input(&mut self, values: &[f32]) {
        let pixels = self.input.data.chunks_exact_mut(self.input.channels);
        for (to, from) in pixels.zip(values.chunks_exact(self.nchan)) {
            to[..self.nchan].copy_from_slice(from);
        }
    }

    /// A value of the skip at a level, the output of its block on the way down; valid between [`down`] and [`up`].
    pub fn skip(&self, level: usize, channel: usize, y: usize, x: usize) -> f32 {
        let skip = &self.levels[level].out;
        skip.row(y)[x * skip.channels + channel]
    }
}

/// Runs the network on the input in `state`; `out` is `[nout, height, width]`.
pub fn forward(unet: &Unet, state: &mut State, out: &mut [f32]) {
    let needed = state.whole();
    forward_while(unet, state, &needed, out, &|| true);
}

/// Like [`forward`], with values that mean nothing outside of what is `needed` of the tile. Stops early, with such values
/// everywhere, when `go_on` is false.
pub(crate) fn forward_while(unet: &Unet, state: &mut State, needed: &Window, out: &mut [f32], go_on: GoOn) {
    let convs = Convs { isa: unet.isa, go_on };
    run_down(unet, convs, state);
    run_up(unet, convs, state, needed, out);
}

/// How the convolutions run. `go_on` is asked before each band.
#[derive(Clone, Copy)]
struct Convs<'a> {
    isa: Isa,
    go_on: GoOn<'a>,
}

impl<'a> Convs<'a> {
    fn of(self, src: &'a Map, weights: &'a Weights) -> ConvSum<'a> {
        ConvSum::of(src, weights).only_while(self.go_on)
    }
}

/// The first half of the network: from the input to the skips and the style vector.
pub fn down(unet: &Unet, state: &mut State) {
    run_down(unet, Convs { isa: unet.isa, go_on: &|| true }, state);
}

/// The second half: from the skips and the style vector to the output, `[nout, height, width]`.
pub fn up(unet: &Unet, state: &mut State, out: &mut [f32]) {
    let needed = state.whole();
    run_up(unet, Convs { isa: unet.isa, go_on: &|| true }, state, &needed, out);
}

fn run_down(unet: &Unet, convs: Convs, State { input, levels, middle, style, .. }: &mut State) {
    for (n, block) in unet.down.iter().enumerate() {
        let (above, level) = levels.split_at_mut(n);
        let input = above.last().map_or(&*input, |above| &above.pooled);
        res_down(block, convs, input, &mut level[0], middle);
    }
    mean(&levels[unet.levels() - 1].out, style);
    unit_length(style);
}

fn run_up(
    unet: &Unet,
    convs: Convs,
    State { levels, middle, deepest, style, .. }: &mut State,
    needed: &Window,
    out: &mut [f32],
) {
    let windows = windows(needed, levels);
    std::mem::swap(&mut levels[unet.levels() - 1].out, deepest);
    for (n, block) in unet.up.iter().enumerate().rev() {
        let (level, below) = levels.split_at_mut(n + 1);
        let (input, skip) = match below {
            [] => (&*deepest, Some(&*deepest)),
            [below, ..] => (&below.out, None),
        };
        res_up(block, convs, style, (input, skip), &windows[n], &mut level[n].out, middle);
    }
    output(unet, &levels[0].out, needed, out);
}

/// What is needed of each convolution's result on the way up, at each level.
///
/// The style needs all of the tile, so nothing is left out on the way down.
fn windows(needed: &Window, levels: &[Level]) -> Vec<[Window; 4]> {
    let mut needed = needed.clone();
    let of_level = |level: &Level| {
        let size = (level.out.height, level.out.width);
        let third = needed.clone();
        let second = third.read(size);
        let first = second.read(size);
        let zeroth = first.read(size);
        needed = zeroth.read(size).halved();
        [zeroth, first, second, third]
    };
    levels.iter().map(of_level).collect()
}

/// See [`ResDown`] for the formula.
fn res_down(block: &Down, convs: Convs, input: &Map, level: &mut Level, middle: &mut Map) {
    let Level { out: x, pooled } = level;
    let Down { before0, conv0, conv1, proj, before2, conv2, conv3 } = block;
    middle.resize(x);
    convs.of(input, conv0).act(&before0.scale, &before0.shift).relu().write(convs.isa, middle);
    convs.of(middle, conv1).proj(input, false, proj).write(convs.isa, x);
    convs.of(x, conv2).act(&before2.scale, &before2.shift).relu().write(convs.isa, middle);
    let last = convs.of(middle, conv3).accumulate();
    match pooled.data.is_empty() {
        true => last.write(convs.isa, x),
        false => last.write_pooled(convs.isa, x, pooled),
    }
}

/// See [`ResUp`] for the formula. `input` is the output of the next deeper level, taken at twice its size. At the
/// deepest level, `input` and `skip` are the level's own skip; at the others `skip` is `None` and `x` holds it.
fn res_up(
    block: &Up,
    convs: Convs,
    style: &[f32],
    (input, skip): (&Map, Option<&Map>),
    needed: &[Window; 4],
    x: &mut Map,
    middle: &mut Map,
) {
    let Up { before0, conv0, skip_scale, shift1, conv1, proj, scale2, shift2, conv2, shift3, conv3 } = block;
    let (shift1, shift2, shift3) = (shift1.of(style), shift2.of(style), shift3.of(style));
    middle.resize(x);
    let first = convs.of(input, conv0).only(&needed[0]).act(&before0.scale, &before0.shift).bias(&shift1);
    first.relu().skip(skip.unwrap_or(x), skip_scale).write(convs.isa, middle);
    convs.of(middle, conv1).only(&needed[1]).proj(input, skip.is_none(), proj).write(convs.isa, x);
    let third = convs.of(x, conv2).only(&needed[2]).act(scale2, &shift2);
    third.bias(&shift3).relu().write(convs.isa, middle);
    convs.of(middle, conv3).only(&needed[3]).accumulate().write(convs.isa, x);
}

impl Linear {
    fn of(&self, style: &[f32]) -> Vec<f32> {
        let rows = self.weight.chunks_exact(style.len()).zip(&self.bias);
        let values = rows.map(|(row, bias)| dot(row, style) + bias);
        pad(&values.collect::<Vec<f32>>())
    }
}

/// The mean of the deepest map over its pixels.
fn mean(deepest: &Map, style: &mut [f32]) {
    let mut sums = vec![0.0f64; style.len()];
    for pixel in deepest.data.chunks_exact(deepest.channels) {
        sums.iter_mut().zip(pixel).for_each(|(sum, v)| *sum += f64::from(*v));
    }
    let pixels = (deepest.height * deepest.width) as f64;
    style.iter_mut().zip(&sums).for_each(|(s, sum)| *s = (sum / pixels) as f32);
}

/// Divides a style vector by its L2 norm. Zeros stay zeros, where the original divides by zero.
pub fn unit_length(style: &mut [f32]) {
    let norm = style.iter().map(|s| s * s).sum::<f32>().sqrt();
    if norm > 0.0 {
        style.iter_mut().for_each(|s| *s /= norm);
    }
}

/// Batch norm, ReLU and the last 1×1 convolution.
fn output(unet: &Unet, x: &Map, needed: &Window, out: &mut [f32]) {
    let (norm, bias) = (&unet.before_output, &unet.output_bias);
    let plane = x.height * x.width;
    let mut rows: Vec<Vec<&mut [f32]>> = (0..x.height).map(|_| Vec::with_capacity(unet.nout)).collect();
    for plane in out.chunks_exact_mut(plane) {
        for (y, row) in plane.chunks_exact_mut(x.width).enumerate() {
            rows[y].push(row);
        }
    }
    let rows = rows.into_par_iter().enumerate().filter(|(y, _)| needed.rows.contains(y));
    rows.for_each_init(
        || vec![0.0; x.channels],
        |active, (y, mut rows)| {
            let pixels = x.row(y).chunks_exact(x.channels).enumerate();
            for (column, pixel) in pixels.take(needed.columns.end).skip(needed.columns.start) {
                let values = pixel.iter().zip(&norm.scale).zip(&norm.shift);
                for (active, ((v, s), t)) in active.iter_mut().zip(values) {
                    *active = (v * s + t).max(0.0);
                }
                let weights = unet.output.chunks_exact(x.channels).zip(bias);
                for (row, (weights, bias)) in rows.iter_mut().zip(weights) {
                    row[column] = dot(active, weights) + bias;
                }
            }
        },
    );
}

/// The dot product. It has as many partial sums as the widest vector has floats, so that the compiler can use vectors.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<WIDEST_VECTOR>(), b.as_chunks::<WIDEST_VECTOR>());
    let mut sums = [0.0; WIDEST_VECTOR];
    for (a, b) in a.iter().zip(b) {
        for i in 0..WIDEST_VECTOR {
            sums[i] += a[i] * b[i];
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>();
    let mut half = WIDEST_VECTOR / 2;
    while half > 0 {
        for i in 0..half {
            sums[i] += sums[i + half];
        }
        half /= 2;
    }
    sums[0] + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Model;

    #[test]
    fn the_weights_take_what_is_asked_for() {
        for name in ["nuclei", "cyto"] {
            let model = Model::named(name).unwrap();
            assert_eq!(Unet::new(model.network(), Isa::best()).bytes(), bytes_of(model.network()));
        }
    }

    #[test]
    fn what_is_not_needed_of_a_tile_changes_nothing_else() {
        let model = Model::named("nuclei").unwrap();
        let (height, width) = (48, 80);
        let input: Vec<f32> = (0..2 * height * width).map(|i| (i * 7919 % 97) as f32 / 97.0).collect();
        for isa in Isa::all() {
            let unet = Unet::new(model.network(), isa);
            let run = |needed: &Window| {
                // Maps of zeros, so that nothing is left of another run.
                let mut state = State::new(&unet, height, width);
                state.set_input(&input);
                let mut out = vec![f32::NAN; 3 * height * width];
                forward_while(&unet, &mut state, needed, &mut out, &|| true);
                (out, state.style)
            };
            let (whole, style) = run(&Window::whole((height, width)));
            for (rows, columns) in [(14..33, 9..52), (0..48, 71..80), (47..48, 0..1), (8..40, 14..66)] {
                let needed = Window { rows, columns };
                let (part, of_part) = run(&needed);
                assert_eq!(of_part, style);
                for (i, (part, whole)) in part.iter().zip(&whole).enumerate() {
                    let (y, x) = (i / width % height, i % width);
                    let want = if needed.rows.contains(&y) && needed.columns.contains(&x) {
                        *whole
                    } else {
                        f32::NAN
                    };
                    assert_eq!(part.to_bits(), want.to_bits(), "{} {needed:?} at {y}, {x}", isa.name());
                }
            }
        }
    }
}
