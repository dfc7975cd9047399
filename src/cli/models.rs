//! `flowmask models`: lists the models that `--model` can name.

use std::process::ExitCode;

use flowmask::model::{self, Listed};

use super::messages;

pub fn run() -> anyhow::Result<ExitCode> {
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
