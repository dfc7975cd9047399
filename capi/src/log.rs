//! Log messages, which go to the caller's callback.

use std::ffi::{c_char, c_void};

use crate::fault::text;

/// How important a log message is.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum flowmask_log_level {
    /// What was done with an image.
    FLOWMASK_LOG_DEBUG = 0,
    /// A model was loaded, and onto which devices.
    FLOWMASK_LOG_INFO = 1,
    /// One image of a call with several images failed.
    FLOWMASK_LOG_WARNING = 2,
}

/// A function that gets the log messages. A message is valid until the function returns. level is a flowmask_log_level. The
/// function runs in the thread that called the library, during the call, and must not throw.
pub type flowmask_log_callback =
    Option<unsafe extern "C" fn(user_data: *mut c_void, level: i32, message: *const c_char)>;

/// The caller's log function and its data.
pub(crate) struct Log {
    pub callback: flowmask_log_callback,
    pub user_data: *mut c_void,
}

// SAFETY: the data is only passed to the callback, and the header says that several sessions may call it at the same time.
unsafe impl Send for Log {}
// SAFETY: as above.
unsafe impl Sync for Log {}

impl Log {
    pub fn say(&self, level: flowmask_log_level, message: &str) {
        if let Some(callback) = self.callback {
            // SAFETY: this calls the caller's function with its data, and with a message that is valid until it returns.
            unsafe { callback(self.user_data, level as i32, text(message).as_ptr()) };
        }
    }
}
