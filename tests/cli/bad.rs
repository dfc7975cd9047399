//! What fails, and how.

use std::fs;

use safetensors::SafeTensors;

use crate::scene::{Scene, nuclei, repository};

/// Files that no image can be read from, or none that can be segmented.
fn bad_images(scene: &Scene) -> Vec<&'static str> {
    let whole = nuclei();
    scene.file("empty.png", "");
    scene.file("empty.npy", "");
    scene.file("cut.png", &whole[..whole.len() / 2]);
    scene.file("text.png", "these are words");
    scene.file("text.tif", "these are words");
    scene.hyperstack("cut.tif", "slices", 2);
    let tiff = fs::read(scene.path("cut.tif")).unwrap();
    scene.file("cut.tif", &tiff[..tiff.len() / 2]);
    scene.npy("no_pixels.npy", "<f4", "(0, 5)", &[]);
    scene.npy("short.npy", "<f4", "(64, 64)", &[0; 100]);
    scene.npy("huge.npy", "<f4", "(4294967296, 4294967296)", &[0; 100]);
    scene.floats("nan.npy", f32::NAN);
    scene.floats("infinite.npy", f32::INFINITY);
    vec![
        "empty.png",
        "empty.npy",
        "cut.png",
        "text.png",
        "text.tif",
        "cut.tif",
        "no_pixels.npy",
        "short.npy",
        "huge.npy",
        "nan.npy",
        "infinite.npy",
    ]
}

#[test]
fn a_bad_image_is_named_in_one_line_and_leaves_nothing() {
    let scene = Scene::new();
    let bad = bad_images(&scene);
    let before = scene.names(".");
    for name in bad {
        let run = scene.run(&format!("segment {name} --json")).failed(1, name);
        let [line] = &run.json()[..] else { panic!("{run:?}") };
        assert_eq!(line["input"], name);
        assert!(run.stderr.ends_with(&format!("{}\n", line["error"].as_str().unwrap())), "{run:?}");
    }
    assert_eq!(scene.names("."), before);
}

#[test]
fn the_floats_of_the_bad_images_are_good_without_the_odd_one() {
    let scene = Scene::new();
    scene.floats("finite.npy", 0.5);
    scene.run("segment finite.npy").done();
}

#[test]
fn bad_images_do_not_keep_the_others_from_being_done() {
    let scene = Scene::new();
    let bad = bad_images(&scene);
    scene.blank("a.png", 32, 32);
    scene.blank("z.png", 32, 32);
    let run = scene.run("segment . missing.png -o out --json");
    assert_eq!(run.code, Some(1), "{run:?}");
    assert_eq!(run.stderr.lines().count(), bad.len() + 1, "{run:?}");
    assert!(run.stderr.contains("missing.png"), "{run:?}");
    assert_eq!(run.json().len(), bad.len() + 3);
    assert_eq!(scene.names("out"), ["a_masks.tif", "z_masks.tif"]);
}

#[test]
fn a_channel_that_is_not_there_is_told_with_the_number_of_channels() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    for flags in ["--chan 4", "--chan 1 --chan2 4"] {
        let run = scene.run(&format!("segment a.png {flags}")).failed(1, "a.png");
        assert!(run.stderr.contains('3') && run.stderr.contains('4'), "{run:?}");
    }
}

#[test]
fn the_second_image_with_the_same_output_fails() {
    let scene = Scene::new();
    scene.blank("one/a.png", 32, 32);
    scene.blank("two/a.png", 48, 48);
    let run = scene.run("segment one two -o out").failed(1, "one");
    assert!(run.stderr.contains("two") && run.stderr.contains("a_masks.tif"), "{run:?}");
    let masks = flowmask::Image::open(scene.path("out/a_masks.tif")).unwrap();
    assert_eq!((masks.height(), masks.width()), (32, 32));
}

#[test]
fn an_input_is_never_overwritten() {
    let scene = Scene::new();
    scene.blank("a.png", 32, 32);
    scene.nuclei("a_masks.png");
    scene.run("segment a.png a_masks.png --format png").failed(1, "a.png");
    assert_eq!(fs::read(scene.path("a_masks.png")).unwrap(), nuclei());
}

#[test]
fn what_a_format_cannot_hold_fails_its_image_and_the_others_are_done() {
    let scene = Scene::new();
    scene.blank("a.png", 32, 32);
    scene.hyperstack("b.tif", "slices", 2);
    scene.blank("c.png", 32, 32);
    let run = scene.run("segment . -o out --format png").failed(1, "b.tif");
    assert!(run.stderr.contains("one plane, not 2") && run.stderr.contains("tif or npy"), "{run:?}");
    assert_eq!(scene.names("out"), ["a_masks.png", "c_masks.png"]);
}

#[test]
fn an_output_that_cannot_be_written_fails_its_image() {
    let scene = Scene::new();
    scene.blank("a.png", 32, 32);
    scene.blank("b.png", 32, 32);
    scene.file("a_masks.tif/in_the_way", "");
    scene.run("segment a.png b.png").failed(1, "a_masks.tif");
    assert_eq!(scene.names("."), ["a.png", "a_masks.tif", "b.png", "b_masks.tif"]);
}

#[cfg(target_os = "linux")]
#[test]
fn results_that_cannot_be_printed_are_an_error() {
    let scene = Scene::new();
    scene.blank("a.png", 32, 32);
    let script = format!("{} segment a.png --json > /dev/full", crate::scene::BIN);
    scene.output(std::process::Command::new("sh").args(["-c", &script])).failed(2, "standard output");
}

#[test]
fn nothing_is_started_when_an_argument_cannot_be_right() {
    let scene = Scene::new();
    scene.blank("a.png", 32, 32);
    fs::create_dir(scene.path("no_images")).unwrap();
    scene.file("words.safetensors", "these are words");
    scene.file("words.pth", "these are words");
    let header = br#"{"other":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let length = (header.len() as u64).to_le_bytes();
    scene.file("other.safetensors", [&length[..], header, &[0; 4]].concat());
    let before = scene.names(".");
    for (arguments, name) in [
        ("missing.png", "missing.png"),
        ("missing_folder", "missing_folder"),
        ("no_images", "no_images"),
        ("*.tif", "*.tif"),
        ("[*.png", "[*.png"),
        ("a.png --img-filter _dapi", "--img-filter"),
        ("a.png -o a.png", "a.png"),
        ("a.png -o a.png/below", "a.png/below"),
        ("a.png -o out --model unheard-of", "unheard-of"),
        ("a.png -o out --model words.safetensors", "words.safetensors"),
        ("a.png -o out --model words.pth", "words.pth"),
        ("a.png -o out --model other.safetensors", "other.safetensors"),
        ("a.png -o out --tile-overlap 0.9", "--tile-overlap"),
        ("a.png -o out --bsize 100", "--bsize"),
        ("a.png -o out --batch-size 0", "--batch-size"),
        ("a.png -o out --flow-threshold nan", "--flow-threshold"),
        ("a.png -o out --norm-percentile 99 1", "--norm-percentile"),
        ("a.png -o out --norm-percentile -1 99", "--norm-percentile"),
    ] {
        scene.run(&format!("segment {arguments}")).failed(2, name);
    }
    scene.run("convert words.pth out.safetensors").failed(2, "words.pth");
    scene.run("convert missing.pth out.safetensors").failed(2, "missing.pth");
    assert_eq!(scene.names("."), before);
}

#[test]
fn usage_errors_name_the_flag() {
    let scene = Scene::new();
    scene.blank("a.png", 32, 32);
    for (arguments, name) in [
        ("segment", "INPUT"),
        ("segment a.png --diameter -3", "--diameter"),
        ("segment a.png --diameter large", "--diameter"),
        ("segment a.png --chan -1", "-1"),
        ("segment a.png --format bmp", "--format"),
        ("segment a.png --compat 2.0", "--compat"),
        ("segment a.png --sampling nearest", "--sampling"),
        ("segment a.png --sampling bilinear --no-interp", "--no-interp"),
        ("segment a.png --threads many", "--threads"),
        ("segment a.png --cpu-isa sse", "--cpu-isa"),
        ("segment a.png --norm-percentile 1", "--norm-percentile"),
        ("segment a.png --unheard-of", "--unheard-of"),
        ("unheard-of", "unheard-of"),
    ] {
        let run = scene.run(arguments);
        assert_eq!((run.code, run.stderr.lines().count()), (Some(2), 1), "{run:?}");
        assert!(run.stderr.contains(name) && run.stdout.is_empty(), "{run:?}");
    }
    assert_eq!(scene.names("."), ["a.png"]);
}

#[test]
fn a_model_without_a_size_model_stops_before_any_image() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    scene.nuclei("b.png");
    let bytes = fs::read(repository("weights/nuclei.safetensors")).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let model = SafeTensors::deserialize(&bytes).unwrap();
    let network = model.iter().filter(|(name, _)| !name.starts_with("size."));
    let network = safetensors::serialize(network, header.metadata().clone()).unwrap();
    scene.file("network.safetensors", network);
    scene.run("segment a.png --model network.safetensors --quiet").done();
    // Naming an image would mean that it was tried.
    let run = scene.run("segment a.png b.png -o out --model network.safetensors --diameter auto");
    assert!(!run.stderr.contains(".png"), "{run:?}");
    run.failed(2, "size model");
    scene.run("styles a.png -o out --model network.safetensors --diameter auto").failed(2, "size model");
    assert!(scene.names("out").is_empty());
}
