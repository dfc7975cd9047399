//! Whole runs on the CPU against golden runs of cellpose 3.1.1 with the same weights.

mod common;

use common::runs::{image, list, options};
use common::{Golden, assert_close, assert_same_masks};
use flowmask::cpu::components::fill_holes_and_drop_small;
use flowmask::cpu::parts::keep_largest_parts;
use flowmask::{Compat, Diameter, Image, Model, Options, Segmenter};
use ndarray::Array2;

fn runs(name: &str) {
    let golden = Golden::open(&format!("pipeline_{name}"));
    let maps = Golden::open(&format!("maps_{name}"));
    let segmenter = Segmenter::builder().model(Model::named(name).unwrap()).build().unwrap();
    let [mut done, mut with_maps, mut with_fixed, mut with_parts] = [0; 4];
    for run in list(name) {
        let tag = run["tag"].as_str().unwrap();
        let Some(options) = options(&run, segmenter.model()) else { continue };
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
    assert_eq!((done, with_maps), (19, 1), "runs, and those with maps");
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
