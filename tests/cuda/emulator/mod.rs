//! The emulator itself: it reports what is wrong, orders work as a GPU may, and its matrices are NVIDIA's.

mod faults;
mod layouts;
mod memory;
mod planned;
mod planted;
mod streams;
mod threads;

use std::process::Command;
use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaFunction, CudaStream, LaunchConfig};
use cudarc::nvrtc::Ptx;

use super::device::open;

/// Runs a test in a process of its own, with these variables, since an error of a device stays until the process ends.
/// `test` is its name. Returns what it said, `None` within that process.
fn alone(test: &str, variables: &[(&str, &str)], body: impl FnOnce()) -> Option<String> {
    in_process(&format!("emulator::{test}"), variables, body)
}

/// The same for a test of another module, by its whole name.
pub fn in_process(test: &str, variables: &[(&str, &str)], body: impl FnOnce()) -> Option<String> {
    const INSIDE: &str = "FLOWMASK_TEST_ALONE";
    if std::env::var_os(INSIDE).is_some() {
        body();
        return None;
    }
    let this = std::env::current_exe().unwrap();
    let mut command = Command::new(this);
    command.args(["--exact", test, "--include-ignored", "--nocapture"]);
    let output = command.env(INSIDE, "1").envs(variables.iter().copied()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{test} alone:\n{said}");
    Some(said.into_owned())
}

/// A device with streams of its own, apart from the library.
fn context(ordinal: usize) -> Arc<CudaContext> {
    open(ordinal).unwrap().context().clone()
}

fn kernel(context: &Arc<CudaContext>, name: &str) -> CudaFunction {
    context.load_module(Ptx::from_src("emulated")).unwrap().load_function(name).unwrap()
}

fn config(blocks: u32, threads: u32, shared: u32) -> LaunchConfig {
    LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (threads, 1, 1), shared_mem_bytes: shared }
}

/// Starts a kernel: `run!(stream, "name", config; argument, …)`; an error where it is not even accepted.
macro_rules! run {
    ($stream:expr, $name:expr, $config:expr; $($argument:expr),+) => {{
        use cudarc::driver::PushKernelArg;
        let stream: &std::sync::Arc<cudarc::driver::CudaStream> = $stream;
        let function = $crate::emulator::kernel(stream.context(), $name);
        let mut launch = stream.launch_builder(&function);
        $(launch.arg($argument);)+
        // SAFETY: the arguments are what the kernel takes; what it does with them is the test.
        unsafe { launch.launch($config) }.map(|_| ())
    }};
}
use run;

fn word(stream: &Arc<CudaStream>, value: u32) -> cudarc::driver::CudaSlice<u32> {
    stream.clone_htod(&[value]).unwrap()
}
