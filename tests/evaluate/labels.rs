//! The same array scores the same from every file.

use std::fs;

use flowmask::npy::{self, Number};
use ndarray::{Array2, array};
use tiff::encoder::colortype::{Gray8, Gray16, Gray32, Gray32Float, Gray64, Gray64Float};
use tiff::encoder::{TiffEncoder, TiffValue, colortype::ColorType};

use super::scene::Scene;

/// Numbers that single precision would make one.
const LARGE: [u32; 6] = [0, 20_000_001, 20_000_002, 20_000_002, u32::MAX, u32::MAX - 1];
const SMALL: [u32; 6] = [0, 1, 2, 2, 3, 0];

fn tif<C: ColorType>(scene: &Scene, name: &str, values: &[C::Inner])
where
    [C::Inner]: TiffValue,
{
    let file = fs::File::create(scene.path(name)).unwrap();
    TiffEncoder::new(file).unwrap().write_image::<C>(values.len() as u32, 1, values).unwrap();
}

fn npy<T: Number>(scene: &Scene, name: &str, values: &[T]) {
    npy::write(fs::File::create(scene.path(name)).unwrap(), &[1, values.len()], values.iter().copied())
        .unwrap();
}

fn row(values: [u32; 6]) -> Array2<u32> {
    Array2::from_shape_vec((1, 6), values.to_vec()).unwrap()
}

#[test]
fn every_file_keeps_every_number() {
    let scene = Scene::new();
    let truth = |name: &str, values| scene.labels(&format!("truth/{name}_labels.npy"), &row(values));
    let large = ["u4t", "u8t", "f8t", "u4n", "i8n", "f8n"];
    large.iter().for_each(|name| truth(name, LARGE));
    tif::<Gray32>(&scene, "pred/u4t_masks.tif", &LARGE);
    tif::<Gray64>(&scene, "pred/u8t_masks.tif", &LARGE.map(u64::from));
    tif::<Gray64Float>(&scene, "pred/f8t_masks.tif", &LARGE.map(f64::from));
    npy(&scene, "pred/u4n_masks.npy", &LARGE);
    npy(&scene, "pred/i8n_masks.npy", &LARGE.map(i64::from));
    npy(&scene, "pred/f8n_masks.npy", &LARGE.map(f64::from));
    let small =
        ["u1t", "u2t", "f4t", "f4n", "f2n", "grey2", "grey8", "grey16", "palette2", "palette4", "palette8"];
    small.iter().for_each(|name| truth(name, SMALL));
    tif::<Gray8>(&scene, "pred/u1t_masks.tif", &SMALL.map(|v| v as u8));
    tif::<Gray16>(&scene, "pred/u2t_masks.tif", &SMALL.map(|v| v as u16));
    tif::<Gray32Float>(&scene, "pred/f4t_masks.tif", &SMALL.map(|v| v as f32));
    npy(&scene, "pred/f4n_masks.npy", &SMALL.map(|v| v as f32));
    npy(&scene, "pred/f2n_masks.npy", &SMALL.map(|v| half::f16::from_f32(v as f32)));
    // Four, two and one number a byte.
    let (two, four, eight) = ([0b0001_1010, 0b1100_0000], [0x01, 0x22, 0x30], SMALL.map(|v| v as u8));
    let sixteen = SMALL.map(|v| [0, v as u8]).concat();
    for (name, color, depth, samples) in [
        ("grey2", png::ColorType::Grayscale, png::BitDepth::Two, &two[..]),
        ("grey8", png::ColorType::Grayscale, png::BitDepth::Eight, &eight),
        ("grey16", png::ColorType::Grayscale, png::BitDepth::Sixteen, &sixteen),
        ("palette2", png::ColorType::Indexed, png::BitDepth::Two, &two),
        ("palette4", png::ColorType::Indexed, png::BitDepth::Four, &four),
        ("palette8", png::ColorType::Indexed, png::BitDepth::Eight, &eight),
    ] {
        scene.png(&format!("pred/{name}_masks.png"), color, depth, 6, samples);
        // The numbers themselves, and not only which pixels are equal.
        let labels = flowmask::image::read_labels(&scene.path(&format!("pred/{name}_masks.png"))).unwrap();
        assert_eq!(labels, row(SMALL), "{name}");
    }
    let run = scene.run("--truth truth --pred pred");
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    let cells = (4 * large.len() + 3 * small.len()).to_string();
    assert_eq!(run.row("pred")[1..4], ["17", &cells, &cells], "{run:?}");
    assert!(run.row("pred")[4..13].iter().all(|score| *score == "1.000"), "{run:?}");
}

#[test]
fn numbers_that_a_type_may_have_rounded_are_refused() {
    let scene = Scene::new();
    scene.labels("truth/a_labels.npy", &array![[1]]);
    scene.labels("truth/b_labels.npy", &array![[1]]);
    scene.labels("truth/c_labels.npy", &array![[1]]);
    npy(&scene, "pred/a_masks.npy", &[16_777_216.0_f32]);
    tif::<Gray32Float>(&scene, "pred/b_masks.tif", &[16_777_216.0]);
    tif::<Gray32Float>(&scene, "pred/c_masks.tif", &[0.5]);
    let run = scene.run("--truth truth --pred pred");
    assert_eq!((run.code, run.stderr.lines().count()), (Some(1), 3), "{run:?}");
    assert_eq!(run.stderr.matches("has the value 16777216").count(), 2, "{run:?}");
    assert_eq!(run.stderr.matches("has the value 0.5").count(), 1, "{run:?}");
}
