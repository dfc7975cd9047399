//! Which kernels compute the convolutions: measured, refused, pinned. The emulator stands in for the GPU, and its times
//! mean nothing.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::gpu::command;
use super::scene::{BIN, Run, Scene};

/// The smallest tiles on which all variants can be measured.
const TILES: (&str, &str) = ("FLOWMASK_TUNE", "32,2");
/// A kernel that does nothing in place of one of the convolutions.
const WRONG: (&str, &str) = ("FLOWMASK_EMULATOR_INSTEAD", "conv_f16_64_apart=idle");
/// A kernel that ends with an error, which stays until the process ends.
const FATAL: (&str, &str) = ("FLOWMASK_EMULATOR_INSTEAD", "conv_f16_64_apart=divergent_barrier");
const HOPPER: (&str, &str) = ("FLOWMASK_EMULATOR_CAPABILITY", "90");

fn emulated(scene: &Scene, command: &mut Command, variables: &[(&str, &str)]) -> Run {
    command.env("LD_LIBRARY_PATH", flowmask_emulator::folder()).env("FLOWMASK_CACHE", scene.path("cache"));
    // The driver prints its errors, too.
    scene.output(
        command
            .env_remove("FLOWMASK_NVRTC")
            .env("FLOWMASK_EMULATOR_DEVICES", "1")
            .envs(variables.iter().copied()),
    )
}

fn devices(scene: &Scene, words: &str, variables: &[(&str, &str)]) -> Run {
    emulated(scene, Command::new(BIN).arg("devices").args(words.split_whitespace()), variables)
}

/// The masks of one image.
fn masks(scene: &Scene, words: &str, variables: &[(&str, &str)]) -> Vec<u8> {
    let device = if words.contains("--device") { "" } else { "--device cuda" };
    let run = emulated(scene, &mut command(&format!("a.png --overwrite {device} {words}")), variables);
    assert_eq!(run.code, Some(0), "{run:?}");
    fs::read(scene.path("a_masks.tif")).unwrap()
}

/// What is known of the kernels of the first GPU.
fn known(scene: &Scene, variables: &[(&str, &str)]) -> Value {
    devices(scene, "--json", variables).json()[0]["gpus"][0]["kernels"].clone()
}

fn scene() -> Scene {
    let scene = Scene::new();
    scene.tiled("a.png", 60);
    scene
}

/// The only entry of the cache with this ending.
fn entry(scene: &Scene, ending: &str) -> std::path::PathBuf {
    let names = scene.names("cache");
    let name = names.iter().find(|name| name.starts_with("choice.") && name.ends_with(ending));
    scene.path("cache").join(name.unwrap_or_else(|| panic!("{names:?}")))
}

#[test]
fn the_first_run_measures_and_later_ones_know() {
    let scene = scene();
    assert_eq!(known(&scene, &[])["by"], "rule");
    let by_rule = masks(&scene, "", &[("FLOWMASK_TUNE", "off")]);
    assert!(by_rule == masks(&scene, "", &[TILES, HOPPER]));
    let measured = known(&scene, &[HOPPER]);
    assert_eq!((&measured["by"], &measured["refused"]), (&"measurement".into(), &serde_json::json!({})));
    let kinds = measured["measured"].as_array().unwrap();
    let seconds = |i: usize| kinds[i]["seconds"].as_object().unwrap();
    let names = |i: usize| seconds(i).keys().map(String::as_str).collect::<Vec<_>>();
    // The finest level has 32 channels, the next one is 16 by 16 pixels, and the deepest 4 by 4.
    assert_eq!(names(0), ["sm_80"]);
    assert!(
        (0..kinds.len()).any(|i| names(i) == ["sm_80", "sm_80_apart", "sm_90a", "sm_90a_apart"]),
        "{measured}"
    );
    assert_eq!(names(kinds.len() - 1), ["sm_80", "sm_90a"]);
    for (i, kind) in kinds.iter().enumerate() {
        let least = seconds(i).iter().min_by(|a, b| a.1.as_f64().partial_cmp(&b.1.as_f64()).unwrap());
        assert_eq!(kind["chosen"], *least.unwrap().0, "{kind}");
    }
    // It is a matter of the card.
    assert_eq!(known(&scene, &[])["by"], "rule");
    let before = fs::read(entry(&scene, ".json")).unwrap();
    let two = [TILES, HOPPER, ("FLOWMASK_EMULATOR_DEVICES", "2")];
    assert!(by_rule == masks(&scene, "--device cuda:0,cuda:1", &two), "both take the same");
    assert!(before == fs::read(entry(&scene, ".json")).unwrap(), "it was measured once");
    // An entry that is damaged is measured again.
    fs::write(entry(&scene, ".json"), &before[1..]).unwrap();
    assert_eq!(known(&scene, &[HOPPER])["by"], "rule");
    assert!(by_rule == masks(&scene, "", &[TILES, HOPPER]));
    assert_eq!(known(&scene, &[HOPPER])["by"], "measurement");
}

#[test]
fn a_wrong_kernel_is_refused_and_named_and_the_masks_stay_right() {
    let scene = scene();
    let right = masks(&scene, "", &[("FLOWMASK_TUNE", "off")]);
    let run = devices(&scene, "--tune", &[TILES, WRONG]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains("kernels refused: sm_80_apart, it gives "), "{run:?}");
    assert!(run.stdout.contains("kernels by measurement: ") && run.stdout.contains("*"), "{run:?}");
    assert!(
        run.stdout.contains("kernels left out: sm_90a, it is for compute capability 9.0 alone"),
        "{run:?}"
    );
    // Remembered where nothing is measured.
    let known = known(&scene, &[]);
    assert!(known["refused"]["sm_80_apart"].as_str().unwrap().starts_with("it gives"), "{known}");
    assert!(!known["measured"].to_string().contains("sm_80_apart"), "{known}");
    assert!(right == masks(&scene, "", &[TILES, WRONG]));
    let pinned = emulated(&scene, &mut command("a.png --device cuda --kernels sm_80_apart"), &[TILES, WRONG]);
    pinned.failed(2, "it was refused there: it gives");
    // A measurement that is asked for tries it again, once for both GPUs.
    let run = devices(&scene, "--tune --json", &[TILES, ("FLOWMASK_EMULATOR_DEVICES", "2")]);
    let gpus = &run.json()[0]["gpus"];
    assert_eq!(gpus[0]["kernels"]["refused"], serde_json::json!({}), "{run:?}");
    assert_eq!(gpus[0]["kernels"], gpus[1]["kernels"]);
}

#[test]
fn a_kernel_that_takes_the_gpu_down_is_said_once_and_never_tried_again() {
    let scene = scene();
    let right = masks(&scene, "", &[("FLOWMASK_TUNE", "off")]);
    let run = emulated(&scene, &mut command("a.png --device cuda --overwrite"), &[TILES, FATAL]);
    assert_eq!(run.code, Some(2), "{run:?}");
    let ours: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("flowmask: ")).collect();
    assert!(ours.len() == 1 && ours[0].contains("sm_80_apart failed on trial"), "{run:?}");
    assert!(right == masks(&scene, "", &[TILES, FATAL]));
    assert!(known(&scene, &[])["refused"]["sm_80_apart"].as_str().unwrap().starts_with("it fails"));
}

#[test]
fn a_kernel_of_which_two_trials_never_ended_is_refused() {
    let scene = scene();
    let right = masks(&scene, "", &[TILES]);
    // The first may have been ended by the user.
    fs::remove_file(entry(&scene, ".json")).unwrap();
    fs::write(entry(&scene, ".lock"), "sm_80_apart").unwrap();
    assert!(right == masks(&scene, "", &[TILES]));
    assert_eq!(known(&scene, &[])["refused"], serde_json::json!({}));
    fs::remove_file(entry(&scene, ".json")).unwrap();
    fs::write(entry(&scene, ".lock"), "sm_80_apart!").unwrap();
    assert!(right == masks(&scene, "", &[TILES]));
    let known = known(&scene, &[]);
    assert_eq!(known["by"], "measurement");
    assert!(known["refused"]["sm_80_apart"].as_str().unwrap().contains("did not end"), "{known}");
    assert_eq!(fs::read_to_string(entry(&scene, ".lock")).unwrap(), "");
}

#[test]
fn kernels_are_pinned_by_name_or_refused_in_one_sentence() {
    let scene = scene();
    let off = ("FLOWMASK_TUNE", "off");
    let right = masks(&scene, "", &[off]);
    for (name, more) in [("sm_80", off), ("sm_80_apart", off), ("sm_90a", HOPPER), ("sm_90a_apart", HOPPER)] {
        assert!(right == masks(&scene, &format!("--kernels {name}"), &[off, more]), "{name}");
    }
    let verbose =
        emulated(&scene, &mut command("a.png --device cuda --overwrite -v --kernels sm_80"), &[off]);
    assert!(
        verbose.stderr.contains("kernels sm_80") || verbose.stdout.contains("kernels sm_80"),
        "{verbose:?}"
    );
    let refused = |words: &str, reason: &str| {
        emulated(&scene, &mut command(&format!("a.png {words}")), &[off]).failed(2, reason);
    };
    refused("--device cuda --kernels sm_70", "sm_70 is not a kernel; there are sm_80, sm_80_apart, sm_90a");
    refused("--device cuda --kernels sm_90a", "it is for compute capability 9.0 alone");
    refused("--kernels sm_80", "sm_80 is for GPUs");
    refused("--device cuda --precision f32 --kernels sm_80", "sm_80 is for half precision");
    let run = emulated(&scene, &mut command("a.png --device cuda"), &[("FLOWMASK_TUNE", "32,3")]);
    run.failed(2, "FLOWMASK_TUNE must be off");
}

#[test]
fn where_nothing_can_be_kept_nothing_is_tried() {
    let scene = scene();
    let right = masks(&scene, "", &[("FLOWMASK_TUNE", "off")]);
    scene.file("file", "not a folder");
    let file = scene.path("file");
    let nowhere = ("FLOWMASK_CACHE", file.to_str().unwrap());
    // A trial would end the run.
    for words in ["", "--kernels sm_80"] {
        assert!(right == masks(&scene, words, &[TILES, nowhere, FATAL]));
    }
    let run = devices(&scene, "--tune", &[TILES, nowhere]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("cannot write") || run.stderr.contains("file"), "{run:?}");
}
