//! 3×3 convolutions with zeros around the map, and 1×1 convolutions: forward, data gradient and weight gradient.

mod direct;
mod fast;

use super::maps::Maps;
use crate::model::params::Conv;

/// The convolutions of a kind of numbers.
pub trait Convolve: Sized {
    /// `conv(x)`.
    fn forward(conv: &Conv<Self>, x: &Maps<Self>) -> Maps<Self>;

    /// The gradient of the input from that of the output: the correlation with the taps turned by 180°.
    fn data_gradient(conv: &Conv<Self>, dy: &Maps<Self>) -> Maps<Self>;

    /// Adds the gradients of the weights and of the bias to `grad`.
    fn weight_gradient(x: &Maps<Self>, dy: &Maps<Self>, grad: &mut Conv<Self>);
}

impl Convolve for f32 {
    fn forward(conv: &Conv, x: &Maps<f32>) -> Maps<f32> {
        fast::forward(conv, x)
    }

    fn data_gradient(conv: &Conv, dy: &Maps<f32>) -> Maps<f32> {
        fast::data_gradient(conv, dy)
    }

    fn weight_gradient(x: &Maps<f32>, dy: &Maps<f32>, grad: &mut Conv) {
        fast::weight_gradient(x, dy, grad);
    }
}

impl Convolve for f64 {
    fn forward(conv: &Conv<f64>, x: &Maps<f64>) -> Maps<f64> {
        direct::forward(conv, x)
    }

    fn data_gradient(conv: &Conv<f64>, dy: &Maps<f64>) -> Maps<f64> {
        direct::data_gradient(conv, dy)
    }

    fn weight_gradient(x: &Maps<f64>, dy: &Maps<f64>, grad: &mut Conv<f64>) {
        direct::weight_gradient(x, dy, grad);
    }
}
