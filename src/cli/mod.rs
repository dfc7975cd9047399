//! The command `flowmask`: its arguments (`args`), what they mean (`options`, `inputs`, `outputs`), one file for each
//! sub-command, and everything that is printed (`messages`).

mod args;
mod convert;
#[cfg(feature = "cuda")]
mod devices;
mod evaluate;
mod inputs;
mod messages;
mod models;
mod options;
mod outputs;
mod pairs;
mod plots;
#[cfg(feature = "pull")]
mod pull;
mod segment;
#[cfg(unix)]
mod signals;
mod styles;
mod table;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

/// The exit code when nothing could be started, or the command could not go on. Clap uses the same for wrong usage.
const CANNOT_START: u8 = 2;

/// Runs the command. Exit codes: 0 all images are done, 1 some failed, 2 nothing could be started.
pub fn main() -> ExitCode {
    #[cfg(unix)]
    signals::watch();
    let done = match Cli::parse().command {
        Command::Segment(args) => segment::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Styles(args) => styles::run(&args),
        Command::Models(args) => models::run(&args),
        Command::Convert(args) => convert::run(&args),
        #[cfg(feature = "cuda")]
        Command::Devices(args) => devices::run(&args),
    };
    done.unwrap_or_else(|error| {
        messages::notice(&messages::sentence(&error));
        ExitCode::from(CANNOT_START)
    })
}
