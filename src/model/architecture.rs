//! Recognises the network that a set of tensors belongs to.

use super::tensors::Tensors;
use crate::{Error, Result};

/// The levels and channels of a U-Net with residual blocks, style and added skips.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Architecture {
    /// Channels of the image, then of each level, finest first (2, 32, 64, 128, 256 in the original).
    pub nbase: Vec<usize>,
    /// Channels of the output. A network that segments has 3: flow along y, flow along x and cell probability.
    pub nout: usize,
}

/// Reads the architecture from the names and shapes of the tensors.
///
/// # Errors
/// [`Error::Model`] when it is not a 2D U-Net of this kind; [`Error::Tensor`] when a convolution that it is read from
/// is missing or has a wrong shape.
pub(super) fn of(tensors: &Tensors) -> Result<Architecture> {
    refuse_others(tensors)?;
    read(tensors)
}

/// Refuses other networks of the same authors, which are recognised by tensors that only they have.
fn refuse_others(tensors: &Tensors) -> Result<()> {
    let fail = |what: &str| {
        let reason = format!("is {what}; 2D U-Nets of cellpose 1 to 3 with residual blocks can be read");
        Err(Error::model(tensors.model(), reason))
    };
    for (name, tensor) in tensors.iter() {
        if name.starts_with("encoder.") {
            return fail("a transformer of cellpose 3 or 4, not a U-Net");
        }
        if tensor.shape.len() == 5 {
            return fail("a 3D network");
        }
        if name.starts_with("downsample.down.conv_down_") {
            return fail("a U-Net without residual blocks");
        }
    }
    // With concatenation, the skip adds channels to the input of the second convolution of a block.
    let rows = |name| tensors.shape(name).ok().and_then(|shape| shape.first().copied());
    let full = rows("upsample.up.res_up_0.conv.conv_1.full.weight");
    let out = rows("upsample.up.res_up_0.conv.conv_1.conv.2.weight");
    if let (Some(full), Some(out)) = (full, out)
        && Some(full) == out.checked_mul(2)
    {
        return fail("a U-Net that concatenates its skips");
    }
    Ok(())
}

fn read(tensors: &Tensors) -> Result<Architecture> {
    let first = |n| format!("downsample.down.res_down_{n}.conv.conv_0.2.weight");
    if tensors.shape(&first(0)).is_err() {
        let reason = format!("is not a network of cellpose 1 to 3 (it has no tensor {})", first(0));
        return Err(Error::model(tensors.model(), reason));
    }
    let axis = |name: &str, axis: usize| match tensors.shape(name)?.get(axis) {
        Some(&length) if length > 0 => Ok(length),
        _ => Err(Error::tensor(tensors.model(), name, "is not the weight of a convolution")),
    };
    let mut nbase = vec![axis(&first(0), 1)?];
    while tensors.shape(&first(nbase.len() - 1)).is_ok() {
        nbase.push(axis(&first(nbase.len() - 1), 0)?);
    }
    Ok(Architecture { nbase, nout: axis("output.2.weight", 0)? })
}
