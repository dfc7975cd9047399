//! Stacks, plane by plane and as volumes.

use std::fs;

use flowmask::output::{Format, save_labels};
use ndarray::{Array2, Array3, Axis, s};

use super::scene::{Run, Scene, cells};

/// Two cells that run through three planes.
fn volume() -> Array3<u32> {
    let mut volume = Array3::zeros((3, 12, 16));
    volume.slice_mut(s![.., 1..6, 1..6]).fill(1);
    volume.slice_mut(s![.., 7..11, 8..15]).fill(2);
    volume
}

fn save(scene: &Scene, name: &str, volume: &Array3<u32>) {
    let format = if name.ends_with("npy") { Format::Npy } else { Format::Tif };
    save_labels(&scene.path(name), &volume.outer_iter().collect::<Vec<_>>(), format).unwrap();
}

/// The images and the cells of each row of the CSV file.
fn rows(scene: &Scene) -> Vec<[String; 3]> {
    let csv = fs::read_to_string(scene.path("out/evaluate.csv")).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        [1, 2, 3].map(|i| cells[i].to_string())
    };
    csv.lines().skip(1).map(row).collect()
}

fn done(run: Run) -> Run {
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
    run
}

#[test]
fn a_stack_is_scored_plane_by_plane_or_as_a_volume() {
    let scene = Scene::new();
    save(&scene, "truth/a_labels.npy", &volume());
    // Each plane by itself is right, but the numbers do not run through.
    let mut planes = volume();
    planes.index_axis_mut(Axis(0), 1).mapv_inplace(|v| if v == 0 { 0 } else { 3 - v });
    save(&scene, "pred/a_masks.tif", &planes);
    let run = done(scene.run("--truth truth --pred pred -o out"));
    assert_eq!(run.row("pred")[1..5], ["3", "6", "6", "1.000"]);
    let row = |name: &str, cells: &str| [name, cells, cells].map(String::from);
    assert_eq!(rows(&scene), [row("a[0]", "2"), row("a[1]", "2"), row("a[2]", "2")]);
    let html = fs::read_to_string(scene.path("out/gallery.html")).unwrap();
    assert_eq!(html.matches("<figure").count(), 3);

    let run = done(scene.run("--truth truth --pred pred -o out --volumes"));
    // IoU of 50 / (75 + 28), and of 56 / (84 + 25), which is a hit at 0.5.
    assert_eq!(run.row("pred")[1..6], ["1", "2", "2", "0.333", "0.000"]);
    assert_eq!(rows(&scene), [row("a", "2")]);
    let json = scene.json("out/evaluate.json");
    let image = &json["methods"][0]["images"][0];
    assert_eq!(image["aji"], (50.0 + 56.0) / 159.0);
    // The outlines agree in each plane, whatever the numbers.
    assert_eq!(image["boundary_f_0.1"], 1.0);
}

#[test]
fn the_scores_of_a_volume_of_one_plane_are_those_of_the_plane() {
    let scene = Scene::new();
    let mut half = cells();
    half.slice_mut(s![4..6, ..]).fill(0);
    scene.labels("truth/a_labels.png", &cells());
    scene.labels("pred/a_masks.tif", &half);
    let [planes, volumes] =
        ["", "--volumes"].map(|flag| done(scene.run(&format!("--truth truth --pred pred {flag}"))));
    assert_eq!(planes.stdout, volumes.stdout);
}

#[test]
fn the_volumes_of_a_movie_are_its_time_points() {
    let scene = Scene::new();
    let labels: Vec<u32> = [volume(), volume()].iter().flatten().copied().collect();
    for name in ["truth/a_labels.npy", "pred/a_masks.npy"] {
        let file = fs::File::create(scene.path(name)).unwrap();
        flowmask::npy::write(file, &[2, 3, 12, 16], labels.iter().copied()).unwrap();
    }
    done(scene.run("--truth truth --pred pred -o out --volumes"));
    assert_eq!(rows(&scene).iter().map(|row| &row[0]).collect::<Vec<_>>(), ["a[0]", "a[1]"]);
    done(scene.run("--truth truth --pred pred -o out"));
    assert_eq!(rows(&scene).len(), 6);
}

#[test]
fn a_stack_shows_the_planes_of_its_image() {
    let scene = Scene::new();
    save(&scene, "truth/a_labels.tif", &volume());
    save(&scene, "pred/a_masks.tif", &volume());
    save(&scene, "images/a.tif", &volume());
    done(scene.run("--truth truth --pred pred -o out --images images"));
    done(scene.run("--truth truth --pred pred -o out --images images --volumes"));
    scene.labels("images/a.tif", &Array2::ones((12, 16)));
    let run = scene.run("--truth truth --pred pred -o out --images images");
    assert_eq!((run.code, run.stderr.lines().count()), (Some(1), 1), "{run:?}");
    assert!(run.stderr.contains("a.tif: holds 1 plane, its true labels 3 planes"), "{run:?}");
}

/// Planes are read in one pass: this took more than a minute.
#[test]
fn four_thousand_planes_take_seconds() {
    let scene = Scene::new();
    let planes = vec![cells(); 4000];
    let views: Vec<_> = planes.iter().map(|plane| plane.view()).collect();
    save_labels(&scene.path("truth/a_labels.tif"), &views, Format::Tif).unwrap();
    save_labels(&scene.path("pred/a_masks.tif"), &views, Format::Tif).unwrap();
    let start = std::time::Instant::now();
    let run = done(scene.run("--truth truth --pred pred"));
    println!("{:.2?}", start.elapsed());
    assert_eq!(run.row("pred")[1..5], ["4000", "8000", "8000", "1.000"]);
    assert!(start.elapsed().as_secs() < 20, "{:.2?}", start.elapsed());
}
