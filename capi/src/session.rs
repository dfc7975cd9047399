//! Sessions: each makes one call at a time.

use std::ffi::CString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use crate::fault::{Fault, caught, guard, guard_free, text};
use crate::flowmask_log_level::FLOWMASK_LOG_DEBUG;
use crate::flowmask_status::{self, *};
use crate::handles::Handles;
use crate::image::{View, check_pointer, flowmask_image};
use crate::model::{Loaded, MODELS, flowmask_model, set_null};
use crate::options::{self, flowmask_options};
use crate::result::{Found, RESULTS, flowmask_result};
use flowmask::Segmentation;

/// A session uses a model. Only one thread may use a session at a time: make one for each thread.
#[allow(missing_debug_implementations)]
pub struct flowmask_session {
    _nothing: [u8; 0],
}

/// The value behind a session handle.
pub(crate) struct Session {
    pub model: Arc<Loaded>,
    busy: AtomicBool,
    messages: Mutex<Messages>,
}

/// The error messages of a session.
#[derive(Default)]
pub(crate) struct Messages {
    pub last: CString,
    /// The message of each image of the last call with several images; empty for images without an error.
    pub of_images: Vec<CString>,
}

pub(crate) static SESSIONS: Handles<Session> = Handles::new("session");

impl Session {
    pub fn messages(&self) -> MutexGuard<'_, Messages> {
        self.messages.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// A call that uses a session. The session is busy until it is dropped.
struct Call<'a>(&'a Session);

impl<'a> Call<'a> {
    fn begin(session: &'a Session) -> Result<Self, Fault> {
        match session.busy.swap(true, Ordering::Acquire) {
            false => Ok(Call(session)),
            true => Err(Fault::new(
                FLOWMASK_ERROR_BUSY,
                "session: is in use by another thread, or by the call whose callback this is",
            )),
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Release);
    }
}

/// Runs the body of a function that uses a session. The session keeps the message of an error.
pub(crate) fn in_session(
    session: *const flowmask_session,
    body: impl FnOnce(&Session) -> Result<(), Fault>,
) -> flowmask_status {
    guard(|| {
        let session = SESSIONS.get(session)?;
        // In a fork, another thread's call would keep the session busy for ever.
        session.model.home.check()?;
        let _call = Call::begin(&session)?;
        session.messages().last = CString::default();
        caught(|| body(&session)).inspect_err(|fault| session.messages().last = text(&fault.message))
    })
}

/// Makes a session for a model.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_session_new(
    model: *const flowmask_model,
    session: *mut *mut flowmask_session,
) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    guard(|| unsafe {
        set_null("session", session)?;
        let model = MODELS.get(model)?;
        let (busy, messages) = (AtomicBool::new(false), Mutex::default());
        session.write(SESSIONS.insert(Session { model, busy, messages }));
        Ok(())
    })
}

/// Frees a session; NULL does nothing. Its results stay valid.
#[unsafe(no_mangle)]
pub extern "C" fn flowmask_session_free(session: *mut flowmask_session) -> flowmask_status {
    guard_free(|| SESSIONS.free(session))
}

/// Finds the cells of one image. options may be NULL for the defaults. The caller frees result with flowmask_result_free;
/// it is NULL after an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_segment(
    session: *mut flowmask_session,
    image: *const flowmask_image,
    options: *const flowmask_options,
    result: *mut *mut flowmask_result,
) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    in_session(session, |session| unsafe {
        let start = Instant::now();
        set_null("result", result)?;
        let image = View::new(image)?.image()?;
        let (options, mut progress) = options::read(options)?;
        let mut progress = |done| progress.at(done);
        let Loaded { segmenter, log, .. } = &*session.model;
        let found = segmenter.segment_with_progress(&image, &options, &mut progress)?;
        log.say(FLOWMASK_LOG_DEBUG, &segmented(&found, start));
        result.write(RESULTS.insert(Found::new(found, &session.model)));
        Ok(())
    })
}

fn segmented(found: &Segmentation, start: Instant) -> String {
    let (height, width) = found.masks.dim();
    format!(
        "{} cells in {height} by {width} pixels, diameter {:.1}, {:.3} s",
        found.cells(),
        found.diameter,
        start.elapsed().as_secs_f64()
    )
}

/// Computes only the style vector of one image, which is faster than finding its cells. style has room for length numbers,
/// and length must be the style_length of flowmask_model_describe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_style(
    session: *mut flowmask_session,
    image: *const flowmask_image,
    options: *const flowmask_options,
    style: *mut f32,
    length: u64,
) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    in_session(session, |session| unsafe {
        check_pointer("style", style)?;
        let image = View::new(image)?.image()?;
        let (options, _) = options::read(options)?;
        let found = session.model.segmenter.style(&image, &options)?;
        if length != found.len() as u64 {
            let reason = format!("style: needs {} numbers, but length is {length}", found.len());
            return Err(Fault::new(FLOWMASK_ERROR_BUFFER, reason));
        }
        found.iter().enumerate().for_each(|(i, &value)| style.add(i).write(value));
        Ok(())
    })
}
