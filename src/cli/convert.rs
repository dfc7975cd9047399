//! `flowmask convert`: writes a model in another file format.

use std::process::ExitCode;

use flowmask::model;
use flowmask::output::Destination;

use super::args;

pub fn run(args: &args::Convert) -> anyhow::Result<ExitCode> {
    let output = Destination::new(&args.output).overwrite(args.overwrite);
    model::convert(&args.input, output, args.half, args.size.as_deref())?;
    Ok(ExitCode::SUCCESS)
}
