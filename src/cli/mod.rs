//! The command `flowmask`: its arguments (`args`, read by `usage` with `original` and `config`), what they mean (`options`,
//! `inputs`, `outputs`), one file for each sub-command, and everything that is printed (`messages`, `flags`).

mod args;
mod cellpose;
mod cells;
mod compared;
mod config;
mod convert;
#[cfg(feature = "cuda")]
mod devices;
mod evaluate;
mod export;
mod flags;
mod generate;
mod inputs;
#[cfg(feature = "cuda")]
mod kernels;
mod kinds;
mod messages;
mod models;
mod options;
mod original;
mod outputs;
mod pairs;
mod pattern;
mod plots;
#[cfg(feature = "pull")]
mod pull;
mod record;
mod reports;
mod restore;
mod segment;
#[cfg(unix)]
mod signals;
mod stitch;
mod styles;
mod table;
mod usage;
mod verbose;

use std::process::ExitCode;

use args::Command;
use usage::Asked;

/// The exit code when nothing could be started, or the command could not go on.
const CANNOT_START: u8 = 2;

/// Runs the command. Exit codes: 0 all images are done, 1 some failed, 2 nothing could be started.
pub fn main() -> ExitCode {
    // In one line like every other message. A panic while a file is decoded is then an error of that file.
    std::panic::set_hook(Box::new(|panic| {
        messages::notice(&format!("a fault of flowmask: {}", panic.to_string().replace('\n', " ")));
    }));
    #[cfg(unix)]
    signals::watch();
    std::panic::catch_unwind(started).unwrap_or(ExitCode::from(CANNOT_START))
}

fn started() -> ExitCode {
    let done = usage::parse(std::env::args_os().collect()).and_then(|asked| match asked {
        Asked::Run(command) => run(&command),
        Asked::Shown(code) => Ok(code),
    });
    done.unwrap_or_else(|error| {
        messages::notice(&flags::sentence(&error));
        ExitCode::from(CANNOT_START)
    })
}

fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Segment(args) => segment::run(args),
        Command::Restore(args) => restore::run(args),
        Command::Stitch(args) => stitch::run(args),
        Command::Export(args) => export::run(args),
        Command::Cellpose(args) => cellpose::run(args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Styles(args) => styles::run(args),
        Command::Models(args) => models::run(args),
        Command::Convert(args) => convert::run(args),
        Command::Completions(args) => generate::completions(args),
        Command::Man(args) => generate::man(args),
        #[cfg(feature = "cuda")]
        Command::Devices(args) => devices::run(args),
    }
}
