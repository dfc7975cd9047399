//! The table that `flowmask evaluate` prints, with one row for each method.

use flowmask::metrics::{Evaluation, ImageScores, Method, SCALES, THRESHOLDS};

/// The scale of the boundary score that is printed: within a tenth of the diameter.
const SCALE: f64 = 0.1;

/// The lines of the table, aligned.
pub fn lines(evaluation: &Evaluation) -> Vec<String> {
    let header = "method images cells found AP.5 AP.75 AP.9 mAP F1 PQ AJI boundary Dice splits merges";
    let mut rows = vec![header.split(' ').map(String::from).collect::<Vec<_>>()];
    rows.extend(evaluation.methods.iter().map(row));
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..rows[0].len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(i, (cell, &width))| match i {
            0 => format!("{cell:width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ")
    };
    rows.iter().map(line).collect()
}

fn row(method: &Method) -> Vec<String> {
    let score = |score: &dyn Fn(&ImageScores) -> f64| match method.images.len() {
        0 => "-".into(),
        _ => format!("{:.3}", method.mean(score)),
    };
    let ap = |threshold: f64| score(&|image| at(&THRESHOLDS, threshold, &image.ap).copied().unwrap_or(0.0));
    let boundary = |image: &ImageScores| at(&SCALES, SCALE, &image.boundaries).map_or(0.0, |b| b.f);
    vec![
        method.name.replace(char::is_control, "\u{fffd}"),
        method.images.len().to_string(),
        method.sum(|image| image.truth_cells).to_string(),
        method.sum(|image| image.pred_cells).to_string(),
        ap(0.5),
        ap(0.75),
        ap(0.9),
        score(&ImageScores::mean_ap),
        score(&ImageScores::f1),
        score(&|image| image.pq),
        score(&|image| image.aji),
        score(&boundary),
        score(&|image| image.dice),
        method.sum(|image| image.splits).to_string(),
        method.sum(|image| image.merges).to_string(),
    ]
}

/// The value at the index at which `places` has `place`.
fn at<'a, T>(places: &[f64], place: f64, values: &'a [T]) -> Option<&'a T> {
    values.get(places.iter().position(|&other| other == place)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn rows_are_aligned_and_a_method_without_images_has_no_scores() {
        let truth = array![[1_u32, 1, 1, 1, 0, 2]];
        let pred = array![[3_u32, 3, 3, 0, 0, 0]];
        let scores = ImageScores::new("a", truth.view(), pred.view()).unwrap();
        let method = |name: &str, images| Method { name: name.into(), images };
        let methods = vec![method("first", vec![scores]), method("ü", vec![])];
        let lines = lines(&Evaluation { methods });
        let words: Vec<Vec<_>> = lines.iter().map(|line| line.split_whitespace().collect()).collect();
        // One of two cells, at an IoU of 3 / 4.
        assert_eq!(words[1][..8], ["first", "1", "2", "1", "0.500", "0.500", "0.000", "0.300"]);
        assert_eq!(words[1][8..11], ["0.667", "0.500", "0.600"]);
        assert_eq!(words[2][..5], ["ü", "0", "0", "0", "-"]);
        assert!(lines.iter().all(|line| line.chars().count() == lines[0].chars().count()), "{lines:?}");
    }
}
