//! What the stages on any device are planned by, computed once on the host: sizes, places and weights that have to be the
//! same wherever an image is segmented.

pub(crate) mod channels;
pub mod diameter;
pub mod grid;
pub(crate) mod percentiles;
pub mod scale;
pub mod taper;
