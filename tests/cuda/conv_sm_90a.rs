//! The convolutions with warp groups against those with `mma.sync`, on the emulator: it adds the products of a slice in
//! the same order for both instructions, so that the bits are the same. On a GPU the tuner compares them.

use flowmask::Precision;
use flowmask::cuda::Gpu;
use flowmask::cuda::conv::{ConvSum, Layout, Size};

use crate::conv::{APART, CASES, Case, DEFAULT, Problem, check};
use crate::device::{gpu, on_device, schedule};
use crate::emulator::in_process;

/// Runs a test where the emulator has the shared memory of a card with warp groups.
fn on_hopper(test: &str, body: impl FnOnce()) {
    let capability = [("FLOWMASK_EMULATOR_CAPABILITY", "90"), ("FLOWMASK_EMULATOR_MULTIPROCESSORS", "3")];
    in_process(&format!("conv_sm_90a::{test}"), &capability, body);
}

/// The cases of all convolutions, each with outputs for columns of 64.
fn problems() -> Vec<Problem> {
    let all = CASES.iter().filter(|case| case.last.is_none());
    let all = all.map(|case| Case { outputs: case.outputs.next_multiple_of(64) - 3, ..*case });
    // Six quarters a tile: the 32 of a thread block are of up to seven tiles.
    let apart = Case { count: 9, height: 8, width: 9, inputs: 70, outputs: 120, ..APART };
    let pooled =
        Case { count: 4, height: 18, width: 14, relu: true, up: true, proj: Some((70, true)), ..apart };
    let pooled = Case { pooled: true, accumulate: true, ..pooled };
    all.chain([apart, pooled]).map(Problem::new).collect()
}

/// Whether the quarters of a strip can lie apart.
fn can_be_apart(problem: &Problem) -> bool {
    let Size { height, width, .. } = problem.size;
    let same = problem.case.proj.is_none_or(|(_, up)| up == problem.case.up);
    same && height.div_ceil(4) * width.div_ceil(4) >= 5
}

/// Half precision, with the bound of the other kernels.
#[test]
fn warp_groups_are_the_sum() {
    on_hopper("warp_groups_are_the_sum", || {
        let (gpu, mut part) = (gpu(), 0.0);
        for problem in problems() {
            let made = problem.run_in(&gpu, Layout::Pieces, |sum| sum);
            check(&problem, &made, 2e-3, &mut part);
        }
        assert!(part > 0.0);
    });
}

fn bits(made: [Vec<f32>; 3]) -> [Vec<u32>; 3] {
    made.map(|values| values.into_iter().map(f32::to_bits).collect())
}

/// With quarters together, in so many thread blocks, and apart, in as many as the emulator has multiprocessors.
fn compare(gpu: &Gpu, problem: &Problem, blocks: &[usize]) {
    let want = bits(problem.run(gpu, Precision::F16, |sum| sum.apart(false)));
    let compare = |what: &str, change: &dyn Fn(ConvSum) -> ConvSum| {
        let made = bits(problem.run_in(gpu, Layout::Pieces, change));
        assert!(made == want, "{what}, {:?}", problem.case);
    };
    for &blocks in blocks {
        compare(&format!("{blocks} blocks"), &|sum| sum.apart(false).blocks(blocks));
    }
    if can_be_apart(problem) {
        compare("apart", &|sum| sum.apart(true));
    }
}

#[test]
fn warp_groups_give_the_same_bits() {
    on_hopper("warp_groups_give_the_same_bits", || {
        let problems = problems();
        on_device(|gpu| problems.iter().for_each(|problem| compare(gpu, problem, &[1, 2])));
    });
}

/// The sides of the network's levels with 64 channels and more; a tile of 28×28 pixels has 49 quarters.
#[test]
fn the_sides_of_the_network_give_the_same_bits() {
    on_hopper("the_sides_of_the_network_give_the_same_bits", || {
        schedule(3, false);
        let level = Case { inputs: 64, outputs: 64, act: 1, relu: true, ..DEFAULT };
        let levels = [
            Case { count: 1, height: 112, width: 112, inputs: 32, pooled: true, accumulate: true, ..level },
            Case { count: 1, height: 56, width: 56, proj: Some((64, true)), skip: true, ..level },
            Case { count: 2, height: 28, width: 28, outputs: 128, act: 2, bias_of_tile: true, ..level },
        ];
        for case in levels {
            compare(&gpu(), &Problem::new(case), &[100]);
        }
    });
}

/// For the 36 products of a slice a warp loads 18 fragments, and a projection's 4 take 4.
#[test]
fn fragments_are_loaded_once_and_without_bank_conflicts() {
    on_hopper("fragments_are_loaded_once_and_without_bank_conflicts", || {
        let (gpu, problem) = (gpu(), Problem::new(APART));
        // 24 strips in 3 items, or 63 quarters in 2.
        for (apart, items) in [(false, 3), (true, 2)] {
            flowmask_emulator::statistics();
            problem.run_in(&gpu, Layout::Pieces, |sum| sum.apart(apart));
            let [mma, lanes, conflicts, _, _, _, _, products] = flowmask_emulator::statistics();
            let (slices, projection) = (4, 2);
            let warps = 8 * items;
            assert_eq!([conflicts, mma], [0, 0], "bank conflicts, mma.sync");
            assert_eq!(products, warps * (36 * slices + 4 * projection));
            assert_eq!(lanes / 32, warps * (18 * slices + 4 * projection));
        }
    });
}
