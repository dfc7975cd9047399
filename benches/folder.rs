//! A folder of small images, from files to files, beside the network alone: `cargo bench --bench folder -- 500`.

mod common;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use common::discs;
use flowmask::output::{Format, save_labels};
use flowmask::{Image, Model, Options, Segmenter};
use ndarray::Axis;

/// Sides are run in turns of so many images.
const TURN: usize = 50;

/// The images through the network, without masks and files. Returns the seconds.
fn network(segmenter: &Segmenter, image: &Image) -> f64 {
    let options = Options::default().compute_masks(false).flows(false);
    let begin = Instant::now();
    let files = (0..TURN).map(|_| || Ok::<_, flowmask::Error>(vec![image.clone()]));
    segmenter.segment_many(files, &options, |_, found| drop(found.unwrap())).unwrap();
    begin.elapsed().as_secs_f64()
}

/// The command on the folder.
fn command(folder: &Path, outputs: &str) -> f64 {
    let begin = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowmask"));
    command.current_dir(folder).args([
        "segment",
        "in",
        "--model",
        "nuclei",
        "--quiet",
        "--overwrite",
        "-o",
        "out",
    ]);
    assert!(command.args(["--outputs", outputs]).status().unwrap().success());
    begin.elapsed().as_secs_f64()
}

fn main() {
    let count = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(500_usize).max(TURN);
    let segmenter = Segmenter::builder().model(Model::named("nuclei").unwrap()).build().unwrap();
    let image = discs(256);
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("in")).unwrap();
    let pixels = image.pixels().to_f32().mapv(|v| v as u32).remove_axis(Axis(2));
    for i in 0..TURN {
        let path = folder.path().join(format!("in/{i}.tif"));
        save_labels(&path, &[pixels.view()], Format::Tif).unwrap();
    }
    network(&segmenter, &image);
    let all = "masks,overlay,rois,geojson,outlines,seg";
    let (mut alone, mut masks, mut many) = (0.0, 0.0, 0.0);
    for _ in 0..count.div_ceil(TURN) {
        alone += network(&segmenter, &image);
        masks += command(folder.path(), "masks");
        many += command(folder.path(), all);
    }
    let images = (count.div_ceil(TURN) * TURN) as f64;
    println!("network alone: {:.1} images/s", images / alone);
    println!("masks: {:.1} images/s, {:.3} of the network alone", images / masks, alone / masks);
    println!("{all}: {:.1} images/s, {:.3} of the network alone", images / many, alone / many);
}
