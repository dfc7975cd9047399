//! Pools of threads, which models share.

use crate::fault::{Fault, guard, guard_free};
use crate::flowmask_status::{self, FLOWMASK_ERROR_FORKED};
use crate::handles::Handles;
use crate::model::set_null;
use flowmask::{Error, Pool};

/// Threads that several models compute on, so that they do not use more threads than the machine has.
#[allow(missing_debug_implementations)]
pub struct flowmask_pool {
    _nothing: [u8; 0],
}

pub(crate) static POOLS: Handles<Pool> = Handles::new("pool");

/// The process in which a handle was made.
#[derive(Clone, Copy)]
pub(crate) struct Home(u32);

impl Home {
    pub fn here() -> Self {
        Home(std::process::id())
    }

    /// An error in a fork of that process.
    pub fn check(self) -> Result<(), Fault> {
        match self.0 == std::process::id() {
            true => Ok(()),
            false => Err(Fault::new(FLOWMASK_ERROR_FORKED, Error::Forked.to_string())),
        }
    }
}

/// Starts threads for the pool of flowmask_model_options; 0 takes the number in RAYON_NUM_THREADS, or one for each core.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_pool_new(threads: u32, pool: *mut *mut flowmask_pool) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    guard(|| unsafe {
        set_null("pool", pool)?;
        pool.write(POOLS.insert(Pool::new(threads as usize)?));
        Ok(())
    })
}

/// Frees a pool; NULL does nothing. Its threads end when the last model that uses it is freed.
#[unsafe(no_mangle)]
pub extern "C" fn flowmask_pool_free(pool: *mut flowmask_pool) -> flowmask_status {
    guard_free(|| POOLS.free(pool))
}
