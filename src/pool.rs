//! The threads of a segmenter.

use std::mem;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::{Error, Result};

/// More threads than this are refused: each of them looks for work at all others, so that thousands would never get to
/// work.
const MAX_THREADS: usize = 1024;

/// Threads that segmenters compute on. Segmenters that share a pool ([`Builder::pool`](crate::Builder::pool)) start no
/// threads of their own, so that several of them do not use more threads than the machine has. A clone is the same pool.
#[derive(Clone)]
pub struct Pool(Arc<Threads>);

impl Pool {
    /// Starts `threads` threads; 0 takes the number in `RAYON_NUM_THREADS`, or one for each core.
    ///
    /// # Errors
    /// [`Error::Option`] for more than 1024; [`Error::Threads`] when a thread cannot be started.
    pub fn new(threads: usize) -> Result<Self> {
        let asked = if threads > 0 { threads } else { of_environment().unwrap_or(0) };
        if asked > MAX_THREADS {
            return Err(Error::option("threads", format!("is {asked}, but must be at most {MAX_THREADS}")));
        }
        Threads::start(threads).map(|threads| Pool(Arc::new(threads)))
    }

    /// How many threads the pool has.
    pub fn threads(&self) -> usize {
        self.0.pool.as_ref().map_or(0, rayon::ThreadPool::current_num_threads)
    }

    /// Runs `work` on the threads: what it computes in parallel, such as [`stitch`](crate::stitch), is shared among them.
    ///
    /// # Errors
    /// [`Error::Forked`] when the threads were started by another process.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        self.check()?;
        Ok(self.install(work))
    }

    /// Runs `work` on the threads.
    pub(crate) fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.0.pool.as_ref().expect("the pool is there until the drop").install(work)
    }

    /// # Errors
    /// [`Error::Forked`] when the threads were started by another process.
    pub(crate) fn check(&self) -> Result<()> {
        self.0.home.check()
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({})", self.threads())
    }
}

/// The process in which something was made. After a fork, the child has a copy of it but none of its threads, and a lock
/// that another thread held is never released: the copy can be neither used nor taken down.
#[derive(Clone, Copy)]
pub(crate) struct Home(u32);

impl Home {
    pub fn here() -> Self {
        Home(std::process::id())
    }

    pub fn is_here(self) -> bool {
        self.0 == std::process::id()
    }

    pub fn check(self) -> Result<()> {
        if self.is_here() { Ok(()) } else { Err(Error::Forked) }
    }
}

/// A thread pool whose drop waits until its threads have ended, so that a program can unload the library safely. A
/// plain rayon pool tells its threads to end, and does not wait.
struct Threads {
    home: Home,
    /// Taken only by the drop.
    pool: Option<rayon::ThreadPool>,
    threads: Vec<JoinHandle<()>>,
}

impl Threads {
    fn start(threads: usize) -> Result<Self> {
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
        Ok(Threads { home: Home::here(), pool: Some(pool), threads: started })
    }
}

/// The number that rayon reads where none is asked for.
fn of_environment() -> Option<usize> {
    std::env::var("RAYON_NUM_THREADS").ok()?.parse().ok()
}

impl Drop for Threads {
    fn drop(&mut self) {
        if !self.home.is_here() {
            mem::forget((self.pool.take(), mem::take(&mut self.threads)));
            return;
        }
        self.pool = None;
        let me = thread::current().id();
        for thread in self.threads.drain(..).filter(|thread| thread.thread().id() != me) {
            // A thread's panic has already reached the caller.
            let _ = thread.join();
        }
    }
}
