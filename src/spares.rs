//! Arrays of results that were given back, for the results of the next images.

use std::sync::Mutex;

use bytemuck::Zeroable;

use crate::memory::zeros;
use crate::segmentation::Segmentation;

/// A spare array may have room for this many times the values of the result that takes it. A result that is kept should
/// not hold much more memory than it needs.
const ROOM: usize = 2;

/// Arrays that nobody uses. Their pages are there already: the first write to each page of a fresh array takes longer than
/// the copy of what is written.
pub(crate) struct Spares {
    /// How many arrays of each type are kept.
    most: usize,
    floats: Mutex<Vec<Vec<f32>>>,
    labels: Mutex<Vec<Vec<u32>>>,
}

impl Spares {
    /// For segmenters that have `lanes` lanes. Of each lane one result is written while others are used.
    pub fn new(lanes: usize) -> Self {
        Spares { most: 4 * lanes, floats: Mutex::default(), labels: Mutex::default() }
    }

    /// Takes the arrays of a result that is not needed any more.
    pub fn give(&self, Segmentation { masks, flows, cellprob, .. }: Segmentation) {
        self.give_to(&self.labels, masks.into_raw_vec_and_offset().0);
        self.give_to(&self.floats, cellprob.into_raw_vec_and_offset().0);
        self.give_to(&self.floats, flows.into_raw_vec_and_offset().0);
    }

    /// An array of `length` values, which may be any. Unwinds with [`OutOfMemory`](crate::OutOfMemory) when there is too
    /// little memory.
    pub fn floats(&self, length: usize) -> Vec<f32> {
        take(&self.floats, length)
    }

    /// Like [`Spares::floats`], for labels.
    pub fn labels(&self, length: usize) -> Vec<u32> {
        take(&self.labels, length)
    }

    fn give_to<T>(&self, spares: &Mutex<Vec<Vec<T>>>, array: Vec<T>) {
        if array.capacity() == 0 {
            return;
        }
        let mut spares = spares.lock().unwrap_or_else(|e| e.into_inner());
        spares.push(array);
        if spares.len() > self.most {
            // The oldest, which no image wanted.
            spares.remove(0);
        }
    }
}

fn take<T: Zeroable + Clone>(spares: &Mutex<Vec<Vec<T>>>, length: usize) -> Vec<T> {
    let spare = {
        let mut spares = spares.lock().unwrap_or_else(|e| e.into_inner());
        let fits = |array: &Vec<T>| (length..=ROOM * length).contains(&array.capacity());
        spares.iter().rposition(fits).map(|i| spares.remove(i))
    };
    match spare {
        Some(mut array) => {
            array.resize(length, T::zeroed());
            array
        }
        None => zeros(length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, s};

    fn place(array: &[u32]) -> *const u32 {
        array.as_ptr()
    }

    fn found(side: usize) -> Segmentation {
        Segmentation { masks: Array2::ones((side, side)), ..Segmentation::default() }
    }

    #[test]
    fn arrays_that_fit_are_used_again() {
        let spares = Spares::new(1);
        let given = found(10);
        let address = given.masks.as_ptr();
        spares.give(given);
        // Too small for one, and more than twice as large as the other.
        for length in [101, 49, 0] {
            assert_ne!(place(&spares.labels(length)), address, "{length}");
        }
        let array = spares.labels(50);
        assert_eq!((array.as_ptr(), array.len()), (address, 50));
        assert_ne!(place(&spares.labels(100)), address);
        // A part of an array comes back whole.
        let mut part = found(10);
        let address = part.masks.as_ptr();
        part.masks.slice_collapse(s![3..5, 2..]);
        spares.give(part);
        let array = spares.labels(100);
        assert_eq!((array.as_ptr(), array.len()), (address, 100));
    }

    #[test]
    fn no_more_are_kept_than_lanes_write() {
        let spares = Spares::new(2);
        (1..=20).for_each(|side| spares.give(found(side)));
        let kept: Vec<usize> = spares.labels.lock().unwrap().iter().map(Vec::len).collect();
        assert_eq!(kept, (13..=20).map(|side| side * side).collect::<Vec<_>>());
        spares.give(Segmentation::default());
        assert_eq!(spares.labels.lock().unwrap().len(), 8);
        assert!(spares.floats.lock().unwrap().is_empty());
    }
}
