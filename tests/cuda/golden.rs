//! Whole images against the golden runs of cellpose 3.1.1, and against the processor.
//!
//! With `FLOWMASK_TEST_SMALL`, which is for the emulator, only the smallest of them.

use flowmask::metrics::average_precision;
use flowmask::{Device, Diameter, Image, Model, Options, Precision, Segmentation, Segmenter};
use ndarray::Array2;

use crate::big::divisor;
use crate::device::gpu;
use crate::follow::common::{Golden, assert_same_masks, data, runs};

/// The processor's, and the GPU's in single and half precision.
fn segmenters(model: &Model) -> [Segmenter; 3] {
    let kinds =
        [(Device::Cpu, Precision::F32), (Device::Cuda(0), Precision::F32), (Device::Cuda(0), Precision::F16)];
    kinds.map(|(device, precision)| {
        Segmenter::builder().model(model.clone()).devices([device]).precision(precision).build().unwrap()
    })
}

/// Asserts the bound of single precision: 1e-4 + 1e-4 · |value| of the processor's flows and cell probability.
#[track_caller]
pub fn assert_maps(what: &str, got: &Segmentation, want: &Segmentation) {
    assert_eq!((got.flows.dim(), got.cellprob.dim()), (want.flows.dim(), want.cellprob.dim()), "{what}");
    let pairs = want.flows.iter().zip(&got.flows).chain(want.cellprob.iter().zip(&got.cellprob));
    let parts = pairs.map(|(w, g)| (w - g).abs() / (1e-4 + 1e-4 * w.abs()));
    // Once it is no number it stays so.
    let most = parts.fold(0.0f32, |most, part| if part > most || part.is_nan() { part } else { most });
    println!("{what}: {most:.3} of the bound of the maps");
    assert!(most <= 1.0, "{what}: {most} of the bound of the maps");
}

/// The cells that agree at an IoU of 0.9, and all of both sides.
#[derive(Default)]
struct Agreement {
    same: usize,
    all: usize,
}

impl Agreement {
    fn add(&mut self, what: &str, want: &Array2<u32>, got: &Array2<u32>) {
        let one = &average_precision(want.view(), got.view(), &[0.9]).unwrap()[0];
        println!("{what} in half precision: AP at 0.9 {:.3}", one.ap());
        self.same += one.true_positives;
        self.all += one.true_positives + one.false_positives + one.false_negatives;
    }

    /// Asserts that 99 % agree.
    #[track_caller]
    fn check(&self, what: &str) {
        let ap = self.same as f64 / self.all as f64;
        println!("{what} in half precision: AP at 0.9 {ap:.4} of {} cells", self.all);
        assert!(self.all > 0 && ap >= 0.99, "{what} in half precision: AP at 0.9 {ap}");
    }
}

fn golden_runs(name: &str) {
    gpu();
    let golden = Golden::open(&format!("pipeline_{name}"));
    let [cpu, f32, f16] = segmenters(&Model::named(name).unwrap());
    let (mut agreement, mut done) = (Agreement::default(), 0);
    for run in runs::list(name).iter().step_by(divisor()) {
        let tag = run["tag"].as_str().unwrap();
        let options = runs::options(run, cpu.model());
        let (what, image) = (format!("{name} {tag}"), runs::image(&golden, tag));
        let want = cpu.segment(&image, &options).unwrap();
        let single = f32.segment(&image, &options).unwrap();
        assert_maps(&what, &single, &want);
        let masks = golden.u32(&format!("{tag}_masks"));
        assert_same_masks(&what, single.masks.as_slice().unwrap(), &masks);
        let other = want.masks.iter().zip(&single.masks).filter(|(a, b)| a != b).count();
        println!("{what}: {other} pixels are not the processor's");
        let again = f32.segment(&image, &options.clone().batch_size(Some(1))).unwrap();
        assert!(again == single, "{what}: other bytes in batches of one");
        let golden = Array2::from_shape_vec(want.masks.dim(), masks).unwrap();
        agreement.add(&what, &golden, &f16.segment(&image, &options).unwrap().masks);
        done += 1;
    }
    assert!(done == 19 || divisor() > 1, "{done} runs");
    agreement.check(name);
}

#[test]
#[ignore = "takes a GPU, or FLOWMASK_TEST_SMALL=100"]
fn golden_nuclei() {
    golden_runs("nuclei");
}

#[test]
#[ignore = "takes a GPU, or FLOWMASK_TEST_SMALL=100"]
fn golden_cyto() {
    golden_runs("cyto");
}

/// The images of the evaluation, against the processor.
#[test]
#[ignore = "takes a GPU"]
fn images_of_the_evaluation() {
    gpu();
    let list = std::fs::read_to_string(data("evaluate/images.txt")).unwrap();
    let mut agreement = Agreement::default();
    for name in ["nuclei", "cyto"] {
        let [cpu, f32, f16] = segmenters(&Model::named(name).unwrap());
        for line in list.lines() {
            let [kind, image, model, diameter] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            if model != name {
                continue;
            }
            let options = Options::default().diameter(Diameter::Pixels(diameter.parse().unwrap()));
            let pixels = Image::open(data(&format!("evaluate/{kind}/{image}.png"))).unwrap();
            let want = cpu.segment(&pixels, &options).unwrap();
            let single = f32.segment(&pixels, &options).unwrap();
            assert_maps(image, &single, &want);
            assert_same_masks(image, single.masks.as_slice().unwrap(), want.masks.as_slice().unwrap());
            agreement.add(image, &want.masks, &f16.segment(&pixels, &options).unwrap().masks);
        }
    }
    agreement.check("the images of the evaluation");
}
