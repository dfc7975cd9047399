//! 3×3 convolution by Winograd's F(4×4, 3×3): 36 multiplications for 16 pixels where the plain sum takes 144.
//!
//! With the matrices of Lavin & Gray (arXiv 1509.09308): a patch `d` of 6×6 pixels becomes `Bᵀ d B`, a kernel
//! `g` becomes `G g Gᵀ`; they are multiplied place by place and summed over the channels, which is a matrix
//! product for each of the 36 places; and `Aᵀ m A` are 4×4 pixels of the result.
//!
//! Work goes through in blocks of patches that stay in the L2 cache from the first transform to the last. All
//! that stands before and after the convolution happens in the transforms.

use std::cell::RefCell;

use rayon::prelude::*;

use super::simd::{Lanes, Vector};
use super::{BLOCK, Map};
use crate::model::network::Conv;

/// Places of a transformed patch.
const PLACES: usize = 36;
/// Outputs that a matrix product computes together.
const PANEL: usize = 32;
/// Patches of a block, about: with 32 channels its data is 0.5 MB, with 256 a row of panels is.
const PATCHES: usize = 28;

/// The instruction set in use. Can only be made where the processor has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel(Isa);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Isa {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Kernel {
    /// The kernels that this processor can run, fastest first.
    pub fn all() -> Vec<Kernel> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                all.push(Kernel(Isa::Avx512));
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                all.push(Kernel(Isa::Avx2));
            }
        }
        all.push(Kernel(Isa::Portable));
        all
    }

    /// The fastest one.
    pub fn best() -> Kernel {
        Kernel::all()[0]
    }

    /// `avx512`, `avx2` or `portable`.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => "avx2",
            Isa::Portable => "portable",
        }
    }
}

/// The weights of a convolution, transformed and in panels.
#[derive(Clone, Debug)]
pub struct Weights {
    inputs: usize,
    outputs: usize,
    /// 3×3: `[place, panel, in, PANEL]`; 1×1: the same with one place.
    panels: Vec<f32>,
    /// `[out]`, padded.
    pub bias: Vec<f32>,
}

impl Weights {
    /// Prepares a convolution of 9 taps or of 1.
    pub fn new(conv: &Conv) -> Self {
        let inputs = conv.inputs.next_multiple_of(BLOCK);
        let outputs = conv.outputs.next_multiple_of(BLOCK);
        let count = conv.outputs.div_ceil(PANEL);
        let nine = conv.weight.len() == 9 * conv.inputs * conv.outputs;
        let places = if nine { PLACES } else { 1 };
        let mut panels = vec![0.0; places * count * inputs * PANEL];
        for i in 0..conv.inputs {
            for o in 0..conv.outputs {
                let at = |place: usize| ((place * count + o / PANEL) * inputs + i) * PANEL + o % PANEL;
                let tap = |t: usize| conv.weight[(t * conv.inputs + i) * conv.outputs + o];
                if nine {
                    let u = transform_kernel(std::array::from_fn(tap));
                    u.iter().enumerate().for_each(|(place, &v)| panels[at(place)] = v);
                } else {
                    panels[at(0)] = tap(0);
                }
            }
        }
        let mut bias = conv.bias.clone();
        bias.resize(outputs, 0.0);
        Weights { inputs, outputs, panels, bias }
    }
}

/// `G g Gᵀ`.
fn transform_kernel(g: [f32; 9]) -> [f32; PLACES] {
    let line = |a: f64, b: f64, c: f64| {
        let (even, odd) = (a / 24.0 + c / 6.0, b / 12.0);
        [a / 4.0, -(a + b + c) / 6.0, -(a - b + c) / 6.0, even + odd, even - odd, c]
    };
    let g = g.map(f64::from);
    let columns: [[f64; 6]; 3] = std::array::from_fn(|x| line(g[x], g[3 + x], g[6 + x]));
    let mut out = [0.0; PLACES];
    for y in 0..6 {
        let row = line(columns[0][y], columns[1][y], columns[2][y]);
        row.iter().enumerate().for_each(|(x, &v)| out[y * 6 + x] = v as f32);
    }
    out
}

/// `start + bias + conv3x3(act(src)) + proj(x)`, then ReLU and 2×2 maxima if asked for.
pub struct ConvSum<'a> {
    src: &'a Map,
    /// ReLU of an affine map on the source, before the zeros around it.
    act: Option<(&'a [f32], &'a [f32])>,
    /// The source's pixels count four times (nearest ×2).
    up: bool,
    weights: &'a Weights,
    bias: &'a [f32],
    accumulate: bool,
    skip: Option<(&'a Map, &'a [f32])>,
    proj: Option<(&'a Map, bool, &'a Weights)>,
    relu: bool,
}

impl<'a> ConvSum<'a> {
    /// The convolution and its bias.
    pub fn of(src: &'a Map, weights: &'a Weights) -> Self {
        ConvSum {
            src,
            act: None,
            up: false,
            weights,
            bias: &weights.bias,
            accumulate: false,
            skip: None,
            proj: None,
            relu: false,
        }
    }

    /// Convolves `relu(scale · src + shift)`.
    pub fn act(self, scale: &'a [f32], shift: &'a [f32]) -> Self {
        ConvSum { act: Some((scale, shift)), ..self }
    }

    /// Takes the source at twice its size.
    pub fn up(self, up: bool) -> Self {
        ConvSum { up, ..self }
    }

    /// Another bias.
    pub fn bias(self, bias: &'a [f32]) -> Self {
        ConvSum { bias, ..self }
    }

    /// Adds what the destination holds.
    pub fn accumulate(self) -> Self {
        ConvSum { accumulate: true, ..self }
    }

    /// Adds a map with a factor a channel.
    pub fn skip(self, map: &'a Map, scale: &'a [f32]) -> Self {
        ConvSum { skip: Some((map, scale)), ..self }
    }

    /// Adds a 1×1 convolution of another map, `up` at twice its size. Its bias is not added.
    pub fn proj(self, map: &'a Map, up: bool, proj: &'a Weights) -> Self {
        ConvSum { proj: Some((map, up, proj)), ..self }
    }

    /// Takes the ReLU of the sum.
    pub fn relu(self) -> Self {
        ConvSum { relu: true, ..self }
    }

    /// Computes the sum.
    pub fn write(self, kernel: Kernel, dst: &mut Map) {
        self.run(kernel, dst, None);
    }

    /// Computes the sum and the maxima of its 2×2 pixels.
    pub fn write_pooled(self, kernel: Kernel, dst: &mut Map, pooled: &mut Map) {
        self.run(kernel, dst, Some(pooled));
    }

    fn run(self, kernel: Kernel, dst: &mut Map, pooled: Option<&mut Map>) {
        let (height, width, channels) = (dst.height, dst.width, dst.channels);
        let scale = if self.up { 2 } else { 1 };
        assert_eq!((self.src.height * scale, self.src.width * scale), (height, width));
        assert_eq!((self.src.channels, channels), (self.weights.inputs, self.weights.outputs));
        let across = width.div_ceil(4);
        let rows = 4 * (PATCHES / across).max(1);
        let chunk = rows * width * channels;
        let block = |i: usize, out: &mut [f32], pooled: Option<&mut [f32]>| {
            let block = Block { sum: &self, top: i * rows, width, across, out, pooled };
            SCRATCH.with_borrow_mut(|scratch| block.run(kernel, scratch));
        };
        let blocks = dst.data.par_chunks_mut(chunk).enumerate();
        match pooled {
            None => blocks.for_each(|(i, out)| block(i, out, None)),
            Some(pooled) => {
                assert_eq!((pooled.height * 2, pooled.width * 2, pooled.channels), (height, width, channels));
                let pools = pooled.data.par_chunks_mut(chunk / 4);
                blocks.zip(pools).for_each(|((i, out), pooled)| block(i, out, Some(pooled)));
            }
        }
    }
}

thread_local! {
    /// Allocated at the first block of a thread.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

#[derive(Default)]
struct Scratch {
    /// Transformed patches, `[place, patch, in]`.
    patches: Vec<f32>,
    /// Products, `[place, patch, out]`.
    products: Vec<f32>,
    /// The projection, `[pixel, out]`.
    projected: Vec<f32>,
}

/// Some rows of patches.
struct Block<'a> {
    sum: &'a ConvSum<'a>,
    /// First row of pixels.
    top: usize,
    width: usize,
    /// Patches in a row.
    across: usize,
    /// Its rows of the destination.
    out: &'a mut [f32],
    /// Its rows of the pooled map.
    pooled: Option<&'a mut [f32]>,
}

impl Block<'_> {
    fn run(mut self, kernel: Kernel, scratch: &mut Scratch) {
        match kernel.0 {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a `Kernel` of AVX-512 is only made where the processor has it.
            Isa::Avx512 => unsafe { self.avx512(scratch) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above, for AVX2 and FMA.
            Isa::Avx2 => unsafe { self.avx2(scratch) },
            // SAFETY: needs no instruction set.
            Isa::Portable => unsafe { self.with::<Lanes>(scratch) },
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f")]
    unsafe fn avx512(&mut self, scratch: &mut Scratch) {
        unsafe { self.with::<std::arch::x86_64::__m512>(scratch) }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn avx2(&mut self, scratch: &mut Scratch) {
        unsafe { self.with::<std::arch::x86_64::__m256>(scratch) }
    }

    #[inline(always)]
    unsafe fn with<V: Vector>(&mut self, scratch: &mut Scratch) {
        let weights = self.sum.weights;
        let rows = self.out.len() / (self.width * weights.outputs);
        let patches = rows.div_ceil(4) * self.across;
        let (inputs, outputs) = (weights.inputs, weights.outputs.next_multiple_of(PANEL));
        // 16 floats more, so that the 36 places of a patch do not fall on one set of the cache.
        let (stride_in, stride_out) = (patches * inputs + 16, patches * outputs + 16);
        grow(&mut scratch.patches, PLACES * stride_in);
        grow(&mut scratch.products, PLACES * stride_out);
        unsafe {
            for patch in 0..patches {
                let to = scratch.patches.as_mut_ptr().add(patch * inputs);
                self.read_patch::<V>(patch, to, stride_in);
            }
            let panels = weights.panels.chunks_exact(weights.panels.len() / PLACES);
            for (place, panels) in panels.enumerate() {
                let a = scratch.patches.as_ptr().add(place * stride_in);
                let c = scratch.products.as_mut_ptr().add(place * stride_out);
                multiply::<V>(a, inputs, panels, c, outputs, patches);
            }
            self.project::<V>(rows, scratch);
            for patch in 0..patches {
                let from = scratch.products.as_ptr().add(patch * outputs);
                self.write_patch::<V>(patch, rows, from, stride_out, &scratch.projected);
            }
        }
    }

    /// `Bᵀ d B` of a patch.
    #[inline(always)]
    unsafe fn read_patch<V: Vector>(&self, patch: usize, to: *mut f32, stride: usize) {
        let (src, up) = (self.sum.src, u32::from(self.sum.up));
        let (height, width) = ((src.height << up) as isize, (src.width << up) as isize);
        let y0 = (self.top + patch / self.across * 4) as isize - 1;
        let x0 = (patch % self.across * 4) as isize - 1;
        // Offsets of the 36 pixels; outside the map, none.
        let mut offsets = [usize::MAX; PLACES];
        let mut whole = true;
        for (i, offset) in offsets.iter_mut().enumerate() {
            let (y, x) = (y0 + i as isize / 6, x0 + i as isize % 6);
            if (0..height).contains(&y) && (0..width).contains(&x) {
                *offset = ((y as usize >> up) * src.width + (x as usize >> up)) * src.channels;
            } else {
                whole = false;
            }
        }
        for channel in (0..src.channels).step_by(V::LANES) {
            unsafe {
                let from = src.data.as_ptr().add(channel);
                let act = self.sum.act.map(|(scale, shift)| {
                    (V::load(scale.as_ptr().add(channel)), V::load(shift.as_ptr().add(channel)))
                });
                let zero = V::splat(0.0);
                let pixel = |i: usize| {
                    if !whole && offsets[i] == usize::MAX {
                        return zero;
                    }
                    let value = V::load(from.add(offsets[i]));
                    match act {
                        Some((scale, shift)) => value.mul_add(scale, shift).max(zero),
                        None => value,
                    }
                };
                let mut columns = [[zero; 6]; 6];
                for x in 0..6 {
                    columns[x] = spread([
                        pixel(x),
                        pixel(6 + x),
                        pixel(12 + x),
                        pixel(18 + x),
                        pixel(24 + x),
                        pixel(30 + x),
                    ]);
                }
                for y in 0..6 {
                    let row = spread([
                        columns[0][y],
                        columns[1][y],
                        columns[2][y],
                        columns[3][y],
                        columns[4][y],
                        columns[5][y],
                    ]);
                    for x in 0..6 {
                        row[x].store(to.add((y * 6 + x) * stride + channel));
                    }
                }
            }
        }
    }

    /// The 1×1 convolution of the block's pixels, at the size of its source.
    #[inline(always)]
    unsafe fn project<V: Vector>(&self, rows: usize, scratch: &mut Scratch) {
        let Some((map, up, weights)) = self.sum.proj else { return };
        let up = u32::from(up);
        let pixels = (rows >> up) * map.width;
        let outputs = weights.outputs.next_multiple_of(PANEL);
        grow(&mut scratch.projected, pixels * outputs);
        let first = (self.top >> up) * map.width * map.channels;
        let source = &map.data[first..first + pixels * map.channels];
        let to = scratch.projected.as_mut_ptr();
        unsafe { multiply::<V>(source.as_ptr(), map.channels, &weights.panels, to, outputs, pixels) }
    }

    /// `Aᵀ m A` of a patch, and all that is added to it.
    #[inline(always)]
    unsafe fn write_patch<V: Vector>(
        &mut self,
        patch: usize,
        rows: usize,
        from: *const f32,
        stride: usize,
        projected: &[f32],
    ) {
        let sum = self.sum;
        let (channels, width) = (sum.weights.outputs, self.width);
        let panels = channels.next_multiple_of(PANEL);
        let (y0, x0) = (patch / self.across * 4, patch % self.across * 4);
        let (down, right) = ((rows - y0).min(4), (width - x0).min(4));
        let proj_up = sum.proj.map(|(_, up, _)| u32::from(up));
        let zero = unsafe { V::splat(0.0) };
        for channel in (0..channels).step_by(V::LANES) {
            unsafe {
                let from = from.add(channel);
                let mut columns = [[zero; 4]; 6];
                for x in 0..6 {
                    let place = |y: usize| V::load(from.add((y * 6 + x) * stride));
                    columns[x] = gather([place(0), place(1), place(2), place(3), place(4), place(5)]);
                }
                let bias = V::load(sum.bias.as_ptr().add(channel));
                let skip = sum.skip.map(|(map, scale)| {
                    let first = self.top * width * channels + channel;
                    (map.data.as_ptr().add(first), V::load(scale.as_ptr().add(channel)))
                });
                let mut above = [zero; 4];
                for y in 0..down {
                    let mut row = gather([
                        columns[0][y],
                        columns[1][y],
                        columns[2][y],
                        columns[3][y],
                        columns[4][y],
                        columns[5][y],
                    ]);
                    for x in 0..right {
                        let pixel = (y0 + y) * width + x0 + x;
                        let to = self.out.as_mut_ptr().add(pixel * channels + channel);
                        let mut value = row[x].add(bias);
                        if sum.accumulate {
                            value = value.add(V::load(to));
                        }
                        if let Some((map, scale)) = skip {
                            value = V::load(map.add(pixel * channels)).mul_add(scale, value);
                        }
                        if let Some(up) = proj_up {
                            let pixel = ((y0 + y) >> up) * (width >> up) + ((x0 + x) >> up);
                            value = value.add(V::load(projected.as_ptr().add(pixel * panels + channel)));
                        }
                        if sum.relu {
                            value = value.max(zero);
                        }
                        value.store(to);
                        row[x] = value;
                    }
                    if let Some(pooled) = &mut self.pooled
                        && y % 2 == 1
                    {
                        for x in (0..right).step_by(2) {
                            let pixel = (y0 + y) / 2 * (width / 2) + (x0 + x) / 2;
                            let high = above[x].max(above[x + 1]).max(row[x].max(row[x + 1]));
                            high.store(pooled.as_mut_ptr().add(pixel * channels + channel));
                        }
                    }
                    above = row;
                }
            }
        }
    }
}

fn grow(values: &mut Vec<f32>, length: usize) {
    if values.len() < length {
        values.resize(length, 0.0);
    }
}

/// A line of `Bᵀ`.
#[inline(always)]
unsafe fn spread<V: Vector>(d: [V; 6]) -> [V; 6] {
    unsafe {
        let (two, four, five) = (V::splat(2.0), V::splat(4.0), V::splat(-5.0));
        let (minus_four, minus_one) = (V::splat(-4.0), V::splat(-1.0));
        let a = d[2].mul_add(minus_four, d[4]); // d4 - 4 d2
        let b = d[1].mul_add(minus_four, d[3]); // d3 - 4 d1
        let c = d[4].sub(d[2]);
        let e = d[3].sub(d[1]).mul(two);
        let _ = minus_one;
        [
            d[0].mul_add(four, d[2].mul_add(five, d[4])),
            a.add(b),
            a.sub(b),
            c.add(e),
            c.sub(e),
            d[1].mul_add(four, d[3].mul_add(five, d[5])),
        ]
    }
}

/// A line of `Aᵀ`.
#[inline(always)]
unsafe fn gather<V: Vector>(m: [V; 6]) -> [V; 4] {
    unsafe {
        let (two, four, eight) = (V::splat(2.0), V::splat(4.0), V::splat(8.0));
        let (a, b) = (m[1].add(m[2]), m[1].sub(m[2]));
        let (c, d) = (m[3].add(m[4]), m[3].sub(m[4]));
        [m[0].add(a).add(c), d.mul_add(two, b), c.mul_add(four, a), d.mul_add(eight, b).add(m[5])]
    }
}

/// `c = a · panels`: `a` is `[rows, depth]`, `panels` are `[panel, depth, PANEL]`, `c` is `[rows, outputs]`.
#[inline(always)]
unsafe fn multiply<V: Vector>(
    a: *const f32,
    depth: usize,
    panels: &[f32],
    c: *mut f32,
    outputs: usize,
    rows: usize,
) {
    let groups = rows.div_ceil(V::ROWS);
    for (i, panel) in panels.chunks_exact(depth * PANEL).enumerate() {
        for half in (0..PANEL).step_by(2 * V::LANES) {
            for group in 0..groups {
                let first = group * rows / groups;
                let count = (group + 1) * rows / groups - first;
                unsafe {
                    let a = a.add(first * depth);
                    let b = panel.as_ptr().add(half);
                    let c = c.add(first * outputs + i * PANEL + half);
                    match count {
                        12 if V::ROWS == 12 => rows_of::<V, 12>(a, depth, b, c, outputs),
                        11 if V::ROWS == 12 => rows_of::<V, 11>(a, depth, b, c, outputs),
                        10 if V::ROWS == 12 => rows_of::<V, 10>(a, depth, b, c, outputs),
                        9 if V::ROWS == 12 => rows_of::<V, 9>(a, depth, b, c, outputs),
                        8 if V::ROWS == 12 => rows_of::<V, 8>(a, depth, b, c, outputs),
                        7 if V::ROWS == 12 => rows_of::<V, 7>(a, depth, b, c, outputs),
                        6 if V::ROWS >= 6 => rows_of::<V, 6>(a, depth, b, c, outputs),
                        5 if V::ROWS >= 6 => rows_of::<V, 5>(a, depth, b, c, outputs),
                        4 => rows_of::<V, 4>(a, depth, b, c, outputs),
                        3 => rows_of::<V, 3>(a, depth, b, c, outputs),
                        2 => rows_of::<V, 2>(a, depth, b, c, outputs),
                        _ => rows_of::<V, 1>(a, depth, b, c, outputs),
                    }
                }
            }
        }
    }
}

/// `R` rows of a product, two vectors wide, with all sums in registers.
#[inline(always)]
unsafe fn rows_of<V: Vector, const R: usize>(
    a: *const f32,
    depth: usize,
    b: *const f32,
    c: *mut f32,
    outputs: usize,
) {
    unsafe {
        let mut sums = [[V::splat(0.0); 2]; R];
        for k in 0..depth {
            let b = b.add(k * PANEL);
            let weights = [V::load(b), V::load(b.add(V::LANES))];
            for r in 0..R {
                let pixel = V::splat(*a.add(r * depth + k));
                sums[r][0] = pixel.mul_add(weights[0], sums[r][0]);
                sums[r][1] = pixel.mul_add(weights[1], sums[r][1]);
            }
        }
        for r in 0..R {
            sums[r][0].store(c.add(r * outputs));
            sums[r][1].store(c.add(r * outputs + V::LANES));
        }
    }
}
