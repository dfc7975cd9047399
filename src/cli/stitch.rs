//! `flowmask stitch`: joins the masks of neighbouring planes in label files.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use flowmask::cpu::stitch::{drop_small, stitch};
use flowmask::image::{self, Axis, Layout, Note, ReadOptions};
use flowmask::output::{self, Destination};
use flowmask::{Options, Stack, Stitching, text};

use super::outputs::identity;
use super::{args, messages};

pub fn run(args: &args::Stitch) -> anyhow::Result<ExitCode> {
    // Before any file is read.
    Stitching::new(args.stitch_threshold, &Options::default())?;
    if let Some(dir) = &args.dir {
        fs::create_dir_all(dir).map_err(|e| anyhow!("cannot create the folder {}: {e}", dir.display()))?;
    }
    let inputs: HashSet<PathBuf> = args.inputs.iter().map(|input| identity(input)).collect();
    let (mut failed, mut taken) = (false, HashSet::new());
    for input in &args.inputs {
        let output = name(args, input);
        let same = identity(&output);
        let done = if inputs.contains(&same) {
            Err(anyhow!("its output would overwrite {}, which is an input", output.display()))
        } else if taken.insert(same) {
            one(args, input, &output)
        } else {
            Err(anyhow!("{} is already the output of another file", output.display()))
        };
        match done {
            Ok(line) if !args.quiet => messages::print(&line)?,
            Ok(_) => {}
            Err(error) => {
                messages::notice(&messages::about(input, &error));
                failed = true;
            }
        }
    }
    Ok(ExitCode::from(u8::from(failed)))
}

/// `NAME_stitched` with the extension of the format.
fn name(args: &args::Stitch, input: &Path) -> PathBuf {
    let mut name = OsString::from(input.file_stem().unwrap_or_default());
    name.push(format!("_stitched.{}", args.format.of_library().1));
    args.dir.as_deref().or(input.parent()).unwrap_or(Path::new("")).join(name)
}

/// Stitches the volumes of a file. Returns the line that tells so.
fn one(args: &args::Stitch, input: &Path, output: &Path) -> anyhow::Result<String> {
    let destination = Destination::new(output).overwrite(args.overwrite);
    destination.check()?;
    let (layout, notes) = described(input);
    let labels = image::read_label_stack(input)?;
    let (times, depth, height, width) = labels.dim();
    let layout = of_shape(layout, times, depth);
    for note in notes.iter().filter(|note| !args.quiet && matches!(note, Note::Warning(_))) {
        messages::notice(&format!("warning: {}: {note}", text::path(input)));
    }
    args.format.of_library().0.check(output, times * depth)?;
    let depth = depth_of(&layout, &notes)?;
    let mut labels = labels.into_shape_with_order((times * depth, height, width))?;
    let mut planes: Vec<_> = labels.outer_iter_mut().collect();
    let mut cells = 0;
    for volume in planes.chunks_mut(depth) {
        cells += match stitch(volume, args.stitch_threshold, args::Compat::of_library(args.compat))? {
            cells if args.min_size == 0 => cells,
            _ => drop_small(volume, args.min_size),
        };
    }
    let views: Vec<_> = planes.iter().map(|plane| plane.view()).collect();
    output::save_labels_as(destination, &views, args.format.of_library().0, &layout)?;
    Ok(format!("{cells} cells in {} planes  {} -> {}", views.len(), input.display(), output.display()))
}

/// What a label file says about its planes, if it can be read as an image.
fn described(input: &Path) -> (Layout, Vec<Note>) {
    let stacks = image::read_with(input, &ReadOptions::default()).unwrap_or_default();
    let last = stacks.into_iter().next_back();
    last.map(|stack| (stack.layout, stack.notes)).unwrap_or_default()
}

/// What a file does not say about its axes follows from the shape of its labels.
fn of_shape(layout: Layout, times: usize, depth: usize) -> Layout {
    if layout.planes() == Some(times * depth) {
        return layout;
    }
    let axes = [Axis { letter: 'Q', length: times }, Axis { letter: 'Z', length: depth }];
    let axes = axes.into_iter().filter(|axis| axis.length > 1).collect();
    Layout::default().axes(axes)
}

/// Adds a note to a stack that is stitched along an axis which nothing names.
pub fn tell_guess(stack: &mut Stack) {
    if stack.layout.letters() == "Q" {
        let text = "nothing names the axis of the planes: stitched along it as Z (--axes tells otherwise)";
        stack.notes.push(Note::Remark(text.into()));
    }
}

/// How many planes make a volume: the length of the z axis, or of the only axis where nothing says what it is.
///
/// # Errors
/// Planes that run over time, or over axes among which none is z.
pub fn depth_of(layout: &Layout, notes: &[Note]) -> anyhow::Result<usize> {
    let letters = layout.letters();
    let guess = notes.iter().find(|note| matches!(note, Note::Remark(_)));
    let guess = guess.map_or(String::new(), |note| format!("; {note}"));
    match (&layout.axes[..], layout.axes.iter().find(|axis| axis.letter == 'Z')) {
        (_, Some(depth)) => Ok(depth.length),
        ([Axis { letter: 'Q', length }], None) => Ok(*length),
        ([], None) => bail!("has one plane; masks are stitched over two or more planes{guess}"),
        _ => bail!("its planes run over {letters}, not over Z, and time points are not stitched{guess}"),
    }
}
