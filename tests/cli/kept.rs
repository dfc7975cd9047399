//! Files that the program did not write are not replaced.

use std::fs;

use safetensors::SafeTensors;

use crate::scene::{Scene, repository};

/// Labels that somebody drew: a TIFF of the same size.
fn drawn(scene: &Scene, name: &str) -> Vec<u8> {
    let mut encoder = tiff::encoder::TiffEncoder::new(fs::File::create(scene.path(name)).unwrap()).unwrap();
    encoder.write_image::<tiff::encoder::colortype::Gray16>(32, 32, &[7; 32 * 32]).unwrap();
    fs::read(scene.path(name)).unwrap()
}

#[test]
fn labels_that_somebody_drew_are_kept() {
    let scene = Scene::new();
    scene.blank("scans/cells.png", 32, 32);
    scene.blank("scans/other.png", 32, 32);
    let labels = drawn(&scene, "scans/cells_masks.tif");
    let run = scene.run("segment scans --json").failed(1, "cells_masks.tif");
    assert!(run.stderr.contains("scans/cells.png: ") && run.stderr.contains("--overwrite"), "{run:?}");
    assert_eq!(fs::read(scene.path("scans/cells_masks.tif")).unwrap(), labels);
    assert!(scene.path("scans/other_masks.tif").exists());
    scene.run("segment scans -o out").done();
    scene.run("segment scans --overwrite").done();
    assert_ne!(fs::read(scene.path("scans/cells_masks.tif")).unwrap(), labels);
}

#[test]
fn outputs_of_an_earlier_run_are_replaced_where_they_say_so() {
    let scene = Scene::new();
    scene.blank("a.png", 32, 32);
    scene.run("segment a.png -o out --overlay").done();
    scene.run("segment a.png -o out --overlay --diameter 20").done();
    scene.run("segment a.png -o png --format png").done();
    scene.run("segment a.png -o png --format png").done();
    // An NPY file has no place for a mark.
    scene.run("segment a.png -o npy --format npy").done();
    scene.run("segment a.png -o npy --format npy").failed(1, "a_masks.npy");
    scene.run("segment a.png -o npy --format npy --overwrite").done();
}

#[test]
fn an_overlay_is_no_picture_of_the_user() {
    let scene = Scene::new();
    scene.blank("a.png", 32, 32);
    scene.blank("out/a_overlay.png", 8, 8);
    let picture = fs::read(scene.path("out/a_overlay.png")).unwrap();
    scene.run("segment a.png -o out --overlay").failed(1, "a_overlay.png");
    // It is known before the labels are written.
    assert_eq!(scene.names("out"), ["a_overlay.png"]);
    assert_eq!(fs::read(scene.path("out/a_overlay.png")).unwrap(), picture);
}

#[test]
fn what_is_no_file_is_never_replaced() {
    let scene = Scene::new();
    scene.blank("a.png", 32, 32);
    scene.file("a_masks.tif/inside", "");
    for flag in ["", "--overwrite"] {
        let run = scene.run(&format!("segment a.png {flag}")).failed(1, "a_masks.tif");
        assert!(!run.stderr.contains("--overwrite"), "{run:?}");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("nowhere", scene.path("b_masks.tif")).unwrap();
        scene.blank("b.png", 32, 32);
        scene.run("segment b.png").failed(1, "b_masks.tif");
        assert!(scene.path("b_masks.tif").is_symlink() && !scene.path("nowhere").exists());
    }
}

/// The file is put there while the output is written, so the first look did not find it.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_appears_meanwhile_is_kept() {
    use crate::stopped::{Stopped, temporary};
    let scene = Scene::new();
    let stopped = Stopped::conversion(&scene, "out");
    scene.file("out/out.pth", "another model");
    stopped.resume().failed(2, "out.pth");
    assert_eq!(fs::read(scene.path("out/out.pth")).unwrap(), b"another model");
    assert!(temporary(&scene, "out").is_empty());
}

#[test]
fn tables_plots_and_pages_of_others_are_kept() {
    let scene = Scene::new();
    scene.blank("a.png", 32, 32);
    (0..4).for_each(|i| scene.floats(&format!("in/{i}.npy"), i as f32));
    scene.run("segment a.png -o pred").done();
    fs::create_dir(scene.path("truth")).unwrap();
    fs::copy(scene.path("pred/a_masks.tif"), scene.path("truth/a_masks.tif")).unwrap();
    let runs = ["evaluate --truth truth --pred pred -o scores", "styles in -o scores"];
    for words in runs {
        scene.run(words);
        let files = scene.names("scores");
        assert!(files.len() >= 5, "{files:?}");
        // Its own files are replaced, and each says by itself that it is one of them.
        assert_eq!(scene.run(words).code, Some(0), "{words}");
        for name in &files {
            let path = scene.path("scores").join(name);
            let own = fs::read(&path).unwrap();
            // The mark of styles.npy is styles.csv.
            let other =
                if name.ends_with(".npy") { "scores/styles.csv".into() } else { format!("scores/{name}") };
            let kept = fs::read(scene.path(&other)).unwrap();
            scene.file(&other, "of another program");
            let run = scene.run(words);
            assert_eq!(run.code, Some(2), "{name}: {run:?}");
            assert!(run.stderr.contains("--overwrite") && run.stderr.lines().count() == 1, "{run:?}");
            assert_eq!(fs::read(scene.path(&other)).unwrap(), b"of another program");
            scene.file(&other, kept);
            assert_eq!(fs::read(&path).unwrap(), own);
        }
        scene.file(&format!("scores/{}", files[0]), "of another program");
        assert_eq!(scene.run(&format!("{words} --overwrite")).code, Some(0));
        files.iter().for_each(|name| fs::remove_file(scene.path("scores").join(name)).unwrap());
    }
}

#[test]
fn a_model_never_gets_the_size_model_of_another() {
    let scene = Scene::new();
    let bytes = fs::read(repository("weights/nuclei.safetensors")).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let model = SafeTensors::deserialize(&bytes).unwrap();
    let network = model.iter().filter(|(name, _)| !name.starts_with("size."));
    scene.file("network.safetensors", safetensors::serialize(network, header.metadata().clone()).unwrap());
    scene.run("convert nuclei out.pth").done();
    let both = ["network.safetensors", "out.pth", "out.pth_size.npy"];
    assert_eq!(scene.names("."), both);
    let before = both.map(|name| fs::read(scene.path(name)).unwrap());
    scene.run("convert network.safetensors out.pth").failed(2, "out.pth");
    assert!(both.map(|name| fs::read(scene.path(name)).unwrap()) == before);
    // The old size model is in the way as well.
    fs::remove_file(scene.path("out.pth")).unwrap();
    scene.run("convert network.safetensors out.pth").failed(2, "out.pth_size.npy");
    assert_eq!(scene.names("."), [both[0], both[2]]);
    scene.run("convert network.safetensors out.pth --overwrite").done();
    assert_eq!(scene.names("."), [both[0], both[1]]);
    assert!(flowmask::Model::open(scene.path("out.pth")).unwrap().size_model().is_none());
    scene.run("convert nuclei out.pth --overwrite").done();
    assert_eq!(scene.names("."), both);
    // When the model cannot be written, its old size model stays.
    fs::remove_file(scene.path("out.pth")).unwrap();
    scene.file("out.pth/in_the_way", "");
    let model = flowmask::Model::open(scene.path("network.safetensors")).unwrap();
    assert!(model.save(&scene.path("out.pth"), false).is_err());
    assert!(fs::read(scene.path("out.pth_size.npy")).unwrap() == before[2]);
    assert_eq!(scene.names("."), both);
}
