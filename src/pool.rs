//! The threads of a segmenter.

use std::ops::Deref;
use std::thread::{self, JoinHandle};

use crate::{Error, Result};

/// More threads than this are refused: each of them looks for work at all others, so that thousands would never get to
/// work.
const MAX_THREADS: usize = 1024;

/// A thread pool whose drop waits until its threads have ended, so that a program can unload the library safely. A
/// plain rayon pool tells its threads to end, and does not wait.
pub(crate) struct Pool {
    /// Taken only by the drop.
    pool: Option<rayon::ThreadPool>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Starts `threads` threads; 0 takes the number in `RAYON_NUM_THREADS`, or one for each core.
    ///
    /// # Errors
    /// [`Error::Option`] for more than [`MAX_THREADS`]; [`Error::Threads`] when a thread cannot be started.
    pub fn new(threads: usize) -> Result<Self> {
        let asked = if threads > 0 { threads } else { of_environment().unwrap_or(0) };
        if asked > MAX_THREADS {
            return Err(Error::option("threads", format!("is {asked}, but must be at most {MAX_THREADS}")));
        }
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

/// The number that rayon reads where none is asked for.
fn of_environment() -> Option<usize> {
    std::env::var("RAYON_NUM_THREADS").ok()?.parse().ok()
}

impl Deref for Pool {
    type Target = rayon::ThreadPool;

    fn deref(&self) -> &Self::Target {
        self.pool.as_ref().expect("the pool is there until the drop")
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.pool = None;
        let me = thread::current().id();
        for thread in self.threads.drain(..).filter(|thread| thread.thread().id() != me) {
            // A thread's panic has already reached the caller.
            let _ = thread.join();
        }
    }
}
