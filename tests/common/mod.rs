//! Golden files, and comparisons with them.
#![allow(dead_code, reason = "no test program uses all of it")]

use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;

use safetensors::{Dtype, SafeTensors};

mod root;
pub mod runs;
pub use root::root;

/// The path of a file in `tests/data`.
pub fn data(name: &str) -> PathBuf {
    root().join("tests/data").join(name)
}

/// An array of a golden file, converted to double precision.
#[derive(Clone)]
pub struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

impl Array {
    pub fn f32(&self) -> Vec<f32> {
        self.values.iter().map(|&v| v as f32).collect()
    }

    pub fn u32(&self) -> Vec<u32> {
        self.values.iter().map(|&v| v as u32).collect()
    }

    /// (height, width): the lengths of the last two axes.
    pub fn size(&self) -> (usize, usize) {
        (self.shape[self.shape.len() - 2], self.shape[self.shape.len() - 1])
    }
}

/// The arrays in a file of `tests/data/golden`.
pub struct Golden(HashMap<String, Array>);

impl Golden {
    pub fn open(name: &str) -> Self {
        let path = data(&format!("golden/{name}.safetensors.gz"));
        let file = std::fs::File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let array = |(name, view): (String, safetensors::tensor::TensorView)| {
            (name, Array { shape: view.shape().to_vec(), values: values(view.dtype(), view.data()) })
        };
        Golden(file.tensors().into_iter().map(array).collect())
    }

    pub fn get(&self, name: &str) -> &Array {
        self.0.get(name).unwrap_or_else(|| panic!("no array {name}"))
    }

    pub fn find(&self, name: &str) -> Option<&Array> {
        self.0.get(name)
    }

    pub fn f32(&self, name: &str) -> Vec<f32> {
        self.get(name).f32()
    }

    pub fn u32(&self, name: &str) -> Vec<u32> {
        self.get(name).u32()
    }

    /// The names of the arrays that begin with `begin`, sorted. There is at least one.
    pub fn names(&self, begin: &str) -> Vec<String> {
        let mut names: Vec<String> = self.0.keys().filter(|name| name.starts_with(begin)).cloned().collect();
        assert!(!names.is_empty(), "no array's name begins with {begin}");
        names.sort();
        names
    }
}

fn values(dtype: Dtype, bytes: &[u8]) -> Vec<f64> {
    macro_rules! numbers {
        ($type:ty) => {
            bytes
                .chunks_exact(size_of::<$type>())
                .map(|b| <$type>::from_le_bytes(b.try_into().unwrap()).into())
                .collect()
        };
    }
    match dtype {
        Dtype::F64 => numbers!(f64),
        Dtype::F32 => numbers!(f32),
        Dtype::F16 => numbers!(half::f16),
        Dtype::I32 => numbers!(i32),
        Dtype::U16 => numbers!(u16),
        Dtype::U8 => numbers!(u8),
        Dtype::BOOL => numbers!(u8),
        other => panic!("golden file with {other:?}"),
    }
}

/// Asserts `|got - want| ≤ atol + rtol · |want|` for all values. Prints how much of the tolerance was used.
#[track_caller]
pub fn assert_close(what: &str, got: &[f32], want: &[f32], atol: f64, rtol: f64) {
    assert_eq!(got.len(), want.len(), "{what}: lengths");
    assert!(!want.is_empty(), "{what}: nothing to compare");
    let mut worst = (0.0, 0);
    for (i, (&g, &w)) in got.iter().zip(want).enumerate() {
        let used = f64::from((g - w).abs()) / (atol + rtol * f64::from(w.abs()));
        if used > worst.0 || used.is_nan() {
            worst = (used, i);
        }
    }
    let (used, i) = worst;
    println!("{what}: {:.2} % of the tolerance", 100.0 * used);
    assert!(used <= 1.0, "{what}: at {i}: {} instead of {}, {used:.1} times the tolerance", got[i], want[i]);
}

/// The fraction of pixels on which two label images agree. Each cell of one image is paired with the cell of the other
/// that shares the most pixels with it, and background with background; a pixel agrees if its two labels are a pair.
pub fn same_partition(a: &[u32], b: &[u32]) -> f64 {
    assert_eq!(a.len(), b.len(), "sizes");
    let mut overlaps: HashMap<(u32, u32), usize> = HashMap::new();
    a.iter().zip(b).for_each(|(&a, &b)| *overlaps.entry((a, b)).or_default() += 1);
    let mut pairs: Vec<_> = overlaps.into_iter().filter(|((a, b), _)| (*a == 0) == (*b == 0)).collect();
    pairs.sort_by_key(|&(pair, count)| (std::cmp::Reverse(count), pair));
    let (mut seen_a, mut seen_b) = (std::collections::HashSet::new(), std::collections::HashSet::new());
    let mut same = 0;
    for ((a, b), count) in pairs {
        if !seen_a.contains(&a) && !seen_b.contains(&b) {
            seen_a.insert(a);
            seen_b.insert(b);
            same += count;
        }
    }
    same as f64 / a.len().max(1) as f64
}

/// The number of different labels, without 0.
pub fn cells(labels: &[u32]) -> usize {
    labels.iter().filter(|label| **label != 0).collect::<std::collections::HashSet<_>>().len()
}

/// Asserts the bounds of the project: 99.8 % of the pixels agree, and the numbers of cells differ by at most 1 or 1 %,
/// whichever is more.
#[track_caller]
pub fn assert_same_masks(what: &str, got: &[u32], want: &[u32]) {
    let (same, got, want) = (same_partition(got, want), cells(got), cells(want));
    println!("{what}: {:.3} % of the pixels, {got} cells, golden {want}", 100.0 * same);
    assert!(same >= 0.998, "{what}: the same partition in only {:.3} % of the pixels", 100.0 * same);
    let allowed = (want as f64 / 100.0).max(1.0);
    assert!((got as f64 - want as f64).abs() <= allowed, "{what}: {got} cells instead of {want}");
}
