//! Scores, files and messages of a run.

use std::fs;
use std::process::Command;

use flowmask::output::{Format, save_labels};
use ndarray::{Array2, array, s};
use serde_json::Value;

use super::common;
use super::scene::{Scene, cells};

#[test]
fn formats_of_all_kinds_agree_with_themselves() {
    let scene = Scene::new();
    let wide = cells().mapv(|label| 70_000 * label);
    for name in ["a_labels.png", "b_labels.tif", "c_labels.npy"] {
        scene.labels(&format!("truth/{name}"), &cells());
    }
    scene.labels("truth/d_labels.tif", &wide);
    scene.labels("pred/a_masks.tif", &wide);
    scene.labels("pred/b_cp_masks.png", &cells());
    scene.labels("pred/c_mask.npy", &wide);
    scene.labels("pred/d_label.npy", &cells());
    // Not labels, and so no predictions without a truth.
    fs::write(scene.path("pred/a_overlay.png"), "").unwrap();
    fs::write(scene.path("pred/notes.txt"), "").unwrap();
    for name in ["small", "gui"] {
        let seg = common::data(&format!("labels/{name}_seg.npy"));
        fs::copy(seg, scene.path(&format!("pred/{name}_seg.npy"))).unwrap();
    }
    let mut masks = Array2::zeros((9, 12));
    masks.slice_mut(s![1..4, 1..6]).fill(1);
    masks.slice_mut(s![5..8, 2..5]).fill(2);
    masks.slice_mut(s![4..9, 7..11]).fill(5);
    scene.labels("truth/small_labels.png", &masks);
    scene.labels("truth/gui_labels.png", &masks);
    let run = scene.run("--truth truth --pred pred");
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    assert_eq!(run.row("pred")[1..4], ["6", "14", "14"]);
    assert!(run.row("pred")[4..13].iter().all(|score| *score == "1.000"), "{run:?}");
    assert_eq!(run.row("pred")[13..], ["0", "0"]);
}

#[test]
fn methods_are_compared_and_everything_is_written() {
    let scene = Scene::new();
    let mut half = cells();
    half.slice_mut(s![4..6, ..]).fill(0);
    scene.labels("truth/im10.png", &cells());
    scene.labels("truth/im2.png", &cells());
    for (name, labels) in [("good/im10", &cells()), ("good/im2", &cells()), ("poor/im10", &half)] {
        scene.labels(&format!("{name}_masks.png"), labels);
    }
    scene.labels("poor/im2_masks.png", &cells());
    let run = scene.run("--truth truth --pred good --pred poor -o out/scores");
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    assert_eq!(run.row("good")[1..8], ["2", "4", "4", "1.000", "1.000", "1.000", "1.000"]);
    assert_eq!(run.row("poor")[1..8], ["2", "4", "3", "0.750", "0.750", "0.750", "0.750"]);
    let csv = fs::read_to_string(scene.path("out/scores/evaluate.csv")).unwrap();
    let begins: Vec<_> = csv.lines().map(|l| l.split(',').take(4).collect::<Vec<_>>().join(",")).collect();
    assert_eq!(
        begins,
        [
            "method,image,truth_cells,pred_cells",
            "good,im2,2,2",
            "good,im10,2,2",
            "poor,im2,2,2",
            "poor,im10,2,1"
        ]
    );
    let json = scene.json("out/scores/evaluate.json");
    assert_eq!(json["methods"][1]["ap"], Value::from(vec![0.75; 10]));
    assert_eq!(json["methods"][1]["fn"], Value::from(vec![1; 10]));
    assert_eq!(json["methods"][1]["images"][1]["aji"], 8.0 / 12.0);
}

#[test]
fn what_cannot_be_compared_is_named_and_the_rest_is_done() {
    let scene = Scene::new();
    for name in ["good", "alone", "other_size", "colours", "jpeg", "stack", "broken", "twice"] {
        scene.labels(&format!("truth/{name}_labels.png"), &cells());
    }
    scene.labels("pred/good_masks.tif", &cells());
    scene.labels("pred/unknown_masks.tif", &cells());
    scene.labels("pred/other_size_masks.tif", &cells().t().to_owned());
    scene.png("pred/colours_masks.png", png::ColorType::Rgb, png::BitDepth::Eight, 2, &[1, 2, 3, 4, 5, 6]);
    fs::write(scene.path("pred/jpeg_masks.png"), [0xff, 0xd8, 0xff, 0xe0]).unwrap();
    save_labels(&scene.path("pred/stack_masks.tif"), &[cells().view(); 5], Format::Tif).unwrap();
    fs::write(scene.path("pred/broken_masks.npy"), "words").unwrap();
    scene.labels("pred/twice_masks.tif", &cells());
    scene.labels("pred/twice_mask.png", &cells());
    let run = scene.run("--truth truth --pred pred -o out");
    assert_eq!(run.code, Some(1), "{run:?}");
    for (name, reason) in [
        ("alone_labels.png", "no prediction"),
        ("unknown_masks.tif", "no truth"),
        ("other_size_masks.tif", "6 by 8 pixels, the prediction 8 by 6"),
        ("colours_masks.png", "3 channels"),
        ("jpeg_masks.png", "JPEG"),
        ("stack_masks.tif", "holds 5 planes, its truth"),
        ("broken_masks.npy", "known format"),
        ("twice_masks.tif", "twice_mask.png"),
    ] {
        let lines: Vec<_> = run.stderr.lines().filter(|line| line.contains(name)).collect();
        assert!(lines.len() == 1 && lines[0].contains(reason), "{name}: {run:?}");
    }
    assert_eq!(run.stderr.lines().count(), 8, "{run:?}");
    assert_eq!(run.row("pred")[1..5], ["1", "2", "2", "1.000"]);
    assert_eq!(scene.json("out/evaluate.json")["methods"][0]["images"].as_array().unwrap().len(), 1);
    // Its ending says which of two is meant.
    let run = scene.run("--truth truth --pred pred --pred-suffix _mask");
    assert_eq!((run.code, run.row("pred")[1]), (Some(1), "1"), "{run:?}");
    assert!(!run.stderr.contains("twice"), "{run:?}");
}

#[test]
fn nothing_is_written_when_nothing_can_be_compared() {
    let scene = Scene::new();
    scene.labels("truth/a_labels.png", &cells());
    scene.labels("pred/b_masks.png", &cells());
    scene.labels("twice/a_masks.png", &cells());
    scene.labels("twice/a_masks.tif", &array![[1]]);
    fs::create_dir(scene.path("empty")).unwrap();
    for (words, name) in [
        ("--truth truth --pred pred", "--pred-suffix"),
        ("--truth truth --pred twice", "twice/a_masks.tif"),
        ("--truth truth --pred empty", "empty"),
        ("--truth missing --pred pred", "missing"),
        ("--truth truth --pred pred --pred missing", "missing"),
        ("--truth truth --pred pred --truth-suffix _gt", "_gt"),
        ("--truth truth", "--pred"),
        ("--pred pred", "--truth"),
    ] {
        let run = scene.run(&format!("{words} -o out"));
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains(name) && run.stdout.is_empty(), "{name}: {run:?}");
    }
    assert!(!scene.path("out").exists());
    scene.labels("pred/a_masks.png", &cells());
    fs::write(scene.path("file"), "").unwrap();
    let run = scene.run("--truth truth --pred pred -o file/below");
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("file/below"), "{run:?}");
}

#[test]
fn the_plot_and_the_gallery_show_every_image() {
    let scene = Scene::new();
    let whole = cells();
    let half = cells().mapv(|v| if v == 1 { 1 } else { 0 });
    for (name, good) in [("im1", true), ("im2", false)] {
        scene.labels(&format!("truth/{name}_labels.png"), &cells());
        scene.labels(&format!("good/{name}_masks.png"), &cells());
        scene.labels(&format!("poor/{name}_masks.png"), if good { &whole } else { &half });
        // Any numbers make a picture.
        scene.labels(&format!("pictures/{name}.png"), &cells());
    }
    let words = "--truth truth --pred good --pred poor --images pictures";
    let run = scene.run(&format!("{words} -o out"));
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    let mut names: Vec<_> = fs::read_dir(scene.path("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let plots = ["ap.png", "ap.svg", "evaluate.csv", "evaluate.json"];
    let gallery = ["gallery.html", "gallery_good.png", "gallery_poor.png"];
    assert_eq!(names, [&plots[..], &gallery[..]].concat());
    let html = fs::read_to_string(scene.path("out/gallery.html")).unwrap();
    assert_eq!(html.matches("<figure").count(), 2);
    let svg = fs::read_to_string(scene.path("out/ap.svg")).unwrap();
    assert_eq!(svg.matches("<circle").count(), 2 * 10);
    assert!(svg.contains(">mean 1.000<") && svg.contains(">mean 0.750<"), "{svg}");
    // The same bytes again, and from one thread.
    let command = |dir: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowmask"));
        command.arg("evaluate").args(words.split(' ')).args(["-o", dir]).env("RAYON_NUM_THREADS", "1");
        assert!(command.current_dir(scene.0.path()).output().unwrap().status.success());
    };
    command("again");
    for name in names {
        let read = |dir: &str| fs::read(scene.path(dir).join(&name)).unwrap();
        assert!(read("out") == read("again"), "{name}");
    }
}

#[test]
fn pictures_that_do_not_fit_are_named_only_where_they_were_asked_for() {
    let scene = Scene::new();
    for name in ["im1", "im2", "im3"] {
        scene.labels(&format!("truth/{name}_labels.png"), &cells());
        scene.labels(&format!("pred/{name}_masks.png"), &cells());
    }
    scene.labels("truth/im1.png", &cells().t().to_owned());
    scene.labels("truth/im2.png", &cells());
    let run = scene.run("--truth truth --pred pred -o out");
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    let run = scene.run("--truth truth --pred pred -o out --images truth");
    assert_eq!((run.code, run.stderr.lines().count()), (Some(1), 2), "{run:?}");
    assert!(
        run.stderr.contains("im1.png: another size") && run.stderr.contains("no image named im3"),
        "{run:?}"
    );
    let html = fs::read_to_string(scene.path("out/gallery.html")).unwrap();
    assert_eq!(html.matches("<figure").count(), 3);
}
