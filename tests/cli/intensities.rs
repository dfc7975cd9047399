//! Flags of what the network gets of an image: channels, intensities, scale.

use flowmask::{Diameter, Image, Model, Normalize, Options, Segmenter};

use crate::scene::{NUCLEI, Scene, repository};

#[test]
fn flags_do_what_the_options_of_the_library_do() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    scene.file("flags.toml", "[segment]\nlowhigh = '12,140'\noverwrite = true\n");
    let segmenter = Segmenter::builder().model(Model::named("nuclei").unwrap()).build().unwrap();
    let image = Image::open(repository("tests/data/nuclei.png")).unwrap();
    let of = |normalize| Options::default().diameter(Diameter::Pixels(19.48)).normalize(normalize);
    let default = Normalize::default();
    let lowhigh = of(default.lowhigh(Some([[12.0, 140.0]; 2])));
    let steps = default.smooth_radius(1.0).sharpen_radius(6.0).tile_norm_blocksize(80).invert(true);
    let scaled = Options::default().diameter(Diameter::Scale(0.8)).max_size_fraction(0.006);
    let mut seen = vec![segmenter.segment(&image, &of(default)).unwrap().masks];
    for (flags, options) in [
        (format!("{NUCLEI} --config flags.toml"), lowhigh),
        (
            format!(
                "{NUCLEI} --smooth-radius 1 --sharpen_radius 6 --tile_norm_blocksize 80 --invert --overwrite"
            ),
            of(steps),
        ),
        ("--model nuclei --rescale 0.8 --max_size_fraction 0.006 --overwrite".into(), scaled),
    ] {
        let run = scene.run(&format!("segment a.png {flags} --json")).done();
        let want = segmenter.segment(&image, &options).unwrap();
        assert_eq!(run.json()[0]["diameter"].as_f64(), Some(want.diameter), "{run:?}");
        let labels = flowmask::image::read_labels(&scene.path("a_masks.tif")).unwrap();
        assert!(labels == want.masks, "{flags}");
        // Each has an effect of its own.
        assert!(!seen.contains(&labels), "{flags}");
        seen.push(labels);
    }
}

#[test]
fn what_cannot_be_is_said_in_one_line() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    for (flags, says) in [
        ("--rescale 2 --diameter 9", "--diameter"),
        ("--rescale 0", "--rescale: is 0, but must be from 0.001 to 1000"),
        ("--all-channels --chan 2", "--chan"),
        (
            "--no-norm --sharpen-radius 3",
            "--sharpen-radius: has no effect on intensities that are not scaled",
        ),
        ("--lowhigh 5,60 --smooth-radius 3", "--smooth-radius: has no effect beside lowhigh"),
        ("--lowhigh 5", "two intensities such as 100,4000"),
        ("--lowhigh 60,5", "--lowhigh: must be two numbers"),
        ("--lowhigh -3,-5", "--lowhigh: must be two numbers"),
        ("--sharpen-radius=-1", "--sharpen-radius: is -1, but must be from 0 to 1000"),
        ("--smooth-radius nan", "--smooth-radius: is NaN"),
        ("--max-size-fraction 0", "--max-size-fraction: must be"),
    ] {
        let said = scene.run(&format!("segment a.png {flags}")).failed(2, "flowmask: ").stderr;
        assert!(said.contains(says), "{flags}: {said}");
    }
    scene.run("segment a.png --all-channels").failed(1, "a.png: has 3 channels, and the network takes 2");
    assert_eq!(scene.names("."), ["a.png"]);
}

#[test]
fn flags_without_an_effect_are_told() {
    let scene = Scene::new();
    scene.blank("a.png", 32, 32);
    for (flags, says) in [
        ("--no-norm3d", "--no-norm3d changes nothing"),
        ("--tile-norm-smooth3d 2", "without --tile-norm-blocksize"),
        ("--tile-norm-smooth3d 2 --tile-norm-blocksize 9 --no_norm3D", "with --no-norm3d"),
    ] {
        let run = scene.run(&format!("segment a.png --overwrite {flags}"));
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(run.stderr.contains(says), "{run:?}");
    }
    scene.npy("z.npy", "|u1", "(2, 32, 32)", &[0; 2 * 32 * 32]);
    for blocks in ["", "--tile-norm-blocksize 9 --tile-norm-smooth3d 3"] {
        let flags = "--axes ZYX --do-3d --compat 3.1.1 --no-norm3d --overwrite";
        let run = scene.run(&format!("segment z.npy {flags} {blocks}"));
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(run.stderr.contains("takes all planes together, so --no-norm3d changes nothing"), "{run:?}");
    }
    let run = scene.run("segment a.png --overwrite --lowhigh -3,40").done();
    assert!(run.stdout.contains("0 cells"), "{run:?}");
    let run = scene.run("segment a.png --overwrite --tile-norm-blocksize 9 --no-norm3d").done();
    assert!(run.stdout.contains("0 cells"), "{run:?}");
}
