//! Training of a network on the CPU: the forward pass with batch statistics, the backward pass, the loss, optimisers
//! and the schedule of the learning rate.
//!
//! The stages have the names of the forward code in [`crate::cpu`]. Maps are `[image, height, width, channel]`,
//! channels innermost. Every sum has a fixed order, so the results have the same bytes with any number of threads.

mod augment;
mod block;
mod conv;
mod labels;
mod layer;
mod loss;
mod maps;
mod network;
mod norm;
mod number;
mod optimizer;
mod resample;
mod schedule;
mod size;
mod style;
#[cfg(test)]
mod tests;
mod trainer;

pub use augment::Augmentation;
pub use labels::flow_labels;
pub use number::Number;
pub use optimizer::Optimizer;
pub use schedule::learning_rates;
pub use size::{SizeFit, fit_size};
pub use trainer::{Batch, Trainer};
