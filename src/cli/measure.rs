//! `flowmask measure`: tables of the cells of label files.

use std::process::ExitCode;

use super::{args, export};

/// Writes a table of one file after the other.
pub fn run(args: &args::Measure) -> anyhow::Result<ExitCode> {
    export::run(&args.export())
}
