//! The size model: a linear map from the style vector to the logarithm of the cells' diameter.

use std::collections::BTreeMap;
use std::io;

use super::dictionary;
use super::tensors::{Tensor, Tensors};
use crate::memory::enough;
use crate::plan::diameter::DIAMETERS;
use crate::{Error, Result};

/// Estimates the diameter of the cells in an image from its style vector.
#[derive(Clone, Debug, PartialEq)]
pub struct SizeModel {
    a: Vec<f64>,
    smean: Vec<f64>,
    ymean: f64,
    diam_mean: f64,
}

impl SizeModel {
    /// Takes `size.A`, `size.smean`, `size.ymean` and `size.diam_mean` out of the tensors, if they are there.
    ///
    /// # Errors
    /// [`Error::Tensor`] if only some of them are there; [`Error::Model`] if they do not fit together.
    pub(super) fn take(tensors: &mut Tensors) -> Result<Option<Self>> {
        let [a, smean, ymean, diam_mean] =
            ["A", "smean", "ymean", "diam_mean"].map(|key| tensors.remove(&format!("size.{key}")));
        if a.is_none() && smean.is_none() && ymean.is_none() && diam_mean.is_none() {
            return Ok(None);
        }
        let numbers = |key: &str, tensor: Option<Tensor>| match tensor {
            Some(tensor) => Ok(tensor.data.into_iter().map(f64::from).collect()),
            None => Err(Error::tensor(tensors.model(), &format!("size.{key}"), "is missing")),
        };
        let size = Self::new(
            numbers("A", a)?,
            numbers("smean", smean)?,
            &numbers("ymean", ymean)?,
            &numbers("diam_mean", diam_mean)?,
        );
        size.map(Some).map_err(|reason| Error::model(tensors.model(), reason))
    }

    /// Reads a file of the original, such as `size_cyto3.npy`; `name` is used in messages.
    ///
    /// # Errors
    /// [`Error::Model`] when it is not a size model, [`Error::Memory`] when there is too little memory for it.
    pub(super) fn from_npy(name: &str, bytes: &[u8]) -> Result<Self> {
        let read = || {
            let file = dictionary::read(bytes)?;
            let numbers = |key| file.numbers(key);
            Self::new(numbers("A")?, numbers("smean")?, &numbers("ymean")?, &numbers("diam_mean")?)
        };
        enough(|| format!("model {name}"), || read().map_err(|reason| Error::model(name, reason)))
    }

    fn new(
        a: Vec<f64>,
        smean: Vec<f64>,
        ymean: &[f64],
        diam_mean: &[f64],
    ) -> std::result::Result<Self, String> {
        let (&[ymean], &[diam_mean]) = (ymean, diam_mean) else {
            return Err("has a size model whose ymean or diam_mean is not one number".into());
        };
        if a.len() != smean.len() {
            return Err(format!("has a size model with {} and {} factors", a.len(), smean.len()));
        }
        // They must be finite as f32, because tensors store them so.
        if !a.iter().chain(&smean).chain([&ymean, &diam_mean]).all(|&x| (x as f32).is_finite()) {
            return Err("has a size model with a number that is not a finite f32".into());
        }
        if !DIAMETERS.contains(&diam_mean) {
            return Err(format!(
                "has a size model whose diam_mean is {diam_mean:?}; the diameter of a cell is from 0.01 to 100000 pixels"
            ));
        }
        Ok(SizeModel { a, smean, ymean, diam_mean })
    }

    /// The length of the style vectors that it takes.
    pub fn style_len(&self) -> usize {
        self.a.len()
    }

    /// The mean diameter in pixels of the cells that it was trained on.
    pub fn diam_mean(&self) -> f64 {
        self.diam_mean
    }

    /// The diameter in pixels that belongs to `style`, which has [`style_len`] elements, at the scale at which the
    /// network saw the image: `max(5, exp(A·(style − smean) + ln(diam_mean) + ymean))`, or [`diam_mean`] if that is not
    /// finite (`SizeModel` of cellpose 3.1.1), and at most 100,000.
    ///
    /// [`style_len`]: Self::style_len
    /// [`diam_mean`]: Self::diam_mean
    pub fn style_diameter(&self, style: &[f32]) -> f64 {
        let terms =
            self.a.iter().zip(&self.smean).zip(style).map(|((a, mean), &s)| a * (f64::from(s) - mean));
        let diameter = (terms.sum::<f64>() + self.diam_mean.ln() + self.ymean).exp();
        if diameter.is_finite() { diameter.clamp(5.0, *DIAMETERS.end()) } else { self.diam_mean }
    }

    /// The tensors in which a safetensors file stores it.
    pub(super) fn tensors(&self) -> BTreeMap<&'static str, Tensor> {
        let tensor = |values: &[f64]| Tensor {
            shape: vec![values.len()],
            data: values.iter().map(|&x| x as f32).collect(),
        };
        BTreeMap::from([
            ("size.A", tensor(&self.a)),
            ("size.smean", tensor(&self.smean)),
            ("size.ymean", tensor(&[self.ymean])),
            ("size.diam_mean", tensor(&[self.diam_mean])),
        ])
    }

    /// The content of a file that the original can read.
    pub(super) fn to_npy(&self) -> Vec<u8> {
        let write = || {
            let mut file = dictionary::Writer::new(Vec::new())?;
            for (key, values) in [("A", &self.a), ("smean", &self.smean)] {
                file.key(key).array(&[values.len()], values.iter().copied())?;
            }
            file.key("diam_mean").float(self.diam_mean);
            file.key("ymean").float(self.ymean);
            file.finish()
        };
        write().unwrap_or_else(|e: io::Error| unreachable!("memory takes every byte: {e}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_diameter_follows_the_formula_and_its_bounds() {
        let size = SizeModel::new(vec![2.0, -1.0], vec![0.5, 0.25], &[0.1], &[17.0]).unwrap();
        let expected = (2.0 * 0.5 - 0.5 + 17f64.ln() + 0.1).exp();
        assert!((size.style_diameter(&[1.0, 0.75]) - expected).abs() < 1e-9);
        assert_eq!(size.style_diameter(&[-9.0, 9.0]), 5.0);
        assert_eq!(size.style_diameter(&[f32::NAN, 0.0]), 17.0);
        assert_eq!(size.style_diameter(&[1e6, 0.0]), 17.0);
    }

    #[test]
    fn an_npy_file_comes_back_the_same() {
        let size = SizeModel::new(vec![0.1, -2.0], vec![1e-9, 3.0], &[-0.3], &[30.0]).unwrap();
        let bytes = size.to_npy();
        assert_eq!(SizeModel::from_npy("s", &bytes).unwrap(), size);
        for length in 0..bytes.len() {
            assert!(SizeModel::from_npy("s", &bytes[..length]).is_err(), "{length}");
        }
    }
}
