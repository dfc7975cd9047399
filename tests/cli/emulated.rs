//! `--device` where the emulator stands in for a GPU: the program is the one that users have.

use super::gpu::command;
use super::scene::{Run, Scene};

/// A run where the emulator is found in place of the driver and NVRTC.
fn emulated(scene: &Scene, words: &str, environment: &[(&str, &str)]) -> Run {
    let mut command = command(words);
    command.env("LD_LIBRARY_PATH", flowmask_emulator::folder()).env("FLOWMASK_CACHE", scene.path("cache"));
    scene.output(command.env_remove("FLOWMASK_NVRTC").envs(environment.iter().copied()))
}

#[test]
fn gpus_share_the_images_and_the_masks_are_those_of_one() {
    let scene = Scene::new();
    for i in 0..5u32 {
        scene.blank(&format!("blank{i}.png"), 40 + 9 * i, 50);
        scene.floats(&format!("im{i}.npy"), i as f32 / 4.0);
    }
    let one = emulated(&scene, ". -o one --device cuda --batch-size 3", &[]);
    assert_eq!(one.code, Some(0), "{one:?}");
    assert_eq!(one.stdout.lines().count(), 10);
    let two = emulated(&scene, ". -o two --device cuda:1,cuda:0", &[]);
    assert_eq!(two.code, Some(0), "{two:?}");
    for i in 0..5 {
        let read = |folder: &str| std::fs::read(scene.path(&format!("{folder}/im{i}_masks.tif"))).unwrap();
        assert!(read("one") == read("two"), "image {i}");
    }
    let auto = emulated(&scene, "im1.npy -o auto --device auto --precision f32", &[]);
    assert_eq!(auto.code, Some(0), "{auto:?}");
}

#[test]
fn an_image_too_large_for_the_gpu_fails_and_the_others_are_done() {
    let scene = Scene::new();
    scene.blank("large.png", 1000, 900);
    scene.blank("small.png", 50, 50);
    let run = emulated(
        &scene,
        "large.png small.png -o out --device cuda",
        &[("FLOWMASK_EMULATOR_MEMORY", "60000000")],
    );
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("large.png") && run.stderr.contains("900 by 1000 pixels"), "{run:?}");
    assert!(scene.path("out/small_masks.tif").exists());
}

#[test]
fn without_a_gpu_the_driver_says_so() {
    let scene = Scene::new();
    scene.blank("a.png", 50, 50);
    let none = [("FLOWMASK_EMULATOR_DEVICES", "0")];
    let run = emulated(&scene, "a.png --device cuda", &none);
    assert_eq!((run.code, run.stderr.lines().count()), (Some(2), 1), "{run:?}");
    assert!(run.stderr.contains("cuda"), "{run:?}");
    assert_eq!(emulated(&scene, "a.png --device auto", &none).code, Some(0));
}
