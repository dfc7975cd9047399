//! The stages of volumes, each against its twin on the processor.

mod blend;
pub mod cluster;
pub mod components;
pub mod flow_error;
pub mod follow;
mod normalize;
mod ortho;
pub mod parts;
mod pipeline;
mod resize;
mod smooth;
mod tiles;

use crate::components::Noise;

pub type Size = [usize; 3];

/// One voxel, lines along each axis, planes across each axis, and sizes that no block or word of bits divides.
pub const SIZES: [Size; 8] =
    [[7, 11, 13], [1, 1, 1], [1, 1, 67], [1, 67, 1], [67, 1, 1], [1, 9, 35], [9, 1, 35], [5, 8, 64]];

pub fn voxels(size: Size) -> usize {
    size.iter().product()
}

/// The volume in which each voxel has the value that its place gives.
pub fn volume<T>([depth, height, width]: Size, value: impl Fn([usize; 3]) -> T) -> Vec<T> {
    (0..depth * height * width).map(|i| value([i / width / height, i / width % height, i % width])).collect()
}

/// Balls of radii up to `radius`, each over those before; their numbers have gaps and no order.
pub fn balls(size: Size, count: usize, radius: usize, seed: u64) -> Vec<u32> {
    let mut noise = Noise(seed * 7919 + 1);
    let mut labels = vec![0; voxels(size)];
    for _ in 0..count {
        let centre = size.map(|length| noise.below(length));
        let (r, label) = (noise.below(radius + 1).pow(2), 1 + noise.below(2 * count) as u32);
        let ball =
            volume(size, |at| (0..3).map(|axis| at[axis].abs_diff(centre[axis]).pow(2)).sum::<usize>() <= r);
        labels.iter_mut().zip(ball).filter(|(_, inside)| *inside).for_each(|(voxel, _)| *voxel = label);
    }
    labels
}

pub fn first_difference(what: &str, got: &[u32], want: &[u32], [_, height, width]: Size) {
    assert_eq!(got.len(), want.len(), "{what}");
    if let Some(i) = got.iter().zip(want).position(|(got, want)| got != want) {
        let place = [i / width / height, i / width % height, i % width];
        panic!("{what}: {} at {place:?}, not {}", got[i], want[i]);
    }
}

/// The flows of the stored stages, `[3, depth, height, width]`, with what is inside of cells, and the size.
pub fn golden_flows() -> (Vec<f32>, Vec<f32>, Size) {
    let golden = crate::follow::common::Golden::open("volume_stages");
    let inside = golden.f32("inside");
    let size = golden.get("inside").shape.clone().try_into().unwrap();
    let mut flows = vec![0.0; 3 * inside.len()];
    // The file has only those inside of cells.
    let places: Vec<usize> = (0..flows.len()).filter(|i| inside[i % inside.len()] > 0.0).collect();
    places.into_iter().zip(golden.f32("dP_inside")).for_each(|(i, flow)| flows[i] = flow);
    (flows, inside, size)
}
