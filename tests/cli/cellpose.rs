//! `flowmask cellpose` writes the files of `python -m cellpose`; `tests/data/files` has them.

use std::fs;
use std::path::PathBuf;

use crate::scene::{BIN, NUCLEI, Scene, decode_png};

/// The file of the weights of `nuclei`.
fn weights() -> String {
    format!("--pretrained_model {}/weights/nuclei.safetensors", env!("CARGO_MANIFEST_DIR"))
}

fn golden(name: &str) -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/files").join(name)).unwrap()
}

/// The numbers of an array in a `_seg.npy`, found by the key that stands before it.
fn entry(file: &[u8], key: &str) -> Vec<u32> {
    let folder = tempfile::tempdir().unwrap();
    // The reader takes the entry `masks`; another key of the same length is renamed to it.
    let path = folder.path().join("a_seg.npy");
    let text = |key: &str| key.as_bytes().to_vec();
    let mut bytes = file.to_vec();
    if key != "masks" {
        let swap = |bytes: &mut Vec<u8>, from: &[u8], to: &[u8]| {
            let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
            bytes.splice(at..at + from.len(), to.iter().copied());
        };
        swap(&mut bytes, &text("masks"), &text("other"));
        let long = [&(key.len() as u32).to_le_bytes()[..], key.as_bytes()].concat();
        swap(&mut bytes, &long, &[&5_u32.to_le_bytes()[..], b"masks"].concat());
    }
    fs::write(&path, bytes).unwrap();
    flowmask::image::read_label_stack(&path, &Default::default()).unwrap().labels.iter().copied().collect()
}

#[test]
fn the_files_are_those_of_the_original() {
    let scene = Scene::new();
    scene.file("cells.tif", golden("cells.tif"));
    let flags = "--diameter 20 --save_png --save_tif --save_outlines --save_rois --save_txt";
    let run = scene.run(&format!("cellpose --image_path cells.tif {} {flags}", weights())).done();
    assert_eq!(run.stdout, "");
    let files = [
        "cells.tif",
        "cells_cp_masks.png",
        "cells_cp_masks.tif",
        "cells_cp_outlines.txt",
        "cells_outlines_cp_masks.png",
        "cells_rois.zip",
        "cells_seg.npy",
    ];
    assert_eq!(scene.names("."), files);
    let own = |name: &str| fs::read(scene.path(name)).unwrap();
    assert_eq!(own("cells_cp_outlines.txt"), golden("cells_cp_outlines.txt"));
    assert_eq!(decode_png(&own("cells_cp_masks.png")), decode_png(&golden("cells_cp_masks.png")));
    let (height, width, labels) = decode_png(&own("cells_cp_masks.png"));
    assert_eq!((width, height), (160, 200));
    let masks = entry(&own("cells_seg.npy"), "masks");
    assert!(labels.chunks(2).map(|raw| u32::from(raw[0]) << 8 | u32::from(raw[1])).eq(masks.iter().copied()));
    // The original's file has its keys in another opcode, and the same arrays.
    assert_eq!(entry(&golden("cells_seg.npy"), "masks"), masks);
    let outlined: Vec<_> = decode_png(&own("cells_outlines_cp_masks.png")).2;
    let outlines = entry(&own("cells_seg.npy"), "outlines");
    for (pixel, (outline, label)) in outlined.chunks(3).zip(outlines.iter().zip(&masks)) {
        assert_eq!(pixel == [255, 0, 0], *outline > 0);
        assert!(*outline == 0 || outline == label);
    }
    assert!(outlined.chunks(3).any(|pixel| pixel[2] > 100), "the picture is black");
}

#[test]
fn what_is_written_when_follows_the_original() {
    let scene = Scene::new();
    scene.blank("in/a.png", 64, 48);
    let run = |flags: &str| scene.run(&format!("cellpose --dir in {} {flags}", weights()));
    // Without cells, there are no pictures.
    run("--save_png --save_txt --save_outlines --save_flows").done();
    assert_eq!(scene.names("in"), ["a.png", "a_seg.npy"]);
    run("--save_tif --save_png --save_txt --no_npy").done();
    assert_eq!(scene.names("in"), ["a.png", "a_cp_masks.tif", "a_seg.npy"]);
    assert_eq!(scene.labels("in/a_cp_masks.tif"), (1, 0));
    run("--save_outlines --no_npy").failed(0, "--save_outlines has no effect without --save_png");
    run("--invert --norm_percentile 1 99 --no_npy")
        .failed(0, "--invert has no effect with --norm_percentile");
    run("--savedir away --save_tif").failed(2, "--savedir: the folder away is not there");
    run("--train").failed(2, "training is not there yet");

    fs::remove_dir_all(scene.path("in")).unwrap();
    scene.nuclei("in/b.png");
    scene.nuclei("in/sub/c.png");
    fs::create_dir(scene.path("out")).unwrap();
    run("--no_npy --save_tif --save_flows --in_folders --savedir out --output_name= --diameter 19.48").done();
    assert_eq!(scene.names("out/masks"), ["b.tif"]);
    assert_eq!(scene.names("out/flows"), ["b_dP.tif", "b_flows.tif"]);
    assert_eq!(scene.names("in"), ["b.png", "sub"]);
    assert_eq!(scene.labels("out/masks/b.tif").1, 37);
    // Both are replaced when they are written again, and the folders of a folder are taken.
    run("--look_one_level_down --save_tif --output_name _x --diameter 19.48").done();
    fs::remove_file(scene.path("in/b_x.tif")).unwrap();
    run("--save_tif --output_name _x --diameter 19.48").done();
    assert_eq!(scene.names("in"), ["b.png", "b_seg.npy", "b_x.tif", "sub"]);
    assert_eq!(scene.names("in/sub"), ["c.png", "c_seg.npy", "c_x.tif"]);
}

#[test]
fn channels_of_an_image_that_has_one_have_no_effect() {
    let scene = Scene::new();
    scene.tiled("a.png", 256);
    let run = |flags: &str| {
        let flags = format!("{flags} --diameter 19.48 --save_tif {}", weights());
        let run = scene.run(&format!("cellpose --image_path a.png --no_npy {flags}"));
        (run, fs::read(scene.path("a_cp_masks.tif")).unwrap())
    };
    let (plain, masks) = run("");
    plain.done();
    let (quiet, same) = run("--chan 2 --chan2 3");
    quiet.done();
    assert!(masks == same, "other masks");
    scene
        .run(&format!("segment a.png {NUCLEI} --compat 3.1.1 --chan 2"))
        .failed(0, "warning: a.png: has one channel, so --chan and --chan2 have no effect");
    scene
        .run("segment a.png --overwrite --chan 2")
        .failed(1, "a.png: has 1 channels, channel 2 is not there");
}

#[test]
fn stacks_are_written_as_tiff_only() {
    let scene = Scene::new();
    scene.hyperstack("z.tif", "slices", 2);
    let run = |flags: &str| scene.run(&format!("cellpose --image_path z.tif --no_npy {} {flags}", weights()));
    run("--save_png").failed(1, "z.tif: stacks cannot be saved as PNG: write --save_tif");
    run("--save_png --save_tif --save_txt --diameter 19.48").done();
    assert_eq!(scene.names("."), ["z.tif", "z_cp_masks.tif"]);
    assert_eq!(scene.labels("z_cp_masks.tif").0, 2);
}

#[test]
fn masks_are_those_of_the_compatible_mode() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    scene.run(&format!("segment a.png {NUCLEI} --compat 3.1.1 --suffix _own")).done();
    let words = "--diameter 19.48 --save_tif --no_npy --verbose --use_gpu";
    let run = scene.run(&format!("cellpose --image_path a.png {} {words}", weights()));
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains("cells"), "{run:?}");
    let labels = |name: &str| flowmask::image::read(&scene.path(name)).unwrap().planes;
    assert_eq!(labels("a_own.tif"), labels("a_cp_masks.tif"));
}

#[test]
fn workflows_read_the_version() {
    let run = Scene::new().run("cellpose --version").done();
    let line = run.stdout.lines().nth(1).unwrap();
    assert_eq!(line.split_whitespace().nth(2), Some("3.1.1"), "{run:?}");
}

/// The script of nf-core's module `cellpose` (with a model, without a GPU), with `cellpose` replaced.
#[cfg(unix)]
#[test]
fn the_module_of_nf_core_runs() {
    let scene = Scene::new();
    scene.nuclei("tile.ome.png");
    let script = r#"
        set -e
        cellpose() { "$FLOWMASK" cellpose "$@"; }
        export OMP_NUM_THREADS=2
        export HOME=$PWD
        export CELLPOSE_LOCAL_MODELS_PATH=$PWD/.cellpose
        mkdir -p $CELLPOSE_LOCAL_MODELS_PATH
        cellpose \
            --image_path tile.ome.png \
            --save_tif \
            --verbose \
             \
            --pretrained_model "$MODEL" \
            --diameter 19.48 --save_flows
        mkdir -p test
        mv *masks.tif test/
        mv *flows.tif test/ 2>/dev/null || true
        mv *seg.npy test/ 2>/dev/null || true
        cellpose --version | sed -n 's/cellpose version:[[:space:]]*//p' | tr -d '[:space:]'
    "#;
    let mut shell = std::process::Command::new("bash");
    let model = format!("{}/weights/nuclei.safetensors", env!("CARGO_MANIFEST_DIR"));
    let run = scene.output(shell.args(["-c", script]).env("FLOWMASK", BIN).env("MODEL", model));
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.ends_with("3.1.1"), "{run:?}");
    let flows = ["tile.ome_dP_cp_masks.tif", "tile.ome_flows_cp_masks.tif"];
    assert_eq!(scene.names("test"), ["tile.ome_cp_masks.tif", flows[0], flows[1], "tile.ome_seg.npy"]);
    assert_eq!(scene.labels("test/tile.ome_cp_masks.tif"), (1, 37));
}
