//! Every file of `tests/data/images` must give the pixels that its name and the formula of `make.py` say, and no
//! damaged file may do more harm than an error.

mod axes;
mod bombs;
mod broken;

use std::path::{Path, PathBuf};

use flowmask::image::{EXTENSIONS, read};
use flowmask::{Error, Image, PixelType, Stack};

const HEIGHT: usize = 7;
const WIDTH: usize = 17;

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/images");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e != "py")).collect();
    files.sort();
    assert!(files.len() > 130, "{} files", files.len());
    files
}

/// The content of one of them.
fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/images");
    std::fs::read(folder.join(name)).unwrap()
}

/// The value at plane, row, column and channel of a file of this type.
fn value(kind: &str, plane: usize, y: usize, x: usize, channel: usize) -> f32 {
    let v = ((31 * y + 7 * x + 101 * channel + 13 * plane) % 251) as f32;
    match kind {
        "u8" => v,
        "u10" => 4.0 * v,
        "u12" => 16.0 * v,
        "u14" => 65.0 * v,
        "u16" => 257.0 * v,
        "u32" | "u64" => 65537.0 * v,
        "i8" => v - 125.0,
        "i16" => 257.0 * v - 32000.0,
        "i32" | "i64" => 65537.0 * v - 8_000_000.0,
        "f16" | "f32" | "f64" => 0.5 * v - 20.0,
        "bit" => v % 2.0,
        "bit255" => v % 2.0 * 255.0,
        "jpeg" => (40 + 5 * y + 6 * x + 20 * channel) as f32,
        other => panic!("no formula for {other}"),
    }
}

fn sample(image: &Image, at: (usize, usize, usize)) -> f32 {
    image.pixels().to_f32()[at]
}

/// What is wrong with the file, if anything.
fn compare(path: &Path, stack: &Stack) -> Result<(), String> {
    let name = path.file_stem().unwrap().to_str().unwrap();
    let mut parts = name.split('_');
    let kind = parts.next().unwrap();
    let (planes, channels) = parts.next().unwrap().split_once('x').unwrap();
    let channels: usize = channels.parse().unwrap();
    if stack.planes.len().to_string() != planes {
        return Err(format!("{} planes", stack.planes.len()));
    }
    for (plane, image) in stack.planes.iter().enumerate() {
        if (image.height(), image.width(), image.channels()) != (HEIGHT, WIDTH, channels) {
            return Err(format!("{} x {} x {}", image.height(), image.width(), image.channels()));
        }
        let stored = match kind {
            "u8" | "bit" | "bit255" | "jpeg" => PixelType::U8,
            "u10" | "u12" | "u14" | "u16" => PixelType::U16,
            _ => PixelType::F32,
        };
        if image.pixels().kind() != stored {
            return Err("another type of pixels".into());
        }
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                for c in 0..channels {
                    let (got, expected) = (sample(image, (y, x, c)), value(kind, plane, y, x, c));
                    let tolerance = if kind == "jpeg" { 4.0 } else { 0.0 };
                    if (got - expected).abs() > tolerance {
                        return Err(format!("{got} for {expected} at plane {plane}, {y}, {x}, channel {c}"));
                    }
                }
            }
        }
    }
    Ok(())
}

#[test]
fn every_file_gives_its_pixels() {
    let mut failures = Vec::new();
    for path in fixtures() {
        let result = read(&path).map_err(|e| e.to_string()).and_then(|stack| compare(&path, &stack));
        if let Err(reason) = result {
            failures.push(format!("{}: {reason}", path.file_name().unwrap().display()));
        }
        let extension = path.extension().unwrap().to_str().unwrap();
        assert!(EXTENSIONS.contains(&extension), "{extension}");
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}

/// A file with this content, in a folder that goes away with the first value.
fn file(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.tif");
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

fn reason(content: &[u8]) -> String {
    let (_folder, path) = file(content);
    match read(&path) {
        Err(Error::ImageFile { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_cut_short_is_an_error() {
    let (mut failures, mut errors, mut whole_ones) = (Vec::new(), 0, 0);
    for path in fixtures() {
        let whole = std::fs::read(&path).unwrap();
        let expected = read(&path).unwrap();
        for part in 0..24 {
            let (_folder, cut) = file(&whole[..whole.len() * part / 24]);
            // Bytes after the pixels may be missing: then all pixels are there.
            match read(&cut) {
                Ok(stack) if stack == expected => whole_ones += 1,
                Ok(_) => failures.push(format!("{} cut at {part}/24", path.file_name().unwrap().display())),
                Err(_) => errors += 1,
            }
        }
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
    assert!(errors > 10 * whole_ones, "{errors} errors, {whole_ones} files read");
}

#[test]
fn a_damaged_file_does_no_harm() {
    // A small generator (xorshift), so that a failure can be repeated.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let (_folder, damaged) = file(&[]);
    let mut errors = 0;
    for path in fixtures() {
        let whole = std::fs::read(&path).unwrap();
        for _ in 0..40 {
            let mut content = whole.clone();
            for _ in 0..=random(3) {
                // Headers are at the ends of the file.
                let near = random(content.len().min(300));
                let at = if random(2) == 0 { near } else { content.len() - 1 - near };
                content[at] = random(256) as u8;
            }
            std::fs::write(&damaged, content).unwrap();
            errors += usize::from(read(&damaged).is_err());
        }
    }
    assert!(errors > 1000, "{errors} errors");
}

#[test]
fn files_that_are_no_images_are_named() {
    assert!(reason(b"").contains("empty"));
    for content in [&b"words"[..], b"I", b"\x93NUM", b"II*", b"{\"shape\": [1]}"] {
        assert!(reason(content).contains("TIFF, PNG, JPEG, BMP and NPY"), "{content:?}");
    }
    let missing = read(Path::new("no such folder/image.tif"));
    assert!(matches!(missing, Err(Error::Read { .. })), "{missing:?}");
}

/// An NPY file of this header that ends with it.
fn npy(header: &str) -> Vec<u8> {
    [b"\x93NUMPY\x01\x00", &[header.len() as u8, 0][..], header.as_bytes()].concat()
}

#[test]
fn a_huge_header_takes_no_memory() {
    let npy =
        |side: &str| npy(&format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({side}, {side}), }}"));
    assert!(reason(&npy("4000000")).contains("ends before"));
    assert!(reason(&npy("99999999999999")).contains("larger than memory"));

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/images");
    let mut tiff = std::fs::read(folder.join("u8_1x1_zlib.tif")).unwrap();
    // Width and height of the first directory, which follows the header: tags 256 and 257.
    for tag in [256_u16, 257] {
        let at = (10..).step_by(12).find(|&at| tiff[at..at + 2] == tag.to_le_bytes()).unwrap();
        tiff[at + 2..at + 4].copy_from_slice(&4_u16.to_le_bytes());
        tiff[at + 8..at + 12].copy_from_slice(&40_000_u32.to_le_bytes());
    }
    assert!(reason(&tiff).contains("promises 1600000000 bytes"));
}

#[test]
fn what_is_not_supported_is_named() {
    let number = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (), }");
    assert_eq!(reason(&[number, vec![0; 8]].concat()), "holds a single number, not an image");
    let objects = npy("{'descr': '|O', 'fortran_order': False, 'shape': (), }");
    assert!(reason(&objects).contains("Python objects"));
}

#[test]
fn one_picture_is_opened_and_a_stack_is_not() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/images");
    assert_eq!(Image::open(folder.join("u8_1x3_rgb.png")).unwrap().channels(), 3);
    assert!(Image::open(folder.join("u16_5x1_pages.tif")).is_err());
}
