//! Signals that end the command: its temporary files are removed first. The library handles no signals.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use flowmask::output::discard_unfinished;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use signal_hook::{flag, low_level};

/// From now on SIGINT, SIGTERM and SIGHUP remove temporary files before they end the process, which dies by the same
/// signal, so that a shell sees it. A file beyond the limit of `ulimit -f` is an error instead of a signal.
///
/// A signal that the caller ignores stays ignored, as under `nohup`. Where no thread can be started, a signal ends the
/// process at once, and the next run removes the temporary files.
pub fn watch() {
    let _ = flag::register(SIGXFSZ, Arc::default());
    let ending: Vec<i32> =
        [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|&signal| !is_ignored(signal)).collect();
    let again = Arc::new(AtomicBool::new(false));
    for &signal in &ending {
        // The second signal ends the process at once, in case a disk answers no more.
        let _ = flag::register_conditional_default(signal, again.clone());
        let _ = flag::register(signal, again.clone());
    }
    let thread = Signals::new(&ending).and_then(|mut signals| {
        thread::Builder::new().name("signals".into()).spawn(move || {
            if let Some(signal) = signals.forever().next() {
                let _discarded = discard_unfinished();
                let _ = low_level::emulate_default_handler(signal);
            }
        })
    });
    if thread.is_err() {
        again.store(true, Ordering::Relaxed);
    }
}

fn is_ignored(signal: i32) -> bool {
    // SAFETY: without a new action, sigaction only writes the present one, and all bits zero are a valid value of it.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}
