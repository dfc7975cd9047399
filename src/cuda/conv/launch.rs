//! Launches the kernels of `kernels/conv.cu` and `kernels/conv_f32.cu`.

use cudarc::driver::sys::CUdevice_attribute as Attribute;

use super::super::Gpu;
use super::super::kernels::conv::{HALO_PIXELS, SIDE, Strip, TAPS, THREADS, WARPS};
use super::super::kernels::conv_f32::{STRIPS, Smem, conv_f32};
use super::super::kernels::{Address, conv as kernels};
use super::map::Value;
use super::weights::groups;
use super::{ConvSum, GROUP, MAX_PIXELS, Map, SLICE, Size, Weights};
use crate::{Precision, Result};

/// Bytes of shared memory that the driver reserves for each thread block.
const RESERVED: usize = 1 << 10;

impl ConvSum<'_> {
    /// Launches the kernel for the precision of the maps.
    pub(super) fn launch(&self, gpu: &Gpu, size: Size, out: &Map) -> Result<()> {
        self.check(size, out);
        let (precision, outputs) = (out.precision(), self.weights.outputs);
        let groups = groups(precision, outputs);
        let strips = match precision {
            Precision::F16 => WARPS as usize / groups,
            Precision::F32 => STRIPS as usize,
        };
        let squares = |pixels: usize| pixels.div_ceil(SIDE as usize);
        let total = size.count * squares(size.height) * squares(size.width);
        let grid = ((total.div_ceil(strips) * (outputs / (groups * GROUP))) as u32, 1, 1);
        if grid.0 == 0 {
            return Ok(());
        }
        let block = (THREADS as u32, 1, 1);
        match precision {
            Precision::F32 => {
                conv_f32(gpu, grid, block, size_of::<Smem>() as u32, &self.args(gpu, size, out, 0))
            }
            Precision::F16 => {
                let stages = self.stages_f16(gpu, strips, groups)?;
                let shared = self.shared_f16(strips, groups, stages) as u32;
                let kernel = if groups == 2 { kernels::conv_f16_64 } else { kernels::conv_f16_32 };
                kernel(gpu, grid, block, shared, &self.args(gpu, size, out, stages))
            }
        }
    }

    /// The argument of the kernels.
    fn args<T: Value>(&self, gpu: &Gpu, size: Size, out: &Map, stages: usize) -> kernels::ConvSum<T> {
        let weights = self.weights;
        let (last, output) = self.last.unzip();
        kernels::ConvSum {
            src: self.src.address(gpu, 0),
            scale: self.act.map_or(Address::NONE, |(scale, _)| scale.address(gpu, 0)),
            shift: self.act.map_or(Address::NONE, |(_, shift)| shift.table.address(gpu, shift.at)),
            proj: self.proj.map_or(Address::NONE, |(map, _)| map.address(gpu, 0)),
            weights: weights.values.address(gpu, 0),
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
        assert_eq!(self.weights.values.precision(), out.precision());
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

    /// How many slices are in shared memory at a time: three if two thread blocks then still fit on a multiprocessor,
    /// else two.
    fn stages_f16(&self, gpu: &Gpu, strips: usize, groups: usize) -> Result<usize> {
        Ok(match self.stages {
            Some(stages) => stages,
            None => {
                let two = 2 * (self.shared_f16(strips, groups, 3) + RESERVED);
                2 + usize::from(two <= shared_memory(gpu)?)
            }
        })
    }

    /// Bytes of shared memory: the tables, the scales and shifts of the activation, and the ring of slices.
    fn shared_f16(&self, strips: usize, groups: usize, stages: usize) -> usize {
        let act = if self.act.is_some() { 2 * (1 + strips) * self.weights.inputs } else { 0 };
        let [pixels, weights] = [strips * HALO_PIXELS as usize, groups * TAPS as usize * GROUP];
        let stage = 2 * SLICE * (pixels + weights) + 2 * kernels::GAP as usize;
        let tables = strips * (size_of::<Strip>() + 2 * size_of::<i32>() * HALO_PIXELS as usize);
        tables.next_multiple_of(128) + act + stages * stage
    }
}

/// Bytes of shared memory that a multiprocessor has.
fn shared_memory(gpu: &Gpu) -> Result<usize> {
    let attribute = Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR;
    gpu.context().attribute(attribute).map(|bytes| bytes as usize).map_err(|e| gpu.error(e))
}
