//! Files in safetensors format, which have a length, a JSON header and the tensors.

use std::collections::BTreeMap;

use safetensors::{Dtype as Stored, SafeTensors};
use serde_json::{Map, Value, json};

use super::tensors::{COUNTER, Dtype, Tensor, Tensors};
use crate::{Error, Result};

/// Whether a file begins like safetensors: with the length of its header, at most 100 MB in this format, and a brace.
pub(super) fn is_safetensors(bytes: &[u8]) -> bool {
    matches!(bytes, [_, _, _, ..=5, 0, 0, 0, 0, b'{', ..])
}

/// Reads a file. Counters are ignored.
///
/// # Errors
/// [`Error::Model`] for a damaged file, [`Error::Tensor`] for a tensor that is not of a floating point type.
pub(super) fn read(model: &str, bytes: &[u8]) -> Result<Tensors> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|e| Error::model(model, format!("is a damaged safetensors file ({e})")))?;
    let mut views: Vec<_> = file.iter().filter(|(name, _)| !name.ends_with(COUNTER)).collect();
    // The library's order is random. Sorted, a file with several faults always gives the same error.
    views.sort_unstable_by_key(|(name, _)| *name);
    let mut tensors = Tensors::new(model);
    for (name, view) in views {
        let dtype = match view.dtype() {
            Stored::F16 => Dtype::F16,
            Stored::BF16 => Dtype::Bf16,
            Stored::F32 => Dtype::F32,
            Stored::F64 => Dtype::F64,
            other => {
                let reason = format!("is of {other:?}, which is not a floating point type of 16 to 64 bits");
                return Err(Error::tensor(model, name, reason));
            }
        };
        tensors.insert(name, view.shape().to_vec(), dtype.decode(view.data()))?;
    }
    Ok(tensors)
}

/// The first element of a tensor in single precision, without decoding the others.
pub(super) fn read_scalar(bytes: &[u8], name: &str) -> Option<f32> {
    let file = SafeTensors::deserialize(bytes).ok()?;
    let element = file.tensor(name).ok().filter(|view| view.dtype() == Stored::F32)?.data().first_chunk()?;
    Some(f32::from_le_bytes(*element))
}

/// The content of a file with a network's tensors and the `others`; its metadata states the channels of the levels
/// (`nbase`) and of the output (`nout`). See [`Tensor::encode`] for `half`. The same tensors always give the same
/// bytes, unlike with the library's own writer, which writes the metadata in the random order of a hash map.
///
/// # Errors
/// [`Error::Tensor`] for an element beyond the range of half precision.
pub(super) fn to_bytes(
    tensors: &Tensors,
    others: &BTreeMap<&'static str, Tensor>,
    (nbase, nout): (&[usize], usize),
    name: &str,
    half: bool,
) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for (name, tensor) in tensors.iter().chain(others.iter().map(|(name, tensor)| (*name, tensor))) {
        let (dtype, data) = tensor.encode(half).ok_or_else(|| {
            Error::tensor(tensors.model(), name, "has an element beyond the range of half precision")
        })?;
        all.push((name, tensor, dtype, data));
    }
    // With the widest elements first, each element is aligned to its own length.
    all.sort_by_key(|&(name, _, dtype, _)| (std::cmp::Reverse(dtype.bytes()), name));

    let mut header = Map::new();
    header.insert("__metadata__".into(), metadata(nbase, nout, name));
    let mut end = 0;
    for (name, tensor, dtype, data) in &all {
        let dtype = if *dtype == Dtype::F16 { "F16" } else { "F32" };
        let offsets = [end, end + data.len()];
        end += data.len();
        header.insert(
            (*name).into(),
            json!({ "dtype": dtype, "shape": tensor.shape, "data_offsets": offsets }),
        );
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.reserve_exact(header.len() + end);
    bytes.extend(header);
    for (_, _, _, data) in &all {
        bytes.extend_from_slice(data);
    }
    Ok(bytes)
}

fn metadata(nbase: &[usize], nout: usize, name: &str) -> Value {
    let nbase: Vec<String> = nbase.iter().map(usize::to_string).collect();
    json!({
        "architecture": "cellpose-unet",
        "format": "pt",
        "name": name,
        "nbase": nbase.join(","),
        "nout": nout.to_string(),
    })
}
