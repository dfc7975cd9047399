//! `flowmask models pull`: downloads weights of the original.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::bail;
use flowmask::model::pull::{self, Pulled};
use indicatif::{ProgressBar, ProgressStyle};

use super::messages;

pub const HELP: &str = "\
Examples:
  flowmask models pull cyto3
  flowmask segment cells.tif --model cellpose:cyto3

A download that was cut goes on where it ended when the command is run again. Each file is checked to be the network that \
its name says; its SHA-256 is kept beside it and checked at each use. FLOWMASK_MODELS_URL names another server with the \
same files.

Exit codes: 0 all models are there, 1 some could not be downloaded, 2 nothing could be started.";

#[derive(clap::Args)]
pub struct Args {
    /// cyto3, cyto2, cyto, nuclei, livecell_cp3 and others; a wrong name lists them all
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Accept the licence of the weights without being asked
    #[arg(short, long)]
    yes: bool,
    /// Print errors only
    #[arg(short, long)]
    quiet: bool,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    args.names.iter().try_for_each(|name| pull::check(name))?;
    accept(args)?;
    let mut failed = false;
    for name in &args.names {
        match one(name, args.quiet) {
            Ok(files) if args.quiet => drop(files),
            Ok(files) => files.iter().try_for_each(|file| messages::print(&line(file)))?,
            Err(error) => {
                failed = true;
                messages::notice(&error.to_string());
            }
        }
    }
    Ok(ExitCode::from(u8::from(failed)))
}

/// Shows the licence, and asks for consent where somebody can answer.
fn accept(args: &Args) -> anyhow::Result<()> {
    if args.yes && args.quiet {
        return Ok(());
    }
    writeln!(io::stderr(), "{}", pull::LICENCE)?;
    if args.yes {
        return Ok(());
    }
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        bail!("nothing was downloaded: --yes accepts the licence where nobody can be asked");
    }
    write!(io::stderr(), "Download? [y/N] ")?;
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => bail!("nothing was downloaded"),
    }
}

fn one(name: &str, quiet: bool) -> flowmask::Result<Vec<Pulled>> {
    // The bar hides itself when stderr is not a terminal.
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::no_length() };
    let template = "{wide_msg} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    let pulled = pull::pull(name, &mut |pulling| {
        if let Some(total) = pulling.total {
            bar.set_length(total);
        }
        bar.set_message(pulling.url.clone());
        bar.set_position(pulling.done);
        true
    });
    bar.finish_and_clear();
    pulled
}

fn line(file: &Pulled) -> String {
    let how = if file.was_there { "was there" } else { "downloaded" };
    format!("{how}  {}  sha256 {}", file.path.display(), file.sha256)
}
