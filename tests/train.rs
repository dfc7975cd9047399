//! Training beside the original's in double precision: gradients, running statistics and steps of both optimisers.

mod common;

use common::{Array, Golden};
use flowmask::Model;
use flowmask::model::params::Params;
use flowmask::train::{
    Augmentation, Batch, Number, Optimizer, Trainer, fit_size, flow_labels, learning_rates,
};

fn params() -> Params {
    Model::open(common::data("models/tiny.pth")).unwrap().params().unwrap()
}

const SGD: Optimizer = Optimizer::Sgd { momentum: 0.9, weight_decay: 1e-5 };
const ADAMW: Optimizer = Optimizer::AdamW { weight_decay: 1e-5 };

/// The arrays of parameters by name.
fn arrays<T: Number>(params: &Params<T>) -> Vec<(String, Vec<f64>)> {
    let mut params = params.clone().map(Into::into);
    params.parameters().into_iter().map(|p| (p.name, p.values.clone())).collect()
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|v| v.powi(2)).sum::<f64>().sqrt()
}

/// The distance from the golden array, whose first number is its norm and whose others are every n-th value, about 16:
/// the larger of the difference of the norms and of that of the samples, which stand for all values.
fn distance(got: &[f64], want: &Array) -> f64 {
    let samples: Vec<f64> = got.iter().step_by(got.len().div_ceil(16)).copied().collect();
    assert_eq!(samples.len(), want.values.len() - 1);
    let errors: Vec<f64> = samples.iter().zip(&want.values[1..]).map(|(g, w)| g - w).collect();
    (norm(got) - want.values[0]).abs().max(norm(&errors))
}

/// How far from the original in double precision an array may be.
#[derive(Clone, Copy)]
enum Bound {
    /// This share of its norm.
    Share(f64),
    /// 1e-4 of its norm or, where that is more, twice what the original's own single precision is away at most, in
    /// eight runs whose last bits were moved: two gradients are what remains of sums whose terms cancel, a thousandth in
    /// the original, and eight runs do not show the most.
    Rounding,
}

impl Bound {
    /// The bound of an array of this norm that the original's single precision misses by `rounding`.
    fn of(self, length: f64, rounding: f64) -> f64 {
        match self {
            Bound::Share(share) => share * length,
            Bound::Rounding => (1e-4 * length).max(2.0 * rounding),
        }
    }
}

/// A batch, and what the original makes of it.
struct Scene {
    golden: Golden,
    pixels: Vec<f32>,
    labels: Vec<f32>,
}

impl Scene {
    fn new() -> Self {
        let golden = Golden::open("train_tiny");
        Scene { pixels: golden.f32("x"), labels: golden.f32("label"), golden }
    }

    fn batch(&self) -> Batch<'_> {
        Batch { images: 4, height: 64, width: 64, pixels: &self.pixels, labels: &self.labels }
    }

    /// How far this array of the original in single precision is from double precision.
    fn rounding(&self, name: &str) -> f64 {
        self.golden.get(&format!("single.{name}")).values[0]
    }

    /// Asserts that the arrays of `params` are within the bound of the golden ones: each of them or, if `whole`, all of
    /// them taken together.
    fn check<T: Number>(&self, begin: &str, params: &Params<T>, bound: Bound, whole: bool) {
        let (mut errors, mut lengths, mut roundings) = (vec![], vec![], vec![]);
        for (name, values) in arrays(params) {
            let name = format!("{begin}.{name}");
            let Some(want) = self.golden.find(&name) else { continue };
            let (error, length, rounding) = (distance(&values, want), want.values[0], self.rounding(&name));
            // A batch norm takes away what some parameters add: their gradient is zero but for rounding.
            let zero = begin == "grad" && length < 1e-12;
            let most = if zero { 1e-6 } else { bound.of(length, rounding) };
            assert!(whole || error <= most, "{name}: {error:.2e} of {length:.2e}, at most {most:.2e}");
            errors.push(error);
            lengths.push(length);
            roundings.push(rounding);
        }
        let (error, length) = (norm(&errors), norm(&lengths));
        let most = bound.of(length, norm(&roundings));
        println!("{begin}: {:.1e}, at most {:.1e}", error / length, most / length);
        assert!(error <= most && length > 0.0, "{begin}: {error:.2e} of {length:.2e}, at most {most:.2e}");
    }

    fn check_loss(&self, name: &str, step: usize, loss: f64, bound: Bound) {
        let want = self.golden.get(name).values[step];
        let rounding = (self.golden.get(&format!("single.{name}")).values[step] - want).abs();
        let most = bound.of(want, rounding);
        assert!((loss - want).abs() <= most, "{name} {step}: {loss}, {want}, at most {most:.2e} away");
    }

    fn gradients<T: Number>(&self, params: Params<T>, bound: Bound) {
        let mut trainer = Trainer::new(params, SGD).unwrap();
        let loss = trainer.gradient(&self.batch()).unwrap();
        self.check_loss("loss", 0, loss, bound);
        self.check("after_forward", trainer.params(), bound, false);
        self.check("grad", trainer.gradients(), bound, false);
    }

    /// Five steps: each loss, and the state after the first and the last. In single precision rounding errors grow, and
    /// states are compared as a whole: how the errors fall on single arrays is chance.
    fn steps<T: Number>(
        &self,
        name: &str,
        params: Params<T>,
        (optimizer, rate): (Optimizer, f64),
        bound: Bound,
    ) {
        let mut trainer = Trainer::new(params, optimizer).unwrap();
        for step in 0..5 {
            let loss = trainer.step(&self.batch(), rate).unwrap();
            self.check_loss(&format!("{name}_losses"), step, loss, bound);
            if step == 0 || step == 4 {
                let whole = matches!(bound, Bound::Rounding);
                self.check(&format!("{name}{}", step + 1), trainer.params(), bound, whole);
            }
        }
    }
}

#[test]
fn gradients() {
    Scene::new().gradients(params().map(f64::from), Bound::Share(1e-9));
}

#[test]
fn gradients_in_single_precision() {
    Scene::new().gradients(params(), Bound::Rounding);
}

#[test]
fn sgd() {
    Scene::new().steps("sgd", params().map(f64::from), (SGD, 0.1), Bound::Share(1e-9));
}

/// At this rate rounding errors grow up to a hundredfold a step, in the original too.
#[test]
fn sgd_in_single_precision() {
    Scene::new().steps("sgd", params(), (SGD, 0.1), Bound::Rounding);
}

/// AdamW divides a gradient by its size, so one of zero becomes a step of rounding errors: after five steps 4e-8 of an
/// array in double precision, up to a fifth in single precision.
#[test]
fn adamw() {
    Scene::new().steps("adamw", params().map(f64::from), (ADAMW, 0.005), Bound::Share(1e-6));
}

#[test]
fn adamw_in_single_precision() {
    Scene::new().steps("adamw", params(), (ADAMW, 0.005), Bound::Rounding);
}

#[test]
fn the_same_bytes_with_any_number_of_threads() {
    let scene = Scene::new();
    let run = |threads: usize| {
        flowmask::Pool::new(threads)
            .unwrap()
            .run(|| {
                let mut trainer = Trainer::new(params(), ADAMW).unwrap();
                trainer.step(&scene.batch(), 0.005).unwrap();
                arrays(trainer.params())
            })
            .unwrap()
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn wrong_batches_are_refused() {
    let scene = Scene::new();
    for batch in [
        Batch { images: 3, ..scene.batch() },
        Batch { height: 60, ..scene.batch() },
        Batch { images: 0, ..scene.batch() },
        Batch { labels: &[], ..scene.batch() },
        Batch { images: usize::MAX, ..scene.batch() },
    ] {
        let mut trainer = Trainer::new(params(), SGD).unwrap();
        assert!(trainer.gradient(&batch).is_err(), "{}×{}", batch.images, batch.height);
    }
}

#[test]
fn broken_parameters_are_refused() {
    let mut params = params();
    params.output.conv.weight.pop();
    assert!(Trainer::new(params, SGD).is_err());
}

#[test]
fn schedule() {
    assert!(learning_rates(0, 0.2).is_empty());
    assert_eq!(learning_rates(5, 0.2).len(), 5);
    let golden = Golden::open("train_rates");
    for name in golden.names("lr_") {
        let want = &golden.get(&name).values;
        let got = learning_rates(want.len(), 0.2);
        assert_eq!(got.len(), want.len());
        got.iter().zip(want).for_each(|(g, w)| assert!((g - w).abs() < 1e-15, "{name}: {g}, {w}"));
    }
}

#[test]
fn size_model() {
    let golden = Golden::open("train_size");
    let fit = fit_size(&golden.f32("styles"), &golden.f32("log_ratio")).unwrap();
    let close = |got: &[f64], name: &str| {
        let want = &golden.get(name).values;
        assert_eq!(got.len(), want.len());
        got.iter().zip(want).for_each(|(g, w)| assert!((g - w).abs() < 1e-6, "{name}: {g}, {w}"));
    };
    close(&fit.a, "A");
    close(&fit.smean, "smean");
    close(&[fit.ymean], "ymean");
    assert_eq!(fit_size(&[], &[]), None);
    assert_eq!(fit_size(&[1.0, 2.0, 3.0], &[1.0, 2.0]), None);
    assert_eq!(fit_size(&[1.0, f32::NAN], &[1.0, 2.0]), None);
}

/// The original's tiles from its random numbers. OpenCV interpolates in single precision: places in the image have errors
/// of some 1e-5 pixels.
#[test]
fn augmentation() {
    let golden = Golden::open("train_augment");
    let (size, cases) = (golden.get("image").size(), 4);
    for case in 0..cases {
        let array = |name: &str| golden.get(&format!("{case}_{name}"));
        let [scale_range, rescale, random @ ..] = &array("options").values[..] else {
            panic!("seven numbers")
        };
        let augmentation = Augmentation::new(random.try_into().unwrap(), *scale_range, *rescale);
        assert_eq!(augmentation.scale, array("scale").values[0]);
        let to = array("image").size();
        let image = augmentation.image(&golden.f32("image"), size, to).unwrap();
        let labels = augmentation.labels(&golden.f32("labels"), size, to).unwrap();
        let (cells, flows) = labels.split_at(to.0 * to.1);
        let (want_cells, want_flows) = array("labels").values.split_at(to.0 * to.1);
        assert!(cells.iter().map(|v| f64::from(*v)).eq(want_cells.iter().copied()), "{case}");
        for (name, got, want) in
            [("image", &image[..], &array("image").values[..]), ("flows", flows, want_flows)]
        {
            assert_eq!(got.len(), want.len());
            let error = got.iter().zip(want).map(|(g, w)| (f64::from(*g) - w).abs()).fold(0.0, f64::max);
            assert!(error < 2e-5, "{case} {name}: {error:.1e}");
        }
    }
}

#[test]
fn augmentation_of_broken_images() {
    let of = |scale| Augmentation { flip: true, angle: 1.0, scale, shift: [0.5, -0.5] };
    assert!(of(1.0).image(&[1.0; 6], (2, 3), (4, 4)).is_ok());
    assert!(of(1.0).image(&[1.0; 5], (2, 3), (4, 4)).is_err());
    assert!(of(1.0).image(&[], (0, 3), (4, 4)).is_err());
    assert!(of(1.0).image(&[1.0; 6], (2, 3), (0, 4)).is_err());
    assert!(of(f64::NAN).image(&[1.0; 6], (2, 3), (4, 4)).is_err());
    assert!(of(1.0).labels(&[1.0; 6], (2, 3), (4, 4)).is_err());
}

/// Labels as the original makes them of numbered cells: whether a pixel is of a cell, and its flow.
#[test]
fn flows_of_cells() {
    let golden = Golden::open("train_augment");
    let width = golden.get("cells").size().1;
    let got = flow_labels(&golden.u32("cells"), width).unwrap();
    let want = &golden.get("labels").values;
    assert_eq!(got.len(), want.len());
    let error = got.iter().zip(want).map(|(g, w)| (f64::from(*g) - w).abs()).fold(0.0, f64::max);
    assert!(error < 1e-6, "{error:.1e}");
    assert!(flow_labels(&[1, 1, 1], 2).is_err());
    assert!(flow_labels(&[1], 0).is_err());
}
