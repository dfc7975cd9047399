//! Results: what was found in an image. Their arrays are read in place or copied.

use std::borrow::Cow;
use std::ffi::c_void;
use std::sync::{Arc, OnceLock, Weak};

use crate::fault::{Fault, guard, guard_free};
use crate::flowmask_status::{self, *};
use crate::handles::Handles;
use crate::image::check_pointer;
use crate::model::Loaded;
use crate::sized::{self, Versioned, sized};
use flowmask::output::polygons;
use flowmask::{OnDevice, Segmentation, VolumeSegmentation};
use ndarray::ArrayView2;

/// What was found in an image or a volume. A result never changes, so threads may share it.
#[allow(missing_debug_implementations)]
pub struct flowmask_result {
    _nothing: [u8; 0],
}

/// The arrays of a result, for flowmask_result_copy.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum flowmask_array {
    /// uint32_t [height, width]; of a volume [depth, height, width].
    FLOWMASK_LABELS = 0,
    /// float [2, flows_height, flows_width]; of a volume [3, flows_depth, flows_height, flows_width].
    FLOWMASK_FLOWS = 1,
    /// float [flows_height, flows_width]; of a volume [flows_depth, flows_height, flows_width].
    FLOWMASK_CELLPROB = 2,
    /// float [style_length]; of a volume [styles, style_length].
    FLOWMASK_STYLE = 3,
    /// uint32_t [polygons]: the label of each polygon.
    FLOWMASK_POLYGON_LABELS = 4,
    /// uint64_t [polygons]: the index at which the points of each polygon end, and those of the next begin.
    FLOWMASK_POLYGON_ENDS = 5,
    /// uint32_t [points, 2]: x and y of the points of all polygons.
    FLOWMASK_POLYGON_POINTS = 6,
    /// uint16_t: the labels; an error when there are more than 65535 cells.
    FLOWMASK_LABELS_U16 = 7,
}

/// The sizes of a result's arrays, the number of cells and the diameter.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct flowmask_result_info {
    /// sizeof(flowmask_result_info): set it before the call.
    pub size: u32,
    /// The number of cells. Their labels are 1 to this number.
    pub cells: u32,
    /// The number of rows of the labels.
    pub height: u64,
    /// The number of columns of the labels.
    pub width: u64,
    /// The number of rows of the flows: that of the image or, with resample = 0, of the network's input; 0 without flows.
    pub flows_height: u64,
    /// The number of columns of the flows.
    pub flows_width: u64,
    /// The length of the style vector.
    pub style_length: u64,
    /// The diameter of the cells in pixels that the image was scaled by.
    pub diameter: f64,
    /// The number of planes of a volume; 0 for an image.
    pub depth: u64,
    /// The number of planes of the flows of a volume; 0 for an image, and without flows.
    pub flows_depth: u64,
    /// The number of style vectors: 1 for an image, and one for each plane across x of a volume; 0 without any.
    pub styles: u64,
}

sized!(
    flowmask_result_info, "result_info", first: 56,
    fields: [
        size: u32, cells: u32, height: u64, width: u64, flows_height: u64, flows_width: u64, style_length: u64,
        diameter: f64, depth: u64, flows_depth: u64, styles: u64,
    ],
    flowmask_result_info {
        size: 80, cells: 0, height: 0, width: 0, flows_height: 0, flows_width: 0, style_length: 0, diameter: 0.0,
        depth: 0, flows_depth: 0, styles: 0,
    }
);

/// The value behind a result handle.
pub(crate) struct Found {
    content: Content,
    cells: u32,
    /// (height, width) of the labels, which may be on a device.
    size: (usize, usize),
    polygons: OnceLock<Polygons>,
    /// Whose next results may use the arrays.
    model: Weak<Loaded>,
}

enum Content {
    Image(Segmentation),
    Volume(VolumeSegmentation),
}

impl Drop for Found {
    fn drop(&mut self) {
        if let (Content::Image(found), Some(model)) = (&mut self.content, self.model.upgrade()) {
            model.segmenter.recycle(std::mem::take(found));
        }
    }
}

/// The polygons of all cells, as three arrays.
struct Polygons {
    labels: Vec<u32>,
    ends: Vec<u64>,
    points: Vec<[u32; 2]>,
}

pub(crate) static RESULTS: Handles<Found> = Handles::new("result");

impl Found {
    pub fn new(found: Segmentation, model: &Arc<Loaded>) -> Self {
        let (cells, size) = (found.cells() as u32, found.masks.dim());
        Self::of(Content::Image(found), cells, size, model)
    }

    fn of(content: Content, cells: u32, size: (usize, usize), model: &Arc<Loaded>) -> Self {
        Found { content, cells, size, polygons: OnceLock::new(), model: Arc::downgrade(model) }
    }

    /// The result of a plane of a stack, which has so many cells in all planes together.
    pub fn of_plane(found: Segmentation, cells: u32, model: &Arc<Loaded>) -> Self {
        let size = found.masks.dim();
        Self::of(Content::Image(found), cells, size, model)
    }

    /// The result of a volume.
    pub fn of_volume(found: VolumeSegmentation, model: &Arc<Loaded>) -> Self {
        let (_, height, width) = found.masks.dim();
        let cells = found.cells() as u32;
        Self::of(Content::Volume(found), cells, (height, width), model)
    }

    /// The result of an image on a GPU. Its labels may be in the caller's memory there.
    pub fn on_device(found: OnDevice, size: (usize, usize), model: &Arc<Loaded>) -> Self {
        let OnDevice { cells, segmentation, .. } = found;
        Self::of(Content::Image(segmentation), cells as u32, size, model)
    }

    /// The labels; an error when they are on a device, or were not computed.
    fn labels(&self) -> Result<&[u32], Fault> {
        let labels = match &self.content {
            Content::Image(found) if found.masks.dim() == self.size => all(&found.masks),
            Content::Image(_) => return Err(Fault::argument("result", "its labels are on the device")),
            Content::Volume(found) => all(&found.masks),
        };
        match labels.is_empty() {
            false => Ok(labels),
            true => Err(Fault::argument("result", "has no labels: the option compute_masks was 0")),
        }
    }

    /// The labels as planes: one, or those of a volume; an error where [`Found::labels`] has one.
    pub fn planes(&self) -> Result<Vec<ArrayView2<'_, u32>>, Fault> {
        self.labels()?;
        Ok(match &self.content {
            Content::Image(found) => vec![found.masks.view()],
            Content::Volume(found) => found.masks.outer_iter().collect(),
        })
    }

    fn flows(&self) -> Result<&[f32], Fault> {
        with_flows(match &self.content {
            Content::Image(found) => all(&found.flows),
            Content::Volume(found) => all(&found.flows),
        })
    }

    fn cellprob(&self) -> Result<&[f32], Fault> {
        with_flows(match &self.content {
            Content::Image(found) => all(&found.cellprob),
            Content::Volume(found) => all(&found.cellprob),
        })
    }

    fn style(&self) -> &[f32] {
        match &self.content {
            Content::Image(found) => all(&found.style),
            Content::Volume(found) => all(&found.style),
        }
    }

    fn info(&self) -> flowmask_result_info {
        let (depth, flows, styles, diameter) = match &self.content {
            Content::Image(found) => {
                let (height, width) = found.cellprob.dim();
                let length = found.style.len();
                (0, [0, height, width], [usize::from(length > 0), length], found.diameter)
            }
            Content::Volume(found) => {
                let ((depth, ..), (flows_depth, height, width)) = (found.masks.dim(), found.cellprob.dim());
                (depth, [flows_depth, height, width], found.style.dim().into(), found.diameter)
            }
        };
        flowmask_result_info {
            cells: self.cells,
            height: self.size.0 as u64,
            width: self.size.1 as u64,
            flows_height: flows[1] as u64,
            flows_width: flows[2] as u64,
            style_length: styles[1] as u64,
            diameter,
            depth: depth as u64,
            flows_depth: flows[0] as u64,
            styles: styles[0] as u64,
            ..flowmask_result_info::defaults()
        }
    }

    fn polygons(&self) -> Result<&Polygons, Fault> {
        self.labels()?;
        let Content::Image(image) = &self.content else {
            return Err(Fault::argument(
                "result",
                "is of a volume, and polygons outline the cells of an image",
            ));
        };
        Ok(self.polygons.get_or_init(|| {
            let found = polygons(image.masks.view());
            let end = |sum: &mut u64, n: usize| {
                *sum += n as u64;
                Some(*sum)
            };
            Polygons {
                labels: found.iter().map(|polygon| polygon.label).collect(),
                ends: found.iter().map(|polygon| polygon.points.len()).scan(0, end).collect(),
                points: found.into_iter().flat_map(|polygon| polygon.points).collect(),
            }
        }))
    }

    fn bytes(&self, array: i32) -> Result<Cow<'_, [u8]>, Fault> {
        Ok(Cow::Borrowed(match array {
            0 => bytemuck::cast_slice(self.labels()?),
            1 => bytemuck::cast_slice(self.flows()?),
            2 => bytemuck::cast_slice(self.cellprob()?),
            3 => bytemuck::cast_slice(self.style()),
            4 => bytemuck::cast_slice(&self.polygons()?.labels),
            5 => bytemuck::cast_slice(&self.polygons()?.ends),
            6 => bytemuck::cast_slice(&self.polygons()?.points),
            7 => return Ok(Cow::Owned(narrow(self.labels()?, self.cells)?)),
            other => return Err(Fault::argument("array", format!("{other} is not a flowmask_array"))),
        }))
    }
}

fn all<T, D: ndarray::Dimension>(array: &ndarray::Array<T, D>) -> &[T] {
    array.as_slice().expect("the arrays of a segmentation are in C order")
}

/// The bytes of the labels as uint16_t.
fn narrow(labels: &[u32], cells: u32) -> Result<Vec<u8>, Fault> {
    if cells > u16::MAX.into() {
        let reason = format!("has {cells} cells, and uint16_t labels end at 65535");
        return Err(Fault::argument("result", reason));
    }
    Ok(labels.iter().flat_map(|&label| (label as u16).to_ne_bytes()).collect())
}

fn with_flows(values: &[f32]) -> Result<&[f32], Fault> {
    match values.is_empty() {
        false => Ok(values),
        true => Err(Fault::argument("result", "has no flows: the option flows was 0")),
    }
}

/// Writes a pointer to an array, which stays in the result.
unsafe fn lend<T>(
    result: *const flowmask_result,
    name: &str,
    out: *mut *const T,
    choose: impl FnOnce(&Found) -> Result<&[T], Fault>,
) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    guard(|| unsafe {
        check_pointer(name, out)?;
        out.write(std::ptr::null());
        out.write(choose(&*RESULTS.get(result)?)?.as_ptr());
        Ok(())
    })
}

/// Describes a result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_result_describe(
    result: *const flowmask_result,
    info: *mut flowmask_result_info,
) -> flowmask_status {
    guard(|| {
        let described = RESULTS.get(result)?.info();
        // SAFETY: the caller's struct has the size in its first field.
        unsafe { sized::write(info, &described) }
    })
}

/// The labels, [height, width] without gaps: 0 is background, cells are numbered 1 to n in row-major order of their first
/// pixels. Those of a volume are [depth, height, width]. The array is valid until the result is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_result_labels(
    result: *const flowmask_result,
    labels: *mut *const u32,
) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    unsafe { lend(result, "labels", labels, Found::labels) }
}

/// The network's flows along y and along x, [2, flows_height, flows_width]; in cells, about five times a unit vector. Those
/// of a volume are along z, y and x, [3, flows_depth, flows_height, flows_width], each the sum over the two orientations that
/// see it. The array is valid until the result is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_result_flows(
    result: *const flowmask_result,
    flows: *mut *const f32,
) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    unsafe { lend(result, "flows", flows, Found::flows) }
}

/// The logit of the probability that a pixel is in a cell, [flows_height, flows_width]; of a volume [flows_depth,
/// flows_height, flows_width], the sum over the three orientations. The array is valid until the result is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_result_cellprob(
    result: *const flowmask_result,
    cellprob: *mut *const f32,
) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    unsafe { lend(result, "cellprob", cellprob, Found::cellprob) }
}

/// The style vector: style_length numbers, of unit length together. Of a volume, one for each plane across x, [styles,
/// style_length]. The array is valid until the result is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_result_style(
    result: *const flowmask_result,
    style: *mut *const f32,
) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    unsafe { lend(result, "style", style, |found| Ok(found.style())) }
}

/// The number of polygons that outline the cells: one for each part of a cell, and one for each hole. The first call traces
/// them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_result_polygon_count(
    result: *const flowmask_result,
    count: *mut u64,
) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    guard(|| unsafe {
        check_pointer("count", count)?;
        count.write(0);
        count.write(RESULTS.get(result)?.polygons()?.labels.len() as u64);
        Ok(())
    })
}

/// The polygon with this index: its cell's label, and x and y of count points. The last point is joined to the first. Pixel
/// (x, y) covers the square from (x, y) to (x + 1, y + 1). Outer borders go clockwise on the screen, borders of holes
/// counterclockwise. When the polygons of a cell are filled together, the result is its mask. The points are valid until
/// the result is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_result_polygon(
    result: *const flowmask_result,
    index: u64,
    label: *mut u32,
    points: *mut *const u32,
    count: *mut u64,
) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    guard(|| unsafe {
        check_pointer("label", label)?;
        check_pointer("points", points)?;
        check_pointer("count", count)?;
        points.write(std::ptr::null());
        count.write(0);
        let found = RESULTS.get(result)?;
        let Polygons { labels, ends, points: all } = found.polygons()?;
        let i = usize::try_from(index).ok().filter(|&i| i < labels.len());
        let i = i.ok_or_else(|| Fault::argument("index", format!("there are {} polygons", labels.len())))?;
        let first = if i == 0 { 0 } else { ends[i - 1] };
        label.write(labels[i]);
        points.write(all[first as usize..].as_ptr().cast());
        count.write(ends[i] - first);
        Ok(())
    })
}

/// Copies an array, a flowmask_array, to a buffer of capacity bytes. needed gets the number of bytes of the array, and may
/// be NULL. With a NULL buffer and a capacity of 0, nothing is copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_result_copy(
    result: *const flowmask_result,
    array: i32,
    buffer: *mut c_void,
    capacity: u64,
    needed: *mut u64,
) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    guard(|| unsafe {
        if !needed.is_null() {
            check_pointer("needed", needed)?;
            needed.write(0);
        }
        let found = RESULTS.get(result)?;
        let bytes = found.bytes(array)?;
        if !needed.is_null() {
            needed.write(bytes.len() as u64);
        }
        if buffer.is_null() && capacity == 0 {
            return Ok(());
        }
        check_pointer("buffer", buffer.cast::<u8>())?;
        if capacity < bytes.len() as u64 {
            let reason = format!("buffer: has {capacity} bytes, {} are needed", bytes.len());
            return Err(Fault::new(FLOWMASK_ERROR_BUFFER, reason));
        }
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer.cast::<u8>(), bytes.len());
        Ok(())
    })
}

/// Frees a result; NULL does nothing. A model on GPUs keeps the arrays of a few freed results for its next results.
#[unsafe(no_mangle)]
pub extern "C" fn flowmask_result_free(result: *mut flowmask_result) -> flowmask_status {
    guard_free(|| RESULTS.free(result))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_16_bits_are_refused_when_there_are_more_cells() {
        for (cells, good) in [(65_535_u32, true), (65_536, false)] {
            let labels: Vec<u32> = (1..=cells).collect();
            match narrow(&labels, cells) {
                Ok(bytes) => assert!(good && bytes[2 * 65_534..] == u16::MAX.to_ne_bytes()),
                Err(fault) => {
                    assert!(!good && fault.message.contains("has 65536 cells"), "{}", fault.message)
                }
            }
        }
    }
}
