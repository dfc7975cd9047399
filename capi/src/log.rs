//! What there is to say, to whoever wants to hear it.

use std::ffi::{c_char, c_void};

use crate::fault::text;

/// How much a message matters.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum flowmask_log_level {
    /// What was done with an image.
    FLOWMASK_LOG_DEBUG = 0,
    /// A model was loaded, and onto what.
    FLOWMASK_LOG_INFO = 1,
    /// An image of several failed.
    FLOWMASK_LOG_WARNING = 2,
}

/// Is given a message, which is there until it returns. It is called in the thread that called the library, in its
/// midst, and must not throw.
pub type flowmask_log_callback =
    Option<unsafe extern "C" fn(user_data: *mut c_void, level: i32, message: *const c_char)>;

/// A callback and its data.
pub(crate) struct Log {
    pub callback: flowmask_log_callback,
    pub user_data: *mut c_void,
}

// SAFETY: the data is only handed to the callback, and the header says that sessions of several threads may do so at
// the same time.
unsafe impl Send for Log {}
// SAFETY: as above.
unsafe impl Sync for Log {}

impl Log {
    pub fn say(&self, level: flowmask_log_level, message: &str) {
        if let Some(callback) = self.callback {
            // SAFETY: the caller's function, with its data and a message that is there until it returns.
            unsafe { callback(self.user_data, level as i32, text(message).as_ptr()) };
        }
    }
}
