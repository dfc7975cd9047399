//! Writes a state dict in the format of `torch.save`.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::super::pickle::Writer;
use super::super::tensors::{COUNTER, Dtype, Tensors};
use crate::{Error, Result};

/// The zip archive of a state dict, with the folder `root` inside; see [`Tensor::encode`] for `half`. Every batch norm
/// gets a counter of 0, because a strict loader refuses a state dict without them.
///
/// [`Tensor::encode`]: super::super::tensors::Tensor::encode
///
/// # Errors
/// [`Error::Tensor`] for an element beyond the range of half precision.
pub(in crate::model) fn to_bytes(tensors: &Tensors, root: &str, half: bool) -> Result<Vec<u8>> {
    let mut pickle = Writer::new(2);
    let mut storages = Vec::new();
    pickle.global("collections", "OrderedDict").raw(b")R(");
    for (name, tensor) in tensors.iter() {
        let (dtype, data) = tensor.encode(half).ok_or_else(|| {
            Error::tensor(tensors.model(), name, "has an element beyond the range of half precision")
        })?;
        let class = if dtype == Dtype::F16 { "HalfStorage" } else { "FloatStorage" };
        write_tensor(&mut pickle, name, class, storages.len(), &tensor.shape);
        storages.push(data);
        if let Some(layer) = name.strip_suffix("running_mean") {
            write_tensor(&mut pickle, &format!("{layer}{COUNTER}"), "LongStorage", storages.len(), &[]);
            storages.push(vec![0; 8]);
        }
    }
    pickle.raw(b"u");
    archive(root, &pickle.finish(), &storages).map_err(|e| Error::model(tensors.model(), e))
}

/// Writes a key and a call of `_rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)`.
fn write_tensor(pickle: &mut Writer, name: &str, class: &str, storage: usize, shape: &[usize]) {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    pickle.text(name).global("torch._utils", "_rebuild_tensor_v2").raw(b"((");
    pickle.text("storage").global("torch", class).text(&storage.to_string()).text("cpu");
    pickle.integer(shape.iter().product()).raw(b"tQ").integer(0).tuple(shape).tuple(&strides).raw(b"\x89");
    pickle.global("collections", "OrderedDict").raw(b")RtR");
}

fn archive(root: &str, pickle: &[u8], storages: &[Vec<u8>]) -> zip::result::ZipResult<Vec<u8>> {
    // Entries are aligned as torch.save does, so that the file can be memory-mapped, and have no time, so that its
    // bytes are always the same.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .with_alignment(64);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut add = |name: &str, content: &[u8]| -> zip::result::ZipResult<()> {
        zip.start_file(format!("{root}/{name}"), options)?;
        Ok(zip.write_all(content)?)
    };
    add("data.pkl", pickle)?;
    add("byteorder", b"little")?;
    for (key, storage) in storages.iter().enumerate() {
        add(&format!("data/{key}"), storage)?;
    }
    add("version", b"3\n")?;
    Ok(zip.finish()?.into_inner())
}
