//! The part of a convolution that one thread computes at a time: a band of rows, from the source to the destination.

use std::cell::RefCell;

use super::isa::{Isa, Job};
use super::product::multiply;
use super::simd::Vector;
use super::sum::ConvSum;
use super::transform::{Doubled, Lines, Plain};
use super::{Floats, PANEL};

/// Bytes of transformed patches and products that go through at a time. They stay in the L2 cache of 1 MB a core, with
/// room for the weights and the pixels.
const CACHE: usize = 512 << 10;
/// The fewest patches that go through the products together: with fewer, the weights would be read too often.
const MIN_PATCHES: usize = 24;

thread_local! {
    /// Allocated when a thread computes its first band.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

#[derive(Default)]
struct Scratch {
    /// Transformed patches, `[value, patch, in]`.
    patches: Floats,
    /// Products of the patches and the weights, `[product, patch, out]`.
    products: Floats,
    /// The projection of the band's pixels, `[pixel, out]`.
    projected: Floats,
}

/// A band of rows of the destination.
pub(super) struct Band<'a> {
    pub sum: &'a ConvSum<'a>,
    /// The first row of pixels.
    pub top: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Patches in a row, from the patch `left` on.
    pub left: usize,
    pub across: usize,
    /// The band's rows of the destination.
    pub out: &'a mut [f32],
    /// The band's rows of the pooled map.
    pub pooled: Option<&'a mut [f32]>,
}

/// A band, and what its thread keeps from one to the next.
struct Run<'a> {
    band: Band<'a>,
    scratch: &'a mut Scratch,
}

impl Job for Run<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(mut self) {
        unsafe { self.band.with::<V>(self.scratch) }
    }
}

impl Band<'_> {
    /// Computes the rows.
    pub fn run(self, isa: Isa) {
        SCRATCH.with_borrow_mut(|scratch| isa.run(Run { band: self, scratch }));
    }

    /// Rows of pixels in the band.
    pub(super) fn rows(&self) -> usize {
        self.out.len() / (self.width * self.sum.weights.outputs)
    }

    /// # Safety
    /// The processor must have the instructions of `V`, and [`ConvSum::check`] must have passed.
    #[inline(always)]
    unsafe fn with<V: Vector>(&mut self, scratch: &mut Scratch) {
        unsafe {
            self.project::<V>(&mut scratch.projected);
            match self.sum.weights.doubled {
                false => self.with_lines::<V, Plain>(scratch),
                true => self.with_lines::<V, Doubled>(scratch),
            }
        }
    }

    #[inline(always)]
    unsafe fn with_lines<V: Vector, L: Lines>(&mut self, scratch: &mut Scratch) {
        let weights = self.sum.weights;
        let (inputs, outputs) = (weights.inputs, weights.outputs.next_multiple_of(PANEL));
        let (values, products) = (L::VALUES * L::VALUES, L::PRODUCTS.len() * L::PRODUCTS.len());
        let patches = self.rows().div_ceil(4) * self.across;
        let max_patches = CACHE / ((values * inputs + products * outputs) * size_of::<f32>());
        let step = patches.div_ceil(patches.div_ceil(max_patches.max(MIN_PATCHES)));
        // With 16 floats more, the values of one patch do not all fall into one set of the cache.
        let (stride_in, stride_out) = (step * inputs + 16, step * outputs + 16);
        scratch.patches.grow(values * stride_in);
        scratch.products.grow(products * stride_out);
        for first in (0..patches).step_by(step) {
            let count = step.min(patches - first);
            unsafe { self.read::<V, L>((first, count), &mut scratch.patches, stride_in) };
            let panels = weights.panels.chunks_exact(weights.panels.len() / products);
            for (product, panels) in panels.enumerate() {
                let (y, x) = (product / L::PRODUCTS.len(), product % L::PRODUCTS.len());
                let value = L::PRODUCTS[y] * L::VALUES + L::PRODUCTS[x];
                let from = &scratch.patches[value * stride_in..];
                let to = &mut scratch.products[product * stride_out..];
                unsafe { multiply::<V, false>((from, inputs), weights.depth, panels, to, outputs, count) };
            }
            for i in 0..count {
                let from = &scratch.products[i * outputs..];
                unsafe { self.write_patch::<V, L>(first + i, from, stride_out, &scratch.projected) };
            }
        }
    }

    /// The 1×1 convolution of the band's pixels, at the size of the map that it reads.
    #[inline(always)]
    unsafe fn project<V: Vector>(&self, to: &mut Floats) {
        let Some((map, up, weights)) = self.sum.proj else { return };
        let (top, rows) = (self.top >> u32::from(up), self.rows() >> u32::from(up));
        let pixels = rows * map.width;
        let outputs = weights.outputs.next_multiple_of(PANEL);
        to.grow(pixels * outputs);
        let from = &map.data[top * map.width * map.channels..];
        unsafe {
            multiply::<V, false>((from, map.channels), weights.depth, &weights.panels, to, outputs, pixels)
        }
    }
}
