//! Starts the kernels of `kernels/conv.cu` and `kernels/conv_f32.cu`.

use cudarc::driver::DeviceRepr;
use cudarc::driver::sys::CUdevice_attribute as Attribute;

use super::super::{Gpu, launch};
use super::map::pointer;
use super::weights::groups;
use super::{ConvSum, GROUP, MOST_PIXELS, Map, SLICE, Size, Weights};
use crate::{Precision, Result};

/// Threads of a block.
const THREADS: u32 = 256;
/// Pixels of a strip, on a side.
const SIDE: usize = 8;
/// Pixels of a strip with those around it.
const HALO_PIXELS: usize = (SIDE + 2) * (SIDE + 2);
/// Bytes that the driver keeps of each block's shared memory.
const RESERVED: usize = 1 << 10;

impl ConvSum<'_> {
    pub(super) fn args(&self, gpu: &Gpu, size: Size, out: &Map) -> Args {
        self.check(size, out);
        let weights = self.weights;
        Args {
            src: self.src.pointer(gpu, 0),
            scale: self.act.map_or(0, |(scale, _)| scale.pointer(gpu, 0)),
            shift: self.act.map_or(0, |(_, shift)| shift.table.pointer(gpu, shift.at)),
            proj: self.proj.map_or(0, |(map, _)| map.pointer(gpu, 0)),
            weights: weights.values.pointer(gpu, 0),
            bias: pointer(gpu, self.bias.table, self.bias.at),
            skip: self.skip.map_or(0, |(map, _)| map.pointer(gpu, 0)),
            skip_scale: self.skip.map_or(0, |(_, scale)| pointer(gpu, scale, 0)),
            out: out.pointer(gpu, 0),
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
            ..Args::default()
        }
    }

    /// What the kernels' unchecked loads rely on.
    fn check(&self, size: Size, out: &Map) {
        let Weights { inputs, proj_inputs, outputs, .. } = *self.weights;
        let sized = |map: &Map, up: bool, channels: usize| {
            assert_eq!(map.precision(), out.precision());
            assert!(!up || size.even());
            assert!(map.len() >= size.pixels() / if up { 4 } else { 1 } * channels);
        };
        assert!(size.pixels() <= MOST_PIXELS);
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

    pub(super) fn launch(&self, gpu: &Gpu, args: &Args) -> Result<()> {
        let size = |side: i32| (side as usize).div_ceil(SIDE);
        let strips = args.count as usize * size(args.height) * size(args.width);
        let precision = self.src.precision();
        let groups = groups(precision, self.weights.outputs);
        // Strips of a block.
        let (name, of_block) = match (precision, groups) {
            (Precision::F32, _) => ("conv_f32", 4),
            (Precision::F16, 2) => ("conv_f16_64", 4),
            (Precision::F16, _) => ("conv_f16_32", 8),
        };
        let blocks = strips.div_ceil(of_block) * (self.weights.outputs / (groups * GROUP));
        if blocks == 0 {
            return Ok(());
        }
        let grid = (blocks as u32, 1, 1);
        match precision {
            Precision::F32 => {
                let shared = shared_f32(of_block);
                launch!(gpu, "conv_f32", name, grid, (THREADS, 1, 1), shared; args);
            }
            Precision::F16 => {
                let shared = |stages| self.shared_f16(of_block, groups, stages);
                let stages = match self.stages {
                    Some(stages) => stages,
                    None => 2 + usize::from(2 * (shared(3) + RESERVED) <= shared_memory(gpu)?),
                };
                let (args, shared) = (Args { stages: stages as i32, ..*args }, shared(stages) as u32);
                launch!(gpu, "conv", name, grid, (THREADS, 1, 1), shared; &args);
            }
        }
        Ok(())
    }

    /// Bytes of the tables, the activation's factors and the ring.
    fn shared_f16(&self, strips: usize, groups: usize, stages: usize) -> usize {
        let tables = strips * (12 + 8 * HALO_PIXELS);
        let act = if self.act.is_some() { 2 * (1 + strips) * self.weights.inputs } else { 0 };
        let stage = 2 * SLICE * (strips * HALO_PIXELS + groups * 9 * GROUP) + 2 * 64;
        tables.next_multiple_of(128) + act + stages * stage
    }
}

/// Bytes of the tables, a slice's halos and its weights.
fn shared_f32(strips: usize) -> u32 {
    (strips * (12 + 8 * HALO_PIXELS) + 4 * SLICE * (strips * HALO_PIXELS + 9 * GROUP)) as u32
}

/// Bytes of shared memory of a multiprocessor.
fn shared_memory(gpu: &Gpu) -> Result<usize> {
    let most = Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR;
    gpu.context().attribute(most).map(|bytes| bytes as usize).map_err(|e| gpu.error(e))
}

/// The kernels' parameter: `ConvSum` of `kernels/conv.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Args {
    src: u64,
    scale: u64,
    shift: u64,
    proj: u64,
    weights: u64,
    bias: u64,
    skip: u64,
    skip_scale: u64,
    out: u64,
    pub(super) pooled: u64,
    pub(super) last: [u64; 4],
    pub(super) output: u64,
    count: i32,
    height: i32,
    width: i32,
    src_channels: i32,
    proj_channels: i32,
    channels: i32,
    src_up: i32,
    proj_up: i32,
    shift_stride: i32,
    bias_stride: i32,
    accumulate: i32,
    relu: i32,
    pub(super) outputs: i32,
    stages: i32,
}

// SAFETY: addresses and numbers in the order and of the sizes of the kernel's struct.
unsafe impl DeviceRepr for Args {}
