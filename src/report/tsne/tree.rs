//! The repulsion between many places, by a quadtree (Barnes and Hut, Nature 324, 1986; for t-SNE van der Maaten 2014).
//!
//! A square of the plane that is far away counts as one place with the weight of all places in it. The places of a small
//! square have one list of such others, so that the sums run over a list and become vector instructions. The tree and the
//! order of every list follow from the places alone, and not from threads.

use std::ops::Range;

use rayon::prelude::*;

/// A square counts as one place when its side is at most this part of its distance. It is the usual value.
const ANGLE: f64 = 0.5;
/// Squares with so few places are not divided.
const LEAF: usize = 16;
/// The bits of a coordinate in units of the smallest square.
const BITS: u32 = 24;
/// The numbers that are summed side by side.
const WIDTH: usize = 8;

/// Σ q² dx, Σ q² dy and Σ q over all places for each place, with q = 1 / (1 + distance²) and about as exact as [`ANGLE`]
/// allows. Each sum includes the place itself.
pub(super) fn repulsions(places: &[[f64; 2]]) -> Vec<[f64; 3]> {
    let tree = Tree::new(places);
    let leaves: Vec<&Node> = tree.nodes.iter().filter(|node| node.is_leaf).collect();
    let sums = leaves.par_iter().map_init(List::default, |list, leaf| {
        tree.collect(leaf, list);
        leaf.places.clone().map(|i| list.sums(tree.places[i])).collect::<Vec<_>>()
    });
    let sums: Vec<Vec<[f64; 3]>> = sums.collect();
    let mut all = vec![[0.0; 3]; places.len()];
    for (&place, sums) in tree.order.iter().zip(sums.into_iter().flatten()) {
        all[place] = sums;
    }
    all
}

/// A square. Its children follow it, and `next` is the first node after them.
struct Node {
    center: [f64; 2],
    side: f64,
    /// The places in the square, in the order of the tree.
    places: Range<usize>,
    next: usize,
    is_leaf: bool,
}

struct Tree {
    nodes: Vec<Node>,
    /// The places along a curve that visits one square after the other (Morton's), and their numbers.
    places: Vec<[f64; 2]>,
    order: Vec<usize>,
    codes: Vec<u64>,
}

impl Tree {
    fn new(places: &[[f64; 2]]) -> Self {
        let [x, y] = [0, 1].map(|axis| {
            let values = places.iter().map(|place| place[axis]);
            (values.clone().fold(f64::INFINITY, f64::min), values.fold(f64::NEG_INFINITY, f64::max))
        });
        let side = (x.1 - x.0).max(y.1 - y.0).max(f64::MIN_POSITIVE);
        let code = |place: &[f64; 2]| {
            let [x, y] = [place[0] - x.0, place[1] - y.0].map(|v| (v / side * (1 << BITS) as f64) as u64);
            spread(x.min((1 << BITS) - 1)) | spread(y.min((1 << BITS) - 1)) << 1
        };
        let mut order: Vec<(u64, usize)> = places.iter().map(code).zip(0..).collect();
        order.sort_unstable();
        let mut tree = Tree {
            nodes: Vec::new(),
            places: order.iter().map(|&(_, i)| places[i]).collect(),
            codes: order.iter().map(|&(code, _)| code).collect(),
            order: order.iter().map(|&(_, i)| i).collect(),
        };
        tree.add(0..places.len(), BITS, side);
        tree
    }

    /// Adds the square of some places with everything in it. `bits` of their codes' coordinates differ.
    fn add(&mut self, places: Range<usize>, bits: u32, side: f64) {
        let count = places.len() as f64;
        let sum = |axis: usize| self.places[places.clone()].iter().map(|place| place[axis]).sum::<f64>();
        let center = [sum(0) / count, sum(1) / count];
        let is_leaf = places.len() <= LEAF || bits == 0;
        let node = self.nodes.len();
        self.nodes.push(Node { center, side, places: places.clone(), next: node + 1, is_leaf });
        if is_leaf {
            return;
        }
        let mut start = places.start;
        for quarter in 0..4 {
            let inside = |code: &u64| code >> (2 * (bits - 1)) & 3 <= quarter;
            let end = start + self.codes[start..places.end].partition_point(inside);
            if start < end {
                self.add(start..end, bits - 1, side / 2.0);
            }
            start = end;
        }
        self.nodes[node].next = self.nodes.len();
    }

    /// Lists what acts on the places of a leaf: single places, and squares that are far from all of them.
    fn collect(&self, leaf: &Node, list: &mut List) {
        let bounds = [0, 1].map(|axis| {
            let values = self.places[leaf.places.clone()].iter().map(|place| place[axis]);
            (values.clone().fold(f64::INFINITY, f64::min), values.fold(f64::NEG_INFINITY, f64::max))
        });
        let gap = |center: f64, (low, high): (f64, f64)| (low - center).max(center - high).max(0.0);
        list.clear();
        let mut at = 0;
        while let Some(node) = self.nodes.get(at) {
            let (dx, dy) = (gap(node.center[0], bounds[0]), gap(node.center[1], bounds[1]));
            if node.side * node.side <= ANGLE * ANGLE * (dx * dx + dy * dy) {
                list.push(node.center, node.places.len() as f64);
                at = node.next;
            } else if node.is_leaf {
                self.places[node.places.clone()].iter().for_each(|&place| list.push(place, 1.0));
                at = node.next;
            } else {
                at += 1;
            }
        }
        list.fill();
    }
}

/// The bits of a coordinate, with a zero before each.
fn spread(value: u64) -> u64 {
    let mut v = value;
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        v = (v | v << shift) & mask;
    }
    v
}

/// Places that act on others, with their weights.
#[derive(Default)]
struct List {
    xs: Vec<f64>,
    ys: Vec<f64>,
    weights: Vec<f64>,
}

impl List {
    fn clear(&mut self) {
        [&mut self.xs, &mut self.ys, &mut self.weights].into_iter().for_each(Vec::clear);
    }

    fn push(&mut self, [x, y]: [f64; 2], weight: f64) {
        self.xs.push(x);
        self.ys.push(y);
        self.weights.push(weight);
    }

    /// Fills the last vector with places that weigh nothing.
    fn fill(&mut self) {
        let length = self.xs.len().next_multiple_of(WIDTH);
        let all = [&mut self.xs, &mut self.ys, &mut self.weights];
        all.into_iter().for_each(|values| values.resize(length, 0.0));
    }

    fn sums(&self, [x, y]: [f64; 2]) -> [f64; 3] {
        let mut sums = [[0.0; WIDTH]; 3];
        let (xs, ys) = (self.xs.as_chunks::<WIDTH>().0, self.ys.as_chunks::<WIDTH>().0);
        let weights = self.weights.as_chunks::<WIDTH>().0;
        for ((ox, oy), weight) in xs.iter().zip(ys).zip(weights) {
            for part in 0..WIDTH {
                let (dx, dy) = (x - ox[part], y - oy[part]);
                let q = 1.0 / (1.0 + dx * dx + dy * dy);
                let pull = weight[part] * q;
                sums[0][part] += pull * q * dx;
                sums[1][part] += pull * q * dy;
                sums[2][part] += pull;
            }
        }
        sums.map(|parts| parts.iter().sum())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Random, repulsion};
    use super::*;

    #[test]
    fn repulsion_is_near_that_of_all_places() {
        let mut random = Random(3);
        // Three clouds of other sizes, and places that are the same.
        let mut places: Vec<[f64; 2]> = (0..3000)
            .map(|i| {
                let [a, b] = random.normal();
                let size = [1.0, 20.0, 0.01][i % 3];
                [a * size + (i % 3) as f64 * 30.0, b * size]
            })
            .collect();
        places.extend([[5.0, 5.0]; 40]);
        let (xs, ys): (Vec<f64>, Vec<f64>) = places.iter().map(|&[x, y]| (x, y)).unzip();
        let found = repulsions(&places);
        let (mut error, mut force) = (0.0, 0.0);
        for (&place, found) in places.iter().zip(&found) {
            let want = repulsion(place, &xs, &ys);
            // A place far from all others has few squares around it.
            assert!((found[2] - want[2]).abs() < 0.02 * want[2], "{found:?} {want:?}");
            error += (found[0] - want[0]).powi(2) + (found[1] - want[1]).powi(2);
            force += want[0].powi(2) + want[1].powi(2);
        }
        assert!((error / force).sqrt() < 0.01, "{}", (error / force).sqrt());
        assert!(found != places.iter().map(|&place| repulsion(place, &xs, &ys)).collect::<Vec<_>>());
    }

    #[test]
    fn any_places_have_finite_sums() {
        assert!(repulsions(&[]).is_empty());
        assert_eq!(repulsions(&[[1.0, 2.0]]), [[0.0, 0.0, 1.0]]);
        let same = repulsions(&[[7.0, -3.0]; 100]);
        assert!(same.iter().all(|sums| *sums == [0.0, 0.0, 100.0]), "{same:?}");
        let far = repulsions(&[[f64::MAX, 0.0], [-f64::MAX, 0.0], [f64::NAN, 1.0]]);
        assert_eq!(far.len(), 3);
    }
}
