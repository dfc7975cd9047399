//! Disks that are full or cannot be written.

use std::fs;
use std::process::Command;

use crate::scene::{BIN, NUCLEI, Run, Scene};

fn shell(scene: &Scene, script: &str) -> Run {
    scene.output(Command::new("sh").args(["-c", &script.replace("flowmask", BIN)]))
}

/// Runs a script as the root of mount and user namespaces of its own, where it can mount a file system.
fn with_mounts(scene: &Scene, script: &str) -> Run {
    let script = script.replace("flowmask", BIN);
    let run =
        scene.output(Command::new("unshare").args(["--map-root-user", "--mount", "sh", "-ec", &script]));
    assert!(!run.stderr.contains("unshare") && !run.stderr.contains("mount:"), "no file system: {run:?}");
    run
}

/// The lines of stderr name no temporary file.
fn names_no_temporary(run: &Run) {
    assert!(!run.stderr.contains(".flowmask-") && !run.stderr.contains(".part"), "{run:?}");
}

#[test]
fn a_file_beyond_the_limit_of_the_shell_is_an_error() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    scene.blank("b.png", 32, 32);
    let run = shell(&scene, "ulimit -f 1; exec flowmask segment a.png b.png").failed(1, "a_masks.tif");
    names_no_temporary(&run);
    assert_eq!(scene.names("."), ["a.png", "b.png", "b_masks.tif"]);
    let run = shell(&scene, "ulimit -f 100; exec flowmask convert cyto out.pth").failed(2, "out.pth");
    names_no_temporary(&run);
    assert_eq!(scene.names("."), ["a.png", "b.png", "b_masks.tif"]);
}

#[test]
fn a_folder_where_nobody_can_write_fails_every_image() {
    let scene = Scene::new();
    scene.blank("a.png", 32, 32);
    scene.blank("b.png", 32, 32);
    let run = scene.run("segment a.png b.png -o /sys");
    assert_eq!((run.code, run.stderr.lines().count()), (Some(1), 2), "{run:?}");
    assert!(run.stderr.contains("cannot write /sys/a_masks.tif"), "{run:?}");
    names_no_temporary(&run);
}

#[test]
#[ignore = "takes the right to mount: .ci/run runs it"]
fn a_full_disk_has_whole_files_alone() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    scene.blank("b.png", 32, 32);
    fs::create_dir(scene.path("full")).unwrap();
    let mount = "mount -t tmpfs -o size=48k none full";
    // The labels of a fit, its overlay does not: an image has all of its outputs or none.
    let script =
        format!("{mount}; flowmask segment a.png b.png {NUCLEI} -o full --overlay || echo $?; ls -A full");
    let run = with_mounts(&scene, &script);
    assert!(run.stderr.contains("cannot write full/a_overlay.png"), "{run:?}");
    names_no_temporary(&run);
    let names: Vec<&str> = run.stdout.lines().skip_while(|line| *line != "1").collect();
    assert_eq!(names, ["1", "b_masks.tif", "b_overlay.png"], "{run:?}");
    let script = format!("{mount}; flowmask convert cyto full/out.pth || echo $?; ls -A full");
    let run = with_mounts(&scene, &script);
    assert!(run.stderr.contains("cannot write full/out.pth"), "{run:?}");
    assert_eq!(run.stdout, "2\n");
}

#[test]
#[ignore = "takes the right to mount: .ci/run runs it"]
fn a_folder_that_is_read_only_stays_as_it_is() {
    let scene = Scene::new();
    scene.blank("in/a.png", 32, 32);
    scene.file("in/.flowmask-abcdef123456.part", "left by a killed run");
    let mount = "mount --bind in in; mount -o remount,ro,bind in";
    let run = with_mounts(&scene, &format!("{mount}; flowmask segment in || echo $?; ls -A in"));
    assert!(run.stderr.contains("cannot write in/a_masks.tif"), "{run:?}");
    assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    names_no_temporary(&run);
    assert_eq!(run.stdout, "1\n.flowmask-abcdef123456.part\na.png\n");
    // Outputs go elsewhere.
    let run = with_mounts(&scene, &format!("{mount}; flowmask segment in -o out"));
    assert_eq!((run.code, scene.names("out")), (Some(0), vec!["a_masks.tif".into()]), "{run:?}");
}
