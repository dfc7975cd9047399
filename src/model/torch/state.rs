//! A pickled state dict: names of tensors, and views of storages that lie outside the pickle.

use std::borrow::Cow;
use std::collections::HashMap;

use super::super::pickle::{Object, Pickle, Value};
use super::super::tensors::{COUNTER, Dtype, Tensors, elements};
use crate::{Error, Result};

/// The bytes of each storage, by key.
pub(super) type Storages<'a> = HashMap<&'a str, Cow<'a, [u8]>>;

const TENSOR: &str = "torch._utils._rebuild_tensor_v2";
const PARAMETER: &str = "torch._utils._rebuild_parameter";

/// The largest number of axes of a tensor; the weight of a convolution has 4.
const MAX_AXES: usize = 8;

/// The globals that the pickle of a state dict may refer to.
pub(super) const ALLOWED: &[&str] = &[
    "collections.OrderedDict",
    TENSOR,
    PARAMETER,
    "torch.FloatStorage",
    "torch.HalfStorage",
    "torch.BFloat16Storage",
    "torch.DoubleStorage",
    "torch.LongStorage",
    "torch.IntStorage",
    "torch.ShortStorage",
    "torch.CharStorage",
    "torch.ByteStorage",
    "torch.BoolStorage",
];

/// The length in bytes of an element of a storage class.
pub(super) fn element_bytes(class: &str) -> Option<usize> {
    match class {
        "torch.DoubleStorage" | "torch.LongStorage" => Some(8),
        "torch.FloatStorage" | "torch.IntStorage" => Some(4),
        "torch.HalfStorage" | "torch.BFloat16Storage" | "torch.ShortStorage" => Some(2),
        "torch.CharStorage" | "torch.ByteStorage" | "torch.BoolStorage" => Some(1),
        _ => None,
    }
}

fn dtype(class: &str) -> Option<Dtype> {
    match class {
        "torch.FloatStorage" => Some(Dtype::F32),
        "torch.HalfStorage" => Some(Dtype::F16),
        "torch.BFloat16Storage" => Some(Dtype::Bf16),
        "torch.DoubleStorage" => Some(Dtype::F64),
        _ => None,
    }
}

/// Where the elements of a tensor lie in a storage. Offset and strides are in elements.
pub(super) struct View<'a> {
    name: &'a str,
    pub(super) storage: &'a str,
    dtype: Dtype,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

/// The views of all tensors in a pickle. The state dict may be the entry `state_dict` of another dictionary, and its
/// names may begin with `module.`, as in a `DataParallel` network. Ignores counters and entries that are not tensors.
///
/// # Errors
/// [`Error::Model`] if it is not a state dict; [`Error::Tensor`] for a tensor whose type is not floating point.
pub(super) fn views<'a>(model: &str, pickle: &Pickle<'a>) -> Result<Vec<View<'a>>> {
    let root = pickle.get(pickle.root, "state_dict").unwrap_or(pickle.root);
    let entries =
        pickle.dict(root).ok_or_else(|| Error::model(model, "is not a state dict (names and tensors)"))?;
    let mut views = Vec::new();
    for &(key, value) in entries {
        let Value::Str(name) = key else { continue };
        let name = name.strip_prefix("module.").unwrap_or(name);
        if name.ends_with(COUNTER) || !matches!(pickle.object(value), Some(Object::Call { .. })) {
            continue;
        }
        views.push(view(pickle, name, value).map_err(|reason| Error::tensor(model, name, reason))?);
    }
    Ok(views)
}

fn view<'a>(pickle: &Pickle<'a>, name: &'a str, value: Value<'a>) -> std::result::Result<View<'a>, String> {
    let not_plain = || "is not a plain tensor".to_owned();
    let value = match pickle.call(value, &[PARAMETER]) {
        Some((_, [data, ..], _)) => *data,
        _ => value,
    };
    let Some((_, &[storage, offset, shape, strides, ..], _)) = pickle.call(value, &[TENSOR]) else {
        return Err(not_plain());
    };
    let Some(&Object::Persistent(id)) = pickle.object(storage) else { return Err(not_plain()) };
    let Some(&[_, Value::Global(class), Value::Str(storage), ..]) = pickle.list(id) else {
        return Err(not_plain());
    };
    let dtype = dtype(class).ok_or_else(|| format!("is of {class}, which is not a floating point type"))?;
    let offset = unsigned(offset).ok_or_else(not_plain)?;
    let lengths = |value| pickle.list(value)?.iter().map(|&item| unsigned(item)).collect::<Option<Vec<_>>>();
    let (shape, strides) = lengths(shape).zip(lengths(strides)).ok_or_else(not_plain)?;
    if shape.len() != strides.len() || shape.len() > MAX_AXES {
        return Err(not_plain());
    }
    Ok(View { name, storage, dtype, offset, shape, strides })
}

fn unsigned(value: Value) -> Option<usize> {
    match value {
        Value::Int(value) => usize::try_from(value).ok(),
        _ => None,
    }
}

/// Reads the tensors. Together they may have at most `limit` elements, which is the length of the file in bytes.
/// Without this limit, many views of one storage could make a small file fill the memory.
///
/// # Errors
/// [`Error::Tensor`] for a view that reaches beyond its storage, or a tensor that [`Tensors::insert`] refuses.
pub(super) fn tensors(model: &str, views: &[View], storages: &Storages, limit: usize) -> Result<Tensors> {
    let mut tensors = Tensors::new(model);
    let mut left = limit;
    for view in views {
        let outside = || Error::tensor(model, view.name, "reaches beyond its data in the file");
        let count = elements(&view.shape).ok_or_else(outside)?;
        left = left.checked_sub(count).ok_or_else(outside)?;
        let storage = storages.get(view.storage).ok_or_else(outside)?;
        let data = view.read(storage, count).ok_or_else(outside)?;
        tensors.insert(view.name, view.shape.clone(), data)?;
    }
    Ok(tensors)
}

impl View<'_> {
    /// The `count` elements in C order; `None` if one lies outside the storage.
    fn read(&self, storage: &[u8], count: usize) -> Option<Vec<f32>> {
        if count == 0 {
            return Some(Vec::new());
        }
        let axes = || self.shape.iter().zip(&self.strides);
        let reach = axes().try_fold(0usize, |reach, (&length, &stride)| {
            reach.checked_add((length - 1).checked_mul(stride)?)
        })?;
        let width = self.dtype.bytes();
        let start = self.offset.checked_mul(width)?;
        let end = self.offset.checked_add(reach)?.checked_add(1)?.checked_mul(width)?;
        let bytes = storage.get(start..end)?;
        if self.is_contiguous() {
            return Some(self.dtype.decode(bytes));
        }
        let mut gathered = Vec::with_capacity(count.checked_mul(width)?);
        let mut index = vec![0; self.shape.len()];
        for _ in 0..count {
            // This cannot overflow: each index is below its length, so the sum is at most `reach`.
            let at: usize = index.iter().zip(&self.strides).map(|(i, stride)| i * stride).sum();
            gathered.extend_from_slice(bytes.get(at * width..(at + 1) * width)?);
            for (i, &length) in index.iter_mut().zip(&self.shape).rev() {
                *i += 1;
                if *i < length {
                    break;
                }
                *i = 0;
            }
        }
        Some(self.dtype.decode(&gathered))
    }

    /// Whether the elements lie in C order without gaps. The strides must have been checked for overflow.
    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(&length, &stride)| {
            let fits = length == 1 || stride == expected;
            expected *= length;
            fits
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(offset: usize, shape: &[usize], strides: &[usize]) -> View<'static> {
        View {
            name: "",
            storage: "",
            dtype: Dtype::F32,
            offset,
            shape: shape.into(),
            strides: strides.into(),
        }
    }

    #[test]
    fn offset_and_strides_are_honoured() {
        let storage: Vec<u8> = (0..12u8).flat_map(|i| f32::from(i).to_le_bytes()).collect();
        let read = |offset, shape: &[usize], strides: &[usize]| {
            view(offset, shape, strides).read(&storage, shape.iter().product())
        };
        assert_eq!(read(0, &[3, 4], &[4, 1]).unwrap(), (0..12).map(|i| i as f32).collect::<Vec<_>>());
        assert_eq!(read(1, &[2, 3], &[1, 4]).unwrap(), [1.0, 5.0, 9.0, 2.0, 6.0, 10.0]); // transposed
        assert_eq!(read(11, &[], &[]).unwrap(), [11.0]);
        assert_eq!(read(2, &[3], &[0]).unwrap(), [2.0; 3]);
        assert_eq!(read(10, &[1, 2], &[usize::MAX, 1]).unwrap(), [10.0, 11.0]);
        assert_eq!(read(99, &[0, 2], &[9, 9]).unwrap(), [0.0f32; 0]);
        assert_eq!(read(9, &[4], &[1]), None);
        assert_eq!(read(usize::MAX, &[1], &[1]), None);
        assert_eq!(read(0, &[3], &[usize::MAX]), None);
    }
}
