//! Launches the kernels of `kernels/conv.cu` and `kernels/conv_f32.cu`.

use cudarc::driver::sys::CUdevice_attribute as Attribute;

use super::super::Gpu;
use super::super::kernels::conv::{STRIP_SIDE, THREADS};
use super::super::kernels::conv_f32::{STRIPS, Smem, conv_f32};
use super::super::kernels::{Address, Dim, conv as kernels};
use super::map::Value;
use super::shape::{Shape, squares};
use super::{ConvSum, GROUP, Kind, Layout, MAX_PIXELS, Map, Size, VARIANTS, Variant, Weights};
use crate::{Precision, Result};

impl ConvSum<'_> {
    /// Launches the kernel for the precision of the maps.
    pub(super) fn launch(&self, gpu: &Gpu, size: Size, out: &Map) -> Result<()> {
        self.check(size, out);
        match out.precision() {
            _ if size.pixels() == 0 => Ok(()),
            Precision::F32 => {
                let grid = self.grid(size, STRIP_SIDE as usize, STRIPS as usize, 1);
                let args = self.args(gpu, size, out, Layout::Plain, 0);
                conv_f32(gpu, grid, (THREADS as u32, 1, 1), size_of::<Smem>() as u32, &args)
            }
            Precision::F16 => (self.variant(gpu, size).launch)(self, gpu, size, out),
        }
    }

    /// The variant that computes the sum for tiles of this size.
    fn variant(&self, gpu: &Gpu, size: Size) -> &'static Variant {
        let kind = self.kind();
        let among = VARIANTS.iter().filter(|variant| {
            self.weights.of(variant.layout).is_some()
                && self.only.is_none_or(|only| only == variant.name)
                && self.apart.is_none_or(|apart| apart == variant.apart)
        });
        gpu.choice().of(kind, size, among).expect("a variant that can compute this")
    }

    pub(super) fn kind(&self) -> Kind {
        let Weights { inputs, proj_inputs, outputs, .. } = *self.weights;
        let proj_up = self.proj.is_some_and(|(_, up)| up);
        Kind { inputs, proj_inputs, outputs, up: self.up, proj_up, act: self.act.is_some() }
    }

    /// Launches a kernel of `kernels/conv.cu`.
    pub(super) fn launch_warps(&self, gpu: &Gpu, size: Size, out: &Map, apart: bool) -> Result<()> {
        let shape = Shape { groups: Layout::Lanes.groups(self.weights.outputs), apart };
        let act = if self.act.is_some() { self.weights.inputs } else { 0 };
        let stages = match self.stages {
            Some(stages) => stages,
            None => shape.stages(act, shared_memory(gpu)?),
        };
        let kernel = match shape {
            Shape { apart: true, .. } => kernels::conv_f16_64_apart,
            Shape { groups: 2, .. } => kernels::conv_f16_64,
            _ => kernels::conv_f16_32,
        };
        let grid = self.grid(size, shape.side(), shape.squares(), shape.groups);
        let shared = shape.shared(act, stages) as u32;
        let args = self.args(gpu, size, out, Layout::Lanes, stages);
        kernel(gpu, grid, (THREADS as u32, 1, 1), shared, &args)
    }

    /// The thread blocks that compute so many squares of this side and groups of outputs each.
    fn grid(&self, size: Size, side: usize, of_block: usize, groups: usize) -> Dim {
        let blocks = (size.count * squares(size, side)).div_ceil(of_block);
        ((blocks * (self.weights.outputs / (groups * GROUP))) as u32, 1, 1)
    }

    /// The argument of the kernels, with the weights in this order.
    pub(super) fn args<T: Value>(
        &self,
        gpu: &Gpu,
        size: Size,
        out: &Map,
        layout: Layout,
        stages: usize,
    ) -> kernels::ConvSum<T> {
        let weights = self.weights;
        let values = weights.of(layout).expect("weights in the order of the kernel");
        let (last, output) = self.last.unzip();
        kernels::ConvSum {
            src: self.src.address(gpu, 0),
            scale: self.act.map_or(Address::NONE, |(scale, _)| scale.address(gpu, 0)),
            shift: self.act.map_or(Address::NONE, |(_, shift)| shift.table.address(gpu, shift.at)),
            proj: self.proj.map_or(Address::NONE, |(map, _)| map.address(gpu, 0)),
            weights: values.address(gpu, 0),
            bias: Address::of(gpu, self.bias.table, self.bias.at),
            skip: self.skip.map_or(Address::NONE, |(map, _)| map.address(gpu, 0)),
            skip_scale: self.skip.map_or(Address::NONE, |(_, scale)| Address::of(gpu, scale, 0)),
            out: out.address(gpu, 0),
            pooled: self.pooled.map_or(Address::NONE, |pooled| pooled.address(gpu, 0)),
            last_scale: last.map_or(Address::NONE, |last| Address::of(gpu, &last.scale, 0)),
            last_shift: last.map_or(Address::NONE, |last| Address::of(gpu, &last.shift, 0)),
            last_weight: last.map_or(Address::NONE, |last| Address::of(gpu, &last.weight, 0)),
            last_bias: last.map_or(Address::NONE, |last| Address::of(gpu, &last.bias, 0)),
            output: output.map_or(Address::NONE, |output| Address::of(gpu, output, 0)),
            count: size.count as i32,
            height: size.height as i32,
            width: size.width as i32,
            src_channels: weights.inputs as i32,
            proj_channels: weights.proj_inputs as i32,
            channels: weights.outputs as i32,
            src_up: self.up.into(),
            proj_up: self.proj.is_some_and(|(_, up)| up).into(),
            shift_stride: self.act.map_or(0, |(_, shift)| shift.stride as i32),
            bias_stride: self.bias.stride as i32,
            accumulate: self.accumulate.into(),
            relu: self.relu.into(),
            outputs: last.map_or(0, |last| last.outputs as i32),
            stages: stages as i32,
        }
    }

    /// Checks the lengths and alignments that the kernels rely on, since they do not check their loads.
    fn check(&self, size: Size, out: &Map) {
        let Weights { inputs, proj_inputs, outputs, .. } = *self.weights;
        let sized = |map: &Map, up: bool, channels: usize| {
            assert_eq!(map.precision(), out.precision());
            assert!(!up || size.even());
            assert!(map.len() >= size.pixels() / if up { 4 } else { 1 } * channels);
        };
        assert!(size.pixels() <= MAX_PIXELS);
        sized(out, false, outputs);
        sized(self.src, self.up, inputs);
        assert!(self.bias.table.len() >= self.bias.end(size.count, outputs));
        assert_eq!(self.proj.is_some(), proj_inputs > 0);
        if let Some((map, up)) = self.proj {
            sized(map, up, proj_inputs);
        }
        if let Some((map, scale)) = self.skip {
            sized(map, false, outputs);
            assert!(scale.len() >= outputs);
        }
        if let Some((scale, shift)) = self.act {
            assert_eq!([scale.precision(), shift.table.precision()], [out.precision(); 2]);
            assert!(scale.len() >= inputs && shift.table.len() >= shift.end(size.count, inputs));
            assert!(shift.at % 8 == 0 && shift.stride % 8 == 0);
        }
    }
}

/// Bytes of shared memory that a multiprocessor has.
fn shared_memory(gpu: &Gpu) -> Result<usize> {
    let attribute = Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR;
    gpu.context().attribute(attribute).map(|bytes| bytes as usize).map_err(|e| gpu.error(e))
}
