//! Turns errors and panics into a status and a message.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::flowmask_status::{self, *};
use flowmask::Error;

/// An error as the caller gets it.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub status: flowmask_status,
    pub message: String,
}

impl Fault {
    pub fn new(status: flowmask_status, message: impl Into<String>) -> Self {
        Fault { status, message: message.into() }
    }

    /// The error for a wrong argument.
    pub fn argument(name: &str, reason: impl std::fmt::Display) -> Self {
        Fault::new(FLOWMASK_ERROR_ARGUMENT, format!("{name}: {reason}"))
    }

    fn panic(payload: Box<dyn Any + Send>) -> Self {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Fault::new(FLOWMASK_ERROR_INTERNAL, format!("a bug in flowmask: {text}"))
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::Image(_) => FLOWMASK_ERROR_IMAGE,
            Error::Option { .. } => FLOWMASK_ERROR_OPTION,
            Error::Model { .. } | Error::Tensor { .. } => FLOWMASK_ERROR_MODEL,
            Error::Read { .. } | Error::Write { .. } | Error::Exists { .. } => FLOWMASK_ERROR_FILE,
            Error::ImageFile { .. } | Error::Labels { .. } => FLOWMASK_ERROR_FILE,
            Error::Device { .. } => FLOWMASK_ERROR_DEVICE,
            Error::Cancelled => FLOWMASK_ERROR_CANCELLED,
            Error::Threads { .. } => FLOWMASK_ERROR_THREADS,
            Error::Forked => FLOWMASK_ERROR_FORKED,
            Error::Memory { .. } => FLOWMASK_ERROR_MEMORY,
            // The library may get errors that this interface does not know yet.
            _ => FLOWMASK_ERROR_INTERNAL,
        };
        Fault { status, message: error.to_string() }
    }
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
    /// The number of library calls that this thread is in, which may be nested.
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

/// The message of the last call of this thread; empty if it succeeded.
pub(crate) fn thread_message() -> *const c_char {
    LAST.try_with(|last| last.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

/// A message as a C string. Zero bytes, which would end it, become spaces.
pub(crate) fn text(message: &str) -> CString {
    CString::new(message.replace('\0', " ")).unwrap_or_default()
}

/// Keeps the message for this thread.
pub(crate) fn note(message: &str) {
    // This fails only while the thread ends, when it cannot ask for the message any more.
    let _ = LAST.try_with(|last| *last.borrow_mut() = text(message));
}

/// Runs the body of a function of the interface. This thread's message becomes empty; an error or a panic becomes its
/// status and this thread's message.
pub(crate) fn guard(body: impl FnOnce() -> Result<(), Fault>) -> flowmask_status {
    note("");
    guard_free(body)
}

/// Like [`guard`], for a function that frees a handle. Unless it fails it leaves the message, so that a program can free
/// what it has and then report why.
pub(crate) fn guard_free(body: impl FnOnce() -> Result<(), Fault>) -> flowmask_status {
    match caught(body) {
        Ok(()) => FLOWMASK_OK,
        Err(fault) => {
            note(&fault.message);
            fault.status
        }
    }
}

/// Runs `body`, and turns a panic into a fault.
pub(crate) fn caught<T>(body: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    quiet();
    let count = |by: isize| CALLS.try_with(|calls| calls.set(calls.get().wrapping_add_signed(by)));
    let _ = count(1);
    let result = catch_unwind(AssertUnwindSafe(body));
    let _ = count(-1);
    result.unwrap_or_else(|payload| Err(Fault::panic(payload)))
}

/// Sees to it that panics of the library are not printed. All others go to the program's own panic hook.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let inside = CALLS.try_with(|calls| calls.get() > 0).unwrap_or(false);
            let ours = std::thread::current().name().is_some_and(|name| name.starts_with("flowmask-"));
            if !inside && !ours {
                before(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    #[test]
    fn panics_become_statuses() {
        assert_eq!(guard(|| panic!("number {}", 7)), FLOWMASK_ERROR_INTERNAL);
        // SAFETY: the message of this thread, which does not call anything meanwhile.
        let message = unsafe { CStr::from_ptr(thread_message()) };
        assert_eq!(message, c"a bug in flowmask: number 7");
        assert_eq!(guard(|| Err(Fault::argument("image", "has\0a zero"))), FLOWMASK_ERROR_ARGUMENT);
        // SAFETY: as above.
        assert_eq!(unsafe { CStr::from_ptr(thread_message()) }, c"image: has a zero");
        assert_eq!(guard_free(|| Ok(())), FLOWMASK_OK);
        // SAFETY: as above.
        assert_eq!(unsafe { CStr::from_ptr(thread_message()) }, c"image: has a zero");
        assert_eq!(guard(|| Ok(())), FLOWMASK_OK);
        // SAFETY: as above.
        assert_eq!(unsafe { CStr::from_ptr(thread_message()) }, c"");
        assert_eq!(CALLS.get(), 0);
    }
}
