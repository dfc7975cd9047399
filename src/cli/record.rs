//! `run.json`: what became of each image of a run, so that a run that was stopped can go on.
//!
//! The file has one line before the images and one for each image, each written at once, so that at most the last line is
//! broken when a run is killed. The file of a run that came to its end is JSON.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use flowmask::Model;
use flowmask::output::Destination;
use serde_json::{Value, json};

use super::{args, messages};

/// The record of a run, to which images are added.
pub struct Record {
    path: PathBuf,
    file: File,
    /// What stands before the next image.
    separator: &'static str,
}

impl Record {
    /// Begins the record that the arguments ask for, if they ask for one. Also returns the lines of the images that are
    /// done, if the run goes on.
    pub fn begin(args: &args::Segment, model: &Model) -> anyhow::Result<(Option<Self>, Done)> {
        let Some(path) = &args.many.run_json else { return Ok(Default::default()) };
        let cannot = |error: io::Error| anyhow!("--run-json: cannot write {}: {error}", path.display());
        let head = head(args, model);
        let lines = match args.many.resume && path.exists() {
            true => finished(path, &head)?,
            false => Vec::new(),
        };
        if !args.many.resume {
            Destination::new(path).overwrite(args.output.overwrite).check()?;
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(cannot)?;
        }
        // Images that failed are tried again, so their lines go.
        let mut text = head;
        for (i, line) in lines.iter().enumerate() {
            text += if i == 0 { "\n" } else { ",\n" };
            text += &line.to_string();
        }
        let temporary = path.with_extension("json.part");
        fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, path)).map_err(cannot)?;
        let file = OpenOptions::new().append(true).open(path).map_err(cannot)?;
        let separator = if lines.is_empty() { "\n" } else { ",\n" };
        Ok((Some(Record { path: path.clone(), file, separator }), Done::of(&lines)))
    }

    /// Adds an image.
    pub fn add(&mut self, image: &Value) -> anyhow::Result<()> {
        self.write(&format!("{}{image}", self.separator))?;
        self.separator = ",\n";
        Ok(())
    }

    /// Ends the record.
    pub fn finish(mut self) -> anyhow::Result<()> {
        self.write("\n]}\n")
    }

    fn write(&mut self, text: &str) -> anyhow::Result<()> {
        let written = self.file.write_all(text.as_bytes());
        written.map_err(|error| anyhow!("--run-json: cannot write {}: {error}", self.path.display()))
    }
}

/// The images that are done.
#[derive(Default)]
pub struct Done(HashMap<String, usize>);

impl Done {
    fn of(lines: &[Value]) -> Self {
        let mut done = HashMap::new();
        for line in lines {
            *done.entry(line["input"].as_str().unwrap_or_default().to_string()).or_insert(0) += 1;
        }
        // Of a file with several images, all have to be done.
        done.retain(|input, count| {
            lines.iter().all(|line| line["input"] != *input.as_str() || line["images"] == *count)
        });
        Done(done)
    }

    pub fn has(&self, image: &Path) -> bool {
        self.0.contains_key(&messages::name(image))
    }
}

/// The line before the images.
fn head(args: &args::Segment, model: &Model) -> String {
    let head = json!({
        "created_by": format!("flowmask {}", env!("CARGO_PKG_VERSION")),
        "model": { "name": model.name(), "sha256": model.sha256() },
        "device": args.speed.device,
        "options": options(),
    });
    // The list of images stays open. The mark by which flowmask knows its files has a space after the colon.
    let text = head.to_string().replacen("\"created_by\":", "\"created_by\": ", 1);
    format!("{},\"images\":[", text.strip_suffix('}').unwrap_or(&text))
}

/// The words of the command line after the name of the command, but those that do not change results.
fn options() -> Vec<String> {
    let words = std::env::args_os().skip(2).map(|word| word.to_string_lossy().into_owned());
    let printing = ["--resume", "--json", "--quiet", "-q", "--verbose", "-v"];
    words.filter(|word| !printing.contains(&word.as_str())).collect()
}

/// The lines of the images that are done in an earlier record, which must be one of the same run.
fn finished(path: &Path, head: &str) -> anyhow::Result<Vec<Value>> {
    let text =
        fs::read_to_string(path).map_err(|e| anyhow!("--resume: cannot read {}: {e}", path.display()))?;
    let mut lines = text.lines();
    if lines.next() != Some(head) {
        bail!(
            "--resume: {} is not of this command with this model; write the same words again, or leave out --resume",
            path.display()
        );
    }
    let images = lines.map(|line| line.trim_end_matches(','));
    // A last line that was cut off is no JSON.
    let images = images.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(images.filter(|image| image["status"] == "done").collect())
}
