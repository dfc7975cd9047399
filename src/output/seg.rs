//! `_seg.npy`: what the original's window opens.

use std::io::{self, Write};

use ndarray::{Array2, ArrayView2, ArrayView3, ArrayViewMut1, Axis, s};

use super::contours::traced;
use super::eight_bits::{Nearest, bytes};
use super::flow_colors::Colors;
use crate::atomic::{Destination, write_atomic};
use crate::model::dictionary::Writer;
use crate::{Error, Result};

/// What goes into a `_seg.npy`. All planes have the size of the masks, but the maps may be smaller (`resample: false`).
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Seg<'a> {
    /// The masks of each plane, `[height, width]`. Of one plane, the file has an array of two axes.
    pub masks: &'a [ArrayView2<'a, u32>],
    /// The flows of each plane, `[2, height, width]` or, of a volume, `[3, height, width]`; none if they are not known.
    pub flows: &'a [ArrayView3<'a, f32>],
    /// The logit of the probability of a cell in each plane, `[height, width]`; none if it is not known.
    pub cellprob: &'a [ArrayView2<'a, f32>],
    /// The channels of the cells and of the nuclei, as for [`Options::channels`](crate::Options::channels).
    pub channels: [usize; 2],
    /// The file of the image, from which the window reads the pixels.
    pub filename: &'a str,
    /// The diameter of the cells in pixels.
    pub diameter: f64,
}

impl<'a> Seg<'a> {
    /// Masks alone.
    pub fn new(masks: &'a [ArrayView2<'a, u32>], filename: &'a str, diameter: f64) -> Self {
        Seg { masks, flows: &[], cellprob: &[], channels: [0, 0], filename, diameter }
    }

    /// With the maps of the network, for each plane.
    pub fn maps(mut self, flows: &'a [ArrayView3<'a, f32>], cellprob: &'a [ArrayView2<'a, f32>]) -> Self {
        (self.flows, self.cellprob) = (flows, cellprob);
        self
    }

    /// With the channels that the network got.
    pub fn channels(mut self, channels: [usize; 2]) -> Self {
        self.channels = channels;
        self
    }
}

/// Writes the file that the original's `io.masks_flows_to_seg` writes: a dictionary that its window opens and
/// `numpy.load(file, allow_pickle=True).item()` reads, with the same keys, types and shapes. They are `outlines` and `masks`
/// (16 bits, or 32), `chan_choose`, `ismanual` (false for each cell), `filename`, `flows` and `diameter`. The list `flows`
/// has the flows as colours ([`flow_colors`](super::flow_colors)), the probability and the flows along z in 8 bits (zeros in
/// an image), an empty list, and the maps themselves, `[3, …]` or `[4, …]`: the flows and then the probability.
///
/// # Errors
/// [`Error::Image`] when there are no planes or arrays do not fit together, [`Error::Write`] when the file cannot be
/// written, [`Error::Exists`] when one there must not be replaced.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("cells_seg.npy");
/// use flowmask::output::{Seg, save_seg};
/// let masks = ndarray::array![[0_u32, 1, 1], [2, 2, 0]];
/// save_seg(&path, &Seg::new(&[masks.view()], "cells.tif", 30.0))?;
/// let labels = flowmask::image::read_label_stack(&path, &Default::default())?.labels;
/// assert_eq!(labels.iter().copied().collect::<Vec<_>>(), [0, 1, 1, 2, 2, 0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn save_seg(to: impl Into<Destination>, seg: &Seg) -> Result<()> {
    seg.check()?;
    write_atomic(to, |writer| seg.write(writer))
}

impl Seg<'_> {
    fn check(&self) -> Result<()> {
        let wrong = |what: &str| Err(Error::Image(format!("{what} do not fit the masks")));
        let Some(size) = self.masks.first().map(|plane| plane.dim()) else {
            return Err(Error::Image("no labels to write".into()));
        };
        let maps = self.cellprob.first().map(|plane| plane.dim()).unwrap_or_default();
        let axes = self.flows.first().map_or(2, |plane| plane.dim().0);
        if self.masks.iter().any(|plane| plane.dim() != size) {
            return Err(Error::Image("planes of different sizes cannot be written to one file".into()));
        }
        if !self.flows.is_empty() && self.flows.len() != self.masks.len() {
            return wrong("the flows");
        }
        if self.flows.iter().any(|plane| plane.dim() != (axes, maps.0, maps.1)) || !matches!(axes, 2 | 3) {
            return wrong("the flows");
        }
        match self.cellprob.len() == self.flows.len() && self.cellprob.iter().all(|plane| plane.dim() == maps)
        {
            true => Ok(()),
            false => wrong("the probabilities"),
        }
    }

    fn write(&self, out: impl Write) -> io::Result<()> {
        let outlines: Vec<Array2<u32>> = self.masks.iter().map(outlined).collect();
        let cells = self.masks.iter().flatten().copied().max().unwrap_or(0);
        let mut file = Writer::new(out)?;
        let narrow = cells < u32::from(u16::MAX);
        let outlines: Vec<_> = outlines.iter().map(|outlines| outlines.view()).collect();
        labels(file.key("outlines"), &outlines, narrow)?;
        labels(file.key("masks"), self.masks, narrow)?;
        file.key("chan_choose").list(|file| {
            self.channels.into_iter().for_each(|channel| file.integer(channel));
            Ok(())
        })?;
        file.key("ismanual").falses(cells as usize)?;
        file.key("filename").text(self.filename);
        file.key("flows").list(|file| self.write_maps(file))?;
        file.key("diameter").float(self.diameter);
        file.finish()?.flush()
    }

    /// The five entries of `flows`; those of the original's window without flows, if there are none.
    fn write_maps<W: Write>(&self, file: &mut Writer<W>) -> io::Result<()> {
        let (Some(flows), Some(first)) = (self.flows.first(), self.masks.first()) else {
            (0..4).try_for_each(|_| file.list(|_| Ok(())))?;
            return file.list(|file| file.list(|_| Ok(())));
        };
        let (planes, (height, width)) = (self.masks.len(), first.dim());
        let one = planes == 1;
        let maps = (flows.dim().1, flows.dim().2);
        let nearest = Nearest::new(maps, (height, width));
        let (shown, bytes) = (Colors::of(self.flows), bytes(self.cellprob));
        file.rows(&[planes, height, width, 3], 3 * width, |row, out: &mut [u8]| {
            nearest.row(row, out.chunks_exact_mut(3), |out, plane, y, x| {
                out.copy_from_slice(&shown.color(self.flows[plane].slice(s![.., y, x])));
            });
        })?;
        file.rows(&[planes, height, width], width, |row, out: &mut [u8]| {
            nearest.row(row, out.iter_mut(), |out, plane, y, x| *out = bytes(self.cellprob[plane][(y, x)]));
        })?;
        match one {
            // As in the original, these zeros alone have the size of the maps.
            true => file.rows(&[1, maps.0, maps.1, 3], 3 * maps.1, |_, out: &mut [u8]| out.fill(0))?,
            false => file.rows(&[planes, height, width], width, |row, out: &mut [u8]| {
                nearest.row(row, out.iter_mut(), |out, plane, y, x| {
                    *out = (self.flows[plane][(0, y, x)] / 10.0 * 127.0 + 127.0) as u8;
                });
            })?,
        }
        file.list(|_| Ok(()))?;
        let (axes, rows, columns) = flows.dim();
        let shape = [axes + 1, planes, rows, columns];
        let shape = if one { &[axes + 1, rows, columns] } else { &shape[..] };
        file.rows(shape, columns, |row, out: &mut [f32]| {
            let (axis, plane, y) = (row / (planes * rows), row / rows % planes, row % rows);
            ArrayViewMut1::from(out).assign(&match axis < axes {
                true => self.flows[plane].slice(s![axis, y, ..]),
                false => self.cellprob[plane].row(y),
            });
        })
    }
}

/// The labels of the pixels on outlines; 0 elsewhere.
fn outlined(masks: &ArrayView2<u32>) -> Array2<u32> {
    let traced = traced(*masks);
    let mut labels = masks.to_owned();
    labels.zip_mut_with(&traced, |label, &traced| *label *= u32::from(traced));
    labels
}

/// Labels of all planes, which are one axis less if there is one.
fn labels<W: Write>(file: &mut Writer<W>, planes: &[ArrayView2<u32>], narrow: bool) -> io::Result<()> {
    let (height, width) = planes[0].dim();
    let shape = [planes.len(), height, width];
    let shape = if planes.len() == 1 { &shape[1..] } else { &shape[..] };
    let labels = |row: usize| planes[row / height].index_axis_move(Axis(0), row % height).into_iter();
    match narrow {
        true => file.rows(shape, width, |row, out: &mut [u16]| {
            out.iter_mut().zip(labels(row)).for_each(|(out, &label)| *out = label as u16);
        }),
        false => file.rows(shape, width, |row, out: &mut [u32]| {
            out.iter_mut().zip(labels(row)).for_each(|(out, &label)| *out = label);
        }),
    }
}
