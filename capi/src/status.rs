//! The status that a call returns, and the message of an error.

use std::ffi::{CStr, c_char};

use crate::fault::thread_message;
use crate::session::{SESSIONS, flowmask_session};

/// The outcome of a call.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum flowmask_status {
    /// The call succeeded.
    FLOWMASK_OK = 0,
    /// A pointer is NULL or not aligned, a struct has a wrong size, or a number is not a value of its enum.
    FLOWMASK_ERROR_ARGUMENT = 1,
    /// A handle was freed, or is of another type.
    FLOWMASK_ERROR_HANDLE = 2,
    /// Another thread uses the session, or the call came from one of its callbacks.
    FLOWMASK_ERROR_BUSY = 3,
    /// The caller's buffer is too small.
    FLOWMASK_ERROR_BUFFER = 4,
    /// An option is out of its range.
    FLOWMASK_ERROR_OPTION = 5,
    /// An image has no pixels, has a pixel that is not finite, or lacks the chosen channel.
    FLOWMASK_ERROR_IMAGE = 6,
    /// A model was not found, or its file is damaged or not a model that can be used.
    FLOWMASK_ERROR_MODEL = 7,
    /// A file cannot be read or written, or its axes do not fit.
    FLOWMASK_ERROR_FILE = 8,
    /// A GPU, its driver or its compiler (NVRTC) is missing or failed.
    FLOWMASK_ERROR_DEVICE = 9,
    /// The progress callback stopped the call.
    FLOWMASK_ERROR_CANCELLED = 10,
    /// Threads cannot be started.
    FLOWMASK_ERROR_THREADS = 11,
    /// There is a bug in the library.
    FLOWMASK_ERROR_INTERNAL = 12,
    /// The model or the pool belongs to another process, of which this one is a fork: load the model again.
    FLOWMASK_ERROR_FORKED = 13,
    /// There is too little memory for an image or a model. Another image or diameter may take less.
    FLOWMASK_ERROR_MEMORY = 14,
}

/// The name of a status, such as "FLOWMASK_ERROR_MODEL". It is never NULL.
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
        13 => c"FLOWMASK_ERROR_FORKED",
        14 => c"FLOWMASK_ERROR_MEMORY",
        _ => c"unknown status",
    };
    name.as_ptr()
}

/// Why the last call failed: the last call with this session or, when session is NULL, the last call in this thread. It is
/// a sentence in UTF-8, empty when the call succeeded, and never NULL. It is valid until the next call with the session, or
/// in the thread. Functions that free a handle leave it as it is, unless they fail.
///
/// When successive calls may run in different threads (virtual threads, async), use the message of the session.
#[unsafe(no_mangle)]
pub extern "C" fn flowmask_last_error(session: *const flowmask_session) -> *const c_char {
    if session.is_null() {
        return thread_message();
    }
    session_message(session, |messages| messages.last.as_ptr())
}

/// The error message of one image in the last flowmask_segment_many or flowmask_segment_on_device of this session; empty
/// when the image has no error.
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
    const FORKED: &CStr = c"session: belongs to another process, of which this one is a fork";
    match SESSIONS.get(session) {
        Ok(session) if session.model.home.check().is_ok() => choose(&session.messages()),
        Ok(_) => FORKED.as_ptr(),
        Err(_) => NONE.as_ptr(),
    }
}
