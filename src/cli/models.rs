//! `flowmask models`: lists the models that `--model` can name, or downloads one of the original.

use std::process::ExitCode;

use flowmask::model::{self, Listed};

use super::messages;
#[cfg(feature = "pull")]
use super::pull;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the models (the same as without a word)
    List,
    /// Download a network of Cellpose, with its size model, to where `--model cellpose:NAME` looks
    #[cfg(feature = "pull")]
    #[command(after_help = pull::HELP)]
    Pull(pull::Args),
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.command {
        None | Some(Command::List) => list(),
        #[cfg(feature = "pull")]
        Some(Command::Pull(args)) => pull::run(args),
    }
}

fn list() -> anyhow::Result<ExitCode> {
    let models = model::list();
    let width = models.iter().map(|model| model.name.len()).max().unwrap_or(0);
    for model in &models {
        let diameter = model.diam_mean.map_or(String::new(), |pixels| format!("{pixels} px"));
        messages::print(&format!("{:width$}  {diameter:>6}  {}", model.name, about(model)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What a built-in model is for, or the path of another model.
fn about(model: &Listed) -> String {
    match (&model.path, model.name.as_str()) {
        (Some(path), _) => path.display().to_string(),
        (None, "cyto") => "whole cells, with or without a channel of their nuclei".into(),
        (None, "nuclei") => "stained nuclei".into(),
        (None, _) => "built in".into(),
    }
}
