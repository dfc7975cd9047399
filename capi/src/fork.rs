//! The locks of handles stay usable in a forked child.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// Held for reading while a list of handles is locked, and for writing while the process forks. So no list is locked by
/// another thread at a fork; in the child, which does not have that thread, it would stay locked for ever.
static GATE: RwLock<()> = RwLock::new(());

/// Lets the caller lock a list of handles.
pub(crate) fn pass() -> RwLockReadGuard<'static, ()> {
    #[cfg(unix)]
    unix::register();
    GATE.read().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(unix)]
mod unix {
    use std::cell::RefCell;
    use std::sync::{Once, PoisonError, RwLockWriteGuard};

    use super::GATE;

    thread_local! {
        /// The gate, closed by this thread while it forks.
        static CLOSED: RefCell<Option<RwLockWriteGuard<'static, ()>>> = const { RefCell::new(None) };
    }

    pub fn register() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // SAFETY: the functions are those of the library, and a library that is unloaded takes them back. Without memory
            // for them, a fork is as safe as in a program with one thread.
            unsafe { libc::pthread_atfork(Some(close), Some(open), Some(open)) };
        });
    }

    unsafe extern "C" fn close() {
        let gate = GATE.write().unwrap_or_else(PoisonError::into_inner);
        // This fails only while the thread ends.
        let _ = CLOSED.try_with(|closed| *closed.borrow_mut() = Some(gate));
    }

    unsafe extern "C" fn open() {
        let _ = CLOSED.try_with(|closed| closed.borrow_mut().take());
    }
}
