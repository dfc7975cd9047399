//! Values that the stages need on every device, computed on the host: where tiles lie, their weights, scaled sizes,
//! percentile ranks and diameters. CPU and GPU use the same functions, so that their results agree.

pub(crate) mod channels;
pub mod diameter;
pub mod grid;
pub(crate) mod memory;
pub(crate) mod percentiles;
pub mod scale;
pub mod taper;
pub(crate) mod together;
pub mod volume;
