//! t-SNE: places points that have many dimensions on a map, such that near points stay near (van der Maaten and Hinton
//! 2008).
//!
//! Points attract only their nearest neighbours, as in the Barnes-Hut form of the method (van der Maaten 2014). Repulsion
//! is computed exactly between up to [`EXACT`] points, and by a tree between more. The order of all sums does not depend on
//! threads, and all random numbers come from the seed, so the same points give the same bytes.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

mod tree;

/// The number of steps with exaggerated attraction, then without. The numbers are scikit-learn's.
const STEPS: [usize; 2] = [250, 750];
/// The factor by which attraction is exaggerated at first.
const EXAGGERATION: f64 = 12.0;

/// The largest number of points for which repulsion is exact. For more, the tree is faster.
const EXACT: usize = 2000;

/// The options of [`tsne`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TsneOptions {
    /// About how many neighbours each point attracts. The value that is used is at least 1 and at most a third of the
    /// number of other points.
    pub perplexity: f64,
    /// The seed of the random first places. Other seeds give other maps.
    pub seed: u64,
}

impl Default for TsneOptions {
    fn default() -> Self {
        TsneOptions { perplexity: 30.0, seed: 0 }
    }
}

/// Places `points`, `[points, dimensions]`, on a map, and returns their places, `[points, 2]`. The unit of the map has no
/// meaning. The result does not depend on the number of threads. A point that is not finite gets a finite but meaningless
/// place.
///
/// Up to 2000 points, time grows with the square of their number. More are placed by the method of Barnes and Hut,
/// whose steps take time that hardly grows faster than their number; the search for neighbours compares all pairs once.
pub fn tsne(points: ArrayView2<f32>, options: &TsneOptions) -> Array2<f64> {
    let points = points.as_standard_layout();
    let n = points.nrows();
    let mut random = Random(options.seed);
    let mut places: Vec<[f64; 2]> = (0..n).map(|_| random.normal().map(|v| 1e-4 * v)).collect();
    if n > 1 {
        let affinities = affinities(points.view(), options.perplexity);
        descend(&affinities, &mut places);
    }
    Array2::from_shape_fn((n, 2), |(i, axis)| places[i][axis])
}

/// For each point, the other points that attract it and how strongly. The sum of all strengths is 1.
type Affinities = Vec<Vec<(usize, f64)>>;

/// Symmetric affinities: `(p(j|i) + p(i|j)) / 2n`.
fn affinities(points: ArrayView2<f32>, perplexity: f64) -> Affinities {
    let n = points.nrows();
    let perplexity = perplexity.min((n - 1) as f64 / 3.0).max(1.0);
    let neighbours = ((3.0 * perplexity).ceil() as usize).clamp(1, n - 1);
    let one_sided: Affinities =
        (0..n).into_par_iter().map(|i| conditional(nearest(points, i, neighbours), perplexity)).collect();
    let mut both = one_sided.clone();
    for (i, row) in one_sided.iter().enumerate() {
        row.iter().for_each(|&(j, p)| both[j].push((i, p)));
    }
    both.par_iter_mut().for_each(|row| {
        row.sort_by_key(|&(j, _)| j);
        row.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        row.iter_mut().for_each(|(_, p)| *p /= 2.0 * n as f64);
    });
    both
}

/// The `count` nearest other points, and their squared distances. Of more points than [`EXACT`], these are summed in single
/// precision, several parts at once as in [`repulsion`].
fn nearest(points: ArrayView2<f32>, i: usize, count: usize) -> Vec<(usize, f64)> {
    let many = points.nrows() > EXACT;
    let distance = |j: usize| {
        let sum = match (points.row(i).to_slice(), points.row(j).to_slice()) {
            (Some(a), Some(b)) if many => squared(a, b),
            _ => {
                let pairs = points.row(i).into_iter().zip(points.row(j));
                pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum()
            }
        };
        if sum.is_finite() { sum } else { f64::from(f32::MAX) }
    };
    let mut others: Vec<(usize, f64)> =
        (0..points.nrows()).filter(|&j| j != i).map(|j| (j, distance(j))).collect();
    let order = |a: &(usize, f64), b: &(usize, f64)| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0));
    if count < others.len() {
        others.select_nth_unstable_by(count, order);
        others.truncate(count);
    }
    others.sort_unstable_by(order);
    others
}

fn squared(a: &[f32], b: &[f32]) -> f64 {
    const WIDTH: usize = 16;
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<WIDTH>(), b.as_chunks::<WIDTH>());
    let mut sums = [0.0_f32; WIDTH];
    for (a, b) in a.iter().zip(b) {
        for part in 0..WIDTH {
            let difference = a[part] - b[part];
            sums[part] += difference * difference;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| (a - b).powi(2)).sum();
    f64::from(sums.iter().sum::<f32>() + rest)
}

/// `p(j|i)`: a Gaussian around the point. Bisection finds the width that gives the perplexity.
fn conditional(mut neighbours: Vec<(usize, f64)>, perplexity: f64) -> Vec<(usize, f64)> {
    let least = neighbours.first().map_or(0.0, |&(_, d)| d);
    let (mut beta, mut low, mut high) = (1.0, 0.0, f64::INFINITY);
    for _ in 0..200 {
        let (mut sum, mut mean) = (0.0, 0.0);
        for &(_, d) in &neighbours {
            let p = (-beta * (d - least)).exp();
            sum += p;
            mean += p * (d - least);
        }
        let entropy = f64::ln(sum) + beta * mean / sum;
        if (entropy - perplexity.ln()).abs() < 1e-6 {
            break;
        }
        if entropy > perplexity.ln() {
            low = beta
        } else {
            high = beta
        }
        beta = if high.is_infinite() { beta * 2.0 } else { (low + high) / 2.0 };
        // When all distances are equal, the entropy does not depend on the width, so the search would not end.
        if beta > 1e30 {
            break;
        }
    }
    neighbours.iter_mut().for_each(|(_, d)| *d = (-beta * (*d - least)).exp());
    let sum: f64 = neighbours.iter().map(|(_, p)| p).sum();
    neighbours.iter_mut().for_each(|(_, p)| *p /= sum);
    neighbours
}

/// Gradient descent with momentum and a gain for each coordinate.
fn descend(affinities: &Affinities, places: &mut [[f64; 2]]) {
    let n = places.len();
    let rate = (n as f64 / EXAGGERATION / 4.0).max(50.0);
    let (mut speeds, mut gains) = (vec![[0.0; 2]; n], vec![[1.0f64; 2]; n]);
    for step in 0..STEPS[0] + STEPS[1] {
        let (momentum, exaggeration) = if step < STEPS[0] { (0.5, EXAGGERATION) } else { (0.8, 1.0) };
        let slopes = gradient(affinities, places, exaggeration);
        for (((place, slope), speed), gain) in places.iter_mut().zip(slopes).zip(&mut speeds).zip(&mut gains)
        {
            for axis in 0..2 {
                let turned = (slope[axis] > 0.0) != (speed[axis] > 0.0);
                gain[axis] = if turned { gain[axis] + 0.2 } else { (gain[axis] * 0.8).max(0.01) };
                speed[axis] = momentum * speed[axis] - rate * gain[axis] * slope[axis];
                place[axis] += speed[axis];
            }
        }
        center(places);
    }
}

/// The slope of the Kullback-Leibler divergence at each place.
fn gradient(affinities: &Affinities, places: &[[f64; 2]], exaggeration: f64) -> Vec<[f64; 2]> {
    let (xs, ys): (Vec<f64>, Vec<f64>) = places.iter().map(|&[x, y]| (x, y)).unzip();
    let repulsions: Vec<[f64; 3]> = match places.len() <= EXACT {
        true => places.par_iter().map(|&place| repulsion(place, &xs, &ys)).collect(),
        false => tree::repulsions(places),
    };
    // The repulsion of every place includes itself at distance 0, which adds 1 and must not count.
    let total: f64 = repulsions.iter().map(|r| r[2] - 1.0).sum::<f64>().max(f64::MIN_POSITIVE);
    let rows = places.par_iter().zip(affinities).zip(&repulsions);
    rows.map(|((&[x, y], row), push)| {
        let mut pull = [0.0; 2];
        for &(j, p) in row {
            let (dx, dy) = (x - xs[j], y - ys[j]);
            let force = p / (1.0 + dx * dx + dy * dy);
            pull[0] += force * dx;
            pull[1] += force * dy;
        }
        [0, 1].map(|axis| 4.0 * (exaggeration * pull[axis] - push[axis] / total))
    })
    .collect()
}

/// Σ q² dx, Σ q² dy and Σ q over all places, with q = 1 / (1 + distance²). Each is summed in several parts at once, which
/// the compiler turns into vector instructions. With a single sum it may not, since that would change the rounding.
fn repulsion([x, y]: [f64; 2], xs: &[f64], ys: &[f64]) -> [f64; 3] {
    const WIDTH: usize = 8;
    let mut sums = [[0.0; WIDTH]; 3];
    let (x_vectors, x_rest) = xs.as_chunks::<WIDTH>();
    let (y_vectors, y_rest) = ys.as_chunks::<WIDTH>();
    let mut add = |part: usize, ox: f64, oy: f64| {
        let (dx, dy) = (x - ox, y - oy);
        let q = 1.0 / (1.0 + dx * dx + dy * dy);
        sums[0][part] += q * q * dx;
        sums[1][part] += q * q * dy;
        sums[2][part] += q;
    };
    for (ox, oy) in x_vectors.iter().zip(y_vectors) {
        for part in 0..WIDTH {
            add(part, ox[part], oy[part]);
        }
    }
    x_rest.iter().zip(y_rest).for_each(|(&ox, &oy)| add(0, ox, oy));
    sums.map(|parts| parts.iter().sum())
}

fn center(places: &mut [[f64; 2]]) {
    for axis in 0..2 {
        let mean = places.iter().map(|place| place[axis]).sum::<f64>() / places.len() as f64;
        places.iter_mut().for_each(|place| place[axis] -= mean);
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A uniform number in (0, 1].
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// Two normally distributed numbers (Box and Muller).
    fn normal(&mut self) -> [f64; 2] {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        [radius * cos, radius * sin]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points around `groups` centres; the points of a group follow each other.
    fn clouds(groups: usize, each: usize, dimensions: usize) -> Array2<f32> {
        let mut random = Random(7);
        let centers: Vec<f64> = (0..groups * dimensions).map(|_| random.normal()[0]).collect();
        Array2::from_shape_fn((groups * each, dimensions), |(i, d)| {
            (centers[i / each * dimensions + d] + 0.1 * random.normal()[0]) as f32
        })
    }

    #[test]
    fn groups_stay_together() {
        let (groups, each) = (5, 40);
        let map = tsne(clouds(groups, each, 16).view(), &TsneOptions::default());
        let distance = |i: usize, j: usize| (0..2).map(|a| (map[(i, a)] - map[(j, a)]).powi(2)).sum::<f64>();
        for i in 0..groups * each {
            let others = (0..groups * each).filter(|&j| j != i);
            let next = others.min_by(|&a, &b| distance(i, a).total_cmp(&distance(i, b))).unwrap();
            assert_eq!(next / each, i / each, "{next} is next to {i}");
        }
    }

    #[test]
    fn threads_change_no_byte_and_the_seed_does() {
        let points = clouds(3, 33, 8);
        let with = |threads, seed| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| tsne(points.view(), &TsneOptions { seed, perplexity: 12.0 }))
        };
        let want = with(1, 3);
        for threads in [2, 3, 8] {
            assert!(with(threads, 3) == want, "{threads} threads");
        }
        assert!(with(1, 4) != want);
    }

    #[test]
    fn many_places_have_about_the_same_gradient_from_any_threads() {
        let mut random = Random(9);
        let places: Vec<[f64; 2]> = (0..EXACT + 500).map(|_| random.normal().map(|v| 30.0 * v)).collect();
        let nothing = vec![Vec::new(); places.len()];
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| gradient(&nothing, &places, 1.0))
        };
        let found = with(1);
        assert!(with(3) == found);
        let (xs, ys): (Vec<f64>, Vec<f64>) = places.iter().map(|&[x, y]| (x, y)).unzip();
        let exact: Vec<_> = places.iter().map(|&place| repulsion(place, &xs, &ys)).collect();
        let total: f64 = exact.iter().map(|sums| sums[2] - 1.0).sum();
        let size: f64 = exact.iter().flat_map(|sums| &sums[..2]).map(|v| (4.0 * v / total).powi(2)).sum();
        let off = |axis: usize| {
            let pairs = found.iter().zip(&exact);
            pairs.map(|(found, sums)| (found[axis] + 4.0 * sums[axis] / total).powi(2)).sum::<f64>()
        };
        let error = ((off(0) + off(1)) / size).sqrt();
        assert!(0.0 < error && error < 0.01, "{error}");
    }

    #[test]
    fn distances_of_many_points_are_those_of_few() {
        let points = clouds(7, 300, 19);
        let few = points.slice(ndarray::s![..EXACT, ..]);
        let [many, few] = [nearest(points.view(), 5, 20), nearest(few, 5, 20)];
        for (a, b) in many.iter().zip(&few) {
            assert!(a.0 == b.0 && (a.1 - b.1).abs() <= 1e-5 * b.1, "{a:?} {b:?}");
        }
        assert!(many != few);
    }

    #[test]
    fn the_width_gives_the_perplexity() {
        let points = clouds(4, 50, 8);
        for perplexity in [2.0, 10.0, 30.0] {
            let row = conditional(nearest(points.view(), 17, 90), perplexity);
            let entropy: f64 = row.iter().map(|(_, p)| if *p > 0.0 { -p * p.ln() } else { 0.0 }).sum();
            assert!((entropy.exp() - perplexity).abs() < 1e-3, "{} for {perplexity}", entropy.exp());
        }
        let all: f64 = affinities(points.view(), 30.0).iter().flatten().map(|(_, p)| p).sum();
        assert!((all - 1.0).abs() < 1e-12, "{all}");
    }

    #[test]
    fn odd_points_have_finite_places() {
        for perplexity in [30.0, 0.0, -1.0, f64::NAN, f64::INFINITY] {
            for n in 0..7 {
                for value in [0.0, 1.0, f32::NAN, f32::INFINITY, f32::MAX] {
                    let mut points = Array2::from_elem((n, 4), 0.5);
                    points.iter_mut().take(3).for_each(|v| *v = value);
                    let map = tsne(points.view(), &TsneOptions { perplexity, seed: 1 });
                    assert_eq!(map.dim(), (n, 2));
                    assert!(map.iter().all(|v| v.is_finite()), "{n} of {value} at {perplexity}: {map}");
                }
            }
        }
    }

    /// Compares the gradient with finite differences of the divergence.
    #[test]
    fn the_gradient_is_that_of_the_divergence() {
        let points = clouds(2, 6, 4);
        let affinities = affinities(points.view(), 3.0);
        let mut random = Random(5);
        let mut places: Vec<[f64; 2]> = (0..12).map(|_| random.normal()).collect();
        let divergence = |places: &[[f64; 2]]| {
            let q = |i: usize, j: usize| {
                let square = |axis: usize| (places[i][axis] - places[j][axis]).powi(2);
                1.0 / (1.0 + square(0) + square(1))
            };
            let pairs = (0..12).flat_map(|i| (0..12).map(move |j| (i, j))).filter(|(i, j)| i != j);
            let total: f64 = pairs.map(|(i, j)| q(i, j)).sum();
            let rows = affinities.iter().enumerate();
            // Pairs that are too far from each other have affinity 0, and their term is 0 too.
            rows.flat_map(|(i, row)| row.iter().map(move |&(j, p)| (i, j, p)))
                .filter(|(_, _, p)| *p > 0.0)
                .map(|(i, j, p)| p * (p / (q(i, j) / total)).ln())
                .sum::<f64>()
        };
        let slopes = gradient(&affinities, &places, 1.0);
        for i in 0..12 {
            for axis in 0..2 {
                let at = |step: f64, places: &mut Vec<[f64; 2]>| {
                    places[i][axis] += step;
                    let value = divergence(places);
                    places[i][axis] -= step;
                    value
                };
                let slope = (at(1e-5, &mut places) - at(-1e-5, &mut places)) / 2e-5;
                assert!((slope - slopes[i][axis]).abs() < 1e-7, "{slope} and {}", slopes[i][axis]);
            }
        }
    }
}
