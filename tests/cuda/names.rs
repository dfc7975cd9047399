//! A stage has one name: its kernels, their launcher, the twin on the processor and the test are modules of that name.

use std::fs;
use std::path::PathBuf;

use crate::root;

#[path = "../../kernels/launchers/mod.rs"]
#[allow(dead_code, reason = "the build scripts use the rest")]
mod launchers;

/// The module of the stage of a kernel file. Those of volumes are in a folder.
fn stage_of(file: &str) -> String {
    file.strip_prefix("volume_").map_or(file.to_owned(), |name| format!("volume::{name}"))
}

/// Where the parts of a kernel file's stage are.
struct Stage<'a> {
    kernels: &'a str,
    /// The module of `src/cuda` that launches the kernels, and of `tests/cuda` that tests them.
    launcher: &'a str,
    /// The module of `src/cpu` that does the same, and what the test calls of it, if they are.
    twin: Option<(&'a str, Option<&'a str>)>,
}

/// The files with a part that has another name, or that is not there.
const OTHERS: [Stage; 11] = [
    // The test sums each pixel plainly; tests/cuda/network.rs compares with the twin.
    Stage { kernels: "conv", launcher: "conv", twin: Some(("conv", None)) },
    // The same stage in single precision, and with warp groups.
    Stage { kernels: "conv_f32", launcher: "conv", twin: Some(("conv", None)) },
    Stage { kernels: "conv_sm_90a", launcher: "conv", twin: Some(("conv", None)) },
    // A processor needs no function for either.
    Stage { kernels: "fill", launcher: "fill", twin: None },
    Stage { kernels: "scan", launcher: "scan", twin: None },
    // Compared with what comes of the same pixels in the host's memory, whose channels are the twin's.
    Stage { kernels: "handover", launcher: "handover", twin: Some(("channels", None)) },
    // The ends of masks on a GPU; on the processor one function each.
    Stage { kernels: "renumber", launcher: "renumber", twin: Some(("components", Some("cpu::components"))) },
    Stage { kernels: "style", launcher: "style", twin: Some(("network", Some("cpu::network"))) },
    // A method of the grid.
    Stage { kernels: "tiles", launcher: "tiles", twin: Some(("tiles", Some("grid.cut("))) },
    Stage { kernels: "volume_tiles", launcher: "volume::tiles", twin: Some(("tiles", Some("grid.cut("))) },
    // The twin adds what the twin of blend.cu averages.
    Stage {
        kernels: "volume_blend",
        launcher: "volume::blend",
        twin: Some(("volume::network", Some("cpu::volume::network"))),
    },
];

/// The code of a module, `folder/name.rs` and what is below it, without comments; empty where there is none.
fn module(folder: &str, name: &str) -> String {
    let below = root().join(folder).join(name.replace("::", "/"));
    let entries = fs::read_dir(&below).into_iter().flatten().map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> = entries.chain([below.with_extension("rs")]).collect();
    let texts = files.iter().filter(|file| file.is_file()).map(|file| fs::read_to_string(file).unwrap());
    let lines = |text: String| -> String {
        text.lines().map(|line| format!("{}\n", line.split("//").next().unwrap())).collect()
    };
    texts.map(lines).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

fn first_word(text: &str) -> &str {
    words(text).next().unwrap()
}

fn has_word(text: &str, word: &str) -> bool {
    words(text).any(|other| other == word)
}

/// Whether something is used of `path`, as `cpu::blend`, which may stand in a list: `cpu::{blend, follow}`.
fn uses(text: &str, path: &str) -> bool {
    let (parent, name) = path.rsplit_once("::").unwrap();
    let after = format!("{parent}::");
    text.split(&after).skip(1).any(|rest| match rest.strip_prefix('{') {
        Some(list) => has_word(list.split('}').next().unwrap(), name),
        None => first_word(rest) == name,
    })
}

/// By what a test may call a launcher: its module, and what `src/cuda/mod.rs` gives out of it.
fn public_paths(launcher: &str) -> Vec<String> {
    let all = fs::read_to_string(root().join("src/cuda/mod.rs")).unwrap();
    let uses = all.lines().filter_map(|line| line.strip_prefix(&format!("pub use {launcher}::")));
    let names = uses.flat_map(words);
    let names = names.filter(|name| !name.is_empty());
    names.chain([launcher]).map(|name| format!("cuda::{name}")).collect()
}

/// What is missing of the stage of these kernels.
fn missing(file: &str, kernels: &[String], Stage { launcher, twin, .. }: &Stage) -> Vec<String> {
    let (host, test) = (module("src/cuda", launcher), module("tests/cuda", launcher));
    let mut missing: Vec<String> = kernels
        .iter()
        .filter(|kernel| !has_word(&host, kernel))
        .map(|kernel| format!("src/cuda/{launcher} does not launch {kernel} of {file}.cu"))
        .collect();
    if !test.contains("#[test]") || !public_paths(launcher).iter().any(|path| uses(&test, path)) {
        missing.push(format!("tests/cuda/{launcher}.rs does not test cuda::{launcher}"));
    }
    if let Some((name, call)) = twin {
        if !module("src/cpu", name).contains("pub fn ") {
            missing.push(format!("src/cpu/{name} does not do what {file}.cu does"));
        }
        let called = call.is_none_or(|call| match call.strip_prefix("cpu::") {
            Some(_) => uses(&test, call),
            None => test.contains(call),
        });
        if !called {
            missing.push(format!("tests/cuda/{launcher}.rs does not compare with cpu::{name}"));
        }
    }
    missing
}

/// The kernel files by name, with the names of their kernels.
fn kernel_files() -> Vec<(String, Vec<String>)> {
    let made = launchers::launchers(&launchers::sources(&root().join("kernels"))).unwrap();
    let modules = made.rust.split("\npub mod ").skip(1);
    let launchers = |text: &str| -> Vec<String> {
        let functions = text.split("    pub fn ").skip(1);
        let launchers =
            functions.filter(|rest| rest.split('(').nth(1).unwrap().starts_with("gpu: &super::Gpu"));
        launchers.map(|rest| first_word(rest).to_owned()).collect()
    };
    let files = modules.filter(|text| !first_word(text).ends_with("_cuh"));
    files.map(|text| (first_word(text).to_owned(), launchers(text))).collect()
}

#[test]
fn every_kernel_file_has_a_launcher_a_twin_and_a_test_of_its_name() {
    let files = kernel_files();
    let count = fs::read_dir(root().join("kernels")).unwrap();
    let count =
        count.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|e| e == "cu")).count();
    assert_eq!(files.len(), count, "{files:?}");
    for (file, kernels) in &files {
        assert!(!kernels.is_empty(), "{file}.cu has no kernel");
        let stage = stage_of(file);
        let call = format!("cpu::{stage}");
        let same = Stage { kernels: file, launcher: &stage, twin: Some((&stage, Some(&call))) };
        let same = missing(file, kernels, &same);
        match OTHERS.iter().find(|other| other.kernels == file) {
            Some(other) => {
                assert!(!same.is_empty(), "{file}.cu needs no exception");
                let missing = missing(file, kernels, other);
                assert!(missing.is_empty(), "{missing:?}");
            }
            None => assert!(same.is_empty(), "{same:?}"),
        }
    }
    let unknown = OTHERS.iter().find(|other| files.iter().all(|(file, _)| file != other.kernels));
    assert!(unknown.is_none_or(|other| panic!("there is no {}.cu", other.kernels)));
}

#[test]
fn what_is_missing_is_found() {
    let blend = |launcher: &'static str, twin| Stage { kernels: "blend", launcher, twin };
    let kernels = ["blend".to_owned(), "blend_style".to_owned()];
    let twin = Some(("blend", Some("cpu::blend")));
    assert!(missing("blend", &kernels, &blend("blend", twin)).is_empty());
    assert_eq!(missing("blend", &["blend_none".to_owned()], &blend("blend", twin)).len(), 1);
    assert_eq!(missing("blend", &kernels, &blend("follow", None)).len(), 2);
    assert_eq!(missing("blend", &kernels, &blend("none", None)).len(), 3);
    assert_eq!(missing("blend", &kernels, &blend("blend", Some(("none", Some("cpu::blend"))))).len(), 1);
    assert_eq!(missing("blend", &kernels, &blend("blend", Some(("follow", Some("cpu::follow"))))).len(), 1);
}
