use super::super::{loss, norm, resample, style};
use super::{Random, difference, dot, judge};
use crate::model::params::{BatchNorm, Linear};

#[test]
fn norm_and_relu() {
    let mut random = Random(1);
    let (x, weights) = (random.maps([2, 3, 4, 3]), random.numbers(72));
    let state = (random.norm(3), x);
    for relu in [false, true] {
        let (mut norm, x) = state.clone();
        let stats = norm::stats(&mut norm, &x);
        let y = norm::forward(&norm, &stats, &x, relu);
        let (mut dx, mut grad) =
            (y.clone(), BatchNorm { weight: vec![0.0; 3], bias: vec![0.0; 3], ..norm.clone() });
        dx.data = weights.clone();
        norm::backward((&norm, &stats, relu), (&x, &y), &mut dx, &mut grad);
        let f = |(mut norm, x)| {
            let stats = norm::stats(&mut norm, &x);
            dot(&norm::forward(&norm, &stats, &x, relu).data, &weights)
        };
        judge("x", &state, |(_, x)| &mut x.data, &dx.data, f);
        judge("weight", &state, |(norm, _)| &mut norm.weight, &grad.weight, f);
        judge("bias", &state, |(norm, _)| &mut norm.bias, &grad.bias, f);
    }
}

/// Mean 0 and variance 1 / (1 + 1e-5 / variance) of every channel; running statistics with the unbiased variance.
#[test]
fn norm_of_a_batch() {
    let mut random = Random(2);
    let x = random.maps([2, 3, 4, 1]);
    let mut norm =
        BatchNorm { weight: vec![1.0], bias: vec![0.0], running_mean: vec![0.5], running_var: vec![2.0] };
    let stats = norm::stats(&mut norm, &x);
    let y = norm::forward(&norm, &stats, &x, false).data;
    let mean = x.data.iter().sum::<f64>() / 24.0;
    let squares = x.data.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    assert!(y.iter().sum::<f64>().abs() < 1e-12);
    assert!((dot(&y, &y) / 24.0 - 1.0 / (1.0 + 1e-5 / (squares / 24.0))).abs() < 1e-12);
    assert!((norm.running_mean[0] - (0.5 * 0.95 + mean * 0.05)).abs() < 1e-15);
    assert!((norm.running_var[0] - (2.0 * 0.95 + squares / 23.0 * 0.05)).abs() < 1e-15);
}

#[test]
fn pool_and_upsampling() {
    let mut random = Random(3);
    let (small, large) = (random.maps([2, 2, 3, 2]), random.maps([2, 4, 6, 2]));
    let pooled = resample::pool(&large);
    for (i, value) in pooled.data.iter().enumerate() {
        let (image, y, x, channel) = (i / 12, i / 6 % 2, i / 2 % 3, i % 2);
        let at = |dy: usize, dx: usize| large.data[((image * 4 + 2 * y + dy) * 6 + 2 * x + dx) * 2 + channel];
        assert_eq!(*value, at(0, 0).max(at(0, 1)).max(at(1, 0)).max(at(1, 1)));
    }
    let f = |x| dot(&resample::pool(&x).data, &small.data);
    judge("pool", &large, |x| &mut x.data, &resample::pool_backward(&large, &small).data, f);
    let f = |x| dot(&resample::double(&x).data, &large.data);
    judge("double", &small, |x| &mut x.data, &resample::double_backward(&large).data, f);
    assert_eq!(difference(&resample::pool(&resample::double(&small)).data, &small.data), 0.0);
}

#[test]
fn styles_and_their_shifts() {
    let mut random = Random(4);
    let (deepest, x) = (random.maps([2, 2, 3, 4]), random.maps([2, 4, 3, 5]));
    let linear = Linear { weight: random.numbers(20), bias: random.numbers(5) };
    let weights = random.numbers(x.data.len());
    let styles = style::forward(&deepest);
    let mut dx = x.clone();
    dx.data = weights.clone();
    let mut grad = Linear { weight: vec![0.0; 20], bias: vec![0.0; 5] };
    let mut dstyles = vec![vec![0.0; 4]; 2];
    style::shift_backward(&linear, &styles, &dx, &mut grad, &mut dstyles);
    let mut ddeepest = deepest.like(4);
    style::backward(&styles, &dstyles, &mut ddeepest);
    let state = (deepest, linear);
    let f = |(deepest, linear)| {
        let mut y = x.clone();
        style::shift(&linear, &style::forward(&deepest), &mut y);
        dot(&y.data, &weights)
    };
    judge("deepest", &state, |(deepest, _)| &mut deepest.data, &ddeepest.data, f);
    judge("weight", &state, |(_, linear)| &mut linear.weight, &grad.weight, f);
    judge("bias", &state, |(_, linear)| &mut linear.bias, &grad.bias, f);
    assert!(styles.units.iter().all(|unit| (dot(unit, unit) - 1.0).abs() < 1e-12));
}

#[test]
fn losses() {
    let mut random = Random(5);
    let y = random.maps([2, 2, 3, 3]);
    let labels: Vec<f32> = random.numbers(36).into_iter().map(|v| v as f32).collect();
    let (found, dy) = loss::loss(&y, &labels);
    judge("y", &y, |y| &mut y.data, &dy.data, |y| loss::loss(&y, &labels).0);
    let mut want = 0.0;
    for (i, y) in y.data.chunks_exact(3).enumerate() {
        let label = |n: usize| f64::from(labels[i / 6 * 18 + n * 6 + i % 6]);
        let flow = (y[0] - 5.0 * label(1)).powi(2) + (y[1] - 5.0 * label(2)).powi(2);
        let cell = 1.0 / (1.0 + (-y[2]).exp());
        want += flow / 48.0 - if label(0) > 0.5 { cell.ln() } else { (1.0 - cell).ln() } / 12.0;
    }
    assert!((found - want).abs() < 1e-12, "{found}, {want}");
}
