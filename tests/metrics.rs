//! Metrics against PyTorch cellpose 3.1.1.2 and against naive definitions.

mod common;

use std::collections::BTreeMap;
use std::time::Instant;

use common::Golden;
use flowmask::metrics::{
    Detection, ImageScores, Match, Overlaps, THRESHOLDS, aggregated_jaccard_index, average_precision,
    boundary_scores, flow_error, mask_ious,
};
use ndarray::{Array2, Array3, array};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

const GOLDEN: [&str; 2] = ["metrics_nuclei", "metrics_cyto"];

fn labels(golden: &Golden, name: &str) -> Array2<u32> {
    Array2::from_shape_vec(golden.get(name).size(), golden.u32(name)).unwrap()
}

/// Each image of the golden files: the file, the image's place in its lists, truth and prediction.
fn golden_images() -> impl Iterator<Item = (Golden, usize, Array2<u32>, Array2<u32>)> {
    let places = GOLDEN.into_iter().flat_map(|file| (0..4).map(move |i| (file, i)));
    places.map(|(file, i)| {
        let golden = Golden::open(file);
        let [truth, pred] = ["true", "pred"].map(|side| labels(&golden, &format!("{i}_{side}")));
        (golden, i, truth, pred)
    })
}

/// A golden list over thresholds or scales, `[images, n]` for the detections and `[n, images]` for boundaries.
fn column(golden: &Golden, name: &str, image: usize) -> Vec<f64> {
    let array = golden.get(name);
    match name.starts_with('b') {
        true => array.values.iter().skip(image).step_by(array.shape[1]).copied().collect(),
        false => array.values[image * array.shape[1]..][..array.shape[1]].to_vec(),
    }
}

#[track_caller]
fn assert_near(what: &str, got: f64, want: f64, bound: f64) {
    assert!((got - want).abs() <= bound, "{what}: {got} instead of {want}");
}

#[test]
fn matches_are_the_originals() {
    for (golden, i, truth, pred) in golden_images() {
        let matches = mask_ious(truth.view(), pred.view()).unwrap();
        let (ious, partners) = (&golden.get(&format!("{i}_iou")).values, golden.u32(&format!("{i}_match")));
        assert_eq!(matches.len(), ious.len());
        for ((found, &iou), &partner) in matches.iter().zip(ious).zip(&partners) {
            assert_near("IoU", found.iou, iou, 1e-12);
            // At an IoU of 0 the original takes any cell that is left.
            assert_eq!(found.pred, (iou > 0.0).then_some(partner), "cell {} of {i}", found.truth);
        }
    }
}

#[test]
fn counts_and_average_precision_are_the_originals() {
    for (golden, i, truth, pred) in golden_images() {
        let found = average_precision(truth.view(), pred.view(), &golden.get("thresholds").values).unwrap();
        let of = |part: fn(&Detection) -> usize| found.iter().map(|d| part(d) as f64).collect::<Vec<_>>();
        assert_eq!(of(|d| d.true_positives), column(&golden, "tp", i));
        assert_eq!(of(|d| d.false_positives), column(&golden, "fp", i));
        assert_eq!(of(|d| d.false_negatives), column(&golden, "fn", i));
        let ap: Vec<_> = found.iter().map(|d| f64::from(d.ap() as f32)).collect();
        assert_eq!(ap, column(&golden, "ap", i));
    }
}

#[test]
fn aji_and_boundaries_are_the_originals() {
    for (golden, i, truth, pred) in golden_images() {
        let aji = aggregated_jaccard_index(truth.view(), pred.view()).unwrap();
        assert_near("AJI", aji, golden.get("aji").values[i], 1e-9);
        let scores = boundary_scores(truth.view(), pred.view(), &golden.get("scales").values).unwrap();
        for (j, score) in scores.iter().enumerate() {
            let what = format!("image {i}, scale {}", score.scale);
            assert_near(&what, score.precision, column(&golden, "bprecision", i)[j], 1e-9);
            assert_near(&what, score.recall, column(&golden, "brecall", i)[j], 1e-9);
            assert_near(&what, score.f, column(&golden, "bfscore", i)[j], 1e-9);
        }
    }
}

#[test]
fn flow_errors_are_the_originals_whatever_the_labels() {
    let golden = Golden::open("dynamics_nuclei_0");
    let masks = labels(&golden, "masks_raw");
    let flows: Vec<f32> = golden.f32("dP");
    let (height, width) = masks.dim();
    let flows = Array3::from_shape_vec((2, height, width), flows).unwrap();
    // Far apart, and up to the last number that there is.
    let renamed = masks.mapv(|label| if label == 0 { 0 } else { u32::MAX - 7 * label });
    let errors = flow_error(masks.view(), flows.view()).unwrap();
    let want = &golden.get("flow_error").values;
    assert_eq!(errors.len(), want.len());
    for ((label, error), want) in errors.iter().zip(want) {
        assert_near(&format!("cell {label}"), *error, *want, 1e-4);
    }
    let backwards = flow_error(renamed.view(), flows.view()).unwrap();
    let names: Vec<_> =
        backwards.iter().rev().map(|&(label, error)| ((u32::MAX - label) / 7, error)).collect();
    assert_eq!(names, errors);
    let wrong = flow_error(masks.view(), flows.slice(ndarray::s![.., 1.., ..])).unwrap_err();
    assert!(wrong.to_string().contains("flows"), "{wrong}");
}

#[test]
fn images_without_cells_have_defined_scores() {
    let (none, some) = (Array2::<u32>::zeros((9, 8)), array![[0_u32, 3, 3], [0, 3, 3]]);
    let some = {
        let mut image = none.clone();
        image.slice_mut(ndarray::s![2..4, 3..6]).assign(&some);
        image
    };
    let all = |truth: &Array2<u32>, pred: &Array2<u32>| {
        let scores = ImageScores::new("image", truth.view(), pred.view()).unwrap();
        let mut all = vec![scores.mean_ap(), scores.f1(), scores.aji, scores.pq, scores.dice];
        all.extend(&scores.ap);
        all.extend(scores.boundaries.iter().flat_map(|b| [b.precision, b.recall, b.f]));
        all.extend(scores.detections.iter().flat_map(|d| [d.precision(), d.recall()]));
        assert_eq!((scores.splits, scores.merges), (0, 0));
        all
    };
    assert!(all(&none, &none).iter().all(|&score| score == 1.0));
    assert!(all(&some, &some).iter().all(|&score| score == 1.0));
    assert!(all(&some, &none).iter().all(|&score| score == 0.0));
    assert!(all(&none, &some).iter().all(|&score| score == 0.0));
    for size in [(0, 0), (0, 5), (5, 0)] {
        let nothing = Array2::zeros(size);
        assert!(all(&nothing, &nothing).iter().all(|&score| score == 1.0));
        assert_eq!(flow_error(nothing.view(), Array3::zeros((2, size.0, size.1)).view()).unwrap(), []);
    }
    let wrong = average_precision(none.view(), Array2::zeros((8, 9)).view(), &[0.5]).unwrap_err();
    assert_eq!(wrong.to_string(), "image: the truth has 9 by 8 pixels, the prediction 8 by 9");
}

#[test]
fn splits_merges_and_the_rest_of_a_small_example() {
    let truth = array![
        [1_u32, 1, 1, 1, 0, 2, 2, 3, 3], //
        [1, 1, 1, 1, 0, 2, 2, 3, 3],
    ];
    let pred = array![
        [4_u32, 4, 9, 9, 0, 7, 7, 7, 7], //
        [4, 4, 9, 9, 0, 7, 7, 7, 0],
    ];
    let overlaps = Overlaps::new(truth.view(), pred.view()).unwrap();
    assert_eq!((overlaps.splits(), overlaps.merges()), (1, 1));
    let turned = Overlaps::new(pred.view(), truth.view()).unwrap();
    assert_eq!((turned.splits(), turned.merges()), (1, 1));
    let ious: Vec<_> = overlaps.pairs().iter().map(|pair| pair.iou).collect();
    assert_eq!(ious, [0.5, 0.5, 4.0 / 7.0, 3.0 / 8.0]);
    // One of the halves is a hit at 0.5, none above it.
    let hits: Vec<_> = overlaps.detections(&[0.5, 0.51, 0.6]).iter().map(|d| d.true_positives).collect();
    assert_eq!(hits, [2, 1, 0]);
    assert_eq!(overlaps.dice(), 30.0 / 31.0);
    assert_eq!(overlaps.panoptic_quality(), (4.0 / 7.0) / 3.0);
    assert_eq!(overlaps.aggregated_jaccard_index(), 8.0 / 16.0);
    // What lies in two cells with exactly half of its pixels lies in neither.
    let halves = Overlaps::new(array![[1_u32, 1, 2, 2]].view(), array![[0_u32, 5, 5, 0]].view()).unwrap();
    assert_eq!((halves.splits(), halves.merges()), (0, 0));
    // Every pair reaches a threshold of 0, none one above 1.
    let hits: Vec<_> = halves.detections(&[0.0, 1.5, f64::NAN]).iter().map(|d| d.true_positives).collect();
    assert_eq!(hits, [1, 0, 0]);
}

/// The same cases on every run.
fn config() -> ProptestConfig {
    ProptestConfig { rng_seed: RngSeed::Fixed(311), failure_persistence: None, ..ProptestConfig::default() }
}

/// A few blocks of labels, with overlaps of all kinds.
fn random_labels() -> impl Strategy<Value = Array2<u32>> {
    let block = (0..12_usize, 0..14_usize, 1..7_usize, 1..7_usize, 0..9_u32);
    prop::collection::vec(block, 0..14).prop_map(|blocks| {
        Array2::from_shape_fn((12, 14), |(y, x)| {
            let inside = |&&(top, left, height, width, _): &&(usize, usize, usize, usize, u32)| {
                (top..top + height).contains(&y) && (left..left + width).contains(&x)
            };
            blocks.iter().rev().find(inside).map_or(0, |block| block.4)
        })
    })
}

/// The most pairs of at least `threshold`, by trying all.
fn naive_hits(ious: &[Vec<f64>], threshold: f64, used: u32) -> usize {
    let Some((row, rest)) = ious.split_first() else { return 0 };
    let free = (0..row.len()).filter(|j| used & 1 << j == 0 && row[*j] >= threshold);
    let with = free.map(|j| 1 + naive_hits(rest, threshold, used | 1 << j)).max().unwrap_or(0);
    with.max(naive_hits(rest, threshold, used))
}

/// The dense matrix of IoU of labels that are there.
fn naive_ious(truth: &Array2<u32>, pred: &Array2<u32>) -> Vec<Vec<f64>> {
    let names =
        |image: &Array2<u32>| -> Vec<u32> { (1..9).filter(|l| image.iter().any(|v| v == l)).collect() };
    let iou = |t: u32, p: u32| {
        let count = |test: fn(bool, bool) -> bool| {
            truth.iter().zip(pred).filter(|&(&a, &b)| test(a == t, b == p)).count() as f64
        };
        count(|a, b| a && b) / count(|a, b| a || b)
    };
    names(truth).iter().map(|&t| names(pred).iter().map(|&p| iou(t, p)).collect()).collect()
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn sparse_is_dense(truth in random_labels(), pred in random_labels()) {
        let ious = naive_ious(&truth, &pred);
        let overlaps = Overlaps::new(truth.view(), pred.view()).unwrap();
        prop_assert_eq!(overlaps.truth().len(), ious.len());
        let found: BTreeMap<_, _> = overlaps.pairs().iter().map(|p| ((p.truth, p.pred), p.iou)).collect();
        for (t, row) in ious.iter().enumerate() {
            for (p, &iou) in row.iter().enumerate() {
                prop_assert_eq!(found.get(&(t, p)).copied().unwrap_or(0.0), iou);
            }
        }
        for threshold in [0.1, 0.25, 1.0 / 3.0, 0.5, 0.6, 0.9, 1.0] {
            let hits = overlaps.detections(&[threshold])[0].true_positives;
            prop_assert_eq!(hits, naive_hits(&ious, threshold, 0), "at {}", threshold);
        }
        let matches = overlaps.mask_ious();
        let hits = matches.iter().filter(|m| m.iou >= 0.5).count();
        prop_assert_eq!(hits, naive_hits(&ious, 0.5, 0));
        let mut partners: Vec<_> = matches.iter().filter_map(|m| m.pred).collect();
        partners.sort_unstable();
        prop_assert!(partners.windows(2).all(|two| two[0] != two[1]));
    }

    #[test]
    fn names_of_cells_mean_nothing(
        truth in random_labels(), pred in random_labels(),
        names in Just((1..9_u32).collect::<Vec<_>>()).prop_shuffle()
    ) {
        let renamed = pred.mapv(|label| match label {
            0 => 0,
            label => u32::MAX - 1000 * names[label as usize - 1],
        });
        let [one, other] = [&pred, &renamed].map(|p| ImageScores::new("", truth.view(), p.view()).unwrap());
        prop_assert_eq!(&one.detections, &other.detections);
        prop_assert_eq!(&one.boundaries, &other.boundaries);
        prop_assert_eq!((one.splits, one.merges), (other.splits, other.merges));
        // Sums in another order, and of matchings that are equally good another one.
        prop_assert!((one.pq - other.pq).abs() < 1e-12);
        prop_assert_eq!(one.dice, other.dice);
        let quality = |image: &Array2<u32>| -> f64 {
            mask_ious(truth.view(), image.view()).unwrap().iter().map(|m| m.iou).sum()
        };
        prop_assert!((quality(&pred) - quality(&renamed)).abs() < 1e-9);
    }

    #[test]
    fn an_image_agrees_with_itself(image in random_labels()) {
        let scores = ImageScores::new("", image.view(), image.view()).unwrap();
        prop_assert!(scores.ap.iter().all(|&ap| ap == 1.0));
        prop_assert!(scores.boundaries.iter().all(|b| b.f == 1.0));
        let all = (scores.aji, scores.pq, scores.dice, scores.splits, scores.merges);
        prop_assert_eq!(all, (1.0, 1.0, 1.0, 0, 0));
    }
}

/// Tissue without gaps, where all cells are connected by their overlaps: 20 164 squares of 20 pixels against the
/// same, moved by `shift`.
fn tissue(shift: usize) -> Array2<u32> {
    const ACROSS: usize = 142;
    Array2::from_shape_fn((ACROSS * 20, ACROSS * 20), |(y, x)| {
        let number = |v: usize| (v + shift) % (ACROSS * 20) / 20;
        (number(y) * ACROSS + number(x)) as u32 * 200_000 + 1
    })
}

#[test]
fn twenty_thousand_cells_are_matched() {
    let truth = tissue(0);
    // By 2: three quarters and more are hits. By 10: every cell overlaps four equally, so that all contest each
    // other.
    for (shift, iou) in [(2, 324.0 / 476.0), (10, 100.0 / 700.0)] {
        let pred = tissue(shift);
        let start = Instant::now();
        let scores = ImageScores::new("tissue", truth.view(), pred.view()).unwrap();
        println!("{} against {} cells: {:.2?}", scores.truth_cells, scores.pred_cells, start.elapsed());
        assert_eq!((scores.truth_cells, scores.pred_cells), (20_164, 20_164));
        let hits: Vec<_> = scores.detections.iter().map(|d| d.true_positives).collect();
        assert_eq!(hits, THRESHOLDS.map(|t| if iou >= t { 20_164 } else { 0 }));
        let start = Instant::now();
        let matches = mask_ious(truth.view(), pred.view()).unwrap();
        println!("matched: {:.2?}", start.elapsed());
        let mean = matches.iter().map(|m: &Match| m.iou).sum::<f64>() / matches.len() as f64;
        assert_near("mean IoU", mean, iou, 1e-9);
    }
}
