//! Times how long the work goes on after its caller has said stop: `cargo bench --bench cancel -- 1024 2048 4096`.

mod common;

use std::time::{Duration, Instant};

use common::discs;
use flowmask::{Image, Model, Options, Segmenter};

/// The moments at which each image is stopped.
const STOPS: u32 = 40;

/// Runs an image and stops it after `stop`. Returns what the work took after the first call that said stop, and the
/// longest time between two calls, each with the part of the work that was done.
fn run(segmenter: &Segmenter, image: &Image, stop: Duration) -> [(Duration, f64); 2] {
    let begin = Instant::now();
    let (mut told, mut last, mut gap) = (None, (begin, 0.0), (Duration::ZERO, 0.0));
    let mut progress = |done| {
        let now = Instant::now();
        gap = std::cmp::max_by_key(gap, (now - last.0, last.1), |gap| gap.0);
        last = (now, done);
        if begin.elapsed() >= stop && told.is_none() {
            told = Some((now, done));
        }
        told.is_none()
    };
    let _ = segmenter.segment_with_progress(image, &Options::default(), &mut progress);
    let told = told.unwrap_or((Instant::now(), 1.0));
    [(told.0.elapsed(), told.1), gap]
}

fn main() {
    let segmenter = Segmenter::builder().model(Model::named("nuclei").unwrap()).build().unwrap();
    let sides: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    for side in if sides.is_empty() { vec![1024] } else { sides } {
        let image = discs(side);
        let begin = Instant::now();
        segmenter.segment(&image, &Options::default()).unwrap();
        let whole = begin.elapsed();
        let runs = (0..STOPS).map(|i| run(&segmenter, &image, whole * i / STOPS));
        let most =
            runs.reduce(|most, run| [0, 1].map(|i| if run[i].0 > most[i].0 { run[i] } else { most[i] }));
        let [(stop, at), (gap, after)] = most.unwrap();
        println!(
            "{side}: whole {:.0} ms; stopped at most {:.0} ms after (at {:.0} %); at most {:.0} ms between calls (after {:.0} %)",
            whole.as_secs_f64() * 1e3,
            stop.as_secs_f64() * 1e3,
            at * 100.0,
            gap.as_secs_f64() * 1e3,
            after * 100.0
        );
    }
}
