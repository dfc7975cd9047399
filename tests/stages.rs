//! Each stage on the CPU against golden outputs of cellpose 3.1.1.

mod common;

use common::{Golden, assert_close, assert_same_masks};
use flowmask::cpu::{
    blend, cluster, components, conv, flow_error, follow, network, normalize, resize, stitch,
};
use flowmask::plan::{grid, scale, taper};
use flowmask::{Compat, Model, Normalize, Sampling};
use ndarray::Array3;

#[test]
fn normalize() {
    let golden = Golden::open("transforms");
    let cases = [
        ("norm_f32_in", "norm_f32_out_1_99", [1.0, 99.0], false),
        ("norm_f32_in", "norm_f32_out_3_98_invert", [3.0, 98.0], true),
        ("norm_u16_in", "norm_u16_out", [1.0, 99.0], false),
    ];
    for (input, output, percentile, invert) in cases {
        let input = golden.get(input);
        let (height, width) = input.size();
        let mut pixels = input.f32();
        let options = Normalize::default().enabled(true).percentile(percentile).invert(invert);
        normalize::normalize(&mut pixels, height, width, 1, &options, Compat::V3_1_1);
        assert_close(output, &pixels, &golden.f32(output), 1e-6, 1e-5);
    }
}

#[test]
fn resize() {
    let golden = Golden::open("transforms");
    let input = golden.get("norm_f32_in");
    let (height, width) = input.size();
    let plane = input.f32();
    let rows = plane.chunks_exact(width);
    let pairs: Vec<f32> =
        rows.clone().zip(rows.rev()).flat_map(|(a, b)| a.iter().zip(b).flat_map(|(a, b)| [*a, *b])).collect();
    for name in golden.names("resize_linear_") {
        let scale = name["resize_linear_".len()..].parse().unwrap();
        let to = (scale::scaled(height, scale), scale::scaled(width, scale));
        let want = golden.get(&name);
        assert_eq!(want.shape, [to.0, to.1, 2], "{name}");
        assert_close(&name, &resize::linear(&pairs, (height, width), to, 2), &want.f32(), 1e-6, 1e-5);
    }
    let (labels, want) = (golden.get("label_in"), golden.get("resize_nearest_label"));
    assert_eq!(resize::nearest(&labels.u32(), labels.size(), want.size()), want.u32());
}

#[test]
fn tiles() {
    let golden = Golden::open("transforms");
    for name in golden.names("pad_") {
        let lengths: Vec<usize> = name["pad_".len()..].split('_').map(|s| s.parse().unwrap()).collect();
        let ((top, bottom), (left, right)) = (grid::padding(lengths[0]), grid::padding(lengths[1]));
        assert_eq!([top, bottom, left, right].map(|v| v as f64)[..], golden.get(&name).values, "{name}");
    }
    for name in golden.names("tiles_") {
        let parts: Vec<&str> = name.split('_').collect();
        let (height, width) = (parts[1].parse().unwrap(), parts[2].parse().unwrap());
        // The golden height and width include the padding.
        let grid = grid::Grid::of_padded(height, width, 224, 0.1, parts[3] == "aug");
        let rows = grid
            .tiles()
            .into_iter()
            .flat_map(|tile| [tile.y, tile.y + grid.tile.0, tile.x, tile.x + grid.tile.1].map(|v| v as f64));
        assert_eq!(rows.collect::<Vec<_>>(), golden.get(&name).values, "{name}");
    }
}

#[test]
fn blend() {
    let golden = Golden::open("transforms");
    for name in golden.names("taper_") {
        let want = golden.get(&name);
        let (down, across) = taper::taper(want.size());
        let got = down.iter().flat_map(|y| across.iter().map(move |x| (x * y) as f32)).collect::<Vec<_>>();
        assert_close(&name, &got, &want.f32(), 0.0, 1e-6);
    }
    let golden = Golden::open("average");
    average("average", &golden, false);
    average("unaugment", &golden, true);
}

/// Blends golden tiles and compares the result with the golden average.
fn average(name: &str, golden: &Golden, augment: bool) {
    let (tiles, want) = (golden.get(&format!("{name}_tiles")), golden.get(&format!("{name}_out")));
    let (height, width) = want.size();
    let nout = want.shape[0];
    let grid = grid::Grid::of_padded(height, width, 64, 0.1, augment);
    let mut blend = blend::Blend::new(&grid, nout);
    let values = tiles.f32();
    for (tile, values) in grid.tiles().into_iter().zip(values.chunks_exact(nout * grid.tile.0 * grid.tile.1))
    {
        blend.add(tile, values);
    }
    assert_close(name, &blend.finish().0, &want.f32(), 1e-5, 1e-5);
}

#[test]
fn network_nuclei() {
    let golden = Golden::open("network_nuclei");
    run_network(&golden, "nuclei", |state| {
        for level in 0..4 {
            let want = golden.get(&format!("down_{level}"));
            let (channels, (height, width)) = (want.shape[1], want.size());
            let at = |i: usize| state.skip(level, i / (height * width), i / width % height, i % width);
            let got: Vec<f32> = (0..channels * height * width).map(at).collect();
            // The golden map is in half precision.
            assert_close(&format!("down_{level}"), &got, &want.f32(), 1e-3, 1e-3);
        }
    });
}

#[test]
fn network_cyto() {
    run_network(&Golden::open("network_cyto"), "cyto", |_| {});
}

/// Runs the network on a golden input. `halfway` checks the skips.
fn run_network(golden: &Golden, model: &str, halfway: impl Fn(&network::State)) {
    let model = Model::named(model).unwrap();
    let (input, want) = (golden.get("x"), golden.get("y"));
    let (height, width) = input.size();
    let nchan = input.shape[1];
    let pixels = input.f32();
    let unet = network::Unet::new(model.network(), conv::Isa::best());
    let mut state = network::State::new(&unet, height, width);
    let value = |i: usize| pixels[i % nchan * height * width + i / nchan];
    state.set_input(&(0..pixels.len()).map(value).collect::<Vec<f32>>());
    let mut out = vec![0.0; 3 * height * width];
    network::down(&unet, &mut state);
    halfway(&state);
    network::up(&unet, &mut state, &mut out);
    assert_close("y", &out, &want.f32(), 1e-4, 1e-4);
    assert_close("style", &state.style, &golden.f32("style"), 1e-5, 1e-4);
}

const DYNAMICS: [&str; 2] = ["dynamics_nuclei_0", "dynamics_cyto_1"];

#[test]
fn follow() {
    for name in DYNAMICS {
        let golden = Golden::open(name);
        let size = golden.get("cellprob").size();
        for (sampling, key) in [(Sampling::Bilinear, "p_interp1"), (Sampling::Nearest, "p_interp0")] {
            let points = follow::follow(&golden.f32("dP"), &golden.f32("cellprob"), size, 0.0, 200, sampling);
            let want = golden.get(key).f32();
            let n = points.ends.len();
            assert_eq!(2 * n, want.len());
            let close = |i: &usize| {
                let [y, x] = points.ends[*i];
                (y - want[*i]).abs() < 1e-3 && (x - want[n + i]).abs() < 1e-3
            };
            let close = (0..n).filter(close).count() as f64 / n as f64;
            println!("{name} {key}: {:.3} % of {n} end points within 1e-3 px", 100.0 * close);
            assert!(close >= 0.999, "{name} {key}: only {:.3} %", 100.0 * close);
        }
    }
}

#[test]
fn cluster() {
    for name in DYNAMICS {
        let golden = Golden::open(name);
        let size = golden.get("cellprob").size();
        let cellprob = golden.f32("cellprob");
        let (ys, xs) = golden.get("p_interp1").values.split_at(golden.get("p_interp1").shape[1]);
        let pixels = (0..cellprob.len() as u32).filter(|&i| cellprob[i as usize] > 0.0).collect();
        let ends = ys.iter().zip(xs).map(|(&y, &x)| [y as f32, x as f32]).collect();
        let labels = cluster::cluster(&follow::Points { pixels, ends }, size, 0.4);
        assert_same_masks(name, &labels, &golden.u32("masks_raw"));
    }
}

#[test]
fn flow_error() {
    for name in DYNAMICS {
        let golden = Golden::open(name);
        let width = golden.get("cellprob").size().1;
        let (mut labels, flows) = (golden.u32("masks_raw"), golden.f32("dP"));
        let errors: Vec<f32> =
            flow_error::flow_errors(&labels, width, &flows).into_iter().map(|e| e as f32).collect();
        assert_close(name, &errors, &golden.f32("flow_error"), 1e-5, 1e-5);
        flow_error::drop_bad_flows(&mut labels, width, &flows, 0.4);
        assert_eq!(labels, golden.u32("masks_qc"), "{name}");
    }
    for name in ["flows_0", "flows_2"] {
        let golden = Golden::open(name);
        let (labels, want) = (golden.get("lab"), golden.f32("mu"));
        let got = flow_error::masks_to_flows(&labels.u32(), labels.size().1);
        // A gradient of zero has no direction, so rounding decides at a few centres.
        let differ = got.iter().zip(&want).filter(|(g, w)| (**g - **w).abs() > 1e-4).count();
        println!("{name}: {differ} of {} values differ", want.len());
        assert!(differ <= 2 * common::cells(&labels.u32()), "{name}: {differ} values differ");
    }
}

#[test]
fn components() {
    for name in ["flows_0", "flows_2"] {
        let golden = Golden::open(name);
        let labels = golden.get("lab");
        let diameter = components::diameter(&labels.u32());
        assert_close("diameter", &[diameter as f32], &golden.f32("diam"), 0.0, 1e-6);
        let mut inner = labels.u32();
        components::drop_edges(&mut inner, labels.size());
        assert_same_masks("no_edges", &inner, &golden.u32("no_edges"));
        assert_eq!(common::same_partition(&inner, &golden.u32("no_edges")), 1.0, "{name}");
    }
    for name in DYNAMICS {
        let golden = Golden::open(name);
        let (mut labels, width) = (golden.u32("masks_qc"), golden.get("cellprob").size().1);
        components::fill_holes_and_drop_small(&mut labels, width, 15, Compat::V3_1_1);
        assert_eq!(labels, golden.u32("masks"), "{name}");
    }
    let golden = Golden::open("holes");
    for (name, min_size) in [("holes_min15", 15), ("holes_min-1", 0)] {
        let mut labels = golden.u32("holes_in");
        components::fill_holes_and_drop_small(&mut labels, 80, min_size, Compat::V3_1_1);
        assert_eq!(labels, golden.u32(name), "{name}");
    }
}

#[test]
fn stitch() {
    let golden = Golden::open("stitch");
    let shape: [usize; 3] = golden.get("stitch_in").shape.clone().try_into().unwrap();
    for (name, threshold) in [("stitch_out_25", 0.25), ("stitch_out_60", 0.6)] {
        // One of the planes is empty; labels go on after it in both ways.
        for compat in [Compat::None, Compat::V3_1_1] {
            let mut labels = Array3::from_shape_vec(shape, golden.u32("stitch_in")).unwrap();
            stitch::stitch(&mut labels.outer_iter_mut().collect::<Vec<_>>(), threshold, compat).unwrap();
            assert!(labels.into_raw_vec_and_offset().0 == golden.u32(name), "{name}, {compat:?}");
        }
    }
}
