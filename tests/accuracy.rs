//! The built-in models find what `weights/README.md` says of the images that lie here.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::data;
use flowmask::metrics::{ImageScores, Method};
use flowmask::{Diameter, Image, Model, Options, Segmenter, image::read_labels};

/// The rows of the first table: modality to its cells.
fn card() -> BTreeMap<String, Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/README.md");
    let text = fs::read_to_string(path).unwrap();
    let table = text.lines().skip_while(|line| !line.starts_with("| modality"));
    let rows = table.skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_string()).collect();
    rows.map(cells).map(|row: Vec<String>| (row[0].clone(), row)).collect()
}

fn score(kind: &str, name: &str, segmenter: &mut Segmenter, diameter: f64) -> ImageScores {
    let options = Options::default().diameter(Diameter::Pixels(diameter));
    let image = Image::open(data(&format!("evaluate/{kind}/{name}.png"))).unwrap();
    let found = segmenter.segment(&image, &options).unwrap();
    let truth = read_labels(&data(&format!("evaluate/{kind}/{name}_labels.png"))).unwrap();
    ImageScores::new(name, truth.view(), found.masks.view()).unwrap()
}

#[test]
fn the_accuracy_card_is_true() {
    let segmenter = |name| Segmenter::builder().model(Model::named(name).unwrap()).build().unwrap();
    let mut segmenters = BTreeMap::from(["nuclei", "cyto"].map(|name| (name, segmenter(name))));
    let mut found: BTreeMap<(String, String), Vec<ImageScores>> = BTreeMap::new();
    let list = fs::read_to_string(data("evaluate/images.txt")).unwrap();
    for line in list.lines() {
        let [kind, name, model, diameter] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let scores = score(kind, name, segmenters.get_mut(model).unwrap(), diameter.parse().unwrap());
        found.entry((kind.into(), model.into())).or_default().push(scores);
    }
    let card = card();
    assert_eq!(card.len(), found.len());
    for ((kind, model), images) in found {
        let method = Method { name: kind.clone(), images };
        let row = &card[&kind];
        assert_eq!(row[1], method.images.len().to_string(), "{kind}");
        assert_eq!(row[2], method.sum(|image| image.truth_cells).to_string(), "{kind}");
        assert_eq!(row[3], model, "{kind}");
        let ap = method.ap();
        let scores = [
            ap[0],
            ap[5],
            ap[8],
            method.mean(ImageScores::f1),
            method.mean(|image| image.aji),
            method.mean(|image| image.boundaries[1].f),
        ];
        assert_eq!(row.len(), 4 + scores.len(), "{kind}");
        for (stated, score) in row[4..].iter().zip(scores) {
            // Other processors round otherwise, which may move a cell or two over a threshold.
            let stated: f64 = stated.parse().unwrap();
            assert!((stated - score).abs() < 0.02, "{kind}: {score:.3}, the card says {stated}");
        }
    }
}
