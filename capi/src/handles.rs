//! Handles: numbers that the caller holds in place of pointers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::fault::Fault;
use crate::flowmask_status::FLOWMASK_ERROR_HANDLE;
use crate::fork;

/// The live handles of one kind. No number is used twice, not even for another kind.
pub(crate) struct Handles<T> {
    kind: &'static str,
    live: Mutex<BTreeMap<usize, Arc<T>>>,
}

impl<T> Handles<T> {
    /// `kind` is the type's name without its prefix.
    pub const fn new(kind: &'static str) -> Self {
        Handles { kind, live: Mutex::new(BTreeMap::new()) }
    }

    /// Runs `use_list` with the list locked.
    fn with<R>(&self, use_list: impl FnOnce(&mut BTreeMap<usize, Arc<T>>) -> R) -> R {
        let _pass = fork::pass();
        use_list(&mut self.live.lock().unwrap_or_else(|e| e.into_inner()))
    }

    pub fn insert<H>(&self, value: T) -> *mut H {
        // A multiple of 16, as a real address would be. Nobody reads what is there.
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let handle = NEXT.fetch_add(1, Ordering::Relaxed) * 16;
        let value = Arc::new(value);
        self.with(|live| live.insert(handle, value));
        handle as *mut H
    }

    /// The value of a handle. It stays alive while it is in use, even when another thread frees the handle.
    pub fn get<H>(&self, handle: *const H) -> Result<Arc<T>, Fault> {
        let reason = if handle.is_null() { "is NULL" } else { "was freed, or is of another type" };
        let found = self.with(|live| live.get(&(handle as usize)).cloned());
        found.ok_or_else(|| self.fault(reason))
    }

    /// Frees a handle; NULL does nothing.
    pub fn free<H>(&self, handle: *mut H) -> Result<(), Fault> {
        if handle.is_null() {
            return Ok(());
        }
        // The value is dropped after the lock is released, since a model waits for its threads.
        let freed = self.with(|live| live.remove(&(handle as usize)));
        freed.map(drop).ok_or_else(|| self.fault("was freed before, or is of another type"))
    }

    fn fault(&self, reason: &str) -> Fault {
        let kind = self.kind;
        Fault::new(
            FLOWMASK_ERROR_HANDLE,
            format!("{kind}: the handle is not a live flowmask_{kind}: it {reason}"),
        )
    }
}
