//! `flowmask evaluate`: scores label images against the truth.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::anyhow;
use flowmask::image::read_labels;
use flowmask::metrics::{Evaluation, ImageScores, Method};
use rayon::prelude::*;

use super::args;
use super::messages;
use super::pairs::{Labels, Pair};
use super::plots::{self, Outputs};
use super::table;

/// Checks everything that does not depend on an image, then scores the images.
pub fn run(args: &args::Evaluate) -> anyhow::Result<ExitCode> {
    let truth = Labels::list(&args.truth, args.truth_suffix.as_deref())?;
    let list = |dir: &PathBuf| Labels::list(dir, args.pred_suffix.as_deref());
    let preds = args.pred.iter().map(list).collect::<anyhow::Result<Vec<_>>>()?;
    let paired: Vec<_> = preds.iter().map(|pred| truth.pair(pred)).collect();
    if paired.iter().all(|(pairs, _)| pairs.is_empty()) {
        return Err(nothing_paired(&truth, &preds, paired));
    }
    let outputs = args.dir.as_deref().map(|dir| Outputs { dir, overwrite: args.overwrite });
    if let Some(Outputs { dir, .. }) = outputs {
        fs::create_dir_all(dir).map_err(|e| anyhow!("cannot create the folder {}: {e}", dir.display()))?;
    }
    let names = names(&args.pred);
    if let Some(outputs) = outputs {
        outputs.check(&names)?;
    }
    let mut evaluation = Evaluation::default();
    let mut failed = false;
    for (name, (pairs, problems)) in names.into_iter().zip(&paired) {
        let scores: Vec<_> = pairs.par_iter().map(score).collect();
        let (images, errors): (Vec<_>, Vec<_>) = scores.into_iter().partition(Result::is_ok);
        let errors = errors.into_iter().filter_map(Result::err);
        for problem in problems.iter().cloned().chain(errors) {
            messages::notice(&problem);
            failed = true;
        }
        evaluation.methods.push(Method { name, images: images.into_iter().flatten().collect() });
    }
    table::lines(&evaluation).iter().try_for_each(|line| messages::print(line))?;
    if let Some(outputs) = outputs {
        evaluation.save_csv(outputs.to("evaluate.csv"))?;
        evaluation.save_json(outputs.to("evaluate.json"))?;
        let pairs: Vec<&[Pair]> = paired.iter().map(|(pairs, _)| &pairs[..]).collect();
        for problem in plots::save(outputs, &evaluation, &pairs, args.images.as_deref())? {
            messages::notice(&problem);
            failed = true;
        }
    }
    Ok(ExitCode::from(u8::from(failed)))
}

fn score(pair: &Pair) -> Result<ImageScores, String> {
    let read = |path: &Path| read_labels(path).map_err(|e| e.to_string());
    let (truth, pred) = (read(&pair.truth)?, read(&pair.pred)?);
    let scores = ImageScores::new(&pair.name, truth.view(), pred.view());
    scores.map_err(|error| format!("{}: {error}", pair.pred.display()))
}

/// The name of each method: that of its folder, or the whole path where two folders have the same name.
fn names(dirs: &[PathBuf]) -> Vec<String> {
    let short = |dir: &PathBuf| dir.file_name().map(|name| name.to_string_lossy().into_owned());
    let shorts: Vec<_> = dirs.iter().map(short).collect();
    let name = |(dir, short): (&PathBuf, &Option<String>)| match short {
        Some(name) if shorts.iter().filter(|other| *other == short).count() == 1 => name.clone(),
        _ => dir.display().to_string(),
    };
    dirs.iter().zip(&shorts).map(name).collect()
}

/// Why no files could be paired: several files have the same name, or no names match.
fn nothing_paired(truth: &Labels, preds: &[Labels], paired: Vec<(Vec<Pair>, Vec<String>)>) -> anyhow::Error {
    let unclear = paired.into_iter().flat_map(|(_, problems)| problems).find(|p| p.contains(" are both "));
    let pred = preds.first().map_or("", Labels::example);
    let names = format!(
        "no prediction has the same name as a true label image (for example {} and {pred}): see --truth-suffix and --pred-suffix",
        truth.example()
    );
    anyhow!(unclear.unwrap_or(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_have_the_names_of_their_folders_where_these_differ() {
        let dirs = ["a/stardist", "a/masks/", "b/masks", ".."].map(PathBuf::from);
        assert_eq!(names(&dirs), ["stardist", "a/masks/", "b/masks", ".."]);
    }
}
