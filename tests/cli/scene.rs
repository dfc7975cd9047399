//! A temporary folder with images, and what the program did there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use tiff::encoder::{TiffEncoder, colortype::Gray8};
use tiff::tags::Tag;

pub use super::run::Run;

pub const BIN: &str = env!("CARGO_BIN_EXE_flowmask");
/// Flags with which the image `nuclei` is known to have 37 cells.
pub const NUCLEI: &str = "--model nuclei --diameter 19.48";

pub struct Scene(TempDir);

impl Scene {
    pub fn new() -> Self {
        Scene(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Stained nuclei, 256 by 256, RGB.
    pub fn nuclei(&self, name: &str) {
        self.file(name, nuclei());
    }

    /// A grey image without any structure.
    pub fn blank(&self, name: &str, width: u32, height: u32) {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Grayscale);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&vec![90; (width * height) as usize]).unwrap();
        writer.finish().unwrap();
        self.file(name, bytes);
    }

    /// The nuclei, side by side in an image of `side` by `side` pixels.
    pub fn tiled(&self, name: &str, side: usize) {
        let (width, height, samples) = decode_png(&nuclei());
        let (width, height) = (width as usize, height as usize);
        let channels = samples.len() / (width * height);
        let pixel = |i: usize| samples[((i / side % height) * width + i % side % width) * channels];
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, side as u32, side as u32);
        encoder.set_color(png::ColorType::Grayscale);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&(0..side * side).map(pixel).collect::<Vec<u8>>()).unwrap();
        writer.finish().unwrap();
        self.file(name, bytes);
    }

    /// The first channel of the nuclei, repeated along the axis `axis` ("channels" or "slices") of a TIFF as
    /// ImageJ writes it.
    pub fn hyperstack(&self, name: &str, axis: &str, count: usize) {
        let (width, height, rgb) = decode_png(&nuclei());
        let gray: Vec<u8> = rgb.chunks(rgb.len() / (width * height) as usize).map(|p| p[0]).collect();
        let mut encoder = TiffEncoder::new(fs::File::create(self.path(name)).unwrap()).unwrap();
        for page in 0..count {
            let mut image = encoder.new_image::<Gray8>(width, height).unwrap();
            if page == 0 {
                let description = format!("ImageJ=1.54f\nimages={count}\n{axis}={count}\n");
                image.encoder().write_tag(Tag::ImageDescription, &*description).unwrap();
            }
            image.write_data(&gray).unwrap();
        }
    }

    /// An NPY file by hand, so that shape and values need not agree.
    pub fn npy(&self, name: &str, kind: &str, shape: &str, values: &[u8]) {
        let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
        header.push_str(&" ".repeat(63 - (header.len() + 10) % 64));
        header.push('\n');
        let length = (header.len() as u16).to_le_bytes();
        self.file(name, [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), values].concat());
    }

    /// 64 by 64 numbers from 0 to 1, one of which is `odd`.
    pub fn floats(&self, name: &str, odd: f32) {
        let mut values: Vec<f32> = (0..64 * 64).map(|i| (i % 97) as f32 / 97.0).collect();
        values[2000] = odd;
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.npy(name, "<f4", "(64, 64)", &bytes);
    }

    /// Runs the program with these words, in the folder.
    pub fn run(&self, words: &str) -> Run {
        self.output(Command::new(BIN).args(words.split_whitespace()))
    }

    pub fn output(&self, command: &mut Command) -> Run {
        command.current_dir(self.0.path()).output().unwrap().into()
    }

    /// The names of all files and folders, sorted.
    pub fn names(&self, dir: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(dir)).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The planes of a label image and the sum of their highest labels.
    pub fn labels(&self, name: &str) -> (usize, u64) {
        let planes = flowmask::image::read(&self.path(name)).unwrap().planes;
        let highest =
            |plane: &flowmask::Image| plane.pixels().to_f32().into_iter().fold(0.0, f32::max) as u64;
        (planes.len(), planes.iter().map(highest).sum())
    }
}

impl Run {
    /// Everything was done, without a word on stderr.
    pub fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert_eq!(self.stderr, "", "{self:?}");
        self
    }

    /// The exit code is `code`, and stderr is one line that has `name` in it once.
    pub fn failed(self, code: i32, name: &str) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        assert!(self.stderr.starts_with("flowmask: "), "{self:?}");
        assert_eq!(self.stderr.matches(name).count(), 1, "{name} in {self:?}");
        self
    }

    /// Each line of stdout as JSON.
    pub fn json(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

pub fn nuclei() -> Vec<u8> {
    fs::read(repository("tests/data/nuclei.png")).unwrap()
}

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Width, height and samples.
pub fn decode_png(bytes: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut samples = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut samples).unwrap();
    samples.truncate(info.buffer_size());
    (info.width, info.height, samples)
}
