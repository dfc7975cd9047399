//! The command line: what is typed (`args`), what it means (`options`, `inputs`, `outputs`), the work (one
//! file a sub-command), and what is said about it (`report`).

mod args;
mod convert;
#[cfg(feature = "cuda")]
mod devices;
mod evaluate;
mod inputs;
mod models;
mod options;
mod outputs;
mod pairs;
mod plots;
mod report;
mod segment;
mod styles;
mod table;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

/// Nothing could be started, or the command could not go on. Clap uses the same code for wrong usage.
const CANNOT_START: u8 = 2;

/// Runs the command. Exit codes: 0 all done, 1 some images failed, 2 nothing could be started.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Segment(args) => segment::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Styles(args) => styles::run(&args),
        Command::Models => models::run(),
        Command::Convert(args) => convert::run(&args),
        #[cfg(feature = "cuda")]
        Command::Devices(args) => devices::run(&args),
    };
    done.unwrap_or_else(|error| {
        report::complain(&error.to_string());
        ExitCode::from(CANNOT_START)
    })
}
