//! Writes evaluations as CSV and JSON.

use std::io::Write;

use serde_json::{Value, json};

use super::evaluation::{Evaluation, ImageScores, Method, SCALES, THRESHOLDS};
use crate::Result;
use crate::atomic::{Destination, write_atomic};
use crate::mark::SOFTWARE;
use crate::output::quoted;
use crate::text::document;

/// The name of a column, and the score of one image in it.
type Column = (String, f64);

impl Evaluation {
    /// Writes a CSV file with a header and one row for each image and method.
    ///
    /// # Errors
    /// [`crate::Error::Write`], [`crate::Error::Exists`]. A file that was there is then unchanged.
    pub fn save_csv(&self, to: impl Into<Destination>) -> Result<()> {
        write_atomic(to, |writer| writer.write_all(self.to_csv().as_bytes()))
    }

    /// Writes a JSON file: for each method the means over its images, its hits and misses summed over all images, and the
    /// scores of each image. The scores have the names of the columns of [`Evaluation::save_csv`].
    ///
    /// # Errors
    /// [`crate::Error::Write`], [`crate::Error::Exists`]. A file that was there is then unchanged.
    pub fn save_json(&self, to: impl Into<Destination>) -> Result<()> {
        let text = format!("{:#}\n", self.to_json());
        write_atomic(to, |writer| writer.write_all(document(&text).as_bytes()))
    }

    fn to_csv(&self) -> String {
        let names: Vec<_> = columns(&ImageScores::default()).into_iter().map(|(name, _)| name).collect();
        let mut text = format!("method,image,{}\n", names.join(","));
        for method in &self.methods {
            for image in &method.images {
                let values: Vec<_> = columns(image).into_iter().map(|(_, value)| value.to_string()).collect();
                let (name, image) = (quoted(&method.name), quoted(&image.name));
                text.push_str(&format!("{name},{image},{}\n", values.join(",")));
            }
        }
        text
    }

    fn to_json(&self) -> Value {
        json!({
            "created_by": SOFTWARE,
            "thresholds": THRESHOLDS,
            "boundary_scales": SCALES,
            "methods": self.methods.iter().map(method).collect::<Vec<_>>(),
        })
    }
}

fn method(method: &Method) -> Value {
    let pooled = method.pooled();
    json!({
        "name": method.name,
        "mean": means(method),
        "ap": method.ap(),
        "tp": pooled.iter().map(|d| d.true_positives).collect::<Vec<_>>(),
        "fp": pooled.iter().map(|d| d.false_positives).collect::<Vec<_>>(),
        "fn": pooled.iter().map(|d| d.false_negatives).collect::<Vec<_>>(),
        "images": method.images.iter().map(image).collect::<Vec<_>>(),
    })
}

/// The mean of every column; `null` without images.
fn means(method: &Method) -> Value {
    if method.images.is_empty() {
        return Value::Null;
    }
    let names = columns(&ImageScores::default()).into_iter().enumerate();
    let mean = |(i, (name, _)): (usize, Column)| {
        let score = |image: &ImageScores| columns(image).get(i).map_or(0.0, |column| column.1);
        (name, json!(method.mean(score)))
    };
    Value::Object(names.map(mean).collect())
}

fn image(image: &ImageScores) -> Value {
    let name = [("image".to_string(), json!(image.name))];
    let scores = columns(image).into_iter().map(|(name, value)| (name, json!(value)));
    Value::Object(name.into_iter().chain(scores).collect())
}

/// All columns with the scores of an image. A score that the image lacks is 0, so that all rows have the same columns.
fn columns(image: &ImageScores) -> Vec<Column> {
    let one = |name: &str, value: f64| (name.to_string(), value);
    let mut columns = vec![
        one("truth_cells", image.truth_cells as f64),
        one("pred_cells", image.pred_cells as f64),
        one("mean_ap", image.mean_ap()),
        one("f1", image.f1()),
        one("pq", image.pq),
        one("aji", image.aji),
        one("dice", image.dice),
        one("splits", image.splits as f64),
        one("merges", image.merges as f64),
    ];
    for (i, threshold) in THRESHOLDS.iter().enumerate() {
        let found = image.detections.get(i);
        let count = |part: Option<usize>| part.unwrap_or(0) as f64;
        columns.extend([
            (format!("ap_{threshold}"), image.ap.get(i).copied().unwrap_or(0.0)),
            (format!("tp_{threshold}"), count(found.map(|d| d.true_positives))),
            (format!("fp_{threshold}"), count(found.map(|d| d.false_positives))),
            (format!("fn_{threshold}"), count(found.map(|d| d.false_negatives))),
        ]);
    }
    for (i, scale) in SCALES.iter().enumerate() {
        let score = image.boundaries.get(i);
        columns.extend([
            (format!("boundary_precision_{scale}"), score.map_or(0.0, |b| b.precision)),
            (format!("boundary_recall_{scale}"), score.map_or(0.0, |b| b.recall)),
            (format!("boundary_f_{scale}"), score.map_or(0.0, |b| b.f)),
        ]);
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn both_files_have_the_scores_under_their_names() {
        let truth = array![[1_u32, 1, 1, 1, 0, 2]];
        let pred = array![[3_u32, 3, 3, 0, 0, 0]];
        let scores = ImageScores::new("a, \"b\"", truth.view(), pred.view()).unwrap();
        let methods = vec![
            Method { name: "m".into(), images: vec![scores] },
            Method { name: "none".into(), images: vec![] },
        ];
        let evaluation = Evaluation { methods };
        let csv = evaluation.to_csv();
        let [header, row] = &csv.lines().collect::<Vec<_>>()[..] else { panic!("{csv}") };
        let row = row.strip_prefix("m,\"a, \"\"b\"\"\",").unwrap();
        let header = header.strip_prefix("method,image,").unwrap();
        let cells: Vec<_> = header.split(',').zip(row.split(',')).collect();
        assert_eq!(header.split(',').count(), row.split(',').count());
        for cell in [("truth_cells", "2"), ("ap_0.75", "0.5"), ("fn_0.8", "2"), ("aji", "0.6")] {
            assert!(cells.contains(&cell), "{cell:?} in {cells:?}");
        }
        let json = evaluation.to_json();
        let method = &json["methods"][0];
        assert_eq!(method["images"][0]["image"], "a, \"b\"");
        assert_eq!(method["images"][0]["boundary_f_0.1"], method["mean"]["boundary_f_0.1"]);
        assert_eq!((&method["ap"][5], &method["ap"][6]), (&json!(0.5), &json!(0.0)));
        assert_eq!((&method["tp"][0], &method["fp"][6], &method["fn"][6]), (&json!(1), &json!(1), &json!(2)));
        assert_eq!(json["methods"][1]["mean"], Value::Null);
    }
}
