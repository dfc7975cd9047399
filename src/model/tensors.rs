//! The tensors of a model, by their names in the original's state dict.

use std::collections::BTreeMap;
use std::fmt;

use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use half::{bf16, f16};

use crate::{Error, Result};

/// The ending of the names of batch norm counters, the only integers of a state dict. Results do not depend on them.
pub(super) const COUNTER: &str = "num_batches_tracked";

/// One array of weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Lengths of the axes, outermost first.
    pub shape: Vec<usize>,
    /// The elements in C order, all finite.
    pub data: Vec<f32>,
}

impl Tensor {
    /// The bytes of the elements for a file. With `half`, matrices and convolutions are in half precision; vectors
    /// (batch norms and biases) stay in single precision, as they are few and are folded into other weights. `None` if
    /// an element is beyond the range of half precision.
    pub(super) fn encode(&self, half: bool) -> Option<(Dtype, Vec<u8>)> {
        if !half || self.shape.len() < 2 {
            return Some((Dtype::F32, bytemuck::cast_slice(&self.data).to_vec()));
        }
        let mut bits = vec![0u16; self.data.len()];
        bits.reinterpret_cast_mut::<f16>().convert_from_f32_slice(&self.data);
        let in_range = bits.reinterpret_cast::<f16>().iter().all(|x| x.is_finite());
        in_range.then(|| (Dtype::F16, bytemuck::cast_slice(&bits).to_vec()))
    }
}

/// The type of the elements of a tensor in a file. All are little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dtype {
    F16,
    Bf16,
    F32,
    F64,
}

impl Dtype {
    /// The length of an element in bytes.
    pub(super) fn bytes(self) -> usize {
        match self {
            Dtype::F16 | Dtype::Bf16 => 2,
            Dtype::F32 => 4,
            Dtype::F64 => 8,
        }
    }

    /// Decodes the elements in `bytes`, which need not be aligned. An incomplete last element is ignored.
    pub(super) fn decode(self, bytes: &[u8]) -> Vec<f32> {
        let bytes = &bytes[..bytes.len() - bytes.len() % self.bytes()];
        match self {
            Dtype::F16 => halves(bytes, |bits| bits.reinterpret_cast::<f16>().to_f32_vec()),
            Dtype::Bf16 => halves(bytes, |bits| bits.reinterpret_cast::<bf16>().to_f32_vec()),
            Dtype::F32 => copy(bytes),
            Dtype::F64 => {
                bytes.as_chunks::<8>().0.iter().map(|&element| f64::from_le_bytes(element) as f32).collect()
            }
        }
    }
}

/// Converts elements of 16 bits. They are copied only if `bytes` are not aligned.
fn halves(bytes: &[u8], convert: impl Fn(&[u16]) -> Vec<f32>) -> Vec<f32> {
    match bytemuck::try_cast_slice(bytes) {
        Ok(bits) => convert(bits),
        Err(_) => convert(&copy::<u16>(bytes)),
    }
}

/// Copies `bytes` into aligned memory. They must be a whole number of elements.
fn copy<T: bytemuck::Pod>(bytes: &[u8]) -> Vec<T> {
    let mut elements = vec![T::zeroed(); bytes.len() / size_of::<T>()];
    bytemuck::cast_slice_mut(&mut elements).copy_from_slice(bytes);
    elements
}

/// All tensors of one model.
pub(crate) struct Tensors {
    model: String,
    tensors: BTreeMap<String, Tensor>,
}

impl Tensors {
    pub(super) fn new(model: &str) -> Self {
        Tensors { model: model.into(), tensors: BTreeMap::new() }
    }

    /// The name of the model, for messages.
    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    /// Adds a tensor, or replaces the one with this name.
    ///
    /// # Errors
    /// [`Error::Tensor`] for a shape with another number of elements, and for an element that is not finite or, in an array,
    /// beyond ±1e18: it would make every output of the network NaN, which would look like an image without cells. A single
    /// number, such as `diam_mean`, has a range of its own.
    pub(super) fn insert(&mut self, name: &str, shape: Vec<usize>, data: Vec<f32>) -> Result<()> {
        if elements(&shape) != Some(data.len()) {
            let reason = format!("has {} elements, which do not fill the shape {shape:?}", data.len());
            return Err(Error::tensor(&self.model, name, reason));
        }
        if !all_below(&data, if data.len() == 1 { f32::MAX } else { MAX_ELEMENT }) {
            let reason = match all_below(&data, f32::MAX) {
                true => format!(
                    "has an element beyond ±{MAX_ELEMENT:e}, with which the network cannot be computed"
                ),
                false => "has an element that is not a finite f32".into(),
            };
            return Err(Error::tensor(&self.model, name, reason));
        }
        self.tensors.insert(name.into(), Tensor { shape, data });
        Ok(())
    }

    /// Removes a tensor, if it is there.
    pub(super) fn remove(&mut self, name: &str) -> Option<Tensor> {
        self.tensors.remove(name)
    }

    /// The elements of a tensor, which must have this shape.
    ///
    /// # Errors
    /// [`Error::Tensor`] if it is missing or has another shape.
    pub(crate) fn tensor(&self, name: &str, shape: &[usize]) -> Result<&[f32]> {
        match self.tensors.get(name) {
            None => Err(Error::tensor(
                &self.model,
                name,
                format!("is missing (the network needs it as {shape:?})"),
            )),
            Some(tensor) if tensor.shape != shape => {
                let reason = format!("has the shape {:?} instead of {shape:?}", tensor.shape);
                Err(Error::tensor(&self.model, name, reason))
            }
            Some(tensor) => Ok(&tensor.data),
        }
    }

    /// Removes a tensor, which must have this shape, and returns its elements.
    ///
    /// # Errors
    /// [`Error::Tensor`] if it is missing or has another shape.
    pub(crate) fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        self.tensor(name, shape)?;
        Ok(self.tensors.remove(name).map_or(Vec::new(), |tensor| tensor.data))
    }

    /// The shape of a tensor.
    ///
    /// # Errors
    /// [`Error::Tensor`] if it is missing.
    pub(crate) fn shape(&self, name: &str) -> Result<&[usize]> {
        let tensor = self.tensors.get(name).ok_or_else(|| Error::tensor(&self.model, name, "is missing"))?;
        Ok(&tensor.shape)
    }

    /// The tensors that were not removed.
    pub(super) fn rest(self) -> BTreeMap<String, Tensor> {
        self.tensors
    }

    /// All tensors, sorted by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }
}

/// Prints the number of tensors only: the weights would fill a screen.
impl fmt::Debug for Tensors {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Tensors({}, {})", self.model, self.tensors.len())
    }
}

/// The number of elements of a shape; `None` if it overflows.
pub(super) fn elements(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, &length| product.checked_mul(length))
}

/// The largest size of an element. The product of two larger ones would leave single precision.
const MAX_ELEMENT: f32 = 1e18;

/// Whether all values are numbers of at most this size. Chunks without an early exit let the compiler use vectors; every
/// start checks six million weights.
fn all_below(data: &[f32], most: f32) -> bool {
    data.chunks(4096).all(|chunk| chunk.iter().fold(true, |below, x| below & (x.abs() <= most)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dtype_is_read_at_every_alignment() {
        let values = [1.5f32, -0.25, 0.0, 1024.0, -3.0];
        let files: [(Dtype, Vec<u8>); 4] = [
            (Dtype::F16, values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect()),
            (Dtype::Bf16, values.iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes()).collect()),
            (Dtype::F32, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
            (Dtype::F64, values.iter().flat_map(|&v| f64::from(v).to_le_bytes()).collect()),
        ];
        for (dtype, bytes) in files {
            for shift in 0..2 {
                let mut shifted = vec![7; shift];
                shifted.extend(&bytes);
                shifted.push(7); // half an element more
                assert_eq!(dtype.decode(&shifted[shift..]), values, "{dtype:?} at {shift}");
            }
        }
    }

    #[test]
    fn what_is_wrong_with_a_tensor_is_said_by_its_name() {
        let mut tensors = Tensors::new("m");
        tensors.insert("w", vec![2, 1], vec![1.0, 2.0]).unwrap();
        assert_eq!(tensors.tensor("w", &[2, 1]).unwrap(), [1.0, 2.0]);
        let wrong = tensors.tensor("w", &[1, 2]).unwrap_err().to_string();
        assert_eq!(wrong, "model m: tensor w: has the shape [2, 1] instead of [1, 2]");
        let missing = tensors.tensor("v", &[3]).unwrap_err().to_string();
        assert_eq!(missing, "model m: tensor v: is missing (the network needs it as [3])");
        for bad in [f32::NAN, f32::INFINITY] {
            assert!(tensors.insert("v", vec![5000], [vec![0.0; 4999], vec![bad]].concat()).is_err());
        }
        assert!(tensors.insert("v", vec![usize::MAX, 2], vec![]).is_err());
        assert_eq!(tensors.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["w"]);
    }
}
