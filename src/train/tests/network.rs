use super::super::maps::Maps;
use super::super::{block, loss, network, style};
use super::{Random, dot, judge};
use crate::model::params::{DownParams, Linear, Params, Styled, UpParams};

impl Random {
    fn down(&mut self, inputs: usize, outputs: usize) -> DownParams<f64> {
        let conv = [inputs, outputs, outputs, outputs].map(|inputs| self.layer(inputs, outputs, 9));
        DownParams { proj: self.layer(inputs, outputs, 1), conv }
    }

    fn up(&mut self, inputs: usize, outputs: usize, style: usize) -> UpParams<f64> {
        let styled = [(); 3].map(|()| Styled {
            full: Linear { weight: self.numbers(outputs * style), bias: self.numbers(outputs) },
            layer: self.layer(outputs, outputs, 9),
        });
        UpParams { proj: self.layer(inputs, outputs, 1), conv0: self.layer(inputs, outputs, 9), styled }
    }

    /// A network of two levels.
    fn params(&mut self) -> Params<f64> {
        Params {
            nbase: vec![2, 3, 4],
            nout: 3,
            down: vec![self.down(2, 3), self.down(3, 4)],
            up: vec![self.up(4, 3, 4), self.up(4, 4, 4)],
            output: self.layer(3, 3, 1),
            others: Default::default(),
        }
    }
}

#[test]
fn block_down() {
    let mut random = Random(6);
    let state = (random.down(2, 3), random.maps([2, 4, 3, 2]));
    let weights = random.maps([2, 4, 3, 3]);
    let f = |(mut block, x): (DownParams<f64>, Maps<f64>)| {
        dot(&block::res_down(&mut block, x).0.data, &weights.data)
    };
    let (mut block, x) = state.clone();
    let mut grad = block.clone();
    // Only this gradient is compared below.
    grad.conv[0].conv.weight.fill(0.0);
    let kept = block::res_down(&mut block, x).1;
    let dx = block::res_down_backward(&block, &kept, weights.clone(), &mut grad);
    judge("x", &state, |(_, x)| &mut x.data, &dx.data, f);
    judge("conv0", &state, |(block, _)| &mut block.conv[0].conv.weight, &grad.conv[0].conv.weight, f);
}

#[test]
fn block_up() {
    let mut random = Random(7);
    let (x, skip, deepest) =
        (random.maps([2, 4, 3, 4]), random.maps([2, 4, 3, 3]), random.maps([2, 2, 2, 5]));
    let state = (random.up(4, 3, 5), [x, skip, deepest]);
    let weights = random.maps([2, 4, 3, 3]);
    let f = |(mut block, [x, skip, deepest]): (UpParams<f64>, [Maps<f64>; 3])| {
        dot(&block::res_up(&mut block, x, &skip, &style::forward(&deepest)).0.data, &weights.data)
    };
    let (mut block, [x, skip, deepest]) = state.clone();
    let mut grad = block.clone();
    // Of the parameters, only this gradient is compared below.
    grad.styled[0].full.weight.fill(0.0);
    let styles = style::forward(&deepest);
    let kept = block::res_up(&mut block, x, &skip, &styles).1;
    let mut dstyles = vec![vec![0.0; 5]; 2];
    let backward = ((&kept, &styles), weights.clone());
    let (dx, dskip) = block::res_up_backward(&block, backward.0, backward.1, &mut grad, &mut dstyles);
    let mut ddeepest = deepest.like(5);
    style::backward(&styles, &dstyles, &mut ddeepest);
    judge("x", &state, |(_, maps)| &mut maps[0].data, &dx.data, f);
    judge("skip", &state, |(_, maps)| &mut maps[1].data, &dskip.data, f);
    judge("deepest", &state, |(_, maps)| &mut maps[2].data, &ddeepest.data, f);
    let full = &grad.styled[0].full.weight;
    judge("full", &state, |(block, _)| &mut block.styled[0].full.weight, full, f);
}

#[test]
fn whole_network() {
    let mut random = Random(8);
    let (params, x) = (random.params(), random.maps([2, 4, 6, 2]));
    let labels: Vec<f32> = random.numbers(2 * 3 * 24).into_iter().map(|v| v as f32).collect();
    let f = |mut params: Params<f64>| loss::loss(&network::forward(&mut params, x.clone()).0, &labels).0;
    let mut grads = params.clone();
    grads.parameters().iter_mut().for_each(|p| p.values.fill(0.0));
    let mut moved = params.clone();
    let (y, pass) = network::forward(&mut moved, x.clone());
    network::backward(&moved, &pass, &loss::loss(&y, &labels).1, &mut grads);
    for (i, grad) in grads.parameters().into_iter().enumerate() {
        // The running statistics have no effect on the loss: their slopes are 0 like their gradients.
        judge(&grad.name, &params, |params| params.parameters().swap_remove(i).values, grad.values, f);
    }
}
