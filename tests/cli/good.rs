//! What works.

use std::fs;
use std::process::{Command, Stdio};

use crate::scene::{BIN, NUCLEI, Scene, decode_png, repository};

#[test]
fn the_cells_of_an_image_are_counted_and_written_beside_it() {
    let scene = Scene::new();
    scene.nuclei("im0.png");
    let run = scene.run(&format!("segment im0.png {NUCLEI}")).done();
    let (planes, cells) = scene.labels("im0_masks.tif");
    assert!(planes == 1 && (36..=38).contains(&cells), "{planes} planes, {cells} cells");
    assert!(run.stdout.contains(&format!("{cells} cells")), "{run:?}");
    assert!(run.stdout.ends_with("im0.png -> im0_masks.tif\n"), "{run:?}");
    assert_eq!(scene.names("."), ["im0.png", "im0_masks.tif"]);
}

#[test]
fn each_format_holds_the_same_labels() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    for format in ["tif", "png", "npy"] {
        scene.run(&format!("segment a.png {NUCLEI} --format {format}")).done();
    }
    let values = |name| {
        let image = flowmask::Image::open(scene.path(name)).unwrap();
        image.pixels().to_f32()
    };
    let tif = values("a_masks.tif");
    assert!(tif.iter().any(|&label| label == 30.0));
    assert_eq!(values("a_masks.png"), tif);
    assert_eq!(values("a_masks.npy"), tif);
}

/// Rounding differs between instruction sets; the cells do not.
#[test]
fn every_instruction_set_of_this_processor_finds_the_same_cells() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    for isa in flowmask::cpu::conv::Isa::all() {
        scene.run(&format!("segment a.png {NUCLEI} --cpu-isa {}", isa.name())).done();
        let (_, cells) = scene.labels("a_masks.tif");
        assert_eq!(cells, 37, "{}", isa.name());
    }
    // The flag's earlier name.
    scene.run(&format!("segment a.png {NUCLEI} --cpu-kernel portable")).done();
}

#[test]
fn json_tells_all_of_an_image_on_one_line() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    let run = scene.run(&format!("segment a.png {NUCLEI} --json --overlay -o new/folder")).done();
    let [line] = &run.json()[..] else { panic!("{run:?}") };
    let masks = line["masks"].as_str().unwrap();
    assert_eq!(line["input"], "a.png");
    assert_eq!(scene.labels(masks), (1, line["cells"].as_u64().unwrap()));
    assert_eq!((&line["planes"], &line["height"], &line["width"]), (&1.into(), &256.into(), &256.into()));
    assert!((line["diameter"].as_f64().unwrap() - 19.48).abs() < 0.01);
    assert_eq!(line["diameter_from"], "option");
    assert!(line["seconds"].as_f64().unwrap() > 0.0);
    let overlay = line["overlays"][0].as_str().unwrap();
    let (width, height, _) = decode_png(&fs::read(scene.path(overlay)).unwrap());
    assert_eq!((width, height), (256, 256));
    assert_eq!(scene.names("new/folder"), ["a_masks.tif", "a_overlay.png"]);
}

#[test]
fn every_plane_of_a_stack_is_segmented() {
    let scene = Scene::new();
    scene.hyperstack("z.tif", "slices", 2);
    let run = scene.run(&format!("segment z.tif {NUCLEI} --json --overlay")).done();
    let line = &run.json()[0];
    assert_eq!(line["planes"], 2);
    let (planes, cells) = scene.labels("z_masks.tif");
    assert_eq!((planes, Some(cells)), (2, line["cells"].as_u64()));
    assert!(cells > 40, "both planes show the nuclei, but have {cells} cells together");
    let names = ["z.tif", "z_masks.tif", "z_plane0_overlay.png", "z_plane1_overlay.png"];
    assert_eq!(scene.names("."), names);
}

#[test]
fn a_folder_is_done_in_natural_order_and_its_outputs_are_no_inputs() {
    let scene = Scene::new();
    for name in ["in/im10.png", "in/im9.png", "in/im9_cp_masks.png"] {
        scene.blank(name, 32, 32);
    }
    scene.file("in/notes.txt", "not an image");
    for _ in 0..2 {
        let run = scene.run("segment in --json --format png --overlay").done();
        let inputs: Vec<_> = run.json().iter().map(|line| line["input"].clone()).collect();
        let wanted = ["im9.png", "im10.png"].map(|name| format!("in{}{name}", std::path::MAIN_SEPARATOR));
        assert_eq!(inputs, wanted);
    }
}

#[test]
fn patterns_and_suffixes_choose_images() {
    let scene = Scene::new();
    for name in ["a_dapi.png", "b_dapi.png", "b_gfp.png"] {
        scene.blank(name, 32, 32);
    }
    assert_eq!(scene.run("segment b_*.png --json").done().json().len(), 2);
    assert_eq!(scene.run("segment . --img_filter _dapi --json").done().json().len(), 2);
    assert_eq!(scene.run("segment *.png --img-filter _gfp --json").done().json().len(), 1);
}

#[test]
fn images_without_cells_or_smaller_than_a_tile_are_no_errors() {
    let scene = Scene::new();
    scene.blank("blank.png", 300, 280);
    scene.blank("pixel.png", 1, 1);
    scene.blank("thin.png", 300, 5);
    scene.blank("tall.png", 5, 300);
    let run = scene.run("segment . --json").done();
    assert_eq!(run.json().len(), 4);
    for line in run.json() {
        assert_eq!(line["cells"], 0, "{line}");
        assert_eq!(scene.labels(line["masks"].as_str().unwrap()), (1, 0));
    }
}

#[test]
fn any_of_many_channels_can_be_segmented() {
    let scene = Scene::new();
    scene.hyperstack("many.tif", "channels", 100);
    let run = scene.run(&format!("segment many.tif {NUCLEI} --chan 37 --json")).done();
    assert!(run.json()[0]["cells"].as_u64().unwrap() > 20, "{run:?}");
    let run = scene.run(&format!("segment many.tif {NUCLEI} --chan 101")).failed(1, "many.tif");
    assert!(run.stderr.contains("100"), "{run:?}");
}

#[test]
fn the_flags_of_the_original_are_understood() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    let count = |flags: &str| {
        let run = scene.run(&format!("segment a.png --json --savedir out {flags}")).done();
        run.json()[0]["cells"].as_u64().unwrap()
    };
    let base = "--pretrained_model nuclei --diameter 19.48 --chan 0";
    let all = count(base);
    assert!((36..=38).contains(&all), "{all}");
    assert!(count(&format!("{base} --min_size 150")) < all);
    assert!(count(&format!("{base} --exclude_on_edges")) < all);
    assert_ne!(count(&format!("{base} --cellprob_threshold -4 --flow_threshold 0 --min_size -1")), all);
}

#[test]
fn every_mask_has_one_outline_unless_parts_are_kept() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    // Without normalisation the flows are weak, and masks come apart.
    let base = format!("segment a.png {NUCLEI} --no-norm --flow-threshold 0 --cellprob-threshold -6");
    let cells_and_outlines = |flags: &str| {
        scene.run(&format!("{base} {flags}")).done();
        let labels = flowmask::image::read(&scene.path("a_masks.tif")).unwrap().planes.remove(0);
        let labels = labels.pixels().to_f32().index_axis_move(ndarray::Axis(2), 0).mapv(|v| v as u32);
        let cells = labels.iter().copied().max().unwrap() as usize;
        (cells, flowmask::output::polygons(labels.view()).len())
    };
    let (cells, outlines) = cells_and_outlines("");
    assert!(cells > 100 && cells == outlines, "{cells} cells, {outlines} outlines");
    for flags in ["--keep-parts", "--keep_parts --min_size 15", "--compat 3.1.1"] {
        let (cells, outlines) = cells_and_outlines(flags);
        assert!(outlines > cells + 100, "{flags}: {cells} cells, {outlines} outlines");
    }
}

#[test]
fn json_says_where_the_diameter_is_from() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    fs::copy(repository("weights/nuclei.safetensors"), scene.path("n.safetensors")).unwrap();
    let diameter = |flags: &str| {
        let line = scene.run(&format!("segment a.png --json {flags}")).done().json().remove(0);
        format!("{} {}", line["diameter_from"].as_str().unwrap(), line["diameter"])
    };
    assert_eq!(diameter("--model nuclei"), "model 17.0");
    assert_eq!(diameter("--model n.safetensors"), "model 23.111");
    assert_eq!(diameter("--model n.safetensors --diameter 25"), "option 25.0");
    assert!(diameter("--model nuclei --diameter auto").starts_with("estimate "));
}

#[test]
fn quiet_prints_nothing() {
    let scene = Scene::new();
    scene.blank("a.png", 32, 32);
    assert_eq!(scene.run("segment a.png --quiet").done().stdout, "");
    assert_eq!(scene.names("."), ["a.png", "a_masks.tif"]);
}

#[test]
fn a_reader_that_goes_away_stops_nothing() {
    let scene = Scene::new();
    scene.blank("a.png", 32, 32);
    scene.blank("b.png", 32, 32);
    let mut command = Command::new(BIN);
    command.args(["segment", "a.png", "b.png"]).current_dir(scene.path(""));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert_eq!(scene.names("."), ["a.png", "a_masks.tif", "b.png", "b_masks.tif"]);
}

#[test]
fn the_built_in_models_are_listed() {
    let run = Scene::new().run("models").done();
    for name in ["cyto", "nuclei"] {
        assert!(run.stdout.lines().any(|line| line.starts_with(name)), "{run:?}");
    }
}

#[test]
fn a_converted_model_finds_the_same_cells() {
    let scene = Scene::new();
    scene.nuclei("a.png");
    fs::copy(repository("weights/nuclei.safetensors"), scene.path("n.safetensors")).unwrap();
    scene.run("convert n.safetensors n.pth").done();
    scene.run("convert n.pth half.safetensors --half").done();
    let cells = |model: &str| {
        let run = scene.run(&format!("segment a.png --diameter 19.48 --json --model {model}")).done();
        run.json()[0]["cells"].as_u64().unwrap()
    };
    let built_in = cells("nuclei");
    assert_eq!(cells("n.pth"), built_in);
    assert!(cells("half.safetensors").abs_diff(built_in) <= 1);
}

#[test]
fn version_and_help_tell_what_it_is() {
    let scene = Scene::new();
    let version = format!("flowmask {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(scene.run("--version").done().stdout, version);
    let help = scene.run("segment --help").done().stdout;
    for heading in ["Input:", "Model:", "Cells:", "Output:", "Speed:", "Exit codes:"] {
        assert!(help.contains(heading), "{heading}");
    }
}
