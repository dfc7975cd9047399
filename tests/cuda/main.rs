//! Each kernel against its twin on the processor: on the emulator with the feature `cpu-emu`, else on a GPU where there
//! is one.

mod blend;
mod channels;
mod cluster;
mod components;
mod conv;
mod device;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod emulator;
mod fill;
mod flow_error;
mod follow;
mod handover;
mod network;
mod normalize;
mod pinned;
mod pipeline;
mod random;
mod renumber;
mod resize;
mod scan;
mod scene;
mod style;
mod tiles;

/// A stage has one name: in the kernel, the launcher, the twin on the processor and the test.
#[test]
fn every_kernel_has_a_launcher_a_twin_and_a_test() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    // What has no twin of its own: parts of a stage, and what a processor needs no function for.
    let parts = [
        ("conv_f32", "conv"),
        ("handover", "channels"),
        ("style", "network"),
        ("scan", "cluster"),
        ("renumber", "components"),
    ];
    let mut stages = 0;
    for entry in std::fs::read_dir(root.join("kernels")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if path.extension().is_none_or(|e| e != "cu") || name == "fill" {
            continue;
        }
        let launcher = if name == "conv_f32" { "conv" } else { name };
        let twin = parts.iter().find(|(part, _)| *part == name).map_or(name, |(_, twin)| twin);
        for file in [format!("src/cuda/{launcher}.rs"), format!("tests/cuda/{launcher}.rs")] {
            assert!(root.join(&file).exists(), "{name} has no {file}");
        }
        let twin = root.join("src/cpu").join(twin);
        assert!(twin.is_dir() || twin.with_extension("rs").exists(), "{name} has no twin");
        stages += 1;
    }
    assert!(stages > 12, "{stages} kernel files");
}
