//! What each fuzz target reads. `tests/corpus.rs` includes this file, and reads the inputs that were found before.

use std::io::{Cursor, Write};

use flowmask::Model;
use flowmask::image::{ReadOptions, decode, decode_labels};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// The targets, each with a binary and a folder of inputs of its name.
pub const TARGETS: [&str; 9] =
    ["bmp", "jpeg", "labels", "npy", "pickle", "png", "safetensors", "tiff", "torch"];

/// The first bytes of PyTorch's format before its zip archives.
const LEGACY: &[u8] = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.";

/// Reads `bytes` as the target does. Whether they are an error is all the same.
///
/// # Panics
/// When there is no such target.
pub fn read(target: &str, bytes: &[u8]) {
    match target {
        // A file is known by its first bytes; the inputs that a target begins with decide which it tries.
        "bmp" | "jpeg" | "npy" | "png" | "tiff" => {
            sound(decode(format!("fuzz.{target}"), bytes.to_vec(), &ReadOptions::default()));
        }
        "labels" => sound(decode_labels("fuzz", bytes.to_vec(), &ReadOptions::default())),
        "pickle" => model(&archive(bytes)),
        "safetensors" => {
            model(bytes);
            // The header after its length, which the fuzzer need not keep true.
            model(&[&(bytes.len() as u64).to_le_bytes(), bytes].concat());
        }
        "torch" => {
            model(bytes);
            model(&[LEGACY, bytes].concat());
        }
        _ => panic!("no target {target}"),
    }
}

/// Users get an error where a decoder panics; here it is a fault.
fn sound<T>(decoded: flowmask::Result<T>) {
    if let Err(error) = decoded {
        assert!(!error.to_string().contains("panicked"), "{error}");
    }
}

fn model(bytes: &[u8]) {
    drop(Model::from_bytes("fuzz", bytes));
}

/// The archive of `torch.save` with this pickle, whose checksum the fuzzer could not find. The pickle is the only
/// storage too.
fn archive(pickle: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for name in ["fuzz/data.pkl", "fuzz/data/0"] {
        zip.start_file(name, stored).expect("memory can be written");
        zip.write_all(pickle).expect("memory can be written");
    }
    zip.finish().expect("memory can be written").into_inner()
}
