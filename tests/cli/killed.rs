//! Runs that a signal ends, and runs at the same time.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::scene::{BIN, Scene};
use crate::stopped::{Stopped, finish, send, start, temporary};

/// Signals that can be caught.
const CAUGHT: [(&str, i32); 3] = [("HUP", 1), ("INT", 2), ("TERM", 15)];
const KILL: (&str, i32) = ("KILL", 9);

#[test]
fn a_signal_removes_the_temporary_file_and_then_ends_the_process() {
    for (name, number) in CAUGHT {
        let scene = Scene::new();
        let status = Stopped::conversion(&scene, ".").signal(name);
        assert_eq!(status.signal(), Some(number), "{status:?}");
        assert!(scene.names(".").is_empty(), "{name}: {:?}", scene.names("."));
    }
}

#[test]
fn what_a_killed_run_leaves_is_removed_by_the_next() {
    let scene = Scene::new();
    let status = Stopped::conversion(&scene, "out").signal(KILL.0);
    assert_eq!(status.signal(), Some(KILL.1));
    assert_eq!(temporary(&scene, "out").len(), 1);
    // Names that are not the program's, and files of others.
    scene.file("out/.flowmask-notes.part", "mine");
    scene.file("out/.other-abcdef123456.part", "theirs");
    scene.blank("a.png", 32, 32);
    scene.run("segment a.png -o out").done();
    assert_eq!(scene.names("out"), [".flowmask-notes.part", ".other-abcdef123456.part", "a_masks.tif"]);
}

#[test]
fn a_run_leaves_the_temporary_files_of_a_living_one() {
    let scene = Scene::new();
    let stopped = Stopped::conversion(&scene, "out");
    let open = temporary(&scene, "out");
    scene.blank("a.png", 32, 32);
    scene.run("segment a.png -o out").done();
    assert_eq!(temporary(&scene, "out"), open);
    stopped.resume().done();
    assert!(temporary(&scene, "out").is_empty());
    flowmask::Model::open(scene.path("out/out.pth")).unwrap();
}

#[test]
fn a_signal_that_the_caller_ignores_stays_ignored() {
    let scene = Scene::new();
    let script = format!("trap '' HUP INT; exec {BIN} convert cyto out.pth");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(scene.path(".")).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    while temporary(&scene, ".").is_empty() && scene.names(".").is_empty() {
        sleep(Duration::from_millis(1));
    }
    for signal in ["HUP", "INT"] {
        send(&child, signal);
    }
    finish(child).done();
    assert!(temporary(&scene, ".").is_empty() && scene.path("out.pth").exists());
}

/// Takes as many runs of each signal as FLOWMASK_KILLS says, 6 if it says nothing.
#[test]
fn killed_at_any_moment_there_are_only_whole_files() {
    let runs: u64 = std::env::var("FLOWMASK_KILLS").map_or(6, |runs| runs.parse().unwrap());
    let scene = Scene::new();
    // Much to write and little to compute.
    (0..4).for_each(|i| scene.blank(&format!("im{i}.png"), 900 + i, 700));
    let words = "segment im0.png im1.png im2.png im3.png --diameter 400 --no-resample --overlay --quiet -o";
    let time = Instant::now();
    scene.run(&format!("{words} whole")).done();
    let whole = time.elapsed();
    let want = |name: &str| fs::read(scene.path("whole").join(name)).unwrap();
    fs::create_dir(scene.path("out")).unwrap();
    let mut seed = 1_u64;
    let mut died = 0;
    for (signal, number) in CAUGHT.into_iter().chain([KILL]) {
        for _ in 0..runs {
            let mut child = start(&scene, &format!("{words} out"));
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            sleep(whole.mul_f64((seed >> 40) as f64 / (1 << 24) as f64));
            if child.try_wait().unwrap().is_none() {
                send(&child, signal);
            }
            let status = child.wait().unwrap();
            assert!(status.success() || status.signal() == Some(number), "{signal}: {status:?}");
            died += u64::from(!status.success());
            let left = temporary(&scene, "out").len();
            assert!(left == 0 || signal == "KILL", "{signal} left {left} temporary files");
            for name in scene.names("out").iter().filter(|name| !name.starts_with('.')) {
                assert!(fs::read(scene.path("out").join(name)).unwrap() == want(name), "{signal}: {name}");
            }
        }
    }
    assert!(died > runs, "{died} of {} runs were ended", 4 * runs);
    scene.run(&format!("{words} out")).done();
    assert_eq!(scene.names("out"), scene.names("whole"));
}

#[test]
fn two_runs_at_once_into_one_folder_leave_whole_files() {
    let scene = Scene::new();
    (0..3).for_each(|i| scene.blank(&format!("im{i}.png"), 300 + i, 200));
    scene.run("segment . -o one --overlay").done();
    let runs = [0, 1].map(|_| start(&scene, "segment im0.png im1.png im2.png -o two --overlay"));
    let _ = runs.map(|run| finish(run).done());
    assert_eq!(scene.names("two"), scene.names("one"));
    for name in scene.names("one") {
        let read = |dir: &str| fs::read(scene.path(dir).join(&name)).unwrap();
        assert!(read("one") == read("two"), "{name}");
    }
}
