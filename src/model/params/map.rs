//! Parameters as other numbers.

use super::{BatchNorm, Conv, DownParams, Layer, Linear, Params, Styled, UpParams};

impl<T> Params<T> {
    /// The same parameters, each as the number that `number` makes of it.
    ///
    /// ```no_run
    /// let params = flowmask::Model::open("nuclei.pth")?.params()?;
    /// let double = params.map(f64::from);
    /// # Ok::<(), flowmask::Error>(())
    /// ```
    pub fn map<U>(self, number: impl Fn(T) -> U) -> Params<U> {
        let down = |DownParams { proj, conv }| DownParams {
            proj: layer(proj, &number),
            conv: conv.map(|conv| layer(conv, &number)),
        };
        let styled = |Styled { full, layer: of }| Styled {
            full: Linear { weight: array(full.weight, &number), bias: array(full.bias, &number) },
            layer: layer(of, &number),
        };
        let up = |UpParams { proj, conv0, styled: three }| UpParams {
            proj: layer(proj, &number),
            conv0: layer(conv0, &number),
            styled: three.map(styled),
        };
        Params {
            nbase: self.nbase,
            nout: self.nout,
            down: self.down.into_iter().map(down).collect(),
            up: self.up.into_iter().map(up).collect(),
            output: layer(self.output, &number),
            others: self.others,
        }
    }
}

fn layer<T, U>(Layer { norm, conv }: Layer<T>, number: &impl Fn(T) -> U) -> Layer<U> {
    let norm = BatchNorm {
        weight: array(norm.weight, number),
        bias: array(norm.bias, number),
        running_mean: array(norm.running_mean, number),
        running_var: array(norm.running_var, number),
    };
    let (weight, bias) = (array(conv.weight, number), array(conv.bias, number));
    Layer { norm, conv: Conv { inputs: conv.inputs, outputs: conv.outputs, weight, bias } }
}

fn array<T, U>(values: Vec<T>, number: &impl Fn(T) -> U) -> Vec<U> {
    values.into_iter().map(number).collect()
}
