//! The convolutions of the network, on which variants are tried.

use super::variants::Kind;
use super::{CHANNELS_IN, Size};

/// The channels of the network that is measured: Cellpose's.
const NBASE: [usize; 5] = [CHANNELS_IN, 32, 64, 128, 256];

/// A convolution with all that the network does around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Problem {
    pub kind: Kind,
    pub size: Size,
    /// Whether shifts and biases differ from tile to tile.
    pub of_tile: bool,
    pub relu: bool,
    pub skip: bool,
    pub accumulate: bool,
    pub pooled: bool,
}

/// The convolutions of the network for `count` tiles of `side` by `side` pixels, one of each kind.
pub(super) fn problems(side: usize, count: usize) -> Vec<Problem> {
    let levels = NBASE.len() - 1;
    let of_level = |n: usize| {
        let (inputs, outputs, below) = (NBASE[n], NBASE[n + 1], NBASE[(n + 2).min(levels)]);
        let up = n + 1 < levels;
        let size = Size { count, height: side >> n, width: side >> n };
        let kind = Kind { inputs: outputs, proj_inputs: 0, outputs, up: false, proj_up: false, act: false };
        let plain = Problem {
            kind,
            size,
            of_tile: false,
            relu: false,
            skip: false,
            accumulate: false,
            pooled: false,
        };
        // In the order of `res_down` and `res_up`; those that are left out are of the same kind as others.
        [
            Problem { kind: Kind { inputs, act: true, ..kind }, relu: true, ..plain },
            Problem { kind: Kind { proj_inputs: inputs, ..kind }, ..plain },
            Problem { accumulate: true, pooled: up, ..plain },
            Problem { kind: Kind { act: true, ..kind }, of_tile: true, relu: true, ..plain },
            Problem {
                kind: Kind { inputs: below, up, act: true, ..kind },
                of_tile: true,
                skip: true,
                relu: true,
                ..plain
            },
            Problem { kind: Kind { proj_inputs: below, proj_up: up, ..kind }, ..plain },
        ]
    };
    let mut all: Vec<Problem> = Vec::new();
    for problem in (0..levels).flat_map(of_level) {
        if all.iter().all(|other| other.kind != problem.kind) {
            all.push(problem);
        }
    }
    all
}
