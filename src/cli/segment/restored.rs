//! `flowmask segment --restore`: images are restored after they were read, and then segmented.

use flowmask::image::Layout;
use flowmask::{Image, Options, Restorer, Segmenter};
use ndarray::{Array2, ArrayView2};

use super::{Run, args, lock};
use crate::cli::restore;

/// How images are restored.
pub struct Restoring {
    restorer: Restorer,
    options: Options,
}

impl Restoring {
    /// What the arguments ask for, if they ask for it.
    pub fn of(args: &args::Segment, options: &Options) -> anyhow::Result<Option<Self>> {
        let chan2 = &args.restoration.chan2;
        let Some(model) = &args.restoration.restore else {
            anyhow::ensure!(chan2.chan2_restore.is_none(), "--chan2-restore: write --restore MODEL too");
            return Ok(None);
        };
        let restorer = restore::restorer(&args.speed, model, chan2)?;
        restorer.check(options)?;
        Ok(Some(Restoring { restorer, options: options.clone() }))
    }

    /// The options for what was restored.
    pub fn options(&self) -> Options {
        self.restorer.options(&self.options)
    }

    /// How many times larger the restored images are.
    pub fn ratio(&self) -> f64 {
        self.restorer.ratio(&self.options)
    }

    /// See [`restore::not_enlarged`].
    pub fn not_enlarged(&self) -> Option<String> {
        restore::not_enlarged(&self.restorer, &self.options)
    }

    /// The planes restored. `progress` is called with the part that is done.
    pub fn planes(
        &self,
        planes: Vec<Image>,
        layout: &Layout,
        progress: &mut (dyn FnMut(f64) + Send),
    ) -> flowmask::Result<Vec<Image>> {
        restore::planes(&self.restorer, planes, layout, &self.options, progress)
    }
}

/// Restores and segments one file after the other, since both take all the memory that is free. An error, which stops the
/// run, is one of printing.
pub fn run(run: &Run, segmenter: &Segmenter, options: &Options) -> anyhow::Result<()> {
    for (i, file) in run.files.iter().enumerate() {
        let found = run.load(file).and_then(|planes| {
            let segment = |(p, plane): (usize, &Image)| {
                let mut progress = |part: f64| {
                    run.segmented(i, (p as f64 + part) / planes.len() as f64);
                    true
                };
                segmenter.segment_with_progress(plane, options, &mut progress)
            };
            let found = planes.iter().enumerate().map(segment).collect::<flowmask::Result<_>>()?;
            Ok((planes, found))
        });
        run.done(file, found)?;
        lock(&run.messages).progress((i + 1) as f64);
    }
    Ok(())
}

/// The masks at the size of the image as it was, and their number. So many planes share their labels.
pub fn at_size(
    masks: &[ArrayView2<u32>],
    size: (usize, usize),
    together: usize,
) -> (Vec<Array2<u32>>, usize) {
    let (mut all, mut cells) = (Vec::new(), 0);
    for volume in masks.chunks(together.max(1)) {
        let (planes, count) = Restorer::masks_at(volume, size);
        all.extend(planes);
        cells += count as usize;
    }
    (all, cells)
}
