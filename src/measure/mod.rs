//! Measures cells: their size, place, shape and intensities, as a [`Table`] with one row for each label.
//!
//! Columns have the names, and numbers the definitions, that `skimage.measure.regionprops_table` of scikit-image 0.26 has;
//! [`measure`] and [`measure_volume`] list them. Labels may have gaps, and be as large as `u32::MAX`; 0 is background. A label
//! in several parts is one cell.
//!
//! The labels are read once, into runs of pixels, from which all cells are measured in parallel. The same input gives the same
//! bytes with any number of threads, since a cell is measured by one thread.

mod axes;
mod check;
mod columns;
mod csv;
mod euler;
mod hull;
mod intensity;
mod moments;
#[cfg(feature = "parquet")]
mod parquet;
mod perimeter;
pub(crate) mod runs;
mod sums;
mod surface;
mod table;
mod windows;

pub use csv::save_csv;
#[cfg(feature = "parquet")]
pub use parquet::save_parquet;
pub use sums::{ChannelSums, Sums};
pub use table::{Column, Table};

use std::borrow::Cow;

use ndarray::ArrayView2;
use rayon::prelude::*;

use crate::image::PixelSize;
use crate::memory::enough;
use crate::{Image, Result};
use columns::{About, Measured};
use moments::Moments;
use runs::Run;
use surface::Areas;

/// What is measured beside the labels. The default is nothing.
#[derive(Clone, Debug, Default)]
pub struct Inputs<'a> {
    /// The image, plane by plane, of the size of the labels; empty without an image.
    pub images: &'a [Image],
    /// The network's cellprob, plane by plane, `[height, width]` of the labels; empty without.
    pub cellprob: &'a [ArrayView2<'a, f32>],
    /// The error of the flow check of each label, in the order of the labels, as [`flow_error`](crate::metrics::flow_error)
    /// returns it. A label that is missing gets `NaN`.
    pub flow_error: Option<&'a [(u32, f64)]>,
    /// What is summed over each cell already, in the order of the labels: it is not summed again. Those of other labels or
    /// images must not be here. A cell that is missing is summed.
    pub sums: &'a [Sums],
    /// The size of a pixel, for the columns in µm.
    pub pixel_size: PixelSize,
    /// The most memory in bytes beside the labels and images; `None` takes what is free.
    pub memory: Option<u64>,
}

/// Measures the cells of a label image, `[height, width]`, in ascending order of their labels.
///
/// | columns | |
/// |---|---|
/// | `label`, `area` | the label, and how many pixels it has |
/// | `bbox-0` to `bbox-3` | the box of the cell: first row and column, row and column after the last |
/// | `centroid-0`, `-1` | mean row and column |
/// | `equivalent_diameter_area` | the diameter of a disc of the same area |
/// | `axis_major_length`, `axis_minor_length`, `eccentricity` | of the ellipse with the same second moments; pixels count as points |
/// | `orientation` | the angle from the rows' axis (downwards) to the major axis, counter-clockwise, from -π/2 to π/2; -π/4 of a disc |
/// | `area_convex`, `solidity` | pixels of the convex hull, and the part of them that the cell has |
/// | `perimeter` | the length along the middles of the border pixels, by the weights of Benkrid and Crookes |
/// | `euler_number` | parts less holes; pixels that touch at a corner are of one part |
/// | `touches_edge` | whether the cell has a pixel at the edge of the image |
/// | `intensity_mean-0`, `intensity_min-0`, `intensity_max-0`, `intensity_std-0`, `intensity_sum-0` | of each channel, counted from 0; std divides by the number of pixels |
/// | `cellprob_mean`, `flow_error` | where the caller gives these |
///
/// With a pixel size whose unit is one of OME-XML (m, cm, mm, µm, nm…; not the inch of printers): `area_um2`, `centroid_um-0`,
/// `-1`, `equivalent_diameter_area_um`, `axis_major_length_um`, `axis_minor_length_um` and, if pixels are square,
/// `perimeter_um`: what scikit-image gives for that `spacing`. All other columns stay in pixels.
///
/// `touches_edge`, `intensity_sum`, `cellprob_mean`, `flow_error` and those in µm are not scikit-image's.
///
/// # Errors
/// [`Error::Image`](crate::Error::Image) when image, cellprob and labels have different sizes, or a side is longer than 2^24 pixels;
/// [`Error::Memory`](crate::Error::Memory).
///
/// ```
/// use flowmask::measure::{Column, Inputs, measure};
/// let labels = ndarray::array![[0_u32, 7, 7], [0, 7, 7]];
/// let image = flowmask::Image::from_gray(ndarray::array![[0_u8, 1, 2], [0, 3, 6]].view())?;
/// let table = measure(labels.view(), &Inputs { images: &[image], ..Inputs::default() })?;
/// assert_eq!(table.column("area"), Some(&Column::Integers(vec![4])));
/// assert_eq!(table.column("intensity_mean-0"), Some(&Column::Floats(vec![3.0])));
/// # Ok::<(), flowmask::Error>(())
/// ```
pub fn measure(labels: ArrayView2<u32>, inputs: &Inputs) -> Result<Table> {
    all(&[labels], inputs, false)
}

/// Measures the cells of a volume, planes `[height, width]` from front to back, in ascending order of their labels.
///
/// Columns are those of [`measure`], with plane, row and column where those have row and column, but for these: `area` is
/// the number of voxels; axes are those of the ellipsoid with the same second moments; `euler_number` is parts less tunnels plus
/// hollows, where voxels that touch at a corner are of one part; a cell touches the edge also in the first and last plane.
/// `eccentricity`, `orientation`, `perimeter`, `area_convex` and `solidity` are left out.
///
/// `surface` is the area of the mesh of marching cubes at one half, `mesh_surface_area` of scikit-image, in faces of a voxel. For
/// smooth cells it is some 8 % larger than what was digitised, since the mesh has steps.
///
/// With a pixel size for all three axes: `area_um3`, `surface_um2` and the lengths of [`measure`] in µm.
///
/// # Errors
/// Those of [`measure`], and [`Error::Image`](crate::Error::Image) for planes of different sizes or none.
pub fn measure_volume(planes: &[ArrayView2<u32>], inputs: &Inputs) -> Result<Table> {
    all(planes, inputs, true)
}

fn all(planes: &[ArrayView2<u32>], inputs: &Inputs, volume: bool) -> Result<Table> {
    let size = check::size(planes, inputs)?;
    let about = About {
        volume,
        size,
        channels: inputs.images.first().map_or(0, Image::channels),
        cellprob: !inputs.cellprob.is_empty(),
        flow_error: inputs.flow_error.is_some(),
        voxel: voxel(&inputs.pixel_size, volume),
    };
    let areas = [[1.0; 3], about.voxel.unwrap_or([1.0; 3])].map(Areas::new);
    enough(
        || format!("measuring {} planes of {} by {} labels", size[0], size[1], size[2]),
        || {
            let runs = runs::runs(planes, inputs.memory);
            let cells = runs::cells(&runs);
            let measured: Vec<_> =
                cells.into_par_iter().map(|cell| one(cell, inputs, volume, &areas)).collect();
            Ok(columns::table(&measured, &about))
        },
    )
}

fn one(cell: &[Run], inputs: &Inputs, volume: bool, areas: &[Areas; 2]) -> Measured {
    let (label, lines) = (cell[0].label, runs::lines(cell));
    let error = |errors: &[(u32, f64)]| {
        errors.binary_search_by_key(&label, |error| error.0).map_or(f64::NAN, |place| errors[place].1)
    };
    let sums = sums_of(cell, inputs);
    let flat = Measured {
        label,
        moments: Moments::of(cell, &sums),
        euler_number: 0,
        perimeter: 0.0,
        convex_pixels: 0,
        surface: [0.0; 2],
        channels: intensity::intensities(cell, &sums, inputs.images),
        cellprob: if inputs.cellprob.is_empty() { f64::NAN } else { intensity::mean(cell, inputs.cellprob) },
        flow_error: inputs.flow_error.map_or(f64::NAN, error),
    };
    if volume {
        let windows = windows::windows(&lines);
        let surface = [areas[0].surface(&windows), areas[1].surface(&windows)];
        return Measured { euler_number: windows::euler_number(&windows), surface, ..flat };
    }
    Measured {
        euler_number: euler::euler_number(&lines),
        perimeter: perimeter::perimeter(&lines),
        convex_pixels: hull::convex_pixels(&lines),
        ..flat
    }
}

/// The sums that are given for a cell, if they fit what is measured.
fn sums_of<'a>(cell: &[Run], inputs: &Inputs<'a>) -> Cow<'a, Sums> {
    let place = inputs.sums.binary_search_by_key(&cell[0].label, |sums| sums.label);
    let fits = |sums: &&Sums| sums.channels.len() == intensity::integer_channels(inputs.images);
    match place.ok().and_then(|place| inputs.sums.get(place)).filter(fits) {
        Some(sums) => Cow::Borrowed(sums),
        None => Cow::Owned(Sums::of(cell, inputs.images)),
    }
}

/// The distance of pixels along z, y and x in µm, as far as the labels have these axes.
fn voxel(size: &PixelSize, volume: bool) -> Option<[f64; 3]> {
    let micrometres = crate::image::metres(size.unit.as_deref()?)? * 1e6;
    let z = if volume { size.z? } else { 1.0 };
    let voxel = [z, size.y?, size.x?].map(|length| length * micrometres);
    voxel.iter().all(|length| length.is_finite() && *length > 0.0).then_some(voxel)
}
