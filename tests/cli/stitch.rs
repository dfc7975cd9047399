//! Planes become volumes: `segment --stitch-threshold` and `stitch`.

use std::fs;
use std::process::Command;

use flowmask::image::{Axis, Layout, ReadOptions, read_label_stack, read_with};
use flowmask::output::{Format, save_labels_as};
use ndarray::{Array2, Array4};

use crate::scene::{BIN, NUCLEI, Scene, decode_png, nuclei};

/// Writes the labels of planes over these axes: a square that moves by one pixel, and one that is in two planes only.
fn labels(scene: &Scene, name: &str, axes: &[(char, usize)]) {
    let count: usize = axes.iter().map(|axis| axis.1).product();
    let square = |z: usize| {
        Array2::from_shape_fn((20, 30), |(y, x)| match (y, x) {
            (2..8, _) if (z + 3..z + 11).contains(&x) => 2,
            (12..18, 20..28) if z % 4 == 2 || z % 4 == 3 => 1_u32,
            _ => 0,
        })
    };
    let planes: Vec<_> = (0..count).map(square).collect();
    let views: Vec<_> = planes.iter().map(|plane| plane.view()).collect();
    let axes = axes.iter().map(|&(letter, length)| Axis { letter, length }).collect();
    save_labels_as(&scene.path(name), &views, Format::Tif, &Layout::default().axes(axes)).unwrap();
}

/// The labels, `[time, z, height, width]`.
fn read(scene: &Scene, name: &str) -> Array4<u32> {
    read_label_stack(&scene.path(name), &ReadOptions::default()).unwrap().labels
}

#[test]
fn label_files_are_stitched_over_z_and_never_over_time() {
    let scene = Scene::new();
    labels(&scene, "z_masks.tif", &[('Z', 4)]);
    labels(&scene, "tz.tif", &[('T', 2), ('Z', 4)]);
    labels(&scene, "t.tif", &[('T', 4)]);
    labels(&scene, "flat.tif", &[]);
    let run = scene.run("stitch z_masks.tif tz.tif --stitch_threshold 0.3 -o out").done();
    assert!(
        run.stdout.contains("2 cells in 4 planes") && run.stdout.contains("4 cells in 8 planes"),
        "{run:?}"
    );
    let one = read(&scene, "out/z_masks_stitched.tif");
    for z in 0..4 {
        // The square that moves has label 2 in all planes; the other is new in plane 2.
        assert_eq!((one[[0, z, 4, 6 + z]], one[[0, z, 14, 22]]), (2, if z < 2 { 0 } else { 3 }), "{z}");
    }
    let two = read(&scene, "out/tz_stitched.tif");
    assert_eq!(two.dim(), (2, 4, 20, 30));
    assert_eq!((two[[1, 0, 4, 8]], two[[1, 3, 4, 11]], two[[1, 3, 14, 22]]), (2, 2, 3));
    let layout = &read_with(&scene.path("out/tz_stitched.tif"), &Default::default()).unwrap()[0].layout;
    assert_eq!(layout.letters(), "TZ");
    // Planes that overlap by seven of nine columns are not stitched with a higher threshold.
    scene.run("stitch z_masks.tif --stitch-threshold 0.8 --min-size 49 --overwrite -o out").done();
    assert_eq!(read(&scene, "out/z_masks_stitched.tif").iter().max(), Some(&1));

    scene.run("stitch t.tif").failed(1, "t.tif: none of its axes, TYX, is known to be Z");
    scene.run("stitch flat.tif").failed(1, "flat.tif: has one plane");
    scene.run("stitch z_masks.tif --stitch-threshold 1.5").failed(2, "--stitch-threshold");
    scene.run("stitch z_masks.tif --stitch-threshold 1e300").failed(2, "is 1e300, but must be");
    // A PNG holds one plane.
    scene.run("stitch z_masks.tif --format png").failed(2, "png");
    scene.run("stitch missing.tif").failed(2, "missing.tif");
    scene.run("stitch z_masks.tif --axes ZYY").failed(2, "--axes");
    fs::write(scene.path("z_masks_stitched.tif"), "mine").unwrap();
    scene.run("stitch z_masks.tif").failed(1, "z_masks_stitched.tif is there");
    assert_eq!(fs::read(scene.path("z_masks_stitched.tif")).unwrap(), b"mine");
    assert_eq!(scene.names("out"), ["tz_stitched.tif", "z_masks_stitched.tif"]);
}

/// Writes the same picture `count` times, along these axes of an array.
fn stack(scene: &Scene, name: &str, shape: &str, count: usize) {
    let (width, height, rgb) = decode_png(&nuclei());
    let gray: Vec<u8> = rgb.chunks(rgb.len() / (width * height) as usize).map(|p| p[0]).collect();
    scene.npy(name, "|u1", shape, &gray.repeat(count));
}

#[test]
fn axes_that_a_label_file_does_not_name_are_asked_for_and_channels_are_refused() {
    let scene = Scene::new();
    labels(&scene, "z.tif", &[('Z', 4)]);
    labels(&scene, "cz.tif", &[('C', 2), ('Z', 2)]);
    scene.hyperstack("c.tif", "channels", 3);
    let planes: Vec<u8> =
        read(&scene, "z.tif").iter().flat_map(|label| (*label as u16).to_le_bytes()).collect();
    scene.npy("z.npy", "<u2", "(4, 20, 30)", &planes);
    scene.npy("tz.npy", "<u2", "(2, 2, 20, 30)", &planes);
    scene.npy("tall.npy", "<u2", "(1, 4, 20, 30)", &planes);
    for words in ["stitch z.npy", "stitch tz.npy"] {
        let run = scene.run(words).failed(1, "is known to be Z");
        assert!(run.stderr.contains("--axes or --z-axis"), "{run:?}");
    }
    scene.run("stitch z.npy --axes TYX").failed(1, "none of its axes, TYX");
    scene.run("stitch z.npy --axes TZYX").failed(1, "z.npy: has the shape (4, 20, 30)");
    scene.run("stitch c.tif").failed(1, "c.tif: its axes, CYX, have channels (C)");
    scene.run("stitch cz.tif").failed(1, "cz.tif: its axes, CZYX, have channels (C)");
    for (words, cells, shape) in [
        ("z.npy --axes zyx", 2, vec![4, 20, 30]),
        ("z.npy --z-axis 0", 2, vec![4, 20, 30]),
        ("tall.npy --axes TZYX", 2, vec![4, 20, 30]),
        // The second time point has the second square in both of its planes.
        ("tz.npy --axes TZYX", 3, vec![2, 2, 20, 30]),
        ("cz.tif --axes TZYX", 3, vec![2, 2, 20, 30]),
        ("tz.npy --axes ZTYX", 4, vec![2, 2, 20, 30]),
    ] {
        let line = scene.run(&format!("stitch {words} --json --overwrite -o out")).done().json().remove(0);
        assert_eq!((&line["cells"], &line["shape"]), (&cells.into(), &shape.into()), "{words}: {line}");
        assert!(line["masks"].as_str().unwrap().starts_with("out/") && line["planes"] == 4, "{line}");
    }
    // Rows before planes.
    let rows: Vec<u8> = (0..20)
        .flat_map(|y| (0..4).flat_map(move |z| (0..30).map(move |x| (z, y, x))))
        .flat_map(|(z, y, x)| planes[2 * ((z * 20 + y) * 30 + x)..][..2].to_vec())
        .collect();
    scene.npy("rows.npy", "<u2", "(20, 4, 30)", &rows);
    scene.run("stitch rows.npy --axes YZX --overwrite -o rows").done();
    scene.run("stitch z.tif -o rows").done();
    assert_eq!(read(&scene, "rows/rows_stitched.tif"), read(&scene, "rows/z_stitched.tif"));
}

#[test]
fn folders_patterns_and_lists_are_stitched_as_other_commands_take_them() {
    let scene = Scene::new();
    labels(&scene, "z.tif", &[('Z', 4)]);
    let bytes = fs::read(scene.path("z.tif")).unwrap();
    for name in ["plate/a_masks.tif", "plate/b_masks.tif", "plate/a.tif", "plate/deep/c_masks.tif"] {
        scene.file(name, &bytes);
    }
    let stitched = |words: &str| {
        let run = scene.run(&format!("stitch {words} --json")).done();
        run.json().iter().map(|line| line["masks"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(stitched("plate"), ["plate/a_masks_stitched.tif", "plate/b_masks_stitched.tif"]);
    // A second run does not take the outputs of the first.
    assert_eq!(stitched("plate/*_masks*.tif"), ["plate/a_masks_stitched.tif", "plate/b_masks_stitched.tif"]);
    let deep = ["out/a_masks_stitched.tif", "out/b_masks_stitched.tif", "out/deep/c_masks_stitched.tif"];
    assert_eq!(stitched("plate -r -o out"), deep);
    assert_eq!(stitched("plate --img-filter b_masks -o out"), deep[1..2]);
    let list = scene
        .output(Command::new("sh").args(["-c", &format!("echo plate/a_masks.tif | {BIN} stitch - -o list")]));
    assert_eq!((list.code, scene.names("list")), (Some(0), vec!["a_masks_stitched.tif".to_string()]));
    let run = scene.run("stitch plate/a_masks.tif missing.tif -o out").failed(1, "missing.tif");
    assert_eq!(run.stdout.lines().count(), 1, "{run:?}");
    // Small cells stay, as the original says it, and a bound on the memory is kept.
    scene.run("stitch z.tif --min-size -1 --memory 1MB -o out").done();
    scene.run("stitch z.tif --memory 1kB -o none").failed(1, "z.tif needs");
    assert_eq!(scene.names("none"), [] as [&str; 0]);
}

#[test]
fn a_stack_becomes_a_volume() {
    let scene = Scene::new();
    stack(&scene, "z.npy", "(12, 256, 256)", 12);
    stack(&scene, "tz.npy", "(2, 2, 256, 256)", 4);
    let flags = "--stitch_threshold 0.25 --overlay --json -o out";
    let run = scene.run(&format!("segment z.npy {NUCLEI} {flags} --axes ZYX")).done();
    let line = &run.json()[0];
    assert_eq!((&line["cells"], &line["planes"]), (&37.into(), &12.into()), "{line}");
    let labels = read(&scene, "out/z_masks.tif");
    assert_eq!(labels.dim(), (1, 12, 256, 256));
    assert!(
        (1..12).all(|z| labels.slice(ndarray::s![0, z, .., ..]) == labels.slice(ndarray::s![0, 0, .., ..]))
    );
    assert_eq!(scene.names("out").len(), 13);
    // A time point is a volume of its own.
    let run = scene.run(&format!("segment tz.npy {NUCLEI} {flags} --axes TZYX")).done();
    assert_eq!(run.json()[0]["cells"], 74);
    let two = read(&scene, "out/tz_masks.tif");
    assert_eq!((two.dim(), two.iter().max()), ((2, 2, 256, 256), Some(&37)));
    // Nothing names an axis that has a dozen planes.
    let run =
        scene.run(&format!("segment z.npy {NUCLEI} --stitch-threshold 0.25 -o none")).failed(1, "--z-axis");
    assert!(run.stderr.contains("none of its axes, QYX, is known to be Z"), "{run:?}");
    assert_eq!(scene.names("none"), [] as [&str; 0]);
    // The size of a cell is that in all planes: twelve times as much as in one.
    let run = scene.run(&format!("segment z.npy {NUCLEI} {flags} --axes ZYX --min-size 600")).done();
    let cells = run.json()[0]["cells"].as_u64().unwrap();
    assert!((30..=37).contains(&cells), "{cells}");
}

#[test]
fn what_cannot_be_a_volume_is_an_error_of_its_file() {
    let scene = Scene::new();
    scene.nuclei("one.png");
    stack(&scene, "t.npy", "(2, 256, 256)", 2);
    let flags = format!("{NUCLEI} --stitch-threshold 0.25 -o out");
    scene.run(&format!("segment one.png {flags}")).failed(1, "one.png: has one plane");
    let run = scene.run(&format!("segment t.npy {flags} --axes TYX")).failed(1, "t.npy");
    assert!(run.stderr.contains("none of its axes, TYX, is known to be Z"), "{run:?}");
    let mut values = vec![0.5_f32; 3 * 64 * 64];
    values[64 * 64 + 70] = f32::NAN;
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    scene.npy("nan.npy", "<f4", "(3, 64, 64)", &bytes);
    let run = scene.run(&format!("segment nan.npy {flags} --axes ZYX")).failed(1, "nan.npy");
    assert!(run.stderr.contains("in plane 1, the pixel at row 1, column 6"), "{run:?}");
    // Of a movie, the time point is told too.
    let good: Vec<u8> = [0.5_f32; 3 * 64 * 64].iter().flat_map(|value| value.to_le_bytes()).collect();
    scene.npy("movie.npy", "<f4", "(2, 3, 64, 64)", &[good, bytes].concat());
    let run = scene.run(&format!("segment movie.npy {flags} --axes TZYX")).failed(1, "movie.npy");
    assert!(run.stderr.contains("at T 1: in plane 1, the pixel at row 1, column 6"), "{run:?}");
    scene.run(&format!("segment nan.npy {flags} --axes ZYX --memory 20kB")).failed(1, "nan.npy needs");
    for threshold in ["-0.1", "1.2", "nan"] {
        let run = scene.run(&format!("segment t.npy --stitch-threshold {threshold}"));
        run.failed(2, "--stitch-threshold");
    }
    assert_eq!(scene.names("out"), [] as [&str; 0]);
}

#[test]
fn stitched_files_are_outputs_and_never_replace_an_input() {
    let scene = Scene::new();
    labels(&scene, "a_masks.tif", &[('Z', 4)]);
    labels(&scene, "a_masks_stitched.tif", &[('Z', 3)]);
    let before = fs::read(scene.path("a_masks_stitched.tif")).unwrap();
    let words = "stitch a_masks.tif ./a_masks_stitched.tif -o . --overwrite";
    scene.run(words).failed(1, "would overwrite ./a_masks_stitched.tif, which is an input");
    fs::remove_file(scene.path("a_masks_stitched_stitched.tif")).unwrap();
    assert_eq!(fs::read(scene.path("a_masks_stitched.tif")).unwrap(), before);
    labels(&scene, "b_masks.tif", &[('Z', 2)]);
    fs::create_dir(scene.path("other")).unwrap();
    fs::copy(scene.path("b_masks.tif"), scene.path("other/a_masks.tif")).unwrap();
    let run = scene
        .run("stitch a_masks.tif other/a_masks.tif -o out")
        .failed(1, "is already the output of a_masks.tif");
    assert_eq!(run.stdout.lines().count(), 1, "{run:?}");
    // A folder's stitched labels are no images.
    scene.file("scans/a_masks_stitched.tif", &before);
    scene.nuclei("scans/b.png");
    let run = scene.run(&format!("segment scans {NUCLEI}")).done();
    assert_eq!((run.stdout.lines().count(), scene.names("scans").len()), (1, 3), "{run:?}");
}

#[test]
fn a_volume_is_not_stitched_as_well() {
    let scene = Scene::new();
    stack(&scene, "z.npy", "(3, 256, 256)", 3);
    let words = "segment z.npy --axes ZYX --model nuclei --diameter 30 --do_3D --stitch_threshold 0.3";
    let run = scene.run(&format!("{words} -o both"));
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stderr.contains("--stitch-threshold changes nothing"), "{run:?}");
    scene.run(&format!("{} -o one", words.replace("--stitch_threshold 0.3", ""))).done();
    let bytes = |folder: &str| fs::read(scene.path(&format!("{folder}/z_masks.tif"))).unwrap();
    assert_eq!(bytes("both"), bytes("one"));
}
