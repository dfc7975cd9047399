//! `flowmask styles`, driven as a user does.

#[path = "common/run.rs"]
mod run;
#[path = "cli/scene.rs"]
#[allow(dead_code, reason = "each test program uses its part")]
mod scene;

use std::fs;

use ndarray::{Array2, Ix2};
use scene::{Scene, decode_png};

const FILES: [&str; 5] = ["styles.csv", "styles.html", "styles.npy", "styles.png", "styles.svg"];

/// Two folders with five images of 64 by 64.
fn folders() -> Scene {
    let scene = Scene::new();
    for (i, name) in ["a/1", "a/2", "a/3", "b/4", "b/5"].iter().enumerate() {
        scene.floats(&format!("{name}.npy"), i as f32);
    }
    scene
}

fn read(scene: &Scene, dir: &str) -> Vec<Vec<u8>> {
    FILES.iter().map(|name| fs::read(scene.path(dir).join(name)).unwrap()).collect()
}

fn array(scene: &Scene, name: &str) -> Array2<f32> {
    flowmask::npy::read(&scene.path(name)).unwrap().into_dimensionality::<Ix2>().unwrap()
}

#[test]
fn every_file_is_what_its_name_says() {
    let scene = folders();
    let run = scene.run("styles a b -o out --model nuclei").done();
    assert!(run.stdout.starts_with("5 images -> "), "{run:?}");
    assert_eq!(scene.names("out"), FILES);

    let csv = fs::read_to_string(scene.path("out/styles.csv")).unwrap();
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    let files: Vec<_> = rows.iter().map(|row| row[0].replace('\\', "/")).collect();
    assert_eq!(files, ["file", "a/1.npy", "a/2.npy", "a/3.npy", "b/4.npy", "b/5.npy"]);
    let npy = array(&scene, "out/styles.npy");
    assert_eq!(npy.dim(), (5, 256));
    for (row, values) in rows[1..].iter().zip(npy.rows()) {
        let numbers: Vec<f32> = row[1..].iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(numbers, values.to_vec());
        let length: f32 = numbers.iter().map(|v| v * v).sum();
        assert!((length - 1.0).abs() < 1e-4, "{length}");
    }

    let svg = fs::read_to_string(scene.path("out/styles.svg")).unwrap();
    let svg = roxmltree::Document::parse(&svg).unwrap();
    // An image each, and the legend of two folders.
    assert_eq!(svg.descendants().filter(|node| node.has_tag_name("circle")).count(), 5 + 2);
    let (width, height, samples) = decode_png(&fs::read(scene.path("out/styles.png")).unwrap());
    assert!(width >= 1500 && height == 1600, "{width} by {height}");
    assert!(samples.iter().any(|v| *v != 255));
    let html = fs::read_to_string(scene.path("out/styles.html")).unwrap();
    assert_eq!(html.matches("<figure").count(), 5);
}

#[test]
fn the_style_is_that_of_the_segmentation() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    scene.run("styles a.png --model nuclei --diameter 19.48").done();
    let npy = array(&scene, "styles.npy");
    let image = flowmask::Image::open(scene.path("a.png")).unwrap();
    let model = flowmask::Model::named("nuclei").unwrap();
    let segmenter = flowmask::Segmenter::builder().model(model).build().unwrap();
    let diameter = flowmask::Diameter::Pixels(19.48);
    let options = flowmask::Options::default().diameter(diameter);
    assert_eq!(npy.row(0), segmenter.segment(&image, &options).unwrap().style);
}

#[test]
fn the_same_bytes_for_any_threads_and_other_places_for_another_seed() {
    let scene = folders();
    let with = |dir: &str, flags: &str| {
        scene.run(&format!("styles a b -o {dir} --model nuclei --quiet {flags}")).done();
        read(&scene, dir)
    };
    let want = with("one", "--threads 1");
    assert!(with("three", "--threads 3") == want);
    let other = with("seed", "--seed 1");
    let changed: Vec<_> = FILES.iter().zip(want.iter().zip(&other)).filter(|(_, (a, b))| a != b).collect();
    let changed: Vec<_> = changed.iter().map(|(name, _)| **name).collect();
    assert_eq!(changed, ["styles.html", "styles.png", "styles.svg"]);
}

#[test]
fn a_few_images_have_no_map() {
    let scene = folders();
    let run = scene.run("styles a -o out --model nuclei").done();
    assert!(run.stdout.contains("a map needs at least 4"), "{run:?}");
    assert_eq!(scene.names("out"), ["styles.csv", "styles.npy"]);
    // Every plane of a stack counts.
    scene.hyperstack("stack.tif", "slices", 4);
    scene.run("styles stack.tif -o planes --model nuclei").done();
    assert_eq!(scene.names("planes"), FILES);
    let csv = fs::read_to_string(scene.path("planes/styles.csv")).unwrap();
    let names: Vec<_> = csv.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(names, ["stack.tif[0]", "stack.tif[1]", "stack.tif[2]", "stack.tif[3]"]);
}

#[test]
fn bad_images_are_named_and_the_others_done() {
    let scene = folders();
    scene.file("a/text.png", "these are words");
    scene.run("styles a b -o out --model nuclei").failed(1, "text.png");
    assert_eq!(scene.names("out"), FILES);
    scene.run("styles a/1.npy missing.png -o one --model nuclei").failed(1, "missing.png");
    assert_eq!(scene.names("one"), ["styles.csv", "styles.npy"]);
    scene.file("bad/text.png", "these are words");
    scene.run("styles bad -o none --model nuclei").failed(1, "text.png");
    assert!(scene.names("none").is_empty());
}

#[test]
fn nothing_is_started_when_an_argument_cannot_be_right() {
    let scene = folders();
    fs::create_dir(scene.path("empty")).unwrap();
    let before = scene.names(".");
    scene.run("styles empty -o out").failed(2, "empty");
    scene.run("styles a -o out --model unheard-of").failed(2, "unheard-of");
    scene.run("styles a -o a/1.npy").failed(2, "1.npy");
    scene.run("styles a -o out --bsize 100").failed(2, "bsize");
    for flags in ["--perplexity 0", "--perplexity nan", "--seed -1", "--unheard-of"] {
        assert_eq!(scene.run(&format!("styles a -o out {flags}")).code, Some(2), "{flags}");
    }
    assert_eq!(scene.names("."), before);
}

#[test]
fn outputs_of_an_earlier_run_are_no_inputs() {
    let scene = folders();
    scene.run("styles a -o a --model nuclei").done();
    let first = fs::read(scene.path("a/styles.npy")).unwrap();
    scene.run("styles a -o a --model nuclei").done();
    assert_eq!(fs::read(scene.path("a/styles.npy")).unwrap(), first);
    scene.run("styles a/1.npy a/styles.npy -o a").failed(2, "styles.npy");
    // Nor of another folder, where the pictures of the map lie beside the images.
    scene.run("styles a b -o a --model nuclei").done();
    let run = scene.run("styles a -o out --model nuclei").done();
    assert!(run.stdout.starts_with("3 images -> "), "{run:?}");
    scene.file("c/styles.npy", &first);
    scene.run("styles c -o c").failed(2, "earlier run");
}
