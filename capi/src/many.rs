//! Many images in one call.

use std::sync::Mutex;
use std::time::Instant;

use crate::fault::{Fault, text};
use crate::flowmask_log_level::{FLOWMASK_LOG_DEBUG, FLOWMASK_LOG_WARNING};
use crate::flowmask_status::{self, *};
use crate::image::{View, check_pointer, flowmask_image};
use crate::options::{self, Progress, flowmask_options};
use crate::result::{Found, RESULTS, flowmask_result};
use crate::session::{Session, flowmask_session, in_session};
use flowmask::{Image, Options, Segmentation};

/// Finds the cells of count images of any sizes and types, in the shortest time: tiles of several images go through the
/// network together, and several GPUs share the images. Each image gets the labels that flowmask_segment would give it.
///
/// images has a pointer to each image. results has room for a handle for each image, which the caller frees. statuses has
/// room for a status for each image, or is NULL. When an image fails, the others are still segmented: its result is NULL,
/// flowmask_image_error gives its message, and the call returns the status of the first image that failed.
///
/// The progress callback of the options gets the part of all images that is done. When it stops the call, the images that
/// are not done fail with FLOWMASK_ERROR_CANCELLED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_segment_many(
    session: *mut flowmask_session,
    images: *const *const flowmask_image,
    count: u64,
    options: *const flowmask_options,
    results: *mut *mut flowmask_result,
    statuses: *mut flowmask_status,
) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    in_session(session, |session| unsafe {
        let outputs = Outputs::new(count, images, results, statuses)?;
        let views = (0..outputs.count).map(|i| View::new(images.add(i).read())).collect();
        let (options, progress) = options::read(options)?;
        let found = run(session, views, &options, progress)?;
        outputs.write(
            session,
            found.into_iter().map(|found| found.map(|found| Found::new(found, &session.model))).collect(),
        )
    })
}

type Outcome = Result<Segmentation, Fault>;

fn run(
    session: &Session,
    views: Vec<Result<View, Fault>>,
    options: &Options,
    mut progress: Progress,
) -> Result<Vec<Outcome>, Fault> {
    let start = Instant::now();
    let cancelled = || Err(Fault::from(flowmask::Error::Cancelled));
    let outcomes = Mutex::new(vec![None::<Outcome>; views.len()]);
    let done = |i: usize, found: Result<(Vec<Image>, Vec<Segmentation>), Fault>| {
        let outcome = found.map(|(_, mut found)| found.remove(0));
        outcomes.lock().unwrap_or_else(|e| e.into_inner())[i] = Some(outcome);
    };
    let mut progress = |images: f64| progress.at(images / views.len() as f64);
    // SAFETY: the caller's pixels are valid until the call returns.
    let load = |view: &Result<View, Fault>| Ok(vec![unsafe { view.clone()?.image() }?]);
    let loads = views.iter().map(|view| move || load(view));
    match session.model.segmenter.segment_many_with_progress(loads, options, &mut progress, done) {
        // What is done has its outcome.
        Ok(()) | Err(flowmask::Error::Cancelled) => {}
        Err(error) => return Err(error.into()),
    }
    let outcomes = outcomes.into_inner().unwrap_or_else(|e| e.into_inner());
    let finished = outcomes.iter().flatten().count();
    let (count, seconds) = (views.len(), start.elapsed().as_secs_f64());
    session
        .model
        .log
        .say(FLOWMASK_LOG_DEBUG, &format!("{finished} of {count} images done in {seconds:.3} s"));
    Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(cancelled)).collect())
}

/// Where the results of several images go.
pub(crate) struct Outputs {
    pub count: usize,
    results: *mut *mut flowmask_result,
    statuses: *mut flowmask_status,
}

impl Outputs {
    /// Makes all results NULL.
    ///
    /// # Safety
    /// Each pointer is NULL or points to `count` elements.
    pub unsafe fn new<T>(
        count: u64,
        images: *const T,
        results: *mut *mut flowmask_result,
        statuses: *mut flowmask_status,
    ) -> Result<Self, Fault> {
        // More images than this cannot be in memory.
        let count = usize::try_from(count).ok().filter(|&count| count < 1 << 40);
        let count = count.ok_or_else(|| Fault::argument("count", "is too large"))?;
        if count > 0 {
            check_pointer("images", images)?;
            check_pointer("results", results)?;
            if !statuses.is_null() {
                check_pointer("statuses", statuses)?;
            }
        }
        // SAFETY: the caller guarantees it.
        (0..count).for_each(|i| unsafe { results.add(i).write(std::ptr::null_mut()) });
        Ok(Outputs { count, results, statuses })
    }

    /// Writes the results and statuses. Returns the fault of the first image that failed.
    ///
    /// # Safety
    /// As for [`Outputs::new`].
    pub unsafe fn write(self, session: &Session, found: Vec<Result<Found, Fault>>) -> Result<(), Fault> {
        let (mut first, mut messages) = (None, Vec::with_capacity(self.count));
        for (i, found) in found.into_iter().enumerate() {
            let (status, message) = match found {
                Ok(found) => {
                    // SAFETY: `results` has room for each image.
                    unsafe { self.results.add(i).write(RESULTS.insert(found)) };
                    (FLOWMASK_OK, String::new())
                }
                Err(fault) => {
                    let message = format!("image {i} of {}: {}", self.count, fault.message);
                    session.model.log.say(FLOWMASK_LOG_WARNING, &message);
                    first.get_or_insert_with(|| Fault::new(fault.status, message));
                    (fault.status, fault.message)
                }
            };
            if !self.statuses.is_null() {
                // SAFETY: so has `statuses`.
                unsafe { self.statuses.add(i).write(status) };
            }
            messages.push(text(&message));
        }
        session.messages().of_images = messages;
        first.map_or(Ok(()), Err)
    }
}
