//! Which page of a file is which, and what the label file says of it.

use std::fs;

use flowmask::image::{ReadOptions, read, read_with};
use tiff::encoder::{Rational, TiffEncoder, colortype::Gray8};
use tiff::tags::{ResolutionUnit, Tag};

use crate::scene::{NUCLEI, Scene, decode_png, nuclei, repository};

/// Writes pages of these rows and columns, half a unit a pixel.
fn tiff(scene: &Scene, name: &str, text: &str, (height, width): (u32, u32), pages: &[Vec<u8>]) {
    let mut encoder = TiffEncoder::new(fs::File::create(scene.path(name)).unwrap()).unwrap();
    for (i, page) in pages.iter().enumerate() {
        let mut image = encoder.new_image::<Gray8>(width, height).unwrap();
        if i == 0 && !text.is_empty() {
            image.encoder().write_tag(Tag::ImageDescription, text).unwrap();
        }
        image.resolution_unit(ResolutionUnit::None);
        image.x_resolution(Rational { n: 2, d: 1 });
        image.y_resolution(Rational { n: 2, d: 1 });
        image.write_data(page).unwrap();
    }
}

/// The first channel of the nuclei, 256 by 256.
fn gray() -> Vec<u8> {
    let (width, height, rgb) = decode_png(&nuclei());
    rgb.chunks(rgb.len() / (width * height) as usize).map(|pixel| pixel[0]).collect()
}

fn blank() -> Vec<u8> {
    vec![90; 32 * 32]
}

#[test]
fn the_channels_of_a_picture_written_row_by_row_are_found() {
    let scene = Scene::new();
    let gray = gray();
    let rows: Vec<Vec<u8>> = gray.chunks(256).map(|row| row.iter().flat_map(|&v| [7, v]).collect()).collect();
    tiff(&scene, "yx2.tif", r#"{"shape": [256, 256, 2]}"#, (256, 2), &rows);
    let run = scene.run(&format!("segment yx2.tif {NUCLEI} --chan 2 --json")).done();
    let line = &run.json()[0];
    assert_eq!((&line["cells"], &line["planes"]), (&37.into(), &1.into()), "{line}");
    assert!(line["notes"][0].as_str().unwrap().contains("(256, 256, 2)"), "{line}");
}

#[test]
fn pages_can_be_called_channels() {
    let scene = Scene::new();
    let pages: Vec<_> = (0..6).map(|i| if i == 5 { gray() } else { vec![i; 256 * 256] }).collect();
    tiff(&scene, "c6.tif", "", (256, 256), &pages);
    let run = scene.run("segment c6.tif --chan 6").failed(1, "c6.tif: has 1 channels");
    assert!(run.stderr.contains("(6, 256, 256)") && run.stderr.contains("--axes"), "{run:?}");
    let run = scene.run(&format!("segment c6.tif {NUCLEI} --chan 6 --channel_axis 0 --json")).done();
    assert_eq!((&run.json()[0]["cells"], &run.json()[0]["planes"]), (&37.into(), &1.into()), "{run:?}");
    let run = scene.run("segment c6.tif --axes ZCYX").failed(1, "c6.tif");
    assert!(run.stderr.contains("(6, 256, 256)"), "{run:?}");
    scene.run("segment c6.tif --axes ZCY").failed(2, "axes");
    scene.run("segment c6.tif --series 0").failed(2, "series");
}

#[test]
fn what_is_left_out_and_guessed_is_told() {
    let scene = Scene::new();
    tiff(&scene, "five.tif", "ImageJ=1.53t\nimages=5\nslices=5\n", (32, 32), &[blank()]);
    tiff(&scene, "two.tif", "", (32, 32), &[blank(), blank()]);
    let run = scene.run("segment five.tif --json");
    assert_eq!((run.code, run.stderr.lines().count()), (Some(0), 1), "{run:?}");
    assert!(run.stderr.starts_with("flowmask: warning: five.tif: "), "{run:?}");
    assert!(run.json()[0]["warnings"][0].as_str().unwrap().contains("5 pages"), "{run:?}");
    assert_eq!(scene.run("segment five.tif --quiet").stderr, "");
    let run = scene.run("segment two.tif --verbose");
    assert!(run.stderr.contains("two.tif: 1 plane of 32 by 32 pixels, 2 channels"), "{run:?}");
    assert!(run.stderr.contains("(2, 32, 32)"), "{run:?}");
    scene.run("segment two.tif").done();
}

#[test]
fn each_image_of_a_file_has_outputs_of_its_own() {
    let scene = Scene::new();
    let image = |ifd| {
        format!(
            r#"<Image><Pixels DimensionOrder="XYCZT" SizeT="2"><TiffData IFD="{ifd}" PlaneCount="2"/></Pixels></Image>"#
        )
    };
    let text = format!("<OME>{}{}</OME>", image(0), image(2));
    tiff(&scene, "two.tif", &text, (32, 32), &[blank(), blank(), blank(), blank()]);
    let run = scene.run("segment two.tif --json --overlay").done();
    let series: Vec<_> = run.json().iter().map(|line| line["series"].clone()).collect();
    assert_eq!(series, [1, 2]);
    let names = |n| {
        ["masks.tif", "plane0_overlay.png", "plane1_overlay.png"].map(|end| format!("two_series{n}_{end}"))
    };
    let mut wanted = vec!["two.tif".to_string()];
    wanted.extend(names(1));
    wanted.extend(names(2));
    assert_eq!(scene.names("."), wanted);
    scene.run("segment two.tif --series 2 -o out").done();
    assert_eq!(scene.names("out"), ["two_series2_masks.tif"]);
    scene.run("segment two.tif --series 3").failed(1, "two.tif");
}

#[test]
fn labels_have_the_axes_and_the_pixel_size_of_the_image() {
    let scene = Scene::new();
    let blanks = vec![blank(); 8];
    let text = "ImageJ=1.53t\nimages=8\nchannels=2\nslices=2\nframes=2\nhyperstack=true\nunit=\\u00B5m\nspacing=3.5\n";
    tiff(&scene, "tzc.tif", text, (32, 32), &blanks);
    tiff(&scene, "movie.tif", r#"{"shape": [8, 32, 32], "axes": "TYX"}"#, (32, 32), &blanks);
    tiff(&scene, "other.tif", r#"{"shape": [2, 2, 2, 32, 32], "axes": "TPZYX"}"#, (32, 32), &blanks);
    let run = scene.run("segment tzc.tif movie.tif other.tif --json").done();
    let axes: Vec<_> = run.json().iter().map(|line| line["axes"].clone()).collect();
    assert_eq!(axes, ["TZYX", "TYX", "TPZYX"]);
    assert_eq!(run.json()[0]["shape"], serde_json::json!([2, 2, 32, 32]));
    for name in ["tzc", "movie", "other"] {
        let image = read(&scene.path(&format!("{name}.tif"))).unwrap().layout;
        let labels = read(&scene.path(&format!("{name}_masks.tif"))).unwrap().layout;
        assert_eq!(labels.axes, image.axes, "{name}");
        assert_eq!(labels.pixel_size, image.pixel_size, "{name}");
    }
    let size = read(&scene.path("tzc_masks.tif")).unwrap().layout.pixel_size;
    assert_eq!((size.x, size.z, size.unit.as_deref()), (Some(0.5), Some(3.5), Some("µm")));
    scene.run("segment tzc.tif --format npy").done();
    let named = ReadOptions::default().axes(Some("TZYX".into()));
    let labels = read_with(&scene.path("tzc_masks.npy"), &named).unwrap().remove(0);
    assert_eq!(labels.layout.letters(), "TZ");
}

#[test]
fn pixels_of_an_enlarged_image_are_smaller() {
    let scene = Scene::new();
    let text = "ImageJ=1.53t\nimages=2\nslices=2\nunit=micron\nspacing=3.5\n";
    tiff(&scene, "z.tif", text, (32, 32), &vec![blank(); 2]);
    fs::copy(repository("tests/data/models/tiny_restore.safetensors"), scene.path("upsample")).unwrap();
    scene.run("restore z.tif --model upsample --diameter 15").done();
    let restored = read(&scene.path("z_restored.tif")).unwrap();
    assert_eq!(restored.planes[0].size(), (64, 64));
    let size = restored.layout.pixel_size;
    assert_eq!((size.x, size.y, size.z), (Some(0.25), Some(0.25), Some(3.5)));
}
