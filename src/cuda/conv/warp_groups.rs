//! Launches the kernels of `kernels/conv_sm_90a.cu`, whose thread blocks stay on their multiprocessor.

use cudarc::driver::sys::CUdevice_attribute as Attribute;

use super::super::Gpu;
use super::super::kernels::conv_sm_90a as kernels;
use super::shape::squares;
use super::{ConvSum, Layout, Map, Size};
use crate::Result;

/// Strips of a thread block.
const STRIPS: usize = kernels::WARPS as usize;

impl ConvSum<'_> {
    /// Launches a kernel for the maps, for weights in [`Layout::Pieces`].
    pub(super) fn launch_warp_groups(&self, gpu: &Gpu, size: Size, out: &Map, apart: bool) -> Result<()> {
        let columns = self.weights.outputs / kernels::COLUMN as usize;
        let quarters = squares(size, kernels::QUARTER_SIDE as usize);
        let strips = if apart {
            (size.count * quarters).div_ceil(4)
        } else {
            size.count * squares(size, kernels::STRIP_SIDE as usize)
        };
        let items = strips.div_ceil(STRIPS) * columns;
        let blocks = self.blocks.map_or_else(|| multiprocessors(gpu), Ok)?.min(items);
        let (kernel, shared): (fn(&Gpu, _, _, _, &_) -> _, _) = match apart {
            true => (kernels::conv_sm_90a_apart, kernels::SHARED_APART),
            false => (kernels::conv_sm_90a, kernels::SHARED_TOGETHER),
        };
        let args = self.args(gpu, size, out, Layout::Pieces, 0);
        let block = (kernels::THREADS as u32, 1, 1);
        kernel(gpu, (blocks as u32, 1, 1), block, shared as u32, &args)
    }
}

fn multiprocessors(gpu: &Gpu) -> Result<usize> {
    let attribute = Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;
    gpu.context().attribute(attribute).map(|count| count as usize).map_err(|e| gpu.error(e))
}
