//! Weights: files and names to a network that can run.

use crate::{Error, Result};

/// A network with its sizes, ready to run.
#[derive(Clone, Debug)]
pub struct Model {
    name: String,
}

impl Model {
    /// A built-in model (`cyto`, `nuclei`), a model of the original (`cellpose:cyto3`), or the path of a file.
    ///
    /// # Errors
    /// [`Error::Model`], [`Error::Tensor`], [`Error::Read`].
    pub fn named(name: &str) -> Result<Self> {
        Err(Error::model(name, "no loader"))
    }

    /// The name or path that it was loaded by.
    pub fn name(&self) -> &str {
        &self.name
    }
}
