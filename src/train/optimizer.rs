//! SGD and AdamW, as in PyTorch.

use super::number::Number;

/// How parameters follow their gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// Gradient descent: `g ← g + weight_decay · p`, `v ← momentum · v + g`, `p ← p − rate · v`.
    Sgd {
        /// The share of the last step that is taken again; 0.9 in the original.
        momentum: f64,
        /// The pull towards zero; 1e-5 in the original.
        weight_decay: f64,
    },
    /// Adam with decoupled weight decay (arXiv 1711.05101), β = (0.9, 0.999), ε = 1e-8.
    AdamW {
        /// The pull towards zero; 1e-5 in the original.
        weight_decay: f64,
    },
}

/// What an optimiser remembers of one array of parameters: the velocity, or the two moments.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    first: Vec<f64>,
    second: Vec<f64>,
}

const BETAS: (f64, f64) = (0.9, 0.999);
const EPS: f64 = 1e-8;

impl Optimizer {
    /// Takes step number `step`, counted from 1, on one array.
    pub(super) fn step<T: Number>(
        &self,
        (rate, step): (f64, i32),
        memory: &mut Memory,
        values: &mut [T],
        grad: &[T],
    ) {
        memory.first.resize(values.len(), 0.0);
        memory.second.resize(values.len(), 0.0);
        let moments = memory.first.iter_mut().zip(&mut memory.second);
        for ((value, grad), (first, second)) in values.iter_mut().zip(grad).zip(moments) {
            let (p, g): (f64, f64) = ((*value).into(), (*grad).into());
            *value = T::round(match *self {
                Optimizer::Sgd { momentum, weight_decay } => {
                    *first = momentum * *first + g + weight_decay * p;
                    p - rate * *first
                }
                Optimizer::AdamW { weight_decay } => {
                    *first += (1.0 - BETAS.0) * (g - *first);
                    *second = BETAS.1 * *second + (1.0 - BETAS.1) * g * g;
                    let length = (*second / (1.0 - BETAS.1.powi(step))).sqrt() + EPS;
                    p * (1.0 - rate * weight_decay) - rate / (1.0 - BETAS.0.powi(step)) * *first / length
                }
            });
        }
    }
}
