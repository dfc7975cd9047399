//! What is no label image, and what names must not do.

use std::fs;
use std::time::{Duration, Instant};

use ndarray::{Array2, s};

use super::scene::{Scene, cells};

/// As a random generator makes them, from 0 to `n - 1`.
fn noise(side: usize, n: u32) -> Array2<u32> {
    let mut state = 1_u64;
    Array2::from_shape_simple_fn((side, side), || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32 % n
    })
}

#[test]
fn a_mask_of_all_cells_is_scored_with_a_warning() {
    let scene = Scene::new();
    let mask = cells().mapv(|label| if label == 0 { 0 } else { 255 });
    for method in ["ours", "theirs"] {
        scene.labels(&format!("{method}/a_masks.png"), &cells());
        scene.labels(&format!("{method}/b_masks.png"), &cells());
    }
    scene.labels("truth/a_labels.png", &mask);
    scene.labels("truth/b_labels.png", &cells());
    let run = scene.run("--truth truth --pred ours --pred theirs");
    assert_eq!((run.code, run.stderr.lines().count()), (Some(0), 1), "{run:?}");
    for text in ["a_labels.png: label 255 has 2 parts", "number its parts first"] {
        assert!(run.stderr.contains(text), "{run:?}");
    }
    assert_eq!(run.row("ours")[2..4], ["3", "4"]);
    scene.labels("truth/a_labels.png", &cells());
    let mut parts = cells();
    parts.slice_mut(s![.., 2]).fill(0);
    scene.labels("ours/a_masks.png", &parts);
    // One of several cells may well be in two parts.
    let run = scene.run("--truth truth --pred ours");
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
}

/// With 256 values the scores came; with 65536 they would come after ten minutes.
#[test]
fn grey_values_are_refused_before_anything_is_matched() {
    let scene = Scene::new();
    let all = Array2::from_shape_fn((1500, 1500), |(y, x)| (y * 1500 + x) as u32);
    for (name, labels) in [("a", noise(300, 256)), ("b", noise(1500, 65_536)), ("c", all)] {
        scene.labels(&format!("truth/{name}_labels.tif"), &labels);
        scene.labels(&format!("pred/{name}_masks.tif"), &labels.t().to_owned());
    }
    scene.labels("truth/d_labels.png", &cells());
    scene.labels("pred/d_masks.png", &cells());
    let start = Instant::now();
    let run = scene.run("--truth truth --pred pred");
    assert_eq!((run.code, run.stderr.lines().count()), (Some(1), 3), "{run:?}");
    for name in ["a", "b", "c"] {
        let name = format!("pred/{name}_masks.tif: the truth has ");
        let line = run.stderr.lines().find(|line| line.contains(&name)).unwrap_or_else(|| panic!("{run:?}"));
        assert!(line.contains("grey values of a picture"), "{line}");
    }
    assert_eq!(run.row("pred")[1], "1");
    assert!(start.elapsed() < Duration::from_secs(20), "{:.2?}", start.elapsed());
}

#[test]
fn no_score_is_minus_zero() {
    let scene = Scene::new();
    scene.labels("truth/a_labels.png", &cells());
    scene.labels("pred/a_masks.png", &Array2::zeros((6, 8)));
    scene.labels("pred/b_masks.png", &cells());
    let run = scene.run("--truth truth --pred pred -o out");
    let row = run.row("pred");
    assert_eq!(row[4..13], ["0.000"; 9], "{run:?}");
    for name in ["evaluate.csv", "evaluate.json", "ap.svg", "gallery.html"] {
        let text = fs::read_to_string(scene.path("out").join(name)).unwrap();
        for zero in [",-0,", "-0.0,", ">-0.0", " -0.0"] {
            assert!(!text.contains(zero), "{zero} in {name}");
        }
    }
}

#[test]
fn labels_without_pixels_are_the_fault_of_one_pair() {
    let scene = Scene::new();
    scene.labels("truth/b_labels.png", &cells());
    scene.labels("pred/b_masks.png", &cells());
    for name in ["truth/a_labels.npy", "pred/a_masks.npy"] {
        flowmask::npy::write(fs::File::create(scene.path(name)).unwrap(), &[0, 5], [0_u8; 0]).unwrap();
    }
    let run = scene.run("--truth truth --pred pred -o out");
    assert_eq!((run.code, run.stderr.lines().count()), (Some(1), 1), "{run:?}");
    assert!(run.stderr.contains("truth/a_labels.npy: has no pixels (0 by 5)"), "{run:?}");
    assert_eq!(run.row("pred")[1], "1");
    let html = fs::read_to_string(scene.path("out/gallery.html")).unwrap();
    assert_eq!(html.matches("<figure").count(), 1);
}

#[test]
fn reports_of_an_earlier_run_are_no_labels() {
    let scene = Scene::new();
    scene.labels("truth/a.png", &cells());
    // A prediction with the name of a report, in a folder that has none.
    scene.labels("truth/ap.png", &cells());
    scene.labels("pred/a.png", &cells());
    for _ in 0..2 {
        let run = scene.run("--truth pred --pred pred -o pred");
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
        assert_eq!(run.row("pred")[1], "1");
    }
    let run = scene.run("--truth truth --pred pred");
    assert!(run.code == Some(1) && run.stderr.contains("truth/ap.png: no prediction"), "{run:?}");
}

/// A name that would colour and clear the terminal.
#[cfg(unix)]
#[test]
fn control_characters_of_names_are_escaped_in_every_report() {
    let scene = Scene::new();
    let name = "a\u{1b}[31m\u{9b}2J\n\u{7f}";
    let method = "pred\u{1b}c";
    scene.labels(&format!("truth/{name}_labels.png"), &cells());
    scene.labels(&format!("{method}/{name}_masks.png"), &cells());
    let run = scene.run(&format!("--truth truth --pred {method} -o out"));
    assert_eq!(run.code, Some(0), "{run:?}");
    let controls = |text: &str| text.chars().filter(|c| c.is_control() && *c != '\n').count();
    assert_eq!(controls(&run.stdout), 0, "{run:?}");
    for (file, text) in [
        ("evaluate.csv", "pred\\u001bc,a\\u001b[31m\\u009b2J\\n\\u007f,2,"),
        ("evaluate.json", "\"a\\u001b[31m\\u009b2J\\n\\u007f\""),
        ("ap.svg", ">pred\\u001bc<"),
        ("gallery.html", "a\\u001b[31m\\u009b2J"),
    ] {
        let all = fs::read_to_string(scene.path("out").join(file)).unwrap();
        assert!(all.contains(text), "{file}: {}", &all[..all.len().min(2000)]);
        assert_eq!(controls(&all), 0, "{file}");
    }
    assert_eq!(scene.json("out/evaluate.json")["methods"][0]["images"][0]["image"], name);
}
