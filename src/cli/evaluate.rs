//! `flowmask evaluate`: scores label images against the truth.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::anyhow;
use flowmask::metrics::{Evaluation, ImageScores, Method};
use rayon::prelude::*;

use super::args;
use super::compared::Compared;
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
    let (mut failed, mut warnings) = (false, BTreeSet::new());
    for (name, (pairs, problems)) in names.into_iter().zip(&paired) {
        let scored: Vec<_> = pairs.par_iter().map(|pair| score(pair, args.volumes)).collect();
        problems.iter().for_each(|problem| messages::notice(problem));
        failed |= !problems.is_empty();
        let mut images = Vec::new();
        for scored in scored {
            match scored {
                Ok(scored) => {
                    images.extend(scored.images);
                    // A true image is compared with each method, but one warning is enough.
                    let new = scored.warnings.into_iter().filter(|warning| warnings.insert(warning.clone()));
                    new.for_each(|warning| messages::notice(&warning));
                }
                Err(problem) => {
                    messages::notice(&problem);
                    failed = true;
                }
            }
        }
        evaluation.methods.push(Method { name, images });
    }
    table::lines(&evaluation).iter().try_for_each(|line| messages::print(line))?;
    if let Some(outputs) = outputs {
        evaluation.save_csv(outputs.to("evaluate.csv"))?;
        evaluation.save_json(outputs.to("evaluate.json"))?;
        let pairs: Vec<&[Pair]> = paired.iter().map(|(pairs, _)| &pairs[..]).collect();
        for problem in plots::save(outputs, &evaluation, &pairs, args)? {
            messages::notice(&problem);
            failed = true;
        }
    }
    Ok(ExitCode::from(u8::from(failed)))
}

/// The scores of the images of a pair, and what is odd about them.
struct Scored {
    images: Vec<ImageScores>,
    warnings: Vec<String>,
}

fn score(pair: &Pair, volumes: bool) -> Result<Scored, String> {
    let compared = Compared::read(pair, volumes)?;
    let images = compared.scores()?;
    Ok(Scored { warnings: compared.warnings(&images), images })
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
