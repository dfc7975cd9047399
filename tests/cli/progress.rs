//! The progress bar, which needs a terminal, and the seconds of each image.

use std::fs::File;
use std::io::Read;
use std::os::fd::FromRawFd;
use std::process::{Command, Stdio};

use crate::scene::{BIN, Scene};

/// The two ends of a terminal of 120 columns.
fn terminal() -> (File, File) {
    let (mut ours, mut theirs) = (0, 0);
    let size = libc::winsize { ws_row: 24, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
    let null = std::ptr::null_mut();
    // SAFETY: the pointers are to numbers and to a size.
    let failed =
        unsafe { libc::openpty(&mut ours, &mut theirs, null, null.cast(), &raw const size as *mut _) };
    assert_eq!(failed, 0, "no terminal");
    // SAFETY: the files were just opened, and belong to nobody else.
    unsafe { (File::from_raw_fd(ours), File::from_raw_fd(theirs)) }
}

#[test]
fn the_bar_moves_within_an_image_and_tells_rate_and_time() {
    let scene = Scene::new();
    scene.blank("large.png", 700, 700);
    let (mut ours, theirs) = terminal();
    let mut command = Command::new(BIN);
    command
        .args(["segment", "large.png", "--model", "nuclei", "--threads", "1"])
        .current_dir(scene.path("."));
    let mut child = command.stdout(Stdio::null()).stderr(theirs).spawn().unwrap();
    drop(command);
    // Reading fails when the program has closed the other end.
    let mut shown = Vec::new();
    let _ = ours.read_to_end(&mut shown);
    assert!(child.wait().unwrap().success());
    let shown = String::from_utf8_lossy(&shown);
    let percents: std::collections::BTreeSet<u32> =
        shown.split("% of 1 image,").filter_map(|before| before.rsplit(' ').next()?.parse().ok()).collect();
    assert!(
        percents.iter().filter(|percent| (1..100).contains(*percent)).count() >= 4,
        "{percents:?}: {shown}"
    );
    for word in ["images/min, ", "s left", "large.png"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
}

#[test]
fn the_seconds_of_an_image_are_its_own() {
    let scene = Scene::new();
    scene.blank("a.png", 900, 900);
    scene.blank("b.png", 40, 40);
    // The second image is loaded while the first one is segmented, and waits for it.
    let run = scene.run("segment a.png b.png --model nuclei --threads 1 --json").done();
    let lines = run.json();
    let seconds = |i: usize| lines[i]["seconds"].as_f64().unwrap();
    assert_eq!(lines[1]["input"], "b.png");
    assert!(seconds(0) > 0.3 && seconds(1) < seconds(0) / 3.0, "{} and {} s", seconds(0), seconds(1));
}
