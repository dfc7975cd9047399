//! Which network a set of tensors is, and whether all of it is there.

use super::tensors::Tensors;
use crate::{Error, Result};

/// The sizes of a U-Net with residual blocks, style and added skips.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Architecture {
    /// Channels of the image, then of each level, finest first (the original: 2, 32, 64, 128, 256).
    pub nbase: Vec<usize>,
    /// Channels of the output: 3, flow along y, flow along x and cell probability, in a network that segments.
    pub nout: usize,
}

impl Architecture {
    /// Input and output channels of each `res_up`: the deepest is as wide as the style.
    fn up(&self) -> impl Iterator<Item = (usize, usize)> {
        let levels = &self.nbase[1..];
        let inputs = levels.iter().skip(1).chain(levels.last());
        inputs.copied().zip(levels.iter().copied())
    }
}

/// Reads the sizes from the tensors, and checks that every tensor that the network needs has its shape.
///
/// # Errors
/// [`Error::Model`] for another network than a 2D U-Net of this kind, [`Error::Tensor`] for a missing tensor, a
/// wrong shape, or a negative variance.
pub(crate) fn check(tensors: &Tensors) -> Result<Architecture> {
    refuse_others(tensors)?;
    let architecture = sizes(tensors)?;
    let layers = Layers(tensors);
    let style = architecture.nbase[architecture.nbase.len() - 1];
    for (n, pair) in architecture.nbase.windows(2).enumerate() {
        let (block, inputs, outputs) = (format!("downsample.down.res_down_{n}"), pair[0], pair[1]);
        layers.convolution(&format!("{block}.proj"), "1", inputs, outputs, 1)?;
        for t in 0..4 {
            let inputs = if t == 0 { inputs } else { outputs };
            layers.convolution(&format!("{block}.conv.conv_{t}"), "2", inputs, outputs, 3)?;
        }
    }
    for (n, (inputs, outputs)) in architecture.up().enumerate() {
        let block = format!("upsample.up.res_up_{n}");
        layers.convolution(&format!("{block}.proj"), "1", inputs, outputs, 1)?;
        layers.convolution(&format!("{block}.conv.conv_0"), "2", inputs, outputs, 3)?;
        for t in 1..4 {
            let layer = format!("{block}.conv.conv_{t}");
            layers.linear(&format!("{layer}.full"), style, outputs)?;
            layers.convolution(&format!("{layer}.conv"), "2", outputs, outputs, 3)?;
        }
    }
    layers.convolution("output", "2", architecture.nbase[1], architecture.nout, 1)?;
    Ok(architecture)
}

/// Other networks of the same authors, told by what only they have.
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
    // With concatenation the second convolution of a block takes the skip as further channels.
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

fn sizes(tensors: &Tensors) -> Result<Architecture> {
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

/// Checks the tensors of one layer.
struct Layers<'a>(&'a Tensors);

impl Layers<'_> {
    /// A batch normalisation `prefix.0` and the convolution after it, of `kernel` by `kernel`.
    fn convolution(
        &self,
        prefix: &str,
        index: &str,
        inputs: usize,
        outputs: usize,
        kernel: usize,
    ) -> Result<()> {
        for part in ["weight", "bias", "running_mean"] {
            self.0.tensor(&format!("{prefix}.0.{part}"), &[inputs])?;
        }
        let name = format!("{prefix}.0.running_var");
        if self.0.tensor(&name, &[inputs])?.iter().any(|&variance| variance < 0.0) {
            return Err(Error::tensor(self.0.model(), &name, "has a negative variance"));
        }
        self.0.tensor(&format!("{prefix}.{index}.weight"), &[outputs, inputs, kernel, kernel])?;
        self.0.tensor(&format!("{prefix}.{index}.bias"), &[outputs])?;
        Ok(())
    }

    fn linear(&self, prefix: &str, inputs: usize, outputs: usize) -> Result<()> {
        self.0.tensor(&format!("{prefix}.weight"), &[outputs, inputs])?;
        self.0.tensor(&format!("{prefix}.bias"), &[outputs])?;
        Ok(())
    }
}
