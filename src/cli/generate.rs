//! `flowmask completions` and `flowmask man`: made from the definitions of the arguments.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::args::Cli;

pub const COMPLETIONS: &str = "Examples:
  flowmask completions bash > ~/.local/share/bash-completion/completions/flowmask
  flowmask completions zsh > \"${fpath[1]}/_flowmask\"
  flowmask completions fish > ~/.config/fish/completions/flowmask.fish";

#[derive(Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

#[derive(Args)]
pub struct Man {
    /// Folder for flowmask.1, flowmask-segment.1 and so on, created if missing; left out, flowmask.1 is printed
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub fn completions(args: &Completions) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "flowmask", &mut script);
    print(&script)
}

pub fn man(args: &Man) -> anyhow::Result<ExitCode> {
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page)?;
        return print(&page);
    };
    std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Cli::command().disable_help_subcommand(true), dir))
        .map_err(|error| anyhow!("cannot write the man pages to {}: {error}", dir.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints a text that this program made. It is no error when the reader has closed the pipe.
fn print(text: &[u8]) -> anyhow::Result<ExitCode> {
    match io::stdout().write_all(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(anyhow!("cannot write to the standard output: {error}"))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}
