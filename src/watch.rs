//! Progress: how much of a segmentation is done, and whether to go on.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// A function that is called with the part of a segmentation that is done, from 0 to 1. It returns whether to go on.
///
/// It is called at least ten times a second, also while a single step takes longer, and at last with 1, when its answer
/// makes no difference. It may be called in another thread than that of the caller, but never in two threads at the same
/// time.
pub type Progress<'a> = dyn FnMut(f64) -> bool + Send + 'a;

/// Whether to go on, as a function: [`Watch::go_on`], or always.
pub(crate) type GoOn<'a> = &'a (dyn Fn() -> bool + Sync);

/// The longest time between two calls of the caller's function. A run stops within twice this time.
const EVERY: Duration = Duration::from_millis(40);

/// Reports progress to the caller, and asks it whether to go on. The threads of a run share it.
pub(crate) struct Watch<'a> {
    /// Whether to stop. It never becomes false again. The watches of several images may share it.
    stop: Arc<AtomicBool>,
    /// Locked only with `try_lock` while other threads work: a function of the caller may use the library itself, and
    /// then its thread may take over work of this run.
    caller: Option<Mutex<Caller<'a>>>,
    step: Mutex<Step>,
    /// The units of the present step that are done.
    done: AtomicUsize,
    start: Instant,
    /// When the caller's function is to be called again, in milliseconds after `start`.
    due: AtomicU64,
}

/// The caller's function, and the last part that it was told: the next one is not less.
struct Caller<'a> {
    progress: &'a mut Progress<'a>,
    last: f64,
}

/// The present step reaches from `from` to `to` of the whole segmentation, and has `units` units.
struct Step {
    from: f64,
    to: f64,
    units: usize,
    /// What the segmentation is a part of: from where to where it reaches.
    of: (f64, f64),
}

impl<'a> Watch<'a> {
    /// For a caller that wants no progress.
    pub fn none() -> Self {
        Watch::of(None, Arc::default())
    }

    pub fn new(progress: &'a mut Progress<'a>) -> Self {
        Watch::sharing(progress, Arc::default())
    }

    /// A watch that stops when `stop` becomes true, and makes it true when `progress` wants to stop.
    pub fn sharing(progress: &'a mut Progress<'a>, stop: Arc<AtomicBool>) -> Self {
        Watch::of(Some(Mutex::new(Caller { progress, last: 0.0 })), stop)
    }

    fn of(caller: Option<Mutex<Caller<'a>>>, stop: Arc<AtomicBool>) -> Self {
        let step = Mutex::new(Step { from: 0.0, to: 1.0, units: 1, of: (0.0, 1.0) });
        let (done, due) = (AtomicUsize::new(0), AtomicU64::new(0));
        Watch { stop, caller, step, done, start: Instant::now(), due }
    }

    /// Begins the step that reaches from `from` to `to` of the whole segmentation.
    pub fn part(&self, from: f64, to: f64) {
        self.step(|step| *step = Step { from, to, units: 1, of: step.of });
    }

    /// Begins the segmentation number `i` of `count`, which run one after the other.
    pub fn begin(&self, i: usize, count: usize) {
        let of = (i as f64 / count as f64, (i + 1) as f64 / count as f64);
        self.step(|step| *step = Step { from: 0.0, to: 1.0, units: 1, of });
    }

    /// Says how many units the present step has.
    pub fn units(&self, units: usize) {
        self.step(|step| step.units = units.max(1));
    }

    fn step(&self, change: impl FnOnce(&mut Step)) {
        change(&mut self.step.lock().unwrap_or_else(PoisonError::into_inner));
        self.done.store(0, Ordering::Relaxed);
    }

    /// Adds to the units of the present step that are done, and reports it.
    ///
    /// # Errors
    /// [`Error::Cancelled`] when the caller wants to stop.
    pub fn add(&self, units: usize) -> Result<()> {
        self.done.fetch_add(units, Ordering::Relaxed);
        self.due.store(0, Ordering::Relaxed);
        self.check()
    }

    /// Reports that everything is done, when there is nothing left to stop.
    pub fn finish(&self) {
        self.part(1.0, 1.0);
        self.due.store(0, Ordering::Relaxed);
        self.go_on();
    }

    /// Whether the caller has a function.
    #[cfg(feature = "cuda")]
    pub fn has_caller(&self) -> bool {
        self.caller.is_some()
    }

    /// Whether to go on. Long loops ask often, in every thread: it costs little. Who leaves a loop early must call
    /// [`Watch::check`] behind it.
    pub fn go_on(&self) -> bool {
        if let Some(caller) = &self.caller
            && !self.stop.load(Ordering::Relaxed)
            && self.now() >= self.due.load(Ordering::Relaxed)
            && let Ok(mut caller) = caller.try_lock()
        {
            self.due.store(self.now() + EVERY.as_millis() as u64, Ordering::Relaxed);
            caller.last = caller.last.max(self.value());
            let last = caller.last;
            if !(caller.progress)(last) {
                self.stop.store(true, Ordering::Relaxed);
            }
        }
        !self.stop.load(Ordering::Relaxed)
    }

    /// # Errors
    /// [`Error::Cancelled`] when the caller wants to stop.
    pub fn check(&self) -> Result<()> {
        if self.go_on() { Ok(()) } else { Err(Error::Cancelled) }
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    /// The part of the whole segmentation that is done.
    fn value(&self) -> f64 {
        let Step { from, to, units, of } = *self.step.lock().unwrap_or_else(PoisonError::into_inner);
        let part = self.done.load(Ordering::Relaxed).min(units) as f64 / units as f64;
        let between =
            |(from, to): (f64, f64), part: f64| if part == 1.0 { to } else { from + (to - from) * part };
        between(of, between((from, to), part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_follow_each_other_to_the_end() {
        let mut seen = Vec::new();
        let mut note = |done| {
            seen.push(done);
            true
        };
        let watch = Watch::new(&mut note);
        watch.part(0.0, 0.5);
        watch.units(2);
        watch.add(1).unwrap();
        watch.add(1).unwrap();
        watch.part(0.5, 0.9);
        watch.add(1).unwrap();
        watch.finish();
        drop(watch);
        assert_eq!(seen, [0.25, 0.5, 0.9, 1.0]);
    }

    #[test]
    fn segmentations_one_after_the_other_add_up() {
        let mut seen = Vec::new();
        let mut note = |done| {
            seen.push(done);
            true
        };
        let watch = Watch::new(&mut note);
        for i in 0..2 {
            watch.begin(i, 2);
            watch.part(0.0, 0.5);
            watch.add(1).unwrap();
            watch.finish();
        }
        // A step that is taken again goes back, which the caller does not see.
        watch.part(0.0, 0.5);
        watch.add(1).unwrap();
        drop(watch);
        assert_eq!(seen, [0.25, 0.5, 0.75, 1.0, 1.0]);
    }

    #[test]
    fn a_long_step_calls_again_and_all_watches_of_a_flag_stop() {
        let stop: Arc<AtomicBool> = Arc::default();
        let (mut calls, mut other) = (0, |_: f64| true);
        let mut third = |_: f64| {
            calls += 1;
            calls < 3
        };
        let other = Watch::sharing(&mut other, stop.clone());
        let watch = Watch::sharing(&mut third, stop);
        let start = Instant::now();
        while watch.go_on() {
            assert!(other.go_on() && start.elapsed() < Duration::from_secs(10));
        }
        assert!(start.elapsed() >= 2 * EVERY, "calls without a pause");
        assert!(matches!((watch.check(), other.add(1)), (Err(Error::Cancelled), Err(Error::Cancelled))));
        drop(watch);
        assert_eq!(calls, 3);
        assert!(Watch::none().go_on());
    }
}
