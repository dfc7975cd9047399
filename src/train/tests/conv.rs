use super::super::conv::Convolve;
use super::super::maps::Maps;
use super::{Random, difference, dot, judge};
use crate::cpu::conv as kernels;
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

/// Maps whose sides are no multiple of the patches', channels that are no multiple of a vector, and more patches than go
/// through at a time.
#[test]
fn single_precision() {
    let mut random = Random(10);
    for (size, channels) in
        [([3, 5, 7], (2, 3)), ([2, 8, 9], (20, 33)), ([1, 4, 4], (64, 96)), ([3, 150, 151], (3, 2))]
    {
        for taps in [1, 9] {
            let [images, height, width] = size;
            let conv = random.conv(channels.0, channels.1, taps);
            let x = random.maps([images, height, width, channels.0]);
            let dy = random.maps([images, height, width, channels.1]);
            let name = format!("{taps} taps, {size:?}, {channels:?}");
            close(&name, &f32::forward(&conv32(&conv), &maps32(&x)).data, &f64::forward(&conv, &x).data);
            let dx = f32::data_gradient(&conv32(&conv), &maps32(&dy));
            close(&name, &dx.data, &f64::data_gradient(&conv, &dy).data);
            let (mut grad, mut want) = (conv32(&zero(&conv)), zero(&conv));
            f32::weight_gradient(&maps32(&x), &maps32(&dy), &mut grad);
            f64::weight_gradient(&x, &dy, &mut want);
            close(&name, &grad.weight, &want.weight);
            close(&name, &grad.bias, &want.bias);
        }
    }
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

fn conv32(conv: &Conv<f64>) -> Conv {
    Conv {
        inputs: conv.inputs,
        outputs: conv.outputs,
        weight: single(&conv.weight),
        bias: single(&conv.bias),
    }
}

fn maps32(maps: &Maps<f64>) -> Maps<f32> {
    let mut to = Maps::zeros([maps.images, maps.height, maps.width, maps.channels]);
    to.data = single(&maps.data);
    to
}

/// Asserts that the difference is at most 1e-5 of the array, norm-wise.
fn close(name: &str, got: &[f32], want: &[f64]) {
    let errors: Vec<f64> = got.iter().zip(want).map(|(g, w)| f64::from(*g) - w).collect();
    let error = (dot(&errors, &errors) / dot(want, want)).sqrt();
    assert!(got.len() == want.len() && error < 1e-5, "{name}: {error:.1e}");
}

#[test]
fn all_instruction_sets() {
    let mut random = Random(11);
    let (x, dy) = (maps32(&random.maps([2, 9, 10, 48])), maps32(&random.maps([2, 9, 10, 80])));
    let conv = conv32(&random.conv(48, 80, 9));
    let batch = |maps: &Maps<f32>| (maps.data.clone(), maps.channels);
    let [(x, inputs), (dy, outputs)] = [batch(&x), batch(&dy)];
    let of = |data, channels| kernels::Batch { data, height: 9, width: 10, channels };
    let run = |isa| {
        let mut y = vec![0.0; dy.len()];
        let weights = kernels::PlainWeights::new(&conv.weight, inputs, outputs);
        kernels::convolve(isa, &weights, &conv.bias, &x, (9, 10), &mut y);
        let gradient = |taps| kernels::weight_gradient(isa, of(&x, inputs), of(&dy, outputs), taps);
        [y.into_iter().map(f64::from).collect(), gradient(1), gradient(9)]
    };
    let [best, others @ ..] = &kernels::Isa::all()[..] else { panic!("there is always one") };
    for isa in others {
        for (got, want) in run(*isa).iter().zip(&run(*best)) {
            close(isa.name(), &single(got), want);
        }
    }
}
