//! A temporary folder with label images, and what the program says about them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use flowmask::output::{Format, save_labels};
use ndarray::{Array2, s};
use serde_json::Value;
use tempfile::TempDir;

pub use super::run::Run;

pub struct Scene(pub TempDir);

impl Scene {
    pub fn new() -> Self {
        Scene(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    pub fn labels(&self, name: &str, labels: &Array2<u32>) {
        let format = match Path::new(name).extension().unwrap().to_str().unwrap() {
            "png" => Format::Png,
            "npy" => Format::Npy,
            _ => Format::Tif,
        };
        save_labels(&self.path(name), &[labels.view()], format).unwrap();
    }

    /// A PNG one pixel high. A palette has sixteen colours.
    pub fn png(&self, name: &str, color: png::ColorType, depth: png::BitDepth, width: u32, samples: &[u8]) {
        let mut encoder = png::Encoder::new(fs::File::create(self.path(name)).unwrap(), width, 1);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if color == png::ColorType::Indexed {
            encoder.set_palette((0..if depth == png::BitDepth::Two { 12 } else { 48 }).collect::<Vec<u8>>());
        }
        encoder.write_header().unwrap().write_image_data(samples).unwrap();
    }

    pub fn run(&self, words: &str) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowmask"));
        let command = command.arg("evaluate").args(words.split_whitespace());
        command.current_dir(self.0.path()).output().unwrap().into()
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }
}

impl Run {
    /// The words of the row of a method.
    pub fn row(&self, method: &str) -> Vec<&str> {
        let mut rows = self.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        rows.find(|row| row[0] == method).unwrap_or_else(|| panic!("{self:?}"))
    }
}

/// Two cells, 8 and 4 pixels.
pub fn cells() -> Array2<u32> {
    let mut image = Array2::zeros((6, 8));
    image.slice_mut(s![1..3, 1..5]).fill(1);
    image.slice_mut(s![4..6, 5..7]).fill(2);
    image
}
