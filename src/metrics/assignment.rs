//! Linear assignment for sparse weights: most pairs have weight 0.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A pair that may be chosen. Its weight is above 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub left: usize,
    pub right: usize,
    pub weight: f64,
}

/// Chooses edges with the highest sum of weights, such that no node is in two of them. Returns their indices in `edges`,
/// which must be sorted by `left`.
///
/// The result is that of the dense assignment with weight 0 for all other pairs. It is found by shortest augmenting paths
/// (Jonker and Volgenant, Computing 38, 1987) that follow only the edges. A left node may also stay alone, at the cost of
/// its best edge. A search therefore ends close to where it began, and all searches take about as long as sorting the
/// edges, unless many pairs compete in long chains.
pub(super) fn assign(lefts: usize, rights: usize, edges: &[Edge]) -> Vec<usize> {
    let mut search = Search::new(lefts, rights, edges);
    for left in 0..lefts {
        search.add(left);
    }
    let mut chosen: Vec<_> = search.of_left.into_iter().flatten().collect();
    chosen.sort_unstable();
    chosen
}

struct Search<'a> {
    edges: &'a [Edge],
    /// The edges of left node `i` are `first[i]..first[i + 1]`.
    first: Vec<usize>,
    /// The weight of the best edge of each left node. The cost of an edge is this minus its own weight.
    best: Vec<f64>,
    /// What each right node costs in addition to the edge to it: at least what its partner would lose by leaving it.
    price: Vec<f64>,
    /// The chosen edge of each left and of each right node.
    of_left: Vec<Option<usize>>,
    of_right: Vec<Option<usize>>,
    /// How the present search reached each right node: the cost so far, and the last edge.
    reached: Vec<(f64, usize)>,
    /// The right nodes that the present search reached; their entries are reset after it.
    touched: Vec<usize>,
    heap: BinaryHeap<Reverse<(Cost, usize)>>,
}

/// Where a search ends: at a free right node, or at a left node for which it is best to stay alone.
#[derive(Clone, Copy)]
enum End {
    Right(usize),
    Left(usize),
}

const UNREACHED: (f64, usize) = (f64::INFINITY, usize::MAX);

impl<'a> Search<'a> {
    fn new(lefts: usize, rights: usize, edges: &'a [Edge]) -> Self {
        let mut best = vec![0.0; lefts];
        let mut first = vec![0; lefts + 1];
        for edge in edges {
            best[edge.left] = edge.weight.max(best[edge.left]);
            first[edge.left + 1] += 1;
        }
        (0..lefts).for_each(|left| first[left + 1] += first[left]);
        Search {
            edges,
            first,
            best,
            price: vec![0.0; rights],
            of_left: vec![None; lefts],
            of_right: vec![None; rights],
            reached: vec![UNREACHED; rights],
            touched: Vec::new(),
            heap: BinaryHeap::new(),
        }
    }

    /// Adds one more left node by the cheapest path. The left nodes on the path move to the next right node.
    fn add(&mut self, start: usize) {
        let mut settled = Vec::new();
        let (mut end, mut cheapest) = (End::Left(start), self.best[start]);
        self.follow(start, 0.0, 0.0);
        while let Some(Reverse((Cost(cost), right))) = self.heap.pop() {
            if cost >= cheapest {
                break;
            }
            if cost > self.reached[right].0 {
                continue; // A cheaper way to this node was found later.
            }
            let Some(edge) = self.of_right[right] else {
                (end, cheapest) = (End::Right(right), cost);
                break;
            };
            settled.push((right, cost));
            let (left, pays) = (self.edges[edge].left, self.total(edge));
            let alone = cost + (self.best[left] - pays).max(0.0);
            if alone < cheapest {
                (end, cheapest) = (End::Left(left), alone);
            }
            self.follow(left, cost, pays);
        }
        for (right, cost) in settled {
            self.price[right] += (cheapest - cost).max(0.0);
        }
        self.reassign(start, end);
        self.touched.drain(..).for_each(|right| self.reached[right] = UNREACHED);
        self.heap.clear();
    }

    /// The cost of an edge and the price of its right node.
    fn total(&self, edge: usize) -> f64 {
        let Edge { left, right, weight } = self.edges[edge];
        self.best[left] - weight + self.price[right]
    }

    /// Continues from a left node, reached at `cost`, to its right nodes. It saves what it `pays` for its present one.
    fn follow(&mut self, left: usize, cost: f64, pays: f64) {
        for edge in self.first[left]..self.first[left + 1] {
            let right = self.edges[edge].right;
            // A step is negative only by rounding, which must not lead back to where the path came from.
            let cost = cost + (self.total(edge) - pays).max(0.0);
            if cost < self.reached[right].0 {
                self.reached[right] = (cost, edge);
                self.touched.push(right);
                self.heap.push(Reverse((Cost(cost), right)));
            }
        }
    }

    /// Goes back along the path from its end. Each left node on it takes the right node that follows.
    fn reassign(&mut self, start: usize, end: End) {
        let mut next = match end {
            End::Right(right) => Some(right),
            End::Left(left) => self.of_left[left].take().map(|edge| self.edges[edge].right),
        };
        while let Some(right) = next {
            let edge = self.reached[right].1;
            let left = self.edges[edge].left;
            self.of_right[right] = Some(edge);
            next = self.of_left[left].replace(edge).map(|edge| self.edges[edge].right);
            debug_assert!(next.is_some() || left == start);
        }
    }
}

/// A cost, which is never `NaN`.
#[derive(Clone, Copy, PartialEq)]
struct Cost(f64);

impl Eq for Cost {}

impl PartialOrd for Cost {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Cost {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The best sum of weights, by trying every choice for every left node.
    fn best_sum(weights: &[Vec<f64>], used: u32) -> f64 {
        let Some((row, rest)) = weights.split_first() else { return 0.0 };
        let free = (0..row.len()).filter(|right| used & 1 << right == 0 && row[*right] > 0.0);
        let with = free.map(|right| row[right] + best_sum(rest, used | 1 << right));
        with.fold(best_sum(rest, used), f64::max)
    }

    proptest! {
        #[test]
        fn no_other_choice_has_a_higher_sum(
            weights in prop::collection::vec(prop::collection::vec(prop_oneof![
                Just(0.0), (1..5_u8).prop_map(f64::from), 0.01..2.0_f64
            ], 6), 0..7)
        ) {
            let edge = |(left, row): (usize, &Vec<f64>)| {
                let edges = row.iter().enumerate().filter(|(_, weight)| **weight > 0.0);
                edges.map(|(right, &weight)| Edge { left, right, weight }).collect::<Vec<_>>()
            };
            let edges: Vec<_> = weights.iter().enumerate().flat_map(edge).collect();
            let chosen: Vec<_> = assign(weights.len(), 6, &edges).into_iter().map(|i| edges[i]).collect();
            for (i, a) in chosen.iter().enumerate() {
                prop_assert!(chosen[..i].iter().all(|b| a.left != b.left && a.right != b.right));
            }
            let sum: f64 = chosen.iter().map(|edge| edge.weight).sum();
            prop_assert!((sum - best_sum(&weights, 0)).abs() < 1e-9, "{chosen:?}");
        }
    }
}
