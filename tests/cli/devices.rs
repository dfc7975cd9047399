//! What there is to compute on.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::required;
use crate::scene::{BIN, Run, Scene};

/// Runs `flowmask devices` where NVRTC is at `nvrtc` and the cache in the scene's folder `cache`.
fn devices(scene: &Scene, nvrtc: &str, words: &str) -> Run {
    let mut command = Command::new(BIN);
    command.arg("devices").args(words.split_whitespace());
    scene.output(command.env("FLOWMASK_NVRTC", nvrtc).env("FLOWMASK_CACHE", scene.path("cache")))
}

#[test]
fn what_is_missing_is_said_and_is_no_failure() {
    let scene = Scene::new();
    scene.file("text", "no library");
    let run = devices(&scene, "text", "").done();
    assert!(run.stdout.contains("portable"), "{run:?}");
    assert!(run.stdout.contains("/text cannot be loaded as NVRTC"), "{run:?}");
    assert!(run.stdout.contains("pip install"), "{run:?}");
    let run = devices(&scene, "missing", "--json").done();
    let [line] = &run.json()[..] else { panic!("{run:?}") };
    assert!(line["cpu"]["threads"].as_u64().unwrap() > 0, "{line}");
    assert!(line["nvrtc"].is_null() && line["nvrtc_error"].as_str().unwrap().contains("missing"), "{line}");
    assert_eq!(line["cache"], scene.path("cache").to_str().unwrap());
    // Without a GPU there is a reason for that.
    assert_eq!(line["gpus"].as_array().unwrap().is_empty(), line["gpus_error"].is_string(), "{line}");
    assert_eq!(scene.names("."), ["text"]);
}

#[test]
fn compiling_needs_a_compiler_and_known_architectures() {
    let scene = Scene::new();
    devices(&scene, "missing", "--compile --arch sm_90").failed(2, "missing");
    assert_eq!(devices(&scene, "missing", "--compile --arch 90").code, Some(2));
    assert_eq!(devices(&scene, "missing", "--arch sm_90").code, Some(2));
}

#[test]
fn without_nvrtc_the_test_that_takes_it_fails() {
    let which = ["--exact", "devices::the_cache_is_filled_without_a_gpu", "--ignored"];
    let absent = [("FLOWMASK_TEST_NVRTC", "")];
    required::check("FLOWMASK_REQUIRE_NVRTC", &which, &absent, "names no NVRTC");
}

#[test]
#[ignore = "takes NVRTC: kernels/limits/ci.sh runs it"]
fn the_cache_is_filled_without_a_gpu() {
    let nvrtc = nvrtcs().remove(0);
    let nvrtc = nvrtc.to_str().unwrap();
    let scene = Scene::new();
    let words = "--compile --arch sm_90,sm_80 --json";
    let first = devices(&scene, nvrtc, words);
    assert_eq!((first.code, first.stderr.lines().count()), (Some(0), 2), "{first:?}");
    let compiled = |run: &Run, i: usize, key: &str| run.json()[0]["compiled"][i][key].as_u64().unwrap();
    let files = compiled(&first, 0, "files");
    assert!(files > 0 && compiled(&first, 0, "compiled") == files, "{first:?}");
    // The kernels of one architecture are for its cards alone.
    let names = scene.names("cache");
    assert_eq!((compiled(&first, 1, "files"), names.len() as u64), (files + 1, 2 * files + 1), "{first:?}");
    assert!(names.iter().any(|name| name.starts_with("conv_sm_90a.sm_90a.nvrtc-")), "{names:?}");
    let absent = |i: usize| first.json()[0]["compiled"][i]["absent"].clone();
    let reason = absent(0)["conv_sm_90a"].as_str().unwrap().to_owned();
    assert_eq!((&*reason, absent(1)), ("it is for compute capability 9.0 alone", serde_json::json!({})));
    let second = devices(&scene, nvrtc, words).done();
    assert_eq!(second.json()[0]["compiled"][0]["arch"], "sm_80");
    assert_eq!(compiled(&second, 0, "compiled") + compiled(&second, 1, "compiled"), 0);
    // A cache that was asked for and cannot be written is an error.
    fs::remove_dir_all(scene.path("cache")).unwrap();
    scene.file("cache", "not a folder");
    let run = devices(&scene, nvrtc, words);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("cannot write"), "{run:?}");
}

#[test]
#[cfg(unix)]
#[ignore = "takes NVRTC: kernels/limits/ci.sh runs it"]
fn each_nvrtc_is_found_by_its_folder_and_without_its_builtins_it_is_passed_over() {
    for nvrtc in nvrtcs() {
        let scene = Scene::new();
        let run = devices(&scene, nvrtc.parent().unwrap().to_str().unwrap(), "--json").done();
        assert_eq!(run.json()[0]["nvrtc"]["path"], nvrtc.to_str().unwrap(), "{run:?}");
        scene.file("alone/libnvrtc.so.13", fs::read(&nvrtc).unwrap());
        std::os::unix::fs::symlink(&nvrtc, scene.path("alone/libnvrtc.so.12")).unwrap();
        let line = devices(&scene, "alone", "--json").done().json().remove(0);
        assert_eq!(line["nvrtc"]["path"], scene.path("alone/libnvrtc.so.12").to_str().unwrap(), "{line}");
        let [reason] = &line["nvrtc_passed_over"].as_array().unwrap()[..] else { panic!("{line}") };
        assert!(reason.as_str().unwrap().contains("failed to open libnvrtc-builtins"), "{line}");
    }
}

/// The libraries to test with.
fn nvrtcs() -> Vec<PathBuf> {
    let paths = std::env::var_os("FLOWMASK_TEST_NVRTC").filter(|paths| !paths.is_empty());
    std::env::split_paths(&paths.expect("FLOWMASK_TEST_NVRTC names no NVRTC")).collect()
}
