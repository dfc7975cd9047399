//! The cells of an image, and the outputs that are written of them.

use std::path::Path;

use flowmask::image::Layout;
use flowmask::measure::{self, Sums, Table};
use flowmask::output::{self, Destination, Format, Seg};
use flowmask::{Image, Result};
use ndarray::{ArrayView2, ArrayView3, Axis};

use super::args::{self, Wanted};
use super::measured;
use super::outputs::Names;
use super::restore::pixel_size;

/// What is known of the cells of an image.
#[derive(Clone)]
pub struct Cells<'a> {
    /// The file of the image.
    pub file: &'a Path,
    /// The pixels of each plane; none if there are only labels.
    pub images: &'a [Image],
    /// The labels of each plane.
    pub masks: &'a [ArrayView2<'a, u32>],
    /// The flows of each plane, `[2, height, width]`, or `[3, height, width]` of volumes; none if there are only labels.
    pub flows: Vec<ArrayView3<'a, f32>>,
    pub cellprob: Vec<ArrayView2<'a, f32>>,
    /// What is summed over the cells of each plane already; none if nothing is.
    pub sums: Vec<&'a [Sums]>,
    pub layout: &'a Layout,
    /// Whether the planes along Z have the same labels for the same cells.
    pub volumes: bool,
    /// (height, width) of the image. Maps may have another size.
    pub size: (usize, usize),
    pub diameter: f64,
    /// The channels of the cells and of the nuclei.
    pub channels: [usize; 2],
}

/// How outputs are written.
pub struct Writer {
    pub format: Format,
    overlay_scale: usize,
}

impl Writer {
    pub fn new(args: &args::Output) -> Self {
        Writer { format: args.format.of_library().0, overlay_scale: args.overlay_scale.into() }
    }

    /// Writes all outputs that have a name. `to` tells what they may replace.
    pub fn write(
        &self,
        cells: &Cells,
        names: &Names,
        to: impl Fn(&Path) -> anyhow::Result<Destination>,
    ) -> anyhow::Result<()> {
        let table = measured::for_outputs(cells, &names.kinds())?;
        for kind in names.kinds() {
            let files = names.of(kind).map(&to).collect::<anyhow::Result<Vec<_>>>()?;
            self.kind(kind, cells, &table, files)?;
        }
        Ok(())
    }

    /// Writes the files of a kind: one, or one for each plane.
    fn kind(&self, kind: Wanted, cells: &Cells, table: &Table, files: Vec<Destination>) -> Result<()> {
        let Cells { masks, images, layout, .. } = *cells;
        match kind {
            Wanted::Masks => files.into_iter().try_for_each(|to| {
                let format = format_of(to.path());
                output::save_labels_as(to, masks, format, layout)
            }),
            Wanted::Overlay => planes(files, images, masks, |to, image, masks| {
                output::save_overlay_scaled(to, image, masks, self.overlay_scale)
            }),
            Wanted::Outlined => planes(files, images, masks, output::save_outlined),
            Wanted::Outlines => {
                files.into_iter().zip(masks).try_for_each(|(to, masks)| output::save_outline_text(to, *masks))
            }
            Wanted::Rois => one(files, |to| output::save_rois(to, masks, layout)),
            Wanted::Geojson => {
                one(files, |to| output::save_geojson(to, masks, layout, &measured::properties(cells, table)?))
            }
            Wanted::Csv => one(files, |to| measure::save_csv(to, table)),
            #[cfg(feature = "parquet")]
            Wanted::Parquet => one(files, |to| measure::save_parquet(to, table)),
            Wanted::Flows => {
                // The flows as they are, and then the colours of each plane.
                let mut files = files.into_iter();
                one(files.by_ref().take(1), |to| self.maps(to, cells, cells.flows.clone()))?;
                flow_colors(cells, files)
            }
            Wanted::FlowMaps => one(files, |to| self.maps(to, cells, cells.flows.clone())),
            Wanted::FlowColors => flow_colors(cells, files),
            Wanted::Prob => {
                let planes = cells.cellprob.iter().map(|plane| plane.insert_axis(Axis(0)));
                one(files, |to| self.maps(to, cells, planes.collect()))
            }
            Wanted::Seg => one(files, |to| output::save_seg(to, &cells.seg())),
        }
    }

    /// Maps of each plane, `[channels, height, width]`, in single precision.
    fn maps(&self, to: Destination, cells: &Cells, planes: Vec<ArrayView3<f32>>) -> Result<()> {
        let format = if self.format == Format::Npy { Format::Npy } else { Format::Tif };
        let images = planes
            .into_iter()
            .map(|plane| Image::from_channels(plane.permuted_axes([1, 2, 0])))
            .collect::<Result<Vec<_>>>()?;
        let mut layout = cells.layout.clone();
        layout.pixel_size = pixel_size(layout.pixel_size, Some(cells.size), images.first().map(Image::size));
        output::save_images(to, &images, format, &layout)
    }
}

/// The format that the extension of a label file tells.
fn format_of(path: &Path) -> Format {
    let all = [Format::Png, Format::Npy];
    let has = |format: &Format| path.extension().is_some_and(|extension| extension == format.extension());
    all.into_iter().find(has).unwrap_or(Format::Tif)
}

/// The flows of each plane as colours.
fn flow_colors(cells: &Cells, files: impl IntoIterator<Item = Destination>) -> Result<()> {
    let colors = output::flow_colors(&cells.flows);
    files.into_iter().zip(colors.outer_iter()).try_for_each(|(to, plane)| output::save_colors(to, plane))
}

/// Pictures, one of each plane.
fn planes(
    files: Vec<Destination>,
    images: &[Image],
    masks: &[ArrayView2<u32>],
    save: impl Fn(Destination, &Image, ArrayView2<u32>) -> Result<()>,
) -> Result<()> {
    files.into_iter().zip(images).zip(masks).try_for_each(|((to, image), masks)| save(to, image, *masks))
}

/// The one file of a kind.
fn one(
    files: impl IntoIterator<Item = Destination>,
    write: impl FnOnce(Destination) -> Result<()>,
) -> Result<()> {
    files.into_iter().next().map_or(Ok(()), write)
}

impl<'a> Cells<'a> {
    /// Labels alone.
    pub fn of_labels(
        file: &'a Path,
        masks: &'a [ArrayView2<'a, u32>],
        layout: &'a Layout,
        volumes: bool,
    ) -> Self {
        let size = masks.first().map(|plane| plane.dim()).unwrap_or_default();
        let (flows, cellprob, sums) = Default::default();
        Cells {
            file,
            images: &[],
            masks,
            flows,
            cellprob,
            sums,
            layout,
            volumes,
            size,
            diameter: 0.0,
            channels: [0, 0],
        }
    }

    fn seg(&self) -> Seg<'_> {
        Seg::new(self.masks, self.file.to_str().unwrap_or_default(), self.diameter)
            .maps(&self.flows, &self.cellprob)
            .channels(self.channels)
    }
}
