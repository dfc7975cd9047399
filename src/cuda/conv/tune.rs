//! Measures which variant is the fastest on a card.

use super::choice::{Choice, Time};
use super::kept::{Kept, Trials};
use super::problem::{Problem, problems};
use super::trial::{Outcome, Trial};
use super::variants::{VARIANTS, Variant};
use super::{Gpu, Layout};
use crate::cuda::nvrtc::reason;
use crate::{Error, Result};

/// The side of the tiles and how many there are in a batch, as in a large image.
const TILES: (usize, usize) = (224, 64);

/// What there is to choose on this card: what was measured there or, at its first use, is measured now. Where it cannot
/// be measured, the choice is that of [`Choice::default`].
///
/// # Errors
/// [`Error::Device`] when a kernel on trial took the GPU down with it, which is refused from then on, when that which every
/// network needs is wrong, or when `FLOWMASK_TUNE` is neither `off` nor two numbers.
pub fn chosen(gpu: &Gpu) -> Result<Choice> {
    let tiles = tiles()?;
    let Ok(kept) = Kept::of(gpu) else { return Ok(Choice::default()) };
    let known = || kept.read().unwrap_or_default();
    // What is refused stays so.
    let Some(tiles) = tiles else { return Choice { times: Vec::new(), ..known() }.usable(gpu) };
    let before = known();
    if before.is_measured() {
        return before.usable(gpu);
    }
    // Where a trial cannot be noted, one that ends the program would do so again and again.
    let Ok(trials) = kept.trials() else { return before.usable(gpu) };
    // Another process may have measured meanwhile.
    let before = known();
    if before.is_measured() {
        return before.usable(gpu);
    }
    let measured = measure(gpu, &kept, trials, before, tiles);
    let choice = measured.or_else(|error| gpu.synchronize().map(|()| known()).map_err(|_| error))?;
    choice.usable(gpu)
}

/// The choice of one variant by its name.
///
/// # Errors
/// [`Error::Option`] when there is no such variant, or when it cannot be used on this card or was refused there.
pub fn pinned(gpu: &Gpu, name: &str) -> Result<Choice> {
    let variant = Variant::named(name)?;
    let error = |reason: &str| {
        Err(Error::option("kernels", format!("{name} cannot be used on {}: {reason}", gpu.device())))
    };
    if let Some(reason) = gpu.absent(variant.file) {
        return error(reason);
    }
    let refused = Kept::of(gpu).ok().and_then(|kept| kept.read()).unwrap_or_default().refused;
    match refused.iter().find(|(refused, _)| *refused == name) {
        Some((_, reason)) => error(&format!("it was refused there: {reason}")),
        None => Choice { refused, ..Choice::pinned(variant) }.usable(gpu),
    }
}

/// Measures anew, also what was refused before.
///
/// # Errors
/// [`Error::Device`] as in [`chosen`] and when something cannot be measured, [`Error::Write`] when the result cannot be
/// kept.
pub fn tune(gpu: &Gpu) -> Result<Choice> {
    let kept = Kept::of(gpu)?;
    let mut trials = kept.trials()?;
    trials.note("")?;
    let tiles = tiles()?.unwrap_or(TILES);
    measure(gpu, &kept, trials, Choice::default(), tiles)
}

/// The tiles to measure with: `FLOWMASK_TUNE` can name others, as `32,2`, or switch measuring off.
fn tiles() -> Result<Option<(usize, usize)>> {
    let Some(text) = std::env::var_os("FLOWMASK_TUNE").filter(|text| !text.is_empty()) else {
        return Ok(Some(TILES));
    };
    let text = text.to_string_lossy();
    let numbers =
        text.split_once(',').and_then(|(side, count)| Some((side.parse().ok()?, count.parse().ok()?)));
    match numbers {
        _ if text == "off" => Ok(None),
        // Four levels, of two tiles in turn.
        Some((side, count))
            if (16..=1024).contains(&side)
                && side % 16 == 0
                && (2..=256).contains(&count)
                && count % 2 == 0 =>
        {
            Ok(Some((side, count)))
        }
        _ => {
            let reason = "must be off, or the side and the number of the tiles to measure with, as 224,64";
            Err(Error::device("cuda", format!("FLOWMASK_TUNE {reason}")))
        }
    }
}

fn measure(
    gpu: &Gpu,
    kept: &Kept,
    mut trials: Trials,
    before: Choice,
    (side, count): (usize, usize),
) -> Result<Choice> {
    // All are tried, whatever the GPU has been told to choose.
    let gpu = &gpu.clone().choosing(Choice::default());
    let mut choice = before;
    if let Some(variant) = trials.unfinished() {
        choice.refuse(variant, "its trial did not end, twice: it stopped the program or the GPU".into());
        kept.write(&choice)?;
    }
    let absent = VARIANTS.iter().filter_map(|v| Some((v.name, gpu.absent(v.file)?.to_owned())));
    choice.absent = absent.collect();
    for problem in problems(side, count) {
        let among: Vec<&'static Variant> = VARIANTS
            .iter()
            .filter(|v| {
                v.can(problem.kind, problem.size) && gpu.absent(v.file).is_none() && choice.allows(v.name)
            })
            .collect();
        compare(gpu, kept, &mut trials, &mut choice, problem, &among)?;
    }
    choice.times.retain(|time| choice.refused.iter().all(|(refused, _)| *refused != time.variant));
    trials.note("")?;
    kept.write(&choice)?;
    Ok(choice)
}

/// Tries these variants on one problem.
fn compare(
    gpu: &Gpu,
    kept: &Kept,
    trials: &mut Trials,
    choice: &mut Choice,
    problem: Problem,
    among: &[&'static Variant],
) -> Result<()> {
    let mut layouts: Vec<Layout> = among.iter().map(|variant| variant.layout).collect();
    layouts.dedup();
    if layouts.is_empty() {
        return Ok(());
    }
    let mut trial = Trial::new(gpu, problem, &layouts)?;
    for &variant in among {
        // A file is used, so that a variant that ends the process is known the next time.
        trials.note(variant.name)?;
        let outcome = trial.run(variant);
        // It came back: what ends the process from here on is not its fault.
        trials.note("")?;
        match outcome {
            // No memory is no fault of a kernel: it is measured another time.
            Err(error @ Error::Memory { .. }) => return Err(error),
            Ok(Outcome::Right(seconds)) => {
                let Problem { kind, size, .. } = problem;
                choice.times.push(Time { kind, size, variant: variant.name, seconds });
            }
            Ok(Outcome::Wrong(reason)) => choice.refuse(variant, reason),
            Err(error) => {
                let error = reason(&error);
                choice.refuse(variant, format!("it fails: {error}"));
                if gpu.synchronize().is_err() {
                    choice.times.clear();
                    kept.write(choice)?;
                    trials.note("")?;
                    let reason = format!(
                        "the kernel {} failed on trial and took the GPU down with it ({error}); it is refused from now \
                         on, so start again",
                        variant.name
                    );
                    return Err(Error::device(gpu.device(), reason));
                }
            }
        }
    }
    Ok(())
}
