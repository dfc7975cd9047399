//! The stages of volumes, and whole volumes.

mod blend;
mod normalize;
mod pipeline;
mod resize;
mod smooth;
mod tiles;

/// Down, up, one axis alone, two of them, none, from and to a voxel.
const SIZES: [([usize; 3], [usize; 3]); 9] = [
    ([5, 17, 23], [9, 11, 31]),
    ([5, 17, 23], [3, 20, 23]),
    ([6, 7, 33], [6, 9, 34]),
    ([4, 9, 13], [8, 9, 13]),
    ([9, 4, 5], [2, 4, 5]),
    ([3, 5, 7], [3, 5, 7]),
    ([1, 1, 1], [3, 2, 5]),
    ([2, 3, 40], [1, 1, 1]),
    ([1, 2, 2], [7, 9, 33]),
];
