//! Which images a run takes, and where their outputs go.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::scene::{BIN, Run, Scene};

/// Runs with `input` on standard input.
fn fed(scene: &Scene, words: &str, input: &[u8]) -> Run {
    let mut command = Command::new(BIN);
    command.args(words.split_whitespace()).current_dir(scene.path(""));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap().into()
}

fn inputs(run: &Run) -> Vec<String> {
    run.json().iter().map(|line| line["input"].as_str().unwrap().replace('\\', "/")).collect()
}

#[test]
fn folders_below_are_taken_with_recursive_and_keep_their_places() {
    let scene = Scene::new();
    for name in ["in/a.png", "in/x/a.png", "in/x/y/a.png", "in/.hidden/a.png"] {
        scene.blank(name, 32, 32);
    }
    let run = scene.run("segment in --recursive --json -o out").done();
    assert_eq!(inputs(&run), ["in/a.png", "in/x/a.png", "in/x/y/a.png"]);
    assert_eq!(scene.names("out"), ["a_masks.tif", "x"]);
    assert_eq!(scene.names("out/x/y"), ["a_masks.tif"]);
    // Without a folder for outputs they lie beside each image, and are no inputs of the next run.
    scene.run("segment in -r -q").done();
    assert_eq!(scene.names("in/x/y"), ["a.png", "a_masks.tif"]);
    assert_eq!(inputs(&scene.run("segment in --json -o other").done()), ["in/a.png"]);
}

/// Without the check, these links make 12^40 paths.
#[cfg(unix)]
#[test]
fn links_that_lead_round_in_a_circle_end() {
    let scene = Scene::new();
    scene.blank("in/x/a.png", 32, 32);
    (0..12).for_each(|i| std::os::unix::fs::symlink("..", scene.path(&format!("in/x/up{i}"))).unwrap());
    for words in ["segment in --recursive --json -o out", "segment in/**/*.png --json -o out2"] {
        assert_eq!(inputs(&scene.run(words).done()), ["in/x/a.png"]);
    }
}

#[test]
fn a_list_on_standard_input_names_the_images() {
    let scene = Scene::new();
    scene.blank("with space.png", 32, 32);
    scene.blank("b.png", 32, 32);
    let run = fed(&scene, "segment - --json -o out", b"with space.png\nb.png\n").done();
    assert_eq!(inputs(&run), ["with space.png", "b.png"]);
    let run = fed(&scene, "segment - --json -o zero", b"b.png\0with space.png\0").done();
    assert_eq!(inputs(&run), ["b.png", "with space.png"]);
    fed(&scene, "segment -", b"\n").failed(2, "standard input");
    fed(&scene, "segment - -o out2", b"b.png\nmissing.png").failed(1, "missing.png");
}

#[test]
fn a_pattern_in_a_folder_with_brackets_is_one() {
    let scene = Scene::new();
    scene.blank("plate[1]/a.png", 32, 32);
    scene.blank("plate[1]/b.png", 32, 32);
    let run = scene.run("segment plate[1]/a*.png --json").done();
    assert_eq!(inputs(&run), ["plate[1]/a.png"]);
}

#[test]
fn a_pattern_that_is_none_is_named_in_plain_words() {
    let scene = Scene::new();
    scene.run("segment [a.tif").failed(2, "[a.tif: is neither there nor a pattern");
}

#[test]
fn images_whose_outputs_are_all_there_are_skipped() {
    let scene = Scene::new();
    scene.blank("a.png", 32, 32);
    scene.hyperstack("z.tif", "slices", 2);
    scene.run("segment . -o out --overlay -q").done();
    fs::remove_file(scene.path("out/z_plane1_overlay.png")).unwrap();
    scene.blank("b.png", 32, 32);
    let before = fs::metadata(scene.path("out/a_masks.tif")).unwrap().modified().unwrap();
    fs::remove_file(scene.path("out/z_masks.tif")).unwrap();
    fs::remove_file(scene.path("out/z_plane0_overlay.png")).unwrap();
    let run = scene.run("segment . -o out --overlay --json --skip-existing").done();
    let skipped: Vec<_> = run.json().into_iter().filter(|line| !line["skipped"].is_null()).collect();
    assert!(skipped.len() == 1 && skipped[0]["input"].as_str().unwrap().ends_with("a.png"), "{run:?}");
    assert_eq!(fs::metadata(scene.path("out/a_masks.tif")).unwrap().modified().unwrap(), before);
    assert_eq!(scene.names("out").len(), 7);
    let run = scene.run("segment . -o out --overlay --skip-existing").done();
    assert_eq!(run.stdout.matches("skipped").count(), 3, "{run:?}");
}

/// Without the check, the program waits for a writer for ever.
#[cfg(unix)]
#[test]
fn a_pipe_without_a_writer_is_an_error() {
    let scene = Scene::new();
    scene.blank("a.png", 32, 32);
    for name in ["pipe.tif", "model.pth", "pipe.npy", "flags.toml"] {
        assert!(Command::new("mkfifo").arg(scene.path(name)).status().unwrap().success());
    }
    scene.run("segment pipe.tif").failed(1, "pipe.tif");
    scene.run("segment pipe.npy").failed(1, "pipe.npy");
    scene.run("segment a.png --model model.pth").failed(2, "model.pth");
    scene.run("segment a.png --config flags.toml").failed(2, "flags.toml");
    scene.run("segment /dev/zero -o out").failed(1, "/dev/zero");
}

#[test]
fn formats_that_are_not_read_are_mentioned_once() {
    let scene = Scene::new();
    scene.blank("in/a.png", 32, 32);
    scene.file("in/b.nd2", "");
    scene.file("in/c.nd2", "");
    let run = scene.run("segment in -o out");
    assert_eq!((run.code, run.stderr.lines().count()), (Some(0), 1), "{run:?}");
    assert!(run.stderr.contains("2 .nd2"), "{run:?}");
    scene.run("segment in -o out2 --quiet").done();
}
