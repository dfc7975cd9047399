//! Steps of training on batches.

use rayon::prelude::*;

use super::maps::Maps;
use super::number::Number;
use super::optimizer::{Memory, Optimizer};
use super::{loss, network};
use crate::model::params::{Parameter, Params};
use crate::{Error, Result};

/// A batch of tiles and their labels.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The number of tiles.
    pub images: usize,
    /// Rows of a tile, a multiple of `2^(levels - 1)`: 8 for the original's networks.
    pub height: usize,
    /// Columns of a tile, a multiple of the same.
    pub width: usize,
    /// `[image, channel, height, width]`, normalised.
    pub pixels: &'a [f32],
    /// `[image, 3, height, width]`: more than 0.5 for pixels of cells; flow along y; flow along x.
    pub labels: &'a [f32],
}

/// A network in training: its parameters, their gradients, and what the optimiser remembers.
pub struct Trainer<T = f32> {
    params: Params<T>,
    grads: Params<T>,
    optimizer: Optimizer,
    memory: Vec<Memory>,
    steps: i32,
}

impl<T: Number> Trainer<T> {
    /// Begins with these parameters.
    ///
    /// # Errors
    /// [`Error::Option`] for a network that does not have the three outputs of a segmentation, or an array of
    /// another length than its shape has.
    pub fn new(params: Params<T>, optimizer: Optimizer) -> Result<Self> {
        if params.nout != 3 {
            let reason = format!("has {} outputs; a network that segments has 3", params.nout);
            return Err(Error::option("params", reason));
        }
        let mut grads = params.clone();
        let whole =
            |p: &Parameter<T>| p.shape.iter().product::<usize>() == p.values.len() && !p.values.is_empty();
        if grads.down.is_empty() || !grads.parameters().iter().all(whole) {
            return Err(Error::option("params", "has an array whose length is not that of its shape"));
        }
        let memory = grads.parameters().iter().map(|_| Memory::default()).collect();
        Ok(Trainer { params, grads, optimizer, memory, steps: 0 })
    }

    /// The parameters as they are now.
    pub fn params(&self) -> &Params<T> {
        &self.params
    }

    /// The gradients of the last batch, in the shapes of the parameters; those of running statistics are 0.
    pub fn gradients(&self) -> &Params<T> {
        &self.grads
    }

    /// Computes the loss of a batch and the gradients of all parameters. The running statistics move.
    ///
    /// # Errors
    /// [`Error::Image`] when the lengths do not fit the sizes, or a size is not a multiple of `2^(levels - 1)`.
    pub fn gradient(&mut self, batch: &Batch) -> Result<f64> {
        let Batch { images, height, width, pixels, labels } = *batch;
        self.check(batch)?;
        self.grads.parameters().iter_mut().for_each(|p| p.values.fill(T::default()));
        let x = Maps::from_planes([images, height, width, self.params.nbase[0]], pixels);
        let (y, pass) = network::forward(&mut self.params, x);
        let (loss, dy) = loss::loss(&y, labels);
        network::backward(&self.params, &pass, &dy, &mut self.grads);
        Ok(loss)
    }

    /// Takes one step on a batch with this learning rate, and returns the loss before it.
    ///
    /// # Errors
    /// As [`gradient`](Trainer::gradient).
    pub fn step(&mut self, batch: &Batch, rate: f64) -> Result<f64> {
        let loss = self.gradient(batch)?;
        self.steps = self.steps.saturating_add(1);
        let arrays = self.params.parameters().into_iter().zip(self.grads.parameters());
        let learned =
            arrays.zip(&mut self.memory).filter(|((array, _), _)| !array.name.contains(".running_"));
        learned.collect::<Vec<_>>().into_par_iter().for_each(|((array, grad), memory)| {
            self.optimizer.step((rate, self.steps), memory, array.values, grad.values);
        });
        Ok(loss)
    }

    fn check(&self, batch: &Batch) -> Result<()> {
        let multiple = 1usize << (self.params.down.len() - 1);
        let Batch { images, height, width, pixels, labels } = *batch;
        if images == 0 || height == 0 || width == 0 || height % multiple + width % multiple != 0 {
            let reason =
                format!("tiles of {height}×{width} pixels; sides have to be multiples of {multiple}");
            return Err(Error::Image(reason));
        }
        let count = images.checked_mul(height).and_then(|n| n.checked_mul(width));
        let fits = |values: &[f32], channels: usize| {
            count.and_then(|n| n.checked_mul(channels)) == Some(values.len())
        };
        if !fits(pixels, self.params.nbase[0]) || !fits(labels, 3) {
            return Err(Error::Image("a batch whose pixels or labels do not fit its size".into()));
        }
        Ok(())
    }
}
