use super::super::conv::Convolve;
use super::super::maps::Maps;
use super::{Random, difference, dot, judge};
use crate::model::params::Conv;

/// The plain sum, one value at a time.
fn naive(conv: &Conv<f64>, x: &Maps<f64>) -> Vec<f64> {
    let taps = conv.weight.len() / (conv.inputs * conv.outputs);
    let side = if taps == 9 { 3 } else { 1 };
    let mut out = Vec::new();
    for i in 0..x.pixels() * conv.outputs {
        let (pixel, output) = (i / conv.outputs, i % conv.outputs);
        let (image, row, column) = (pixel / x.width / x.height, pixel / x.width % x.height, pixel % x.width);
        let mut sum = conv.bias[output];
        for (input, tap) in (0..conv.inputs).flat_map(|input| (0..taps).map(move |tap| (input, tap))) {
            let y = (row + tap / side).wrapping_sub(side / 2);
            let x_at = (column + tap % side).wrapping_sub(side / 2);
            if y < x.height && x_at < x.width {
                let value = x.data[((image * x.height + y) * x.width + x_at) * x.channels + input];
                sum += conv.weight[(output * conv.inputs + input) * taps + tap] * value;
            }
        }
        out.push(sum);
    }
    out
}

fn zero(conv: &Conv<f64>) -> Conv<f64> {
    Conv { weight: vec![0.0; conv.weight.len()], bias: vec![0.0; conv.outputs], ..*conv }
}

#[test]
fn double_precision() {
    let mut random = Random(9);
    for taps in [1, 9] {
        let state = (random.conv(3, 2, taps), random.maps([2, 3, 4, 3]));
        let weights = random.maps([2, 3, 4, 2]);
        let (conv, x) = &state;
        assert!(difference(&f64::forward(conv, x).data, &naive(conv, x)) < 1e-14);
        let mut grad = zero(conv);
        f64::weight_gradient(x, &weights, &mut grad);
        let f = |(conv, x)| dot(&naive(&conv, &x), &weights.data);
        judge("x", &state, |(_, x)| &mut x.data, &f64::data_gradient(conv, &weights).data, f);
        judge("weight", &state, |(conv, _)| &mut conv.weight, &grad.weight, f);
        judge("bias", &state, |(conv, _)| &mut conv.bias, &grad.bias, f);
    }
}
