//! `--device` where there is no GPU, and names of devices.

use std::process::Command;

use super::scene::{BIN, Scene};

/// A run with a model that is small enough for the emulator.
pub fn command(words: &str) -> Command {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/models/tiny.pth");
    let mut command = Command::new(BIN);
    command.args(["segment", "--model", model, "--bsize", "64"]).args(words.split_whitespace());
    command
}

/// Where there is a GPU, it is not for the test of its absence.
fn hidden(command: &mut Command) -> &mut Command {
    command.env("CUDA_VISIBLE_DEVICES", "")
}

#[test]
fn without_a_gpu_one_line_says_what_is_missing() {
    let scene = Scene::new();
    scene.blank("a.png", 50, 50);
    let run = scene.output(hidden(&mut command("a.png --device cuda")));
    assert_eq!((run.code, run.stderr.lines().count()), (Some(2), 1), "{run:?}");
    assert!(run.stderr.contains("cuda"), "{run:?}");
    assert_eq!(scene.output(hidden(&mut command("a.png --device auto"))).code, Some(0));
}

#[test]
fn a_device_that_is_none_is_refused() {
    let scene = Scene::new();
    scene.blank("a.png", 50, 50);
    for device in ["gpu", "cuda:x", "cpu,cuda", "cuda:0,cuda:0"] {
        let run = scene.output(&mut command(&format!("a.png --device {device}")));
        assert_eq!((run.code, run.stderr.lines().count()), (Some(2), 1), "{run:?}");
        assert!(run.stderr.contains("device"), "{run:?}");
    }
}
