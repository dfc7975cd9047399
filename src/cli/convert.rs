//! `flowmask convert`: writes a model in another file format.

use std::process::ExitCode;

use flowmask::model;

use super::args;

pub fn run(args: &args::Convert) -> anyhow::Result<ExitCode> {
    model::convert(&args.input, &args.output, args.half, args.size.as_deref())?;
    Ok(ExitCode::SUCCESS)
}
