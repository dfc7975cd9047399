//! Volumes on the CPU against golden outputs of cellpose 3.1.1, stage by stage and in whole runs.

mod common;

use common::{Array, Golden, assert_close, cells, same_partition};
use flowmask::cpu::volume::{cluster, components, follow};
use flowmask::{Compat, Diameter, Image, Model, Options, Sampling, Segmenter};
use ndarray::Array2;

/// The flows of the golden file, `[3, depth, height, width]`: it has only those inside of cells.
fn flows(inside: &[f32], golden: &Golden) -> Vec<f32> {
    let mut flows = vec![0.0; 3 * inside.len()];
    let places = (0..flows.len()).filter(|i| inside[i % inside.len()] > 0.0).collect::<Vec<_>>();
    places.into_iter().zip(golden.f32("dP_inside")).for_each(|(i, flow)| flows[i] = flow);
    flows
}

fn size(array: &Array) -> [usize; 3] {
    array.shape.clone().try_into().unwrap()
}

#[test]
fn from_flows_to_masks() {
    let golden = Golden::open("volume_stages");
    let (inside, size) = (golden.f32("inside"), size(golden.get("inside")));
    let flows = flows(&inside, &golden);
    // The end points of every so many voxels are there. They are the same bit by bit.
    for (sampling, key, every) in
        [(Sampling::Nearest, "p_interp0", 32), (Sampling::GridSample, "p_interp1", 4)]
    {
        let points = follow::follow(&flows, &inside, size, 0.0, 200, sampling);
        let ends: Vec<_> = points.ends.iter().step_by(every).collect();
        let want = golden.f32(key);
        assert_eq!(3 * ends.len(), want.len());
        let differ = |i: &usize| (0..3).any(|axis| ends[*i][axis] != want[axis * ends.len() + i]);
        assert_eq!((0..ends.len()).filter(differ).count(), 0, "{key}: of {} end points", ends.len());
        if sampling == Sampling::GridSample {
            let mut labels = cluster::cluster(&points, size, 0.4);
            assert_eq!(cells(&labels), 59);
            assert!(labels == golden.u32("masks_raw"));
            // These masks have no holes, and none is small.
            components::fill_holes_and_drop_small(&mut labels, size, 60, Compat::V3_1_1);
            assert!(labels == golden.u32("masks_raw"));
        }
    }
}

#[test]
fn holes() {
    let golden = Golden::open("volume_stages");
    let size = size(golden.get("holes_in"));
    for (name, min_size) in [("holes_min15", 15), ("holes_min-1", 0)] {
        let mut labels = golden.u32("holes_in");
        components::fill_holes_and_drop_small(&mut labels, size, min_size, Compat::V3_1_1);
        assert!(labels == golden.u32(name), "{name}");
    }
}

/// Twelve voxels each, without a gap: far more cells than the original's 16 bits can number. It takes some seconds, since a
/// million cells need twelve million voxels.
#[test]
fn a_million_cells() {
    let size = [200, 200, 300];
    let place = |i: usize| [i / (200 * 300), i / 300 % 200, i % 300];
    let cell = [2, 2, 3];
    let n = size.iter().product();
    // One step leads from each voxel to the first of its cell.
    let step = |axis: usize, i: usize| -5.0 * (place(i)[axis] % cell[axis]) as f32;
    let flows: Vec<f32> = (0..3).flat_map(|axis| (0..n).map(move |i| step(axis, i))).collect();
    let points = follow::follow(&flows, &vec![1.0; n], size, 0.0, 9, Sampling::Nearest);
    drop(flows);
    let mut labels = cluster::cluster(&points, size, 0.4);
    drop(points);
    components::fill_holes_and_drop_small(&mut labels, size, 12, Compat::None);
    let number = |[z, y, x]: [usize; 3]| (z / 2 * 100 + y / 2) * 100 + x / 3 + 1;
    assert_eq!((0..n).find(|&i| labels[i] as usize != number(place(i))), None);
    assert_eq!(labels.iter().max(), Some(&1_000_000));
}

/// The planes of the golden stack.
fn planes(golden: &Golden) -> Vec<Image> {
    let stack = golden.get("stack");
    let size = stack.size();
    let plane = |values: &[f64]| {
        let pixels = values.iter().map(|&value| value as u8).collect();
        Image::from_gray(Array2::<u8>::from_shape_vec(size, pixels).unwrap().view()).unwrap()
    };
    stack.values.chunks_exact(size.0 * size.1).map(plane).collect()
}

fn nuclei() -> Segmenter {
    Segmenter::builder().model(Model::named("nuclei").unwrap()).build().unwrap()
}

fn options() -> Options {
    Options::default().diameter(Diameter::Pixels(17.0)).min_size(60).compat(Compat::V3_1_1)
}

/// The original's runs, with the arguments of `tools/golden/volume.py`.
#[test]
fn whole_runs() {
    let golden = Golden::open("volume");
    let (planes, segmenter) = (planes(&golden), nuclei());
    let aniso = || options().anisotropy(2.0);
    let runs = [
        ("iso", options()),
        ("aniso", aniso()),
        ("smooth", aniso().flow3d_smooth([2.0; 3])),
        ("scaled", aniso().diameter(Diameter::Pixels(22.0))),
        ("augment", aniso().augment(true)),
    ];
    for (tag, options) in runs {
        let t = std::time::Instant::now();
        let found = segmenter.segment_volume(&planes, &options).unwrap();
        println!("{tag} {:?}", t.elapsed());
        let want = golden.u32(&format!("{tag}_masks"));
        let masks = found.masks.as_slice().unwrap();
        let same = same_partition(masks, &want);
        println!(
            "{tag}: {:.4} % of the voxels, {} cells, golden {}",
            100.0 * same,
            found.cells(),
            cells(&want)
        );
        assert!(same >= 0.999 && found.cells() == cells(&want), "{tag}");
        if tag == "aniso" {
            let styles: Vec<f32> = found.style.rows().into_iter().step_by(40).flatten().copied().collect();
            assert_close("style", &styles, &golden.f32("aniso_style"), 1e-4, 1e-3);
        }
    }
}
