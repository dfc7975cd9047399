//! `flowmask measure`, and tables among the outputs of segmenting.

use std::fs;

use serde_json::Value;

use crate::scene::{NUCLEI, Scene};

/// A label file of 16 bits.
fn labels(scene: &Scene, name: &str, shape: &str, values: &[u16]) {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    scene.npy(name, "<u2", shape, &bytes);
}

/// The header and the rows of a table.
fn table(scene: &Scene, name: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let text = fs::read_to_string(scene.path(name)).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(String::from).collect());
    (lines.next().unwrap(), lines.collect())
}

fn column(scene: &Scene, file: &str, name: &str) -> Vec<String> {
    let (header, rows) = table(scene, file);
    let place = header.iter().position(|column| column == name);
    let place = place.unwrap_or_else(|| panic!("{name} in {header:?}"));
    rows.into_iter().map(|row| row[place].clone()).collect()
}

#[test]
fn one_pixel_is_a_cell_and_no_cells_are_a_header() {
    let scene = Scene::new();
    labels(&scene, "a_masks.npy", "(2, 3)", &[0, 7, 0, 2, 0, 0]);
    labels(&scene, "b_masks.npy", "(2, 3)", &[0; 6]);
    let run = scene.run("measure a_masks.npy b_masks.npy --json").done();
    let cells: Vec<_> = run.json().iter().map(|line| line["cells"].as_u64()).collect();
    assert_eq!(cells, [Some(2), Some(0)]);
    let of = |name: &str| column(&scene, "a_cells.csv", name);
    assert_eq!((of("label"), of("area")), (vec!["2".into(), "7".into()], vec!["1".to_string(); 2]));
    assert_eq!(of("perimeter"), ["0.0", "0.0"]);
    assert_eq!(of("axis_major_length"), ["0.0", "0.0"]);
    assert_eq!(of("solidity"), ["1.0", "1.0"]);
    let (header, rows) = table(&scene, "b_cells.csv");
    assert_eq!((header, rows.len()), (table(&scene, "a_cells.csv").0, 0));
    // Both are flowmask's, so they are replaced, and a table of somebody else is not.
    scene.run("measure a_masks.npy b_masks.npy").done();
    scene.file("a_cells.csv", "label,mine\n");
    scene.run("measure a_masks.npy").failed(1, "a_cells.csv");
    assert_eq!(fs::read_to_string(scene.path("a_cells.csv")).unwrap(), "label,mine\n");
}

#[test]
fn images_must_have_the_size_of_the_labels() {
    let scene = Scene::new();
    labels(&scene, "a_masks.npy", "(2, 3)", &[0, 7, 0, 2, 0, 0]);
    scene.blank("a.png", 4, 3);
    let run = scene.run("measure a_masks.npy --images a.png");
    let sentence = "the labels have 1 plane of 2 by 3 pixels, but a.png has 1 plane of 3 by 4";
    run.failed(1, sentence);
    assert_eq!(scene.names(""), ["a.png", "a_masks.npy"]);
    scene.blank("images/a.png", 3, 2);
    scene.run("measure a_masks.npy --images images").done();
    assert_eq!(column(&scene, "a_cells.csv", "intensity_mean-0"), ["90.0", "90.0"]);
    scene.run("measure a_masks.npy --images none.png").failed(1, "none.png");
}

#[test]
fn planes_are_images_or_volumes() {
    let scene = Scene::new();
    labels(&scene, "a_masks.npy", "(2, 2, 2)", &[1, 1, 0, 2, 1, 0, 0, 0]);
    scene.run("measure a_masks.npy --axes ZYX").done();
    assert_eq!(column(&scene, "a_cells.csv", "z"), ["0", "0", "1"]);
    assert_eq!(column(&scene, "a_cells.csv", "area"), ["2", "1", "1"]);
    scene.run("measure a_masks.npy --axes ZYX --volumes").done();
    assert_eq!(column(&scene, "a_cells.csv", "area"), ["3", "1"]);
    assert_eq!(table(&scene, "a_cells.csv").0[..4], ["label", "area", "bbox-0", "bbox-1"]);
    // Nothing says that the planes are along Z.
    scene.run("measure a_masks.npy --volumes").failed(1, "known to be Z");
}

#[test]
fn a_stack_of_one_image_is_an_image() {
    let scene = Scene::new();
    labels(&scene, "a_masks.npy", "(1, 2, 2)", &[1, 1, 0, 2]);
    scene.run("measure a_masks.npy --axes ZYX").done();
    let (header, rows) = table(&scene, "a_cells.csv");
    assert!(header.iter().all(|name| name != "z") && rows.len() == 2, "{header:?}");
    scene.run("measure a_masks.npy --axes ZYX --volumes").failed(1, "at least two");
}

#[cfg(feature = "parquet")]
#[test]
fn tables_are_parquet_too() {
    let scene = Scene::new();
    labels(&scene, "a_masks.npy", "(2, 2)", &[1, 1, 0, 2]);
    scene.run("measure a_masks.npy --format parquet -o out").done();
    scene.run("measure a_masks.npy --format parquet -o out").done();
    assert_eq!(scene.names("out"), ["a_cells.parquet"]);
    assert!(fs::read(scene.path("out/a_cells.parquet")).unwrap().starts_with(b"PAR1"));
    scene.file("out/a_cells.parquet", "PAR1 of somebody else");
    scene.run("measure a_masks.npy --format parquet -o out").failed(1, "a_cells.parquet");
}

#[test]
fn segmenting_measures_with_the_maps_and_polygons_carry_it() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    scene.run(&format!("segment a.png {NUCLEI} --outputs masks,csv,geojson,flows")).done();
    let of = |name: &str| -> Vec<f64> {
        column(&scene, "a_cells.csv", name).iter().map(|value| value.parse().unwrap()).collect()
    };
    let (areas, errors, means) = (of("area"), of("flow_error"), of("intensity_mean-0"));
    assert_eq!((areas.len(), errors.len()), (37, 37));
    // Masks with larger errors were dropped.
    assert!(errors.iter().all(|error| (0.0..0.4).contains(error)), "{errors:?}");
    assert!(of("cellprob_mean").iter().all(|cellprob| *cellprob > 0.0));
    let geojson: Value = serde_json::from_slice(&fs::read(scene.path("a_cells.geojson")).unwrap()).unwrap();
    for (i, feature) in geojson["features"].as_array().unwrap().iter().enumerate() {
        let measurements = &feature["properties"]["measurements"];
        assert_eq!(measurements["Area px^2"].as_f64(), Some(areas[i]));
        // The reader of JSON may be wrong in the last digit.
        let mean = measurements["Channel 1: Mean"].as_f64().unwrap();
        assert!((mean / means[i] - 1.0).abs() < 1e-14, "{mean} {}", means[i]);
    }
    // Of the label file and the image, the same numbers.
    scene.run("measure a_masks.tif --images a.png -o out").done();
    assert_eq!(column(&scene, "out/a_cells.csv", "perimeter"), column(&scene, "a_cells.csv", "perimeter"));
    let own = column(&scene, "out/a_cells.csv", "intensity_std-0");
    assert_eq!(own, column(&scene, "a_cells.csv", "intensity_std-0"));
}
