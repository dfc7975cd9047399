//! A run that is stopped while one of its temporary files is open.

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::scene::{BIN, Run, Scene};

pub struct Stopped(Child);

/// The temporary files in a folder of the scene.
pub fn temporary(scene: &Scene, dir: &str) -> Vec<String> {
    scene.names(dir).into_iter().filter(|name| name.starts_with(".flowmask-")).collect()
}

pub fn send(child: &Child, signal: &str) {
    let status = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
    assert!(status.success(), "kill -s {signal}");
}

pub fn start(scene: &Scene, words: &str) -> Child {
    let mut command = Command::new(BIN);
    command.args(words.split_whitespace()).current_dir(scene.path("."));
    // Under `nohup` this process ignores SIGHUP, and so would the program.
    let as_usual = || {
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM] {
            // SAFETY: it sets no function of this process.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: between fork and exec it only calls `signal`, which is safe there.
    unsafe { command.pre_exec(as_usual) };
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

impl Stopped {
    /// Writes `cyto` (26 MB, which takes a while) to `dir/out.pth`, and stops when its temporary file is there. An empty one
    /// may not be locked yet: another process takes it for a dead one's, and this one begins another.
    pub fn conversion(scene: &Scene, dir: &str) -> Self {
        fs::create_dir_all(scene.path(dir)).unwrap();
        let before = temporary(scene, dir);
        for _ in 0..20 {
            let child = start(scene, &format!("convert cyto {dir}/out.pth"));
            let end = Instant::now() + Duration::from_secs(60);
            let mut stopped = Stopped(child);
            while stopped.0.try_wait().unwrap().is_none() && Instant::now() < end {
                if temporary(scene, dir) != before {
                    send(&stopped.0, "STOP");
                    stopped.wait_until_stopped();
                    let begun = |name: &String| {
                        fs::metadata(scene.path(dir).join(name)).is_ok_and(|file| file.len() > 0)
                    };
                    if temporary(scene, dir).iter().any(|name| !before.contains(name) && begun(name)) {
                        return stopped;
                    }
                    send(&stopped.0, "CONT");
                }
                sleep(Duration::from_micros(200));
            }
            // It was missed, and has written its files.
            stopped.0.wait().unwrap();
            for name in ["out.pth", "out.pth_size.npy"] {
                let _ = fs::remove_file(scene.path(dir).join(name));
            }
        }
        panic!("no temporary file was seen");
    }

    /// The signal reaches every thread some time after `kill` returns.
    fn wait_until_stopped(&self) {
        let threads = PathBuf::from(format!("/proc/{}/task", self.0.id()));
        let is_stopped = |thread: fs::DirEntry| {
            let status = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            status.rsplit(") ").next().is_some_and(|rest| rest.starts_with(['T', 'Z']))
        };
        for _ in 0..10_000 {
            if fs::read_dir(&threads).into_iter().flatten().flatten().all(is_stopped) {
                return;
            }
            sleep(Duration::from_millis(1));
        }
        panic!("the process did not stop");
    }

    /// Sends a signal, and lets the process go on.
    pub fn signal(mut self, name: &str) -> ExitStatus {
        send(&self.0, name);
        send(&self.0, "CONT");
        self.0.wait().unwrap()
    }

    /// Lets the process go on to its end.
    pub fn resume(self) -> Run {
        send(&self.0, "CONT");
        finish(self.0)
    }
}

/// Waits for the end.
pub fn finish(child: Child) -> Run {
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), None);
    output.into()
}
