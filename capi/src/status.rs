//! What a call returns, and its message.

use std::ffi::{CStr, c_char};

use crate::fault::thread_message;
use crate::session::{SESSIONS, flowmask_session};

/// What became of a call.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum flowmask_status {
    /// Done.
    FLOWMASK_OK = 0,
    /// A pointer is NULL or not aligned, a struct has a wrong size, or a number stands for nothing.
    FLOWMASK_ERROR_ARGUMENT = 1,
    /// A handle was freed, or is one of something else.
    FLOWMASK_ERROR_HANDLE = 2,
    /// The session is at work in another thread, or the call came from its callback.
    FLOWMASK_ERROR_BUSY = 3,
    /// The caller's buffer is too small.
    FLOWMASK_ERROR_BUFFER = 4,
    /// An option is out of its range.
    FLOWMASK_ERROR_OPTION = 5,
    /// An image has no pixels, a pixel that is not finite, or not the channel that was asked for.
    FLOWMASK_ERROR_IMAGE = 6,
    /// A model is not there, damaged, or of another kind.
    FLOWMASK_ERROR_MODEL = 7,
    /// A file cannot be read.
    FLOWMASK_ERROR_FILE = 8,
    /// A GPU, its driver or its compiler is missing, or failed.
    FLOWMASK_ERROR_DEVICE = 9,
    /// A callback said to stop.
    FLOWMASK_ERROR_CANCELLED = 10,
    /// Threads cannot be started.
    FLOWMASK_ERROR_THREADS = 11,
    /// A fault of the library.
    FLOWMASK_ERROR_INTERNAL = 12,
}

/// The name of a status, such as "FLOWMASK_ERROR_MODEL"; never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn flowmask_status_name(status: i32) -> *const c_char {
    let name = match status {
        0 => c"FLOWMASK_OK",
        1 => c"FLOWMASK_ERROR_ARGUMENT",
        2 => c"FLOWMASK_ERROR_HANDLE",
        3 => c"FLOWMASK_ERROR_BUSY",
        4 => c"FLOWMASK_ERROR_BUFFER",
        5 => c"FLOWMASK_ERROR_OPTION",
        6 => c"FLOWMASK_ERROR_IMAGE",
        7 => c"FLOWMASK_ERROR_MODEL",
        8 => c"FLOWMASK_ERROR_FILE",
        9 => c"FLOWMASK_ERROR_DEVICE",
        10 => c"FLOWMASK_ERROR_CANCELLED",
        11 => c"FLOWMASK_ERROR_THREADS",
        12 => c"FLOWMASK_ERROR_INTERNAL",
        _ => c"unknown status",
    };
    name.as_ptr()
}

/// What went wrong last: in calls with this session or, for NULL, in this thread. A sentence in UTF-8, empty when
/// nothing did; never NULL. It is there until the next call with the session, or in the thread.
///
/// Where a thread is not known to be the same from one call to the next (virtual threads, async), use the session's.
#[unsafe(no_mangle)]
pub extern "C" fn flowmask_last_error(session: *const flowmask_session) -> *const c_char {
    if session.is_null() {
        return thread_message();
    }
    session_message(session, |messages| messages.last.as_ptr())
}

/// What went wrong with one image of the last flowmask_segment_many or flowmask_segment_on_device of this session; empty
/// when nothing did.
#[unsafe(no_mangle)]
pub extern "C" fn flowmask_image_error(session: *const flowmask_session, image: u64) -> *const c_char {
    session_message(session, |messages| {
        let message = usize::try_from(image).ok().and_then(|image| messages.of_images.get(image));
        message.map_or(c"".as_ptr(), |message| message.as_ptr())
    })
}

fn session_message(
    session: *const flowmask_session,
    choose: impl FnOnce(&crate::session::Messages) -> *const c_char,
) -> *const c_char {
    const NONE: &CStr = c"session: is not a live flowmask_session";
    SESSIONS.get(session).map_or(NONE.as_ptr(), |session| choose(&session.messages()))
}
