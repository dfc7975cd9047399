//! `--device` where the emulator stands in for a GPU: the program is the one that users have.

use std::os::unix::fs::symlink;
use std::process::Command;

use flowmask::Model;

use super::gpu::command;
use super::scene::{BIN, Run, Scene};

/// A run where the emulator is found in place of the driver and NVRTC.
fn emulated(scene: &Scene, words: &str, environment: &[(&str, &str)]) -> Run {
    let mut command = command(words);
    command.env("LD_LIBRARY_PATH", flowmask_emulator::folder()).env("FLOWMASK_CACHE", scene.path("cache"));
    command.env("FLOWMASK_TUNE", "off");
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

/// Columns of a table but those of the network's maps, which differ in the last digits.
fn of_pixels(table: &str) -> Vec<Vec<&str>> {
    let of_maps: Vec<bool> = table
        .lines()
        .next()
        .unwrap()
        .split(',')
        .map(|name| name.contains("cellprob") || name.contains("flow"))
        .collect();
    let cells = |line| {
        str::split(line, ',').zip(&of_maps).filter(|(_, of_maps)| !**of_maps).map(|(cell, _)| cell).collect()
    };
    table.lines().map(cells).collect()
}

/// What a GPU sums over the cells has the digits of the processor's sums.
#[test]
fn tables_are_the_same_on_the_gpu() {
    let scene = Scene::new();
    let pixels: Vec<u8> = (0..40 * 50 * 2).map(|i: usize| (i * i % 251) as u8).collect();
    scene.npy("a.npy", "|u1", "(40, 50, 2)", &pixels);
    let words = "a.npy --outputs csv,masks --precision f32 --cellprob-threshold=-1e30 --flow-threshold 0 --min-size 1";
    for device in ["cpu", "cuda"] {
        let run = emulated(&scene, &format!("{words} -o {device} --device {device}"), &[]);
        assert_eq!(run.code, Some(0), "{run:?}");
    }
    let read = |name: &str| std::fs::read(scene.path(name)).unwrap();
    assert!(read("cpu/a_masks.tif") == read("cuda/a_masks.tif"));
    let [cpu, cuda] =
        ["cpu", "cuda"].map(|folder| String::from_utf8(read(&format!("{folder}/a_cells.csv"))).unwrap());
    assert!(cpu.lines().count() > 2 && cpu.contains("intensity_std-1"), "{cpu}");
    assert_eq!(of_pixels(&cpu), of_pixels(&cuda));
}

/// The masks of the processor, in single precision; with too little memory, one sentence.
#[test]
fn a_volume_runs_on_the_gpu() {
    let scene = Scene::new();
    let pixels: Vec<u8> = (0..3 * 20 * 30).map(|i: usize| (i * i % 251) as u8).collect();
    scene.npy("stack.npy", "|u1", "(3, 20, 30)", &pixels);
    // With random weights there are masks only where nothing is dropped.
    let words = "stack.npy --do-3d --z-axis 0 --precision f32 --cellprob-threshold=-1e30 --min-size 1 --json";
    let [cpu, cuda] = ["cpu", "cuda"]
        .map(|device| emulated(&scene, &format!("{words} -o {device} --device {device}"), &[]));
    assert_eq!((cpu.code, cuda.code), (Some(0), Some(0)), "{cuda:?}");
    assert_eq!(cpu.json()[0]["cells"], cuda.json()[0]["cells"]);
    assert!(cpu.json()[0]["cells"].as_u64() > Some(0), "{cpu:?}");
    let read = |folder: &str| std::fs::read(scene.path(&format!("{folder}/stack_masks.tif"))).unwrap();
    assert!(read("cpu") == read("cuda"));
    let little = [("FLOWMASK_EMULATOR_MEMORY", "60000000")];
    let run = emulated(&scene, &format!("{words} --device cuda --diameter 1"), &little);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("a volume of 3 planes of 20 by 30 pixels"), "{run:?}");
}

#[test]
fn a_volume_with_a_second_model_runs_on_the_gpu() {
    let scene = Scene::new();
    let pixels: Vec<u8> = (0..3 * 20 * 30).map(|i: usize| (i * i % 251) as u8).collect();
    scene.npy("stack.npy", "|u1", "(3, 20, 30)", &pixels);
    let tiny = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/models/tiny.pth");
    let mut params = Model::open(tiny).unwrap().params().unwrap();
    params.output.conv.weight.reverse();
    Model::from_params("other", params, None)
        .unwrap()
        .save(scene.path("other.pth").as_path(), false)
        .unwrap();
    let words = "stack.npy --do-3d --z-axis 0 --precision f32 --cellprob-threshold=-1e30 --min-size 1";
    let masks = |device: &str, ortho: &str| {
        let ortho = format!("{words} --device {device} -o {device} --overwrite {ortho}");
        let run = emulated(&scene, &ortho, &[]);
        assert_eq!(run.code, Some(0), "{run:?}");
        std::fs::read(scene.path(&format!("{device}/stack_masks.tif"))).unwrap()
    };
    let two = masks("cuda", "--pretrained-model-ortho other.pth");
    assert!(two == masks("cpu", "--pretrained-model-ortho other.pth") && two != masks("cuda", ""));
    let run = emulated(&scene, &format!("{words} --device cuda --pretrained-model-ortho nuclei"), &[]);
    assert!(run.code == Some(2) && run.stderr.contains("nuclei: is built otherwise"), "{run:?}");
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

/// The emulator's NVRTC in two folders: in `broken` without a part of itself; in `both`, the same file and a link to a
/// whole one. The emulator's driver is in a folder of its own.
fn without_a_part(scene: &Scene) {
    let from = |name: &str| flowmask_emulator::folder().join(name);
    let copy = |name: &str, to: &str| scene.file(to, std::fs::read(from(name)).unwrap());
    for to in ["broken/libnvrtc.so.13", "both/libnvrtc.so.13", "whole/libnvrtc.so.13"] {
        copy("libnvrtc.so.13", to);
    }
    copy("libnvrtc-builtins.so.12.99", "whole/libnvrtc-builtins.so.12.99");
    symlink(scene.path("whole/libnvrtc.so.13"), scene.path("both/libnvrtc.so.12")).unwrap();
    std::fs::create_dir(scene.path("driver")).unwrap();
    symlink(from("libcuda.so"), scene.path("driver/libcuda.so")).unwrap();
}

/// A run with the driver of `without_a_part`, where NVRTC is in this folder.
fn with_nvrtc(scene: &Scene, folder: &str, command: &mut Command) -> Run {
    let variables = [("FLOWMASK_NVRTC", folder), ("LD_LIBRARY_PATH", "driver"), ("FLOWMASK_CACHE", "cache")];
    let command = command.env("FLOWMASK_TUNE", "off");
    scene.output(command.envs(variables.map(|(name, folder)| (name, scene.path(folder)))))
}

#[test]
fn an_nvrtc_that_compiles_nothing_is_passed_over_and_its_reason_is_shown() {
    let scene = Scene::new();
    without_a_part(&scene);
    let devices =
        |folder, words: &[&str]| with_nvrtc(&scene, folder, Command::new(BIN).arg("devices").args(words));
    let run = devices("both", &[]).done();
    let lines: Vec<&str> = run.stdout.lines().collect();
    let at = lines.iter().position(|line| line.starts_with("nvrtc ")).unwrap();
    let [broken, whole] = ["both/libnvrtc.so.13", "both/libnvrtc.so.12"].map(|name| scene.path(name));
    assert!(lines[at].contains("12.99") && lines[at].ends_with(whole.to_str().unwrap()), "{run:?}");
    for part in ["passed over", broken.to_str().unwrap(), "failed to open libnvrtc-builtins.so.12.99. Make"] {
        assert!(lines[at + 1].contains(part), "{part} in {run:?}");
    }
    let json = devices("both", &["--json"]).json().remove(0);
    let [reason] = &json["nvrtc_passed_over"].as_array().unwrap()[..] else { panic!("{json}") };
    assert!(reason.as_str().unwrap().contains("libnvrtc-builtins"), "{json}");
    assert_eq!(json["nvrtc"]["path"], whole.to_str().unwrap());
    // Alone it is no compiler, and that is said in one line.
    let run = devices("broken", &[]).done();
    assert!(
        run.stdout.lines().any(|line| line.starts_with("nvrtc   none: ") && line.contains("failed to open"))
    );
    devices("broken", &["--compile", "--arch", "sm_90"]).failed(2, "cannot compile an empty kernel");
}

#[test]
fn a_run_takes_the_nvrtc_that_compiles() {
    let scene = Scene::new();
    scene.blank("a.png", 50, 50);
    without_a_part(&scene);
    let run = with_nvrtc(&scene, "broken", &mut command("a.png --device cuda"));
    assert_eq!((run.code, run.stderr.lines().count()), (Some(2), 1), "{run:?}");
    assert!(run.stderr.contains("cannot compile an empty kernel"), "{run:?}");
    assert_eq!(with_nvrtc(&scene, "both", &mut command("a.png --device cuda")).code, Some(0));
    assert!(scene.path("a_masks.tif").exists());
}
