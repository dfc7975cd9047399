//! Tests the C interface from C and C++: compiles `tests/c` against the header, links it to the shared library, and runs it.
//!
//! These variables let `ci.sh` run the test under AddressSanitizer and valgrind, which is slow. `FLOWMASK_C_FLAGS`: more
//! flags for the compiler. `FLOWMASK_C_RUN`: the command that runs the program. `FLOWMASK_C_SIDE`: height and width of a
//! smaller image. `FLOWMASK_C_MODEL`: a file of random weights to use. `FLOWMASK_C_ONLY`: the only compiler to use.
//! `FLOWMASK_C_SCENE`: a folder to which the image is written as a PGM, and a part of it twice as a TIFF of two planes.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use flowmask::output::{Format, save_labels};
use flowmask::{Diameter, Image, Model, Options, Pixels, Segmenter};

/// The folder of this package.
fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The path of a file in the repository.
fn repository(name: &str) -> PathBuf {
    package().join("..").join(name)
}

/// The library, which cargo does not build for a test, since a test in Rust cannot link to it.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "flowmask-capi", "--lib"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        // Its variables are those of the test's own build.
        run(build.current_dir(package()).env_remove("LD_LIBRARY_PATH"));
        let folder = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
        let library =
            folder.join(if cfg!(target_os = "macos") { "libflowmask.dylib" } else { "libflowmask.so" });
        assert!(library.is_file(), "{} is not there", library.display());
        if cfg!(target_os = "linux") {
            // The name by which programs look for it.
            let name = folder.join(concat!("libflowmask.so.", env!("CARGO_PKG_VERSION_MAJOR")));
            let _ = std::fs::remove_file(&name);
            std::os::unix::fs::symlink("libflowmask.so", name).unwrap();
        }
        library
    })
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{text}", output.status);
    text
}

fn words(variable: &str) -> Vec<String> {
    std::env::var(variable).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// Writes an image, and the labels that the program must find in it. Returns their height and width.
fn write_scene(folder: &Path, model: &str) -> (usize, usize) {
    let Pixels::U8(pixels) = Image::open(repository("tests/data/nuclei.png")).unwrap().pixels().clone()
    else {
        panic!("nuclei.png has another type");
    };
    if let Ok(scene) = std::env::var("FLOWMASK_C_SCENE") {
        let (height, width, _) = pixels.dim();
        let mut file = format!("P5\n{width} {height}\n255\n").into_bytes();
        file.extend(pixels.slice(ndarray::s![.., .., 0]));
        std::fs::create_dir_all(&scene).unwrap();
        std::fs::write(Path::new(&scene).join("cells.pgm"), file).unwrap();
        let part = pixels.slice(ndarray::s![100..220, 100..230, 0]).mapv(u32::from);
        let planes = [part.view(), part.view()];
        save_labels(&Path::new(&scene).join("cells.tif"), &planes, Format::Tif).unwrap();
    }
    let side = std::env::var("FLOWMASK_C_SIDE").map_or(156, |side| side.parse().unwrap());
    let pixels = pixels.slice(ndarray::s![100..100 + side, 100..100 + side, ..1]).to_owned();
    std::fs::write(folder.join("pixels.raw"), pixels.iter().copied().collect::<Vec<u8>>()).unwrap();
    let segmenter = Segmenter::builder().model(Model::named(model).unwrap()).build().unwrap();
    let mut options = Options::default().diameter(Diameter::Pixels(19.5));
    if model != "nuclei" {
        options = options.clone().cellprob_threshold(-1e30).flow_threshold(0.0).min_size(1);
    }
    write_volume(folder, &segmenter, &pixels);
    let found = segmenter.segment(&Image::new(Pixels::U8(pixels)).unwrap(), &options).unwrap();
    assert!(found.cells() > 0);
    let labels: Vec<u8> = found.masks.iter().flat_map(|label| label.to_ne_bytes()).collect();
    std::fs::write(folder.join("labels.raw"), labels).unwrap();
    found.masks.dim()
}

/// Writes the labels that programs must find in a volume, and in a stack, of six parts of the image.
fn write_volume(folder: &Path, segmenter: &Segmenter, pixels: &ndarray::Array3<u8>) {
    let part = |z: usize| pixels.slice(ndarray::s![z..z + 18, ..20, ..]).to_owned();
    let planes: Vec<Image> = (0..6).map(|z| Image::new(Pixels::U8(part(z))).unwrap()).collect();
    // Small tiles, since the test runs under valgrind too; all pixels are in cells.
    let options = Options::default().diameter(Diameter::Pixels(19.5)).bsize(32).cellprob_threshold(-1e30);
    let options = options
        .flow_threshold(0.0)
        .min_size(1)
        .max_size_fraction(10.0)
        .anisotropy(1.5)
        .flow3d_smooth([1.0, 0.5, 0.0]);
    let volume = segmenter.segment_volume(&planes, &options).unwrap();
    let stack = segmenter.segment_stack(planes, 0.25, &options, &mut |_| true).unwrap();
    let volume: Vec<u32> = volume.masks.iter().copied().collect();
    let stack: Vec<u32> = stack.iter().flat_map(|plane| &plane.masks).copied().collect();
    for (name, labels) in [("volume.raw", volume), ("stack.raw", stack)] {
        assert!(labels.iter().any(|label| *label > 0), "{name}");
        let bytes: Vec<u8> = labels.into_iter().flat_map(u32::to_ne_bytes).collect();
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

#[test]
fn c_and_cpp_programs_get_the_labels_of_rust() {
    let folder = tempfile::tempdir().unwrap();
    let model = std::env::var("FLOWMASK_C_MODEL").unwrap_or("nuclei".into());
    let file = repository(if model == "nuclei" { "weights/nuclei.safetensors" } else { &model });
    let model = if model == "nuclei" { model } else { file.display().to_string() };
    let (height, width) = write_scene(folder.path(), &model);
    let library = library();
    for (compiler, language) in [("cc", ["-x", "c", "-std=c11"]), ("c++", ["-x", "c++", "-std=c++17"])] {
        if std::env::var("FLOWMASK_C_ONLY").is_ok_and(|only| only != compiler) {
            continue;
        }
        let program = folder.path().join(compiler);
        let mut compile = Command::new(compiler);
        compile.args(language).args([
            "-O1",
            "-g",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-pedantic",
            "-D_GNU_SOURCE",
        ]);
        compile.args(words("FLOWMASK_C_FLAGS")).arg("-I").arg(package().join("include"));
        compile.args(
            ["main.c", "images.c", "results.c", "misuse.c", "files.c", "volumes.c", "fork.c"]
                .map(|file| package().join("tests/c").join(file)),
        );
        compile.args(["-x", "none", "-pthread", "-L"]).arg(library.parent().unwrap()).arg("-lflowmask");
        compile.arg(format!("-Wl,-rpath,{}", library.parent().unwrap().display())).arg("-o").arg(&program);
        run(&mut compile);
        let line: Vec<String> =
            words("FLOWMASK_C_RUN").into_iter().chain([program.display().to_string()]).collect();
        let mut test = Command::new(&line[0]);
        // The variable that cargo sets has the folder of another build of the library.
        test.env_remove("LD_LIBRARY_PATH");
        test.args(&line[1..]).arg(folder.path()).args([height.to_string(), width.to_string()]);
        let said = run(test.arg(&model).arg(&file));
        assert_eq!(said.lines().last(), Some("the C interface is as it should be"), "{said}");
    }
}

#[test]
fn the_classes_of_cpp_do_what_the_functions_do() {
    let folder = tempfile::tempdir().unwrap();
    let (height, width) = write_scene(folder.path(), "nuclei");
    let (library, program) = (library(), folder.path().join("whole"));
    let mut compile = Command::new("c++");
    compile.args(["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I"]);
    compile.arg(package().join("include")).arg(package().join("tests/c/whole.cpp")).arg("-L");
    compile.arg(library.parent().unwrap()).arg("-lflowmask").arg("-o").arg(&program);
    run(compile.arg(format!("-Wl,-rpath,{}", library.parent().unwrap().display())));
    let mut test = Command::new(&program);
    test.env_remove("LD_LIBRARY_PATH").arg(folder.path());
    let said = run(test.args([height.to_string(), width.to_string(), "nuclei".into()]));
    assert_eq!(said.trim_end(), "flowmask.hpp is as it should be");
}

/// The functions that the header declares.
fn declared() -> BTreeSet<String> {
    let header = std::fs::read_to_string(package().join("include/flowmask.h")).unwrap();
    let code = header.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.filter_map(|line| line.split_once('(').map(|(before, _)| before))
        .filter_map(|before| before.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("flowmask_"))
        .map(str::to_owned)
        .collect()
}

#[test]
#[cfg(target_os = "linux")]
fn the_library_exports_what_the_header_declares() {
    let symbols = run(Command::new("nm").args(["-D", "--defined-only"]).arg(library()));
    let version = concat!("libflowmask.so.", env!("CARGO_PKG_VERSION_MAJOR"));
    // The version itself is a symbol too.
    let names = symbols.lines().filter_map(|line| line.split_whitespace().last());
    let names = names.filter(|name| name.trim_end_matches(&format!("@@{version}")) != version);
    let exported: BTreeSet<String> = names
        .map(|name| {
            let (name, of) = name.split_once("@@").unwrap_or_else(|| panic!("{name} has no version"));
            assert_eq!(of, version, "{name}");
            name.to_owned()
        })
        .collect();
    let dynamic = run(Command::new("readelf").args(["-d"]).arg(library()));
    assert!(dynamic.contains(&format!("Library soname: [{version}]")), "{dynamic}");
    assert_eq!(exported, declared());
    assert!(exported.len() > 20);
}
