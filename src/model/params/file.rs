//! Parameters from the tensors of a file, and back.

use super::super::architecture;
use super::super::tensors::Tensors;
use super::{Parameter, Params};
use crate::plan::diameter::DIAMETERS;
use crate::{Error, Result};

impl Params {
    /// The diameter in pixels that is stored as `name`, if any.
    ///
    /// # Errors
    /// [`Error::Tensor`] when it is not from 0.01 to 100,000; the message names the `model`.
    pub(in crate::model) fn diameter(&self, model: &str, name: &str) -> Result<Option<f32>> {
        match self.others.get(name).map(|tensor| &tensor.data[..]) {
            Some(&[diameter]) if !DIAMETERS.contains(&f64::from(diameter)) => {
                let reason =
                    format!("is {diameter:?}, but the diameter of a cell is from 0.01 to 100000 pixels");
                Err(Error::tensor(model, name, reason))
            }
            Some(&[diameter]) => Ok(Some(diameter)),
            _ => Ok(None),
        }
    }

    /// Makes parameters of all tensors of a model. They are moved, not copied.
    ///
    /// # Errors
    /// [`Error::Model`] when it is not a 2D U-Net of this kind; [`Error::Tensor`] for a missing tensor, a wrong shape,
    /// or a negative variance.
    pub(in crate::model) fn take(mut tensors: Tensors) -> Result<Self> {
        let mut params = Params::empty(architecture::of(&tensors)?);
        for Parameter { name, shape, values } in params.parameters() {
            *values = tensors.take(&name, &shape)?;
            if name.ends_with("running_var") && values.iter().any(|&variance| variance < 0.0) {
                return Err(Error::tensor(tensors.model(), &name, "has a negative variance"));
            }
        }
        params.others = tensors.rest();
        Ok(params)
    }

    /// Makes tensors of the parameters, for a file. They are moved, not copied; messages name the `model`.
    ///
    /// # Errors
    /// [`Error::Tensor`] for values that are not finite, or another number of values than the shape has.
    pub(in crate::model) fn into_tensors(mut self, model: &str) -> Result<Tensors> {
        let mut tensors = Tensors::new(model);
        for (name, tensor) in std::mem::take(&mut self.others) {
            tensors.insert(&name, tensor.shape, tensor.data)?;
        }
        for Parameter { name, shape, values } in self.parameters() {
            tensors.insert(&name, shape, std::mem::take(values))?;
        }
        Ok(tensors)
    }
}
