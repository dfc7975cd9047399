//! Whole runs on the CPU against golden runs of cellpose 3.1.1 with the same weights.

mod common;

use common::runs::{image, list, options};
use common::{Golden, assert_close, assert_same_masks};
use flowmask::cpu::components::fill_holes_and_drop_small;
use flowmask::cpu::parts::keep_largest_parts;
use flowmask::{Compat, Diameter, Image, Model, Options, Segmenter};
use ndarray::{Array2, Array3};

fn runs(name: &str) {
    let golden = Golden::open(&format!("pipeline_{name}"));
    let maps = Golden::open(&format!("maps_{name}"));
    let segmenter = Segmenter::builder().model(Model::named(name).unwrap()).build().unwrap();
    let [mut done, mut with_maps, mut with_fixed, mut with_parts] = [0; 4];
    for run in list(name) {
        let tag = run["tag"].as_str().unwrap();
        let options = options(&run, segmenter.model());
        let found = segmenter.segment(&image(&golden, tag), &options).unwrap();
        let masks = found.masks.as_slice().unwrap();
        assert_same_masks(&format!("{name} {tag}"), masks, &golden.u32(&format!("{tag}_masks")));
        let style = golden.f32(&format!("{tag}_style"));
        assert_close(&format!("{name} {tag} style"), found.style.as_slice().unwrap(), &style, 1e-4, 1e-3);
        if let Some(cellprob) = maps.find(&format!("{tag}_cellprob")) {
            // Golden maps are in half precision.
            let (got, flows) = (found.cellprob.as_slice().unwrap(), found.flows.as_slice().unwrap());
            assert_close(&format!("{name} {tag} cellprob"), got, &cellprob.f32(), 2e-3, 1e-3);
            assert_close(&format!("{name} {tag} dP"), flows, &maps.f32(&format!("{tag}_dP")), 2e-3, 1e-3);
            with_maps += 1;
        }
        if let Some(fixed) = golden.find(&format!("{tag}_masks_fixed")) {
            let options = options.clone().compat(Compat::None);
            let found = segmenter.segment(&image(&golden, tag), &options).unwrap();
            assert_same_masks(&format!("{name} {tag} fixed"), found.masks.as_slice().unwrap(), &fixed.u32());
            with_fixed += 1;
        }
        with_parts += usize::from(in_one_part(&segmenter, &image(&golden, tag), &options, &found.masks));
        done += 1;
    }
    assert_eq!((done, with_maps), (21, 1), "runs, and those with maps");
    assert_eq!(with_fixed, usize::from(name == "cyto"), "runs in which the original's mistake shows");
    println!("{with_parts} runs with masks in several parts");
    assert!(with_parts > 0 || name != "cyto", "no run has masks in several parts");
}

/// Where a mask of the original is in several parts, compares a run of the default with one that keeps all parts. It must
/// be what is left when the smaller parts are taken away, except that a hole may be open whose rim a part closed at a
/// corner. Returns whether there is such a mask.
fn in_one_part(segmenter: &Segmenter, image: &Image, options: &Options, original: &Array2<u32>) -> bool {
    let width = image.width();
    let largest = |masks: &Array2<u32>| {
        let mut labels: Vec<u32> = masks.iter().copied().collect();
        keep_largest_parts(&mut labels, width);
        labels
    };
    if largest(original).iter().eq(original) {
        return false;
    }
    let options = options.clone().compat(Compat::None);
    let kept = segmenter.segment(image, &options.clone().keep_parts(true)).unwrap().masks;
    let mut want = largest(&kept);
    let changed = want.iter().zip(&kept).filter(|(a, b)| a != b).count();
    fill_holes_and_drop_small(&mut want, width, options.min_size, Compat::None);
    let found = segmenter.segment(image, &options).unwrap().masks;
    let other = found.iter().zip(&want).filter(|(a, b)| (**a > 0) != (**b > 0)).count();
    println!("{changed} pixels of smaller parts, {other} others");
    assert_eq!(found.iter().max(), want.iter().max(), "{options:?}");
    assert!(other <= changed + 9, "{options:?}");
    assert!(largest(&found).iter().eq(&found), "{options:?}");
    changed > 0
}

#[test]
fn nuclei() {
    runs("nuclei");
}

#[test]
fn cyto() {
    runs("cyto");
}

/// The diameters that `SizeModel.eval` estimates for the five images, within 2 %.
#[test]
fn estimated_diameters() {
    for name in ["nuclei", "cyto"] {
        let golden = Golden::open(&format!("pipeline_{name}"));
        let segmenter = Segmenter::builder().model(Model::named(name).unwrap()).build().unwrap();
        let options = Options::default().diameter(Diameter::Auto).compat(Compat::V3_1_1);
        let found: Vec<f32> = (0..5)
            .map(|i| segmenter.segment(&image(&golden, &format!("im{i}")), &options).unwrap().diameter as f32)
            .collect();
        assert_close(&format!("{name} size"), &found, &golden.f32("size_final"), 0.0, 0.02);
    }
}

/// A stack that the original segments with `stitch_threshold=0.25`.
#[test]
fn stitched() {
    let golden = Golden::open("stitch");
    let [depth, height, width]: [usize; 3] = golden.get("stack").shape.clone().try_into().unwrap();
    let stack = Array3::from_shape_vec((depth, height, width), golden.u32("stack")).unwrap();
    let planes = || stack.outer_iter().map(|plane| Image::from_gray(plane.mapv(|v| v as u8).view()).unwrap());
    let segmenter = Segmenter::builder().model(Model::named("nuclei").unwrap()).build().unwrap();
    let options = Options::default().diameter(Diameter::Pixels(17.0));
    let mut parts = Vec::new();
    let mut progress = |part| {
        parts.push(part);
        true
    };
    let found = segmenter.segment_stack(planes().collect(), 0.25, &options, &mut progress).unwrap();
    let labels: Vec<u32> = found.iter().flat_map(|found| found.masks.iter().copied()).collect();
    assert_same_masks("stack_stitch", &labels, &golden.u32("stack_stitch_masks"));
    assert!(parts.is_sorted() && parts.last() == Some(&1.0), "{parts:?}");
    // Without stitching each plane has numbers of its own, and intensities too.
    let alone = segmenter.segment(&planes().nth(4).unwrap(), &options).unwrap();
    assert!(alone.masks != found[4].masks);

    let refused = |planes: Vec<Image>, threshold, options: &Options| {
        segmenter.segment_stack(planes, threshold, options, &mut |_| true).unwrap_err().to_string()
    };
    assert!(refused(planes().take(1).collect(), 0.25, &options).contains("has one plane"));
    assert!(refused(planes().collect(), 1.5, &options).contains("stitch_threshold: is 1.5"));
    let small = options.clone().memory(Some(100_000));
    assert!(refused(planes().collect(), 0.25, &small).contains("9 planes of 128 by 128 pixels needs"));
    let mut broken: Vec<Image> = planes().collect();
    let mut floats = Array2::<f32>::zeros((height, width));
    floats[[3, 5]] = f32::NAN;
    broken[6] = Image::from_gray(floats.view()).unwrap();
    let said = refused(broken, 0.25, &options);
    assert!(said.contains("in plane 6, the pixel at row 3, column 5, channel 1 is NaN"), "{said}");
    let stopped = segmenter.segment_stack(planes().collect(), 0.25, &options, &mut |_| false);
    assert!(matches!(stopped, Err(flowmask::Error::Cancelled)));
}
