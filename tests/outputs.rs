//! Outlines, regions and polygons as files: those of cellpose byte for byte, and what stacks, large images and
//! measurements add.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use flowmask::image::{Axis, Layout, read_labels};
use flowmask::output::{
    CellProperties, Classification, Destination, Measurement, Seg, flow_colors, is_own, save_geojson,
    save_outline_text, save_outlined, save_rois, save_seg,
};
use flowmask::{Error, Image, Pixels, Pool};
use ndarray::{Array2, Array3, array, s};
use serde_json::{Value, json};
use zip::ZipArchive;

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/files");

/// The offset of the second header, which has the length of the name at byte 20 and the name after itself.
const SECOND: usize = 60;

fn golden_masks() -> Array2<u32> {
    read_labels(&Path::new(FILES).join("cells_cp_masks.png")).unwrap()
}

fn layout(axes: &[(char, usize)]) -> Layout {
    Layout::default().axes(axes.iter().map(|&(letter, length)| Axis { letter, length }).collect())
}

/// Names and contents of the files in an archive.
fn unzipped(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut archive = ZipArchive::new(File::open(path).unwrap()).unwrap();
    let mut file = |i| {
        let (mut file, mut content) = (archive.by_index(i).unwrap(), Vec::new());
        file.read_to_end(&mut content).unwrap();
        (file.name().unwrap().into_owned(), content)
    };
    (0..file_count(path)).map(&mut file).collect()
}

fn file_count(path: &Path) -> usize {
    ZipArchive::new(File::open(path).unwrap()).unwrap().len()
}

fn number(bytes: &[u8], at: usize) -> usize {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// A region without its name.
fn nameless(mut roi: Vec<u8>) -> Vec<u8> {
    let second = number(&roi, SECOND);
    roi[second + 20..second + 24].fill(0);
    roi.truncate(second + 64);
    roi
}

fn name(roi: &[u8]) -> String {
    let units = roi[number(roi, SECOND) + 64..].chunks(2).map(|unit| u16::from_be_bytes([unit[0], unit[1]]));
    String::from_utf16(&units.collect::<Vec<_>>()).unwrap()
}

fn features(path: &Path) -> Vec<Value> {
    let file: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(file["type"], "FeatureCollection");
    file["features"].as_array().unwrap().clone()
}

#[test]
fn outlines_are_the_bytes_of_the_original() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cells_outlines.txt");
    save_outline_text(&path, golden_masks().view()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), fs::read(Path::new(FILES).join("cells_cp_outlines.txt")).unwrap());
}

#[test]
fn regions_are_the_bytes_of_the_original_but_for_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cells_rois.zip");
    save_rois(&path, &[golden_masks().view()], &Layout::default()).unwrap();
    let (own, golden) = (unzipped(&path), unzipped(&Path::new(FILES).join("cells_rois.zip")));
    assert_eq!((own.len(), golden.len()), (12, 12));
    for (label, ((file, roi), (_, original))) in (1..).zip(own.into_iter().zip(golden)) {
        assert_eq!((file, name(&roi)), (format!("{label}.roi"), label.to_string()));
        assert_eq!(nameless(roi), nameless(original));
    }
}

#[test]
fn regions_of_stacks_know_their_place() {
    let mut masks = Array2::zeros((9, 9));
    masks.slice_mut(s![2..5, 3..7]).fill(4);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rois.zip");
    let planes = vec![masks.view(); 6];
    // Name, number of the slice, and channel, depth and time of the last plane.
    for (axes, name, expected) in [
        (&[('Z', 6)][..], "4_z6", [6, 0, 0, 0]),
        (&[('T', 6)], "4_t6", [6, 0, 0, 0]),
        (&[('T', 2), ('Z', 3)], "4_t2_z3", [0, 0, 3, 2]),
        (&[('Z', 3), ('C', 2)], "4_z3_c2", [0, 2, 3, 0]),
        (&[('P', 2), ('Z', 3)], "4_p2_z3", [6, 0, 0, 0]),
    ] {
        save_rois(&path, &planes, &layout(axes)).unwrap();
        let (file, roi) = unzipped(&path).pop().unwrap();
        let second = number(&roi, SECOND);
        assert_eq!(file, format!("{name}.roi"));
        assert_eq!(
            [56, second + 4, second + 8, second + 12].map(|at| number(&roi, at)),
            expected,
            "{axes:?}"
        );
    }
}

#[test]
fn distant_regions_have_floats() {
    let mut masks = Array2::zeros((4, 61_000));
    masks.slice_mut(s![.., 60_990..]).fill(2);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rois.zip");
    save_rois(&path, &[masks.view()], &Layout::default()).unwrap();
    let roi = unzipped(&path).pop().unwrap().1;
    let points = 24;
    assert_eq!(roi[50..52], 168_u16.to_be_bytes());
    let xs = &roi[64 + points * 4..][..points * 4];
    let xs: Vec<f32> = xs.chunks(4).map(|x| f32::from_be_bytes(x.try_into().unwrap())).collect();
    assert_eq!((xs[0], xs[points / 2]), (60_990.0, 60_999.0));
    assert_eq!(number(&roi, SECOND), 64 + points * 12);
}

#[test]
fn features_have_planes_classes_and_measurements() {
    let mut masks = Array2::zeros((6, 9));
    masks.slice_mut(s![1..4, 1..4]).fill(3);
    masks[(2, 2)] = 0;
    masks.slice_mut(s![1..3, 6..8]).fill(9);
    masks[(4, 5)] = 9;
    let measurement = |name: &str, values: &[(u32, f64)]| Measurement {
        name: name.into(),
        values: values.iter().copied().collect(),
    };
    let properties = CellProperties::default()
        .classification(Some(Classification { name: "Tumor \"A\"".into(), color: [200, 0, 7] }))
        .measurements(vec![
            measurement("Mean", &[(3, 0.5), (9, f64::NAN)]),
            measurement("Area", &[(3, 8.0)]),
        ]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cells.geojson");
    save_geojson(&path, &[masks.view(), masks.view()], &layout(&[('T', 2)]), &properties).unwrap();
    let features = features(&path);
    let names: Vec<_> = features.iter().map(|feature| &feature["properties"]["name"]).collect();
    assert_eq!(names, ["3", "9", "3", "9"]);
    let ring = json!([[[1, 1], [4, 1], [4, 4], [1, 4], [1, 1]], [[2, 3], [3, 3], [3, 2], [2, 2], [2, 3]]]);
    let plane = json!({"c": -1, "z": 0, "t": 1});
    assert_eq!(features[2]["geometry"], json!({"type": "Polygon", "coordinates": ring, "plane": plane}));
    let classification = json!({"name": "Tumor \"A\"", "color": [200, 0, 7]});
    let all = json!({
        "objectType": "cell", "name": "3", "classification": classification,
        "measurements": {"Mean": 0.5, "Area": 8.0},
    });
    assert_eq!(features[2]["properties"], all);
    assert_eq!(features[3]["geometry"]["type"], "MultiPolygon");
    assert_eq!(features[3]["properties"].get("measurements"), None);
    // Each cell of each plane is another object, and the same file has the same objects.
    let mut ids: Vec<_> = features.iter().map(|feature| feature["id"].as_str().unwrap().to_owned()).collect();
    assert!(
        ids.iter()
            .all(|id| id.len() == 36 && id.as_bytes()[14] == b'8' && b"89ab".contains(&id.as_bytes()[19]))
    );
    let before = fs::read(&path).unwrap();
    save_geojson(&path, &[masks.view(), masks.view()], &layout(&[('T', 2)]), &properties).unwrap();
    assert_eq!(fs::read(&path).unwrap(), before);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[test]
fn any_number_of_threads_writes_the_same_bytes() {
    let label = |(y, x): (usize, usize)| {
        let (dy, dx) = ((y % 9) as i32 - 4, (x % 9) as i32 - 4);
        if dy * dy + dx * dx < 15 { (y / 9 * 100 + x / 9 + 1) as u32 } else { 0 }
    };
    // More cells than are encoded at once, in rows that do not lie one after the other.
    let masks = Array2::from_shape_fn((900, 600), label);
    let masks = masks.t();
    let folder = tempfile::tempdir().unwrap();
    let files = ["a.txt", "a.zip", "a.geojson"].map(|name| folder.path().join(name));
    let with = |threads: usize| {
        let write = || {
            save_outline_text(&files[0], masks).unwrap();
            save_rois(&files[1], &[masks], &Layout::default()).unwrap();
            save_geojson(&files[2], &[masks], &Layout::default(), &CellProperties::default()).unwrap();
        };
        Pool::new(threads).unwrap().run(write).unwrap();
        files.each_ref().map(|file| fs::read(file).unwrap())
    };
    let one = with(1);
    assert!(with(3) == one);
    assert_eq!((file_count(&files[1]), features(&files[2]).len()), (6700, 6700));
}

#[test]
fn own_files_are_known_and_images_without_cells_have_valid_ones() {
    let folder = tempfile::tempdir().unwrap();
    let (rois, cells) = (folder.path().join("rois.zip"), folder.path().join("cells.geojson"));
    let careful = |path: &Path| Destination::new(path).overwrite(false);
    let masks = Array2::zeros((5, 6));
    for _ in 0..2 {
        save_rois(careful(&rois), &[masks.view()], &Layout::default()).unwrap();
        save_geojson(careful(&cells), &[masks.view()], &Layout::default(), &CellProperties::default())
            .unwrap();
    }
    assert_eq!((file_count(&rois), features(&cells).len()), (0, 0));
    save_rois(careful(&rois), &[golden_masks().view()], &Layout::default()).unwrap();
    assert!(is_own(&rois) && is_own(&cells));
    let other = Path::new(FILES).join("cells_rois.zip");
    assert!(!is_own(&other));
    fs::copy(other, &rois).unwrap();
    let refused = save_rois(careful(&rois), &[masks.view()], &Layout::default());
    assert!(matches!(refused, Err(Error::Exists { .. })));
}

#[test]
fn what_a_file_cannot_hold_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let (masks, wide) = (Array2::<u32>::zeros((5, 6)), Array2::<u32>::zeros((1, (1 << 24) + 1)));
    let planes = vec![masks.view(); 6];
    let axes = layout(&[('P', 2), ('Z', 3)]);
    for refused in [
        save_rois(&path, &[wide.view()], &Layout::default()),
        save_geojson(&path, &planes, &axes, &CellProperties::default()),
    ] {
        assert!(matches!(&refused, Err(Error::Labels { path: of, .. }) if of == &path), "{refused:?}");
    }
    for refused in [
        save_rois(&path, &planes, &Layout::default()),
        save_geojson(&path, &[], &Layout::default(), &CellProperties::default()),
    ] {
        assert!(matches!(refused, Err(Error::Image(_))), "{refused:?}");
    }
    assert!(!path.exists());
}

/// Directions of flow by the colours of `plot.dx_to_circ`: the hue turns with the angle of (y, x), the length is the
/// brightness, between the 1st and the 99th percentile.
#[test]
fn colors_of_flows_tell_direction_and_length() {
    // Columns flow down, up, right, left; rows are longer and longer. Red is the cosine of the angle plus half a turn,
    // green and blue those a third and two thirds of a turn further.
    let unit = [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]];
    let flows = Array3::from_shape_fn((2, 201, 4), |(axis, y, x)| unit[x][axis] * y as f32);
    let colors = flow_colors(&[flows.view()]);
    assert_eq!(colors.dim(), (1, 201, 4, 3));
    let pixel = |y: usize, x: usize| [0, 1, 2].map(|c| colors[(0, y, x, c)]);
    // Lengths up to the 1st percentile are black, from the 99th on they are bright.
    assert!((0..4).all(|x| pixel(2, x) == [0; 3] && pixel(198, x) == pixel(200, x)));
    let bright: Vec<_> = (0..4).map(|x| pixel(200, x)).collect();
    assert_eq!(bright, [[0, 191, 191], [255, 63, 63], [127, 237, 17], [127, 17, 237]]);
    // Half of the length is half of the brightness.
    let half = pixel(100, 1).map(f64::from);
    assert!(half.iter().zip(bright[1]).all(|(half, full)| (half - f64::from(full) / 2.0).abs() <= 1.0));
    // Lengths that do not differ tell nothing.
    let same = Array3::ones((2, 5, 5));
    assert!(flow_colors(&[same.view()]).iter().all(|&c| c == 0));
}

#[test]
fn outlines_are_red_on_the_scaled_image() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let mut masks = Array2::zeros((20, 30));
    masks.slice_mut(s![5..15, 5..15]).fill(1_u32);
    // From left to right brighter and brighter, in two channels of which the mean is shown.
    let pixels = Array3::from_shape_fn((20, 30, 2), |(_, x, c)| (1000 + 10 * x + 100 * c) as u16);
    let image = Image::new(Pixels::U16(pixels)).unwrap();
    save_outlined(&path, &image, masks.view()).unwrap();
    let shown = flowmask::image::read(&path).unwrap().planes.remove(0).pixels().to_f32();
    let pixel = |y, x| [0, 1, 2].map(|c| shown[(y, x, c)] as u8);
    for (y, x) in [(5, 5), (14, 14), (5, 10), (10, 5)] {
        assert_eq!(pixel(y, x), [255, 0, 0], "({y}, {x}) is on the outline");
    }
    assert_eq!((pixel(0, 0), pixel(0, 29)), ([0; 3], [255; 3]));
    assert!((1..30).all(|x| pixel(0, x) >= pixel(0, x - 1)));
    assert_eq!(pixel(10, 10), pixel(0, 10));

    let error = save_outlined(&path, &image, masks.slice(s![..19, ..])).unwrap_err();
    assert!(matches!(error, Error::Image(_)), "{error}");
}

#[test]
fn arrays_that_do_not_fit_are_no_seg_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a_seg.npy");
    let masks = array![[0_u32, 1, 1], [2, 2, 0]];
    let (flows, cellprob) = (Array3::<f32>::zeros((2, 2, 3)), Array2::<f32>::zeros((2, 3)));
    let planes = [masks.view()];
    let refused = |seg: &Seg, part: &str| {
        let error = save_seg(&path, seg).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    };
    let uneven = [masks.view(), masks.slice(s![..1, ..])];
    refused(&Seg::new(&[], "a.tif", 30.0), "no labels");
    refused(&Seg::new(&uneven, "a.tif", 30.0), "planes of different sizes");
    let four = Array3::zeros((4, 2, 3));
    let (two, four, one) = ([flows.view(), flows.view()], [four.view()], [cellprob.view()]);
    let narrow = [cellprob.slice(s![.., ..2])];
    let seg = Seg::new(&planes, "a.tif", 30.0);
    refused(&seg.clone().maps(&two, &one), "the flows do not fit the masks");
    refused(&seg.clone().maps(&two[..1], &narrow), "the flows do not fit the masks");
    refused(&seg.clone().maps(&four, &one), "the flows do not fit the masks");
    refused(&seg.clone().maps(&two[..1], &[]), "the flows do not fit the masks");
    save_seg(&path, &seg.maps(&two[..1], &one).channels([2, 1])).unwrap();
    let labels = flowmask::image::read_label_stack(&path, &Default::default()).unwrap().labels;
    assert!(labels.iter().eq(&masks));
}
