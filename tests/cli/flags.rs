//! The flags of the original, configuration files, and what is said about wrong flags.

use std::fs;
use std::process::Command;

use crate::scene::{BIN, NUCLEI, Run, Scene};

/// One line that says why nothing was started.
fn refused(scene: &Scene, words: &str) -> String {
    scene.run(words).failed(2, "flowmask: ").stderr
}

#[test]
fn flags_of_the_original_are_taken_or_answered() {
    let scene = Scene::new();
    scene.nuclei("scans/a.png");
    let line = "--dir scans --pretrained_model nuclei --diameter 19.48 --save_png --no_npy --save_outlines --savedir out";
    let run = scene.run(&format!("segment {line}")).done();
    assert!(run.stdout.contains("37 cells"), "{run:?}");
    assert_eq!(scene.names("out"), ["a_masks.png", "a_overlay.png"]);
    for (flag, says) in [
        ("--train", "not there yet"),
        ("--look_one_level_down", "--recursive"),
        ("--save_rois", "--outputs masks,rois"),
        ("--save_tif --save_png", "--format"),
    ] {
        let said = refused(&scene, &format!("segment scans {flag}"));
        assert!(said.contains(says) && !said.contains("similar"), "{said}");
    }
    let said = refused(&scene, "styles scans --save_png");
    assert!(said.contains("`flowmask segment`"), "{said}");
    let said = refused(&scene, &line.replace("flowmask segment ", ""));
    assert!(said.contains("`flowmask segment`"), "{said}");
}

#[test]
fn models_of_the_original_are_named_with_how_to_get_them() {
    let scene = Scene::new();
    scene.blank("a.png", 32, 32);
    let said = |name: &str| {
        let mut command = Command::new(BIN);
        command.args(["segment", "a.png", "--model", name]);
        let run = scene.output(command.env("CELLPOSE_LOCAL_MODELS_PATH", scene.path("none")));
        run.failed(2, "flowmask: ").stderr
    };
    let cyto3 = said("cyto3");
    assert!(cyto3.contains("cellpose:cyto3") && cyto3.contains("`flowmask models pull cyto3`"), "{cyto3}");
    assert!(said("cellpose:cyto3").contains("`flowmask models pull cyto3`"));
    assert!(said("cpsam").contains("cellpose 4"));
}

#[cfg(unix)]
#[test]
fn a_name_that_is_not_unicode_is_told() {
    use std::os::unix::ffi::OsStrExt;
    let scene = Scene::new();
    scene.blank("a.png", 32, 32);
    let mut command = Command::new(BIN);
    command.args(["segment", "a.png", "--model"]).arg(std::ffi::OsStr::from_bytes(b"mod\xe9l"));
    let run = scene.output(&mut command).failed(2, "mod\u{fffd}l");
    assert!(run.stderr.contains("--model") && run.stderr.contains("UTF-8"), "{run:?}");
}

#[test]
fn what_is_wrong_with_a_flag_is_said_in_one_line() {
    let scene = Scene::new();
    for (words, says) in [
        ("segment", "INPUT"),
        ("segment a.png --format bmp", "possible values: tif, png, npy"),
        ("segment a.png --overlap", "--overlay"),
        ("segment a.png --diameter -3", "--diameter"),
        ("segment a.png --norm-percentile 99 1", "--norm-percentile: must be"),
        ("segment a.png --tile-overlap 0.9", "--tile-overlap: must be"),
        ("segment a.png --do-3d --anisotropy 1e300", "--anisotropy: is 1e300, but must be"),
        ("segmnet", "segment"),
    ] {
        let said = refused(&scene, words);
        assert!(said.contains(says) && !said.contains("Usage"), "{said}");
    }
    scene.blank("a.png", 32, 32);
    scene.run("segment a.png --kernels=").failed(2, "--kernels: is empty");
    let help = scene.run("").stderr;
    assert!(help.contains("Usage: flowmask") && help.lines().count() > 5, "{help}");
}

#[test]
fn a_file_gives_flags_and_the_command_line_wins() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    scene.file(
        "flags.toml",
        "quiet = true\ndiameter = 100\n[segment]\nmodel = 'nuclei'\ndiameter = 19.48\nno_norm = true\n\
         format = 'npy'\noutput = 'out'\n[evaluate]\ntruth = 'labels'\n",
    );
    scene.run("segment a.png --config flags.toml --format png --norm-percentile 1 99").done();
    // The user's percentiles exclude the file's `no_norm`.
    assert_eq!(scene.labels("out/a_masks.png"), (1, 37));
    scene.file("list.toml", "norm-percentile = [99, 1]");
    let said = refused(&scene, "segment a.png --config list.toml");
    assert!(said.contains("--norm-percentile: must be two numbers"), "{said}");
}

#[test]
fn what_is_wrong_in_a_file_of_flags_is_said_with_its_name() {
    let scene = Scene::new();
    scene.blank("a.png", 32, 32);
    for (content, says) in [
        ("diametre = 30", "diametre is no flag"),
        ("truth = 'labels'", "truth is no flag"),
        ("overlay = 'yes'", "overlay cannot be this string"),
        ("diameter = true", "diameter cannot be this boolean"),
        ("norm-percentile = [1, 50, 99]", "norm-percentile cannot be this array"),
        ("flow3d_smooth = [1, 2]", "flow3d-smooth"),
        ("flow3d_smooth = [1, [2], 3]", "flow3d_smooth cannot be this array"),
        ("diameter = 'large'", "'large'"),
        ("a = 1\nb = = 2", "line 2"),
        ("segment = 3", "segment is not a table"),
    ] {
        scene.file("flags.toml", content);
        let said = scene.run("segment a.png --config flags.toml").failed(2, "flags.toml").stderr;
        assert!(said.contains(says), "{said}");
    }
    scene.run("segment a.png --config missing.toml").failed(2, "missing.toml");
    assert_eq!(scene.names("."), ["a.png", "flags.toml"]);
}

#[test]
fn completions_and_man_pages_are_written() {
    let scene = Scene::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let Run { stdout, .. } = scene.run(&format!("completions {shell}")).done();
        assert!(stdout.contains("flow-threshold") && stdout.contains("evaluate"), "{shell}");
    }
    let page = scene.run("man").done().stdout;
    assert!(page.contains(".TH flowmask 1") && page.contains("segment"), "{page}");
    scene.run("man pages/man1").done();
    let names = scene.names("pages/man1");
    for name in ["flowmask.1", "flowmask-segment.1", "flowmask-evaluate.1"] {
        assert!(names.iter().any(|found| found == name), "{names:?}");
    }
    let segment = fs::read_to_string(scene.path("pages/man1/flowmask-segment.1")).unwrap();
    assert!(segment.contains("cellprob"), "{segment}");
}

#[test]
fn verbose_tells_model_device_scale_and_tiles() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    let run = scene.run(&format!("segment a.png {NUCLEI} -v --threads 1"));
    assert_eq!(run.code, Some(0), "{run:?}");
    for says in [
        "model nuclei: scales cells to 17 pixels",
        "device cpu: 1 threads",
        "scale 0.873",
        "tiles 4",
        "3 channels",
    ] {
        assert!(run.stderr.contains(says), "{says} in {run:?}");
    }
    assert_eq!(run.stdout.lines().count(), 1, "{run:?}");
}
