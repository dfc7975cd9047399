//! `--device`: on the emulator with the feature `cpu-emu`; without it, where there is no GPU.

use std::process::Command;

use super::scene::{BIN, Scene};

/// A run with a model that is small enough for the emulator.
fn segment(scene: &Scene, words: &str, environment: &[(&str, &str)]) -> super::scene::Run {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/models/tiny.pth");
    let mut command = Command::new(BIN);
    command.args(["segment", "--model", model, "--bsize", "64"]).args(words.split_whitespace());
    // Where there is a GPU, it is not for the tests of its absence.
    command.env("CUDA_VISIBLE_DEVICES", "").envs(environment.iter().copied());
    scene.output(&mut command)
}

#[cfg(feature = "cpu-emu")]
#[test]
fn gpus_share_the_images_and_the_masks_are_those_of_one() {
    let scene = Scene::new();
    for i in 0..5u32 {
        scene.blank(&format!("blank{i}.png"), 40 + 9 * i, 50);
        scene.floats(&format!("im{i}.npy"), i as f32 / 4.0);
    }
    let one = segment(&scene, ". -o one --device cuda --batch-size 3", &[]);
    assert_eq!(one.code, Some(0), "{one:?}");
    assert_eq!(one.stdout.lines().count(), 10);
    let two = segment(&scene, ". -o two --device cuda:1,cuda:0", &[]);
    assert_eq!(two.code, Some(0), "{two:?}");
    for i in 0..5 {
        let read = |folder: &str| std::fs::read(scene.path(&format!("{folder}/im{i}_masks.tif"))).unwrap();
        assert!(read("one") == read("two"), "image {i}");
    }
    let auto = segment(&scene, "im1.npy -o auto --device auto --precision f32", &[]);
    assert_eq!(auto.code, Some(0), "{auto:?}");
}

#[cfg(feature = "cpu-emu")]
#[test]
fn an_image_too_large_for_the_gpu_fails_and_the_others_are_done() {
    let scene = Scene::new();
    scene.blank("large.png", 1000, 900);
    scene.blank("small.png", 50, 50);
    let run = segment(
        &scene,
        "large.png small.png -o out --device cuda",
        &[("FLOWMASK_EMULATOR_MEMORY", "60000000")],
    );
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("large.png") && run.stderr.contains("900 by 1000 pixels"), "{run:?}");
    assert!(scene.path("out/small_masks.tif").exists());
}

#[cfg(feature = "cpu-emu")]
#[test]
fn without_a_gpu_the_driver_says_so() {
    let scene = Scene::new();
    scene.blank("a.png", 50, 50);
    let none = [("FLOWMASK_EMULATOR_DEVICES", "0")];
    let run = segment(&scene, "a.png --device cuda", &none);
    assert_eq!((run.code, run.stderr.lines().count()), (Some(2), 1), "{run:?}");
    assert!(run.stderr.contains("cuda"), "{run:?}");
    assert_eq!(segment(&scene, "a.png --device auto", &none).code, Some(0));
}

#[cfg(not(feature = "cpu-emu"))]
#[test]
fn without_a_gpu_one_line_says_what_is_missing() {
    let scene = Scene::new();
    scene.blank("a.png", 50, 50);
    let run = segment(&scene, "a.png --device cuda", &[]);
    assert_eq!((run.code, run.stderr.lines().count()), (Some(2), 1), "{run:?}");
    assert!(run.stderr.contains("cuda"), "{run:?}");
    assert_eq!(segment(&scene, "a.png --device auto", &[]).code, Some(0));
}

#[test]
fn a_device_that_is_none_is_refused() {
    let scene = Scene::new();
    scene.blank("a.png", 50, 50);
    for device in ["gpu", "cuda:x", "cpu,cuda", "cuda:0,cuda:0"] {
        let run = segment(&scene, &format!("a.png --device {device}"), &[]);
        assert_eq!((run.code, run.stderr.lines().count()), (Some(2), 1), "{run:?}");
        assert!(run.stderr.contains("device"), "{run:?}");
    }
}
