//! `segment --do-3d`: from a file with a stack to one label file.

use std::collections::BTreeSet;

use flowmask::image::{ReadOptions, read, read_with};
use flowmask::{Diameter, Image, Model, Options, Segmenter};

use crate::scene::{NUCLEI, Scene};

const SIZE: [usize; 3] = [10, 48, 60];
/// The centres of balls with a diameter of 17 pixels.
const BALLS: [[f32; 3]; 3] = [[5.0, 13.0, 13.0], [4.0, 34.0, 20.0], [5.0, 20.0, 46.0]];

fn distance(ball: [f32; 3], place: [f32; 3]) -> f32 {
    let [z, y, x] = [0, 1, 2].map(|axis| place[axis] - ball[axis]);
    ((2.0 * z).powi(2) + y.powi(2) + x.powi(2)).sqrt()
}

/// Bright balls with soft edges. Planes lie twice as far apart as pixels.
fn balls() -> Vec<f32> {
    let brightness = |i: usize| {
        let place = [i / SIZE[1] / SIZE[2], i / SIZE[2] % SIZE[1], i % SIZE[2]].map(|v| v as f32);
        20.0 + BALLS.iter().map(|&ball| 180.0 / (1.0 + (distance(ball, place) - 8.0).exp())).sum::<f32>()
    };
    (0..SIZE.iter().product()).map(brightness).collect()
}

fn write(scene: &Scene, name: &str, shape: &[usize], values: &[f32]) {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
    scene.npy(name, "<f4", &format!("({})", shape.join(", ")), &bytes);
}

const FLAGS: &str = "--model nuclei --diameter 17 --do-3d --anisotropy 2";

/// The planes of a label file.
fn planes(scene: &Scene, name: &str) -> Vec<Vec<f32>> {
    let stack = read(&scene.path(name)).unwrap();
    stack.planes.iter().map(|plane| plane.pixels().to_f32().into_raw_vec_and_offset().0).collect()
}

#[test]
fn a_stack_becomes_one_label_file() {
    let scene = Scene::new();
    write(&scene, "stack.npy", &SIZE, &balls());
    let run = scene.run(&format!("segment stack.npy {FLAGS} --z-axis 0 --json --overlay")).done();
    let line = &run.json()[0];
    assert_eq!(
        (&line["cells"], &line["planes"], &line["axes"]),
        (&3.into(), &10.into(), &"ZYX".into()),
        "{line}"
    );
    assert_eq!(line["overlays"].as_array().unwrap().len(), 10);
    let stack = read(&scene.path("stack_masks.tif")).unwrap();
    assert_eq!((stack.planes.len(), stack.layout.letters().as_str()), (10, "Z"));

    let images: Vec<Image> = read_planes(&scene);
    let options = Options::default().diameter(Diameter::Pixels(17.0)).anisotropy(2.0);
    let segmenter = Segmenter::builder().model(Model::named("nuclei").unwrap()).build().unwrap();
    let found = segmenter.segment_volume(&images, &options).unwrap();
    assert_eq!(found.cells(), 3);
    assert!(planes(&scene, "stack_masks.tif").concat().iter().eq(found.masks.mapv(|v| v as f32).iter()));
    // The core of each ball has one label, in several planes.
    let mut labels = BALLS.map(|ball| {
        let core = found
            .masks
            .indexed_iter()
            .filter(|((z, y, x), label)| **label > 0 && distance(ball, [*z, *y, *x].map(|v| v as f32)) < 6.0);
        let (planes, labels): (BTreeSet<usize>, BTreeSet<u32>) =
            core.map(|((z, ..), label)| (z, *label)).unzip();
        assert!(planes.len() > 3 && labels.len() == 1, "{planes:?} {labels:?}");
        labels.first().copied()
    });
    labels.sort();
    assert_eq!(labels, [1, 2, 3].map(Some));
    // The original's words, and smoothing.
    let words = "--pretrained_model nuclei --diameter 17 --do_3D --anisotropy 2.0 --flow3D_smooth 1,2,2 --z_axis 0 --verbose";
    let run = scene.run(&format!("segment stack.npy {words} -o smooth"));
    assert!(run.code == Some(0) && run.stderr.contains("1 volume, each of 10 planes of 48 by 60"), "{run:?}");
    assert!(planes(&scene, "smooth/stack_masks.tif") != planes(&scene, "stack_masks.tif"));
}

fn read_planes(scene: &Scene) -> Vec<Image> {
    let options = ReadOptions::default().z_axis(Some(0));
    read_with(&scene.path("stack.npy"), &options).unwrap().remove(0).planes
}

#[test]
fn each_time_point_is_a_volume_of_its_own() {
    let scene = Scene::new();
    let one = balls();
    let dark: Vec<f32> = one.iter().map(|v| v / 2.0).collect();
    write(&scene, "tz.npy", &[2, SIZE[0], SIZE[1], SIZE[2]], &[one.clone(), dark.clone()].concat());
    let plane = SIZE[1] * SIZE[2];
    let turns = one.chunks(plane).zip(dark.chunks(plane)).flat_map(|(a, b)| [a, b]).flatten().copied();
    write(&scene, "zt.npy", &[SIZE[0], 2, SIZE[1], SIZE[2]], &turns.collect::<Vec<_>>());
    let tz = scene.run(&format!("segment tz.npy {FLAGS} --axes TZYX --json")).done();
    let zt = scene.run(&format!("segment zt.npy {FLAGS} --axes ZTYX --json")).done();
    assert_eq!((&tz.json()[0]["cells"], &zt.json()[0]["cells"]), (&6.into(), &6.into()));
    let (tz, zt) = (planes(&scene, "tz_masks.tif"), planes(&scene, "zt_masks.tif"));
    // Only brightness differs, so both time points have the same cells, numbered from 1.
    assert!(tz[..10] == tz[10..]);
    // The label file has time before depth, as ImageJ wants it.
    assert_eq!(read(&scene.path("zt_masks.tif")).unwrap().layout.letters(), "TZ");
    assert!(tz == zt);
}

#[test]
fn a_second_model_sees_the_planes_across_y_and_x() {
    let scene = Scene::new();
    write(&scene, "stack.npy", &SIZE, &balls());
    let flags = format!("segment stack.npy {FLAGS} --z-axis 0");
    scene.run(&format!("{flags} -o one")).done();
    scene.run(&format!("{flags} -o same --pretrained-model-ortho nuclei")).done();
    assert!(planes(&scene, "one/stack_masks.tif") == planes(&scene, "same/stack_masks.tif"));
    let run =
        scene.run(&format!("{flags} --pretrained_model_ortho cyto")).failed(2, "cyto: is built otherwise");
    assert!(run.stderr.contains("diam_mean) is 30.0, not 17.0"), "{run:?}");
    let tiny = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/models/tiny.pth");
    let run = scene.run(&format!("{flags} --pretrained_model_ortho {tiny}")).failed(2, "tiny.pth: is built");
    assert!(run.stderr.contains("[2, 4, 8, 16, 32], not [2, 32, 64, 128, 256]"), "{run:?}");
    assert!(!scene.path("stack_masks.tif").exists());
    scene.run(&format!("{flags} --pretrained_model_ortho none")).failed(2, "none");
    let plane =
        scene.run("segment stack.npy --z-axis 0 --model nuclei --pretrained-model-ortho none -o planes");
    assert!(plane.code == Some(0) && plane.stderr.contains("without --do-3d"), "{plane:?}");
}

#[test]
fn what_cannot_be_a_volume_is_told_in_one_sentence() {
    let scene = Scene::new();
    let mut values = balls();
    write(&scene, "stack.npy", &SIZE, &values);
    values[3 * SIZE[1] * SIZE[2] + 5 * SIZE[2] + 7] = f32::NAN;
    write(&scene, "nan.npy", &SIZE, &values);
    scene.nuclei("one.png");
    scene.run(&format!("segment one.png {FLAGS}")).failed(1, "one.png: has one plane");
    let run = scene.run(&format!("segment stack.npy {FLAGS}")).failed(1, "stack.npy");
    assert!(run.stderr.contains("--z-axis"), "{run:?}");
    scene.run(&format!("segment stack.npy {FLAGS} --axes TYX")).failed(1, "TYX");
    scene
        .run(&format!("segment nan.npy {FLAGS} --z-axis 0"))
        .failed(1, "nan.npy: in plane 3, the pixel at row 5, column 7");
    write(&scene, "movie.npy", &[2, SIZE[0], SIZE[1], SIZE[2]], &[balls(), values].concat());
    scene
        .run(&format!("segment movie.npy {FLAGS} --axes TZYX"))
        .failed(1, "movie.npy: at T 1: in plane 3, the pixel at row 5, column 7");
    std::fs::remove_file(scene.path("movie.npy")).unwrap();
    scene
        .run(&format!("segment stack.npy {FLAGS} --z-axis 0 --memory 90MB"))
        .failed(1, "a volume of 10 planes");
    scene.run(&format!("segment stack.npy {FLAGS} --z-axis 0 --format png")).failed(1, "png");
    for anisotropy in ["0", "-2", "nan", "1e300"] {
        let flags = format!("segment stack.npy --do-3d --z-axis 0 --anisotropy {anisotropy}");
        scene.run(&flags).failed(2, "--anisotropy");
    }
    scene.run("segment stack.npy --do-3d --flow3d-smooth 1,2").failed(2, "flow3d-smooth");
    scene.file("flags.toml", "flow3d_smooth = [1, 2.5, 2]");
    scene
        .run("segment stack.npy --do-3d --z-axis 0 --anisotropy 0 --config flags.toml")
        .failed(2, "--anisotropy");
    std::fs::remove_file(scene.path("flags.toml")).unwrap();
    scene.run("segment stack.npy --do-3d --diameter auto").failed(2, "--diameter");
    assert_eq!(scene.names(""), ["nan.npy", "one.png", "stack.npy"]);
    // An error of one file does not stop the next.
    let run = scene.run(&format!("segment nan.npy stack.npy {FLAGS} --z-axis 0"));
    assert_eq!((run.code, run.stdout.lines().count()), (Some(1), 1), "{run:?}");
    assert_eq!(scene.labels("stack_masks.tif").0, 10);
    // Flags that have no effect are told.
    let run = scene.run(&format!("segment one.png {NUCLEI} --anisotropy 2"));
    assert!(run.code == Some(0) && run.stderr.contains("--anisotropy changes nothing"), "{run:?}");
}
