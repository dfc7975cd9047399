//! `restore`, and `segment --restore`.

use std::fs;
use std::path::Path;
use std::process::Command;

use flowmask::image::{ReadOptions, read, read_with};
use flowmask::{Builder, Diameter, Image, Model, Normalize, Options, Restorer, Segmenter};
use ndarray::Axis;

use crate::memory::peak;
use crate::scene::{BIN, Run, Scene, decode_png, nuclei};

const MODELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/models");

/// A folder with the nuclei and two networks of random weights. Those whose names begin with `upsample` enlarge.
fn scene() -> Scene {
    let scene = Scene::new();
    scene.nuclei("a.png");
    for (from, to) in [("tiny_restore.safetensors", "net"), ("tiny_restore.safetensors", "upsample_net")] {
        fs::copy(format!("{MODELS}/{from}"), scene.path(to)).unwrap();
    }
    scene
}

fn restorer(scene: &Scene, name: &str) -> Restorer {
    Builder::default().model(Model::open(scene.path(name)).unwrap()).restorer().unwrap()
}

fn options(diameter: f64) -> Options {
    Options::default().diameter(Diameter::Pixels(diameter))
}

/// The planes of an array whose first axis is Z.
fn volume(path: &Path) -> Vec<Image> {
    read_with(path, &ReadOptions::default().axes(Some("ZYX".into()))).unwrap().remove(0).planes
}

#[test]
fn an_image_becomes_floats_of_the_same_size() {
    let scene = scene();
    let run = scene.run("restore a.png --model net --diameter 25 --chan 1").done();
    assert!(run.stdout.contains("1 plane ") && run.stdout.contains("a_restored.tif"), "{run:?}");
    let restored = Image::open(scene.path("a_restored.tif")).unwrap();
    let options = options(25.0).channels([1, 0]);
    let image = Image::open(scene.path("a.png")).unwrap();
    assert_eq!(restored, restorer(&scene, "net").restore(&image, &options).unwrap());
    // A second run restores the image again, not what is restored, unless that is named.
    scene.run("restore . --model net --diameter 25 --threads 1").done();
    assert_eq!(scene.names("."), ["a.png", "a_restored.tif", "net", "upsample_net"]);
    scene.run("restore a_restored.tif --model net -o twice --format npy").done();
    assert_eq!(scene.names("twice"), ["a_restored_restored.npy"]);
    // It is one more image to segment.
    let run = scene.run("segment . -o masks --model nuclei --diameter 40").done();
    assert_eq!(run.stdout.lines().count(), 2, "{run:?}");
}

#[test]
fn stacks_keep_their_axes_and_channels() {
    let scene = scene();
    scene.hyperstack("z.tif", "slices", 3);
    scene.hyperstack("c.tif", "channels", 3);
    let run = scene.run("restore z.tif c.tif --model upsample_net --chan 1 -o one");
    run.failed(0, "images are not enlarged: write a --diameter from 3 to less than 30 pixels");
    let stack = read(&scene.path("one/z_restored.tif")).unwrap();
    assert_eq!((stack.planes.len(), stack.layout.letters().as_str()), (3, "Z"));
    assert_eq!(stack.planes[0], stack.planes[2]);
    let flags = "--chan 2 --chan2 3 --diameter 24 -o two";
    scene.run(&format!("restore c.tif --model upsample_net {flags}")).done();
    let stack = read(&scene.path("two/c_restored.tif")).unwrap();
    let [image] = &stack.planes[..] else { panic!("{:?}", stack.layout) };
    assert_eq!((image.channels(), image.size()), (2, (320, 320)));
    let options = options(24.0).channels([2, 3]);
    let input = read(&scene.path("c.tif")).unwrap().planes.remove(0);
    assert_eq!(*image, restorer(&scene, "upsample_net").restore(&input, &options).unwrap());
    scene.run(&format!("restore c.tif --model upsample_net {flags} --format npy")).done();
    let array = read_with(&scene.path("two/c_restored.npy"), &Default::default()).unwrap().remove(0);
    assert_eq!(array.planes[0], *image);
}

/// Planes along Z are scaled together, those along T are not.
#[test]
fn planes_along_z_share_their_percentiles() {
    let scene = scene();
    let bytes: Vec<u8> = (0..3 * 48 * 48).map(|i| (i * i % 89 * (3 - i / 2304)) as u8).collect();
    scene.npy("z.npy", "|u1", "(3, 48, 48)", &bytes);
    let planes = volume(&scene.path("z.npy"));
    let (options, restorer) = (options(25.0), restorer(&scene, "net"));
    let together = restorer.restore_volume(&planes, &options).unwrap();
    let each: Vec<Image> = planes.iter().map(|plane| restorer.restore(plane, &options).unwrap()).collect();
    assert_ne!(together, each);
    for (flags, want) in [("--axes ZYX", &together), ("--axes ZYX --no-norm3d", &each), ("--axes TYX", &each)]
    {
        scene.run(&format!("restore z.npy --model net --diameter 25 {flags} --overwrite -o out")).done();
        assert_eq!(read(&scene.path("out/z_restored.tif")).unwrap().planes, *want, "{flags}");
    }
    // The options of intensities are for the network that restores.
    let run = scene.run("restore a.png --model net --tile-norm-smooth3d 2 -o out");
    assert!(run.code == Some(0) && run.stderr.contains("without --tile-norm-blocksize"), "{run:?}");
    let sharp = "restore a.png --model net --sharpen-radius 4 --diameter 25 --overwrite -o out";
    scene.run(sharp).done();
    let options = options.normalize(Normalize::default().sharpen_radius(4.0));
    let image = Image::open(scene.path("a.png")).unwrap();
    let restored = Image::open(scene.path("out/a_restored.tif")).unwrap();
    assert_eq!(restored, restorer.restore(&image, &options).unwrap());
}

#[test]
fn a_folder_is_restored_once_with_the_folders_below() {
    let scene = scene();
    fs::create_dir_all(scene.path("in/below")).unwrap();
    scene.nuclei("in/a.png");
    scene.nuclei("in/below/b.png");
    let flags = "--model net --chan 1 --format npy --threads 1";
    scene.run(&format!("restore in -r -o out {flags}")).done();
    assert_eq!(scene.names("out/below"), ["b_restored.npy"]);
    // What an earlier run wrote beside the images is none of them.
    for _ in 0..2 {
        scene.run(&format!("restore in {flags} --overwrite")).done();
        assert_eq!(scene.names("in"), ["a.png", "a_restored.npy", "below"]);
    }
    scene.run(&format!("restore out {flags}")).failed(2, "by an earlier run");
}

#[test]
fn segment_restores_first() {
    let scene = scene();
    let flags = "--model nuclei --diameter 17 --restore net --json";
    let line = scene.run(&format!("segment a.png {flags}")).done().json().remove(0);
    let options = options(17.0);
    let image = Image::open(scene.path("a.png")).unwrap();
    let segmenter = Segmenter::builder().model(Model::named("nuclei").unwrap()).build().unwrap();
    let find = |net: &str, options: &Options| {
        let restorer = restorer(&scene, net);
        let restored = restorer.restore(&image, options).unwrap();
        segmenter.segment(&restored, &restorer.options(options)).unwrap()
    };
    let found = find("net", &options);
    assert!(found.cells() > 2, "{}", found.cells());
    assert_eq!(line["cells"], found.cells());
    let masks = |name: &str| {
        let image = Image::open(scene.path(name)).unwrap();
        image.pixels().to_f32().remove_axis(Axis(2)).mapv(|v| v as u32)
    };
    assert_eq!(masks("a_masks.tif"), found.masks);
    // Enlarged, the image has larger masks, which are written at the size of the file.
    let options = options.diameter(Diameter::Pixels(20.0));
    let flags = "--model nuclei --diameter 20 --restore_type upsample_net --json --overlay -o large";
    let line = scene.run(&format!("segment a.png {flags}")).done().json().remove(0);
    let found = find("upsample_net", &options);
    assert_eq!(found.masks.dim(), (384, 384));
    let (small, cells) = Restorer::masks_at(&[found.masks.view()], (256, 256));
    assert_eq!(masks("large/a_masks.tif"), small[0]);
    assert!(cells > 0 && line["cells"] == cells, "{line} {cells}");
    assert_eq!((&line["height"], &line["diameter"]), (&256.into(), &20.0.into()));
    // The picture shows the image as it was.
    assert_eq!(Image::open(scene.path("large/a_overlay.png")).unwrap().size(), (256, 256));
}

#[test]
fn volumes_and_stitched_stacks_are_restored_too() {
    let scene = scene();
    let (width, height, samples) = decode_png(&nuclei());
    let channels = samples.len() / (width * height) as usize;
    let corner = |i: usize| samples[(i / 128 * width as usize + i % 128) * channels];
    let plane: Vec<u8> = (0..128 * 128).map(corner).collect();
    let darker: Vec<u8> = plane.iter().map(|pixel| pixel / 2).collect();
    scene.npy("z.npy", "|u1", "(3, 128, 128)", &[&plane[..], &darker, &plane].concat());
    let planes = volume(&scene.path("z.npy"));
    let options = options(20.0).min_size(0);
    let restorer = restorer(&scene, "upsample_net");
    let segmenter = Segmenter::builder().model(Model::named("nuclei").unwrap()).build().unwrap();
    let restored = restorer.restore_volume(&planes, &options).unwrap();
    let found = segmenter.segment_volume(&restored, &restorer.options(&options)).unwrap();
    let masks: Vec<_> = found.masks.outer_iter().collect();
    let (masks, cells) = Restorer::masks_at(&masks, (128, 128));
    let flags = "--axes ZYX --model nuclei --diameter 20 --restore upsample_net --json";
    for (way, out) in [("--do-3d --min-size 0", "volume"), ("--stitch-threshold 0.25", "stitched")] {
        let line = scene.run(&format!("segment z.npy {flags} {way} -o {out}")).done().json().remove(0);
        let (planes, highest) = scene.labels(&format!("{out}/z_masks.tif"));
        assert_eq!((&line["planes"], &line["height"], planes), (&3.into(), &128.into(), 3), "{line}");
        assert!(line["cells"].as_u64().unwrap() > 0, "{line}");
        // Cells have the same labels in all planes.
        assert!(highest <= 3 * line["cells"].as_u64().unwrap(), "{line} {highest}");
        if out == "volume" {
            let written = read(&scene.path("volume/z_masks.tif")).unwrap().planes;
            let written = written.iter().map(|plane| plane.pixels().to_f32().remove_axis(Axis(2)));
            assert!(written.eq(masks.iter().map(|plane| plane.mapv(|label| label as f32))));
            assert_eq!(line["cells"], cells);
        }
    }
}

/// A run with the networks in the folder `models`, under the names of the original's.
fn with_models(scene: &Scene, words: &str) -> Run {
    let mut command = Command::new(BIN);
    command.args(words.split_whitespace()).env("CELLPOSE_LOCAL_MODELS_PATH", scene.path("models"));
    scene.output(&mut command)
}

#[test]
fn networks_of_the_original_are_known_by_name() {
    let scene = scene();
    scene.hyperstack("c.tif", "channels", 2);
    let missing = with_models(&scene, "restore a.png --model denoise_cyto3").failed(2, "denoise_cyto3\" in");
    assert!(missing.stderr.contains("models pull denoise_cyto3"), "{missing:?}");
    with_models(&scene, "segment a.png --restore denoise").failed(2, "have names such as denoise_cyto3");
    fs::create_dir(scene.path("models")).unwrap();
    for name in ["denoise_cyto3", "denoise_nuclei"] {
        fs::copy(scene.path("net"), scene.path(&format!("models/{name}"))).unwrap();
    }
    let line = "segment c.tif --restore_type denoise_cyto3 --chan2_restore --pretrained_model nuclei --diameter 17 \
                --chan 1 --chan2 2 -q";
    with_models(&scene, line).done();
    fs::remove_file(scene.path("models/denoise_nuclei")).unwrap();
    with_models(&scene, line).failed(2, "denoise_nuclei\" in");
    let note = with_models(&scene, "restore a.png --model cellpose:denoise_cyto3 --chan2-restore=net");
    assert!(note.code == Some(0) && note.stderr.contains("without --chan2"), "{note:?}");
    let named = with_models(&scene, "restore a.png --model net --chan2-restore --chan 1 --chan2 2");
    named.failed(2, "--chan2-restore=MODEL");
}

#[test]
fn what_cannot_be_restored_is_told_before_anything_starts() {
    let scene = scene();
    for (words, says) in [
        ("restore a.png --model nuclei", "restores no images"),
        ("segment a.png --model net", "`flowmask restore`"),
        ("segment a.png --restore cyto", "restores no images"),
        ("segment a.png --restore net --diameter auto", "--diameter: cannot be estimated"),
        ("restore a.png --model net --diameter 0", "--diameter: cannot be estimated"),
        ("segment a.png --chan2-restore=net", "--restore MODEL"),
        ("restore a.png", "--model"),
        ("restore a.png --model net --bsize 100", "--bsize"),
        ("restore a.png --model no_such_file", "neither a file"),
    ] {
        scene.run(words).failed(2, says);
    }
    assert_eq!(scene.names("."), ["a.png", "net", "upsample_net"]);
    scene.floats("nan.npy", f32::NAN);
    let run = scene.run("restore a.png nan.npy --model net -o out -q").failed(1, "nan.npy");
    assert!(run.stderr.contains("row"), "{run:?}");
    assert_eq!(scene.names("out"), ["a_restored.tif"]);
    scene.run("restore a.png --model net --chan 4").failed(1, "channel 4");
    scene.run("segment a.png --model nuclei --restore net --chan 4").failed(1, "channel 4");
    let little = scene.run("restore a.png --model upsample_net --diameter 3 --memory 30MB");
    assert!(little.failed(1, "a.png").stderr.contains("needs"));
}

/// What is asked for is more than what is used, and is asked for before anything is restored.
#[test]
fn stacks_are_restored_within_the_memory_or_refused_at_the_start() {
    let scene = scene();
    let values: Vec<u8> =
        (0..24 * 500 * 500).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    scene.npy("stack.npy", "|u1", "(24, 500, 500)", &values);
    for flags in ["--axes ZYX", "--axes TYX", "--axes ZYX --no-norm3d"] {
        let words = format!("restore stack.npy --model net --diameter 30 --overwrite {flags}");
        // Each sentence says what is needed until it is enough.
        let mut memory = 40_000_000;
        let enough = (0..4).any(|_| {
            let run = scene.run(&format!("{words} --memory {memory}"));
            if run.code == Some(0) {
                return true;
            }
            let run = run.failed(1, "stack.npy: ");
            let (_, needed) = run.stderr.split_once(" needs ").unwrap();
            let needed: f64 = needed.split(' ').next().unwrap().parse().unwrap();
            memory = (needed * 1e6) as u64 + 100_000;
            false
        });
        let used = peak(&scene, &words);
        let figures = format!("{flags}: {memory} bytes planned, {used} used");
        println!("{figures}");
        assert!(enough && used < memory && memory < used * 3 / 2, "{figures}");
    }
}
