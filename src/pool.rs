//! The threads of a segmenter.

use std::ops::Deref;
use std::thread::{self, JoinHandle};

use crate::{Error, Result};

/// A thread pool that is waited for when it is dropped: a program that unloads the library then has none of its
/// threads left. rayon alone tells them to end, and goes on.
pub(crate) struct Pool {
    /// There until the drop.
    pool: Option<rayon::ThreadPool>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Starts `threads` threads, or one a core for 0.
    ///
    /// # Errors
    /// [`Error::Threads`].
    pub fn new(threads: usize) -> Result<Self> {
        let mut started = Vec::new();
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("flowmask-{i}"))
            .spawn_handler(|thread| {
                let name = thread.name().unwrap_or("flowmask").to_owned();
                started.push(thread::Builder::new().name(name).spawn(|| thread.run())?);
                Ok(())
            })
            .build()
            .map_err(|e| Error::Threads { threads, reason: e.to_string() })?;
        Ok(Pool { pool: Some(pool), threads: started })
    }
}

impl Deref for Pool {
    type Target = rayon::ThreadPool;

    fn deref(&self) -> &Self::Target {
        self.pool.as_ref().expect("it is there until the drop")
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.pool = None;
        let me = thread::current().id();
        for thread in self.threads.drain(..).filter(|thread| thread.thread().id() != me) {
            // A panic of a thread was the caller's already.
            let _ = thread.join();
        }
    }
}
