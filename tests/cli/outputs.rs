//! `--outputs`, `export`, parts of a list, and runs that go on.

use std::fs;

use serde_json::Value;

use crate::scene::{NUCLEI, Scene, decode_png};

#[test]
fn every_output_is_written_and_is_no_input() {
    let scene = Scene::new();
    scene.nuclei("in/a.png");
    let words = "--outputs masks,overlay,rois,geojson,outlines,flows,prob,seg --overlay-scale 2";
    for overwrite in ["", "--overwrite"] {
        let run = scene.run(&format!("segment in {NUCLEI} {words} --json {overwrite}")).done();
        let [line] = &run.json()[..] else { panic!("{run:?}") };
        assert_eq!(line["outputs"]["flows"], serde_json::json!(["in/a_flows.tif", "in/a_flows.png"]));
    }
    let files = [
        "a.png",
        "a_cellprob.tif",
        "a_cells.geojson",
        "a_flows.png",
        "a_flows.tif",
        "a_masks.tif",
        "a_outlines.txt",
        "a_overlay.png",
        "a_rois.zip",
        "a_seg.npy",
    ];
    assert_eq!(scene.names("in"), files);
    assert_eq!(decode_png(&fs::read(scene.path("in/a_overlay.png")).unwrap()).0, 512);
    let flows = flowmask::image::read(&scene.path("in/a_flows.tif")).unwrap();
    assert_eq!((flows.planes.len(), flows.planes[0].channels()), (1, 2));
    // The masks in all outputs are the same.
    assert_eq!(scene.labels("in/a_masks.tif"), (1, 37));
    let seg = flowmask::image::read_label_stack(&scene.path("in/a_seg.npy"), &Default::default()).unwrap();
    let masks =
        flowmask::image::read_label_stack(&scene.path("in/a_masks.tif"), &Default::default()).unwrap();
    assert_eq!(seg.labels, masks.labels);
    assert_eq!(fs::read_to_string(scene.path("in/a_outlines.txt")).unwrap().lines().count(), 37);
    let geojson: Value =
        serde_json::from_slice(&fs::read(scene.path("in/a_cells.geojson")).unwrap()).unwrap();
    assert_eq!(geojson["features"].as_array().unwrap().len(), 37);

    let run = scene
        .run("export in/a_masks.tif --outputs rois,geojson,outlines,seg,overlay --images in/a.png -o out");
    assert!(run.done().stdout.contains("37 cells"));
    for name in ["a_rois.zip", "a_cells.geojson", "a_outlines.txt"] {
        let read = |folder: &str| fs::read(scene.path(&format!("{folder}/{name}"))).unwrap();
        assert!(read("in") == read("out"), "{name}");
    }
}

#[test]
fn maps_alone_take_no_masks() {
    let scene = Scene::new();
    scene.hyperstack("z.tif", "slices", 2);
    scene.run(&format!("segment z.tif {NUCLEI} --outputs prob,flows --format npy -o out")).done();
    let files = ["z_cellprob.npy", "z_flows.npy", "z_plane0_flows.png", "z_plane1_flows.png"];
    assert_eq!(scene.names("out"), files);
    let shape = |name: &str| flowmask::npy::read::<f32>(&scene.path(name)).unwrap().shape().to_vec();
    assert_eq!(shape("out/z_cellprob.npy"), [2, 256, 256]);
    assert_eq!(shape("out/z_flows.npy"), [2, 2, 256, 256]);
}

#[test]
fn of_several_outputs_all_are_there_or_none() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    // A file is in the way of the folder of one output.
    scene.file("out/seg", "in the way");
    let run = scene.run(&format!("segment a.png {NUCLEI} --outputs masks,rois,seg --in-folders -o out"));
    run.failed(1, "out/seg");
    for folder in scene.names("out").iter().filter(|name| *name != "seg") {
        assert!(scene.names(&format!("out/{folder}")).is_empty(), "{folder}");
    }
    // What somebody drew stays, and nothing is written beside it.
    scene.file("b/a_seg.npy", "corrected by hand");
    scene.run(&format!("segment a.png {NUCLEI} --outputs masks,seg -o b")).failed(1, "b/a_seg.npy");
    assert_eq!(scene.names("b"), ["a_seg.npy"]);
}

#[test]
fn labels_cannot_give_what_only_the_network_knows() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    scene.run(&format!("segment a.png {NUCLEI}")).done();
    scene.run("export a_masks.tif").failed(2, "--outputs rois,geojson");
    scene.run("export a_masks.tif --outputs flows").failed(2, "flows is of the network");
    scene.run("export a_masks.tif --outputs overlay").failed(2, "--images");
    scene.blank("small/a.png", 9, 7);
    scene.run("export a_masks.tif --outputs overlay --images small").failed(1, "1 plane of 7 by 9");
    scene.run("export a_masks.tif --outputs overlay --images b").failed(1, "cannot read b");
    assert_eq!(scene.names("."), ["a.png", "a_masks.tif", "small"]);
}

#[test]
fn parts_of_a_list_are_disjoint_and_are_the_whole() {
    let scene = Scene::new();
    for name in ["1", "2", "3"] {
        scene.blank(&format!("in/{name}.png"), 32, 32);
    }
    scene.run("segment in --shard 1/2 -o out").done();
    assert_eq!(scene.names("out"), ["1_masks.tif", "3_masks.tif"]);
    scene.run("segment in --shard 2/2 -o out").done();
    assert_eq!(scene.names("out"), ["1_masks.tif", "2_masks.tif", "3_masks.tif"]);
    for wrong in ["0/2", "3/2", "1", "1/0", "a/b"] {
        scene.run(&format!("segment in --shard {wrong}")).failed(2, "must be I/N");
    }
}

#[test]
fn a_run_that_was_stopped_goes_on() {
    let scene = Scene::new();
    scene.blank("in/a.png", 32, 32);
    scene.file("in/b.png", "no image");
    scene.blank("in/c.png", 48, 32);
    let words = "segment in -o out --run-json out/run.json";
    let read = || fs::read_to_string(scene.path("out/run.json")).unwrap();
    scene.run(words).failed(1, "b.png");
    let record: Value = serde_json::from_str(&read()).unwrap();
    let images = record["images"].as_array().unwrap();
    assert_eq!(images.len(), 3);
    assert_eq!(record["model"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(record["model"]["name"], "cyto");
    let of =
        |name: &str| images.iter().find(|image| image["input"].as_str().unwrap().ends_with(name)).unwrap();
    assert_eq!((&of("a.png")["status"], &of("b.png")["status"]), (&"done".into(), &"failed".into()));
    assert!(of("a.png")["stages"]["segment"].as_f64().unwrap() > 0.0);
    assert_eq!((&of("c.png")["axes"], &of("c.png")["shape"]), (&"YX".into(), &serde_json::json!([32, 48])));

    // As if it had been killed while it wrote the line of the last image.
    let text = read();
    fs::write(scene.path("out/run.json"), &text[..text.rfind("\"input\"").unwrap()]).unwrap();
    fs::remove_file(scene.path("in/b.png")).unwrap();
    scene.blank("in/b.png", 32, 32);
    let run = scene.run(&format!("{words} --resume --json"));
    let lines = run.done().json().len();
    assert!((1..=2).contains(&lines), "{lines} images");
    let record: Value = serde_json::from_str(&read()).unwrap();
    let images = record["images"].as_array().unwrap();
    assert!(images.len() == 3 && images.iter().all(|image| image["status"] == "done"), "{images:?}");

    scene
        .run("segment in -o out --run-json out/run.json --resume --invert")
        .failed(2, "--resume: out/run.json");
    scene.run("segment in -o out --resume").failed(2, "--run-json");
    scene.file("out/other.json", "{\"made\": \"by hand\"}");
    scene.run("segment in -o out --run-json out/other.json").failed(2, "other.json");
}
