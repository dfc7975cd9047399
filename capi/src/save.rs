//! Label files.

use std::ffi::c_char;
use std::sync::Arc;

use ndarray::{ArrayView2, ArrayView3};

use crate::fault::{Fault, guard};
use crate::file::{FILES, at, flowmask_file};
use crate::flowmask_status;
use crate::image::check_pointer;
use crate::read::path;
use crate::result::{Found, RESULTS, flowmask_result};
use crate::sized::{self, Versioned, sized};
use flowmask::output::{Destination, Format, save_labels, save_labels_as};

/// The format of a label file.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum flowmask_format {
    /// TIFF, one page for each plane; 16 bits, or 32 bits for labels above 65535.
    FLOWMASK_FORMAT_TIF = 0,
    /// PNG with 16 bits: one plane, labels up to 65535.
    FLOWMASK_FORMAT_PNG = 1,
    /// An array of NumPy; 16 bits, or 32 bits for labels above 65535.
    FLOWMASK_FORMAT_NPY = 2,
}

/// How labels are written to a file. Call flowmask_save_options_default first, then set what differs.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct flowmask_save_options {
    /// sizeof(flowmask_save_options).
    pub size: u32,
    /// A flowmask_format. Default FLOWMASK_FORMAT_TIF.
    pub format: i32,
    /// Whether any file that is there is replaced (1), or only one that says that flowmask wrote it (0). Default 0.
    pub overwrite: u32,
    /// Must be 0.
    pub reserved: u32,
    /// The file that the labels belong to: they get the axes and the pixel size of its stack, so that they lie over the
    /// image in Fiji and QuPath. NULL writes several planes as depth, of unknown size. Default NULL.
    pub file: *const flowmask_file,
    /// The stack of that file, by its index from 0. Default 0.
    pub stack: u64,
}

sized!(
    flowmask_save_options, "save_options", first: 32,
    fields: [size: u32, format: i32, overwrite: u32, reserved: u32, file: *const flowmask_file, stack: u64],
    flowmask_save_options { size: 32, format: 0, overwrite: 0, reserved: 0, file: std::ptr::null(), stack: 0 }
);

/// Sets all fields to their defaults. size is sizeof(flowmask_save_options), so that a newer library writes no more than
/// the caller has.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_save_options_default(
    options: *mut flowmask_save_options,
    size: u32,
) -> flowmask_status {
    // SAFETY: the caller's struct has `size` bytes.
    guard(|| unsafe { sized::set_defaults(options, size) })
}

/// Writes the labels of count results to one file, each as a plane, in the order of the planes of their stack. A volume gives
/// all its planes; time points, each a volume, follow each other. path is in
/// UTF-8; on Unix, it may have any bytes. options may be NULL for the defaults. The file is written under a temporary name
/// and then renamed; after an error, a file that was there is unchanged. A file that cannot be written or must not be
/// replaced, and labels that the format cannot hold, give FLOWMASK_ERROR_FILE; planes of different sizes, or that do not
/// fill the axes, give FLOWMASK_ERROR_IMAGE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_save_labels(
    path: *const c_char,
    results: *const *mut flowmask_result,
    count: u64,
    options: *const flowmask_save_options,
) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    guard(|| unsafe {
        let path = self::path(path)?;
        let found = all(results, count)?;
        let labels = found.iter().map(|found| found.planes()).collect::<Result<Vec<_>, _>>()?;
        save(Destination::new(path), &labels.concat(), &read(options)?)
    })
}

/// Writes labels of the caller's, uint32_t [planes, height, width] without gaps, to one file, such as those that
/// flowmask_stitch has joined. All else is as for flowmask_save_labels.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_save_label_array(
    path: *const c_char,
    labels: *const u32,
    planes: u64,
    height: u64,
    width: u64,
    options: *const flowmask_save_options,
) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    guard(|| unsafe {
        let path = self::path(path)?;
        check_pointer("labels", labels)?;
        let labels = ArrayView3::from_shape_ptr(array_shape(planes, height, width)?, labels);
        let planes: Vec<_> = labels.outer_iter().collect();
        save(Destination::new(path), &planes, &read(options)?)
    })
}

/// The shape of an array of labels, if it has from 1 to 2³² - 1 numbers.
pub(crate) fn array_shape(planes: u64, height: u64, width: u64) -> Result<[usize; 3], Fault> {
    let sides = [planes, height, width];
    let numbers = sides.into_iter().try_fold(1_u64, u64::checked_mul);
    let shape = sides.map(|side| usize::try_from(side).unwrap_or(usize::MAX));
    match numbers {
        Some(1..0x1_0000_0000) => Ok(shape),
        _ => {
            let reason = format!("{planes} planes of {height} by {width} labels are too many, or none");
            Err(flowmask::Error::Image(reason).into())
        }
    }
}

fn save(to: Destination, labels: &[ArrayView2<u32>], options: &flowmask_save_options) -> Result<(), Fault> {
    let format = match options.format {
        0 => Format::Tif,
        1 => Format::Png,
        2 => Format::Npy,
        other => return Err(Fault::argument("format", format!("{other} is not a flowmask_format"))),
    };
    let to = to.overwrite(options.overwrite != 0);
    if options.file.is_null() {
        return Ok(save_labels(to, labels, format)?);
    }
    let file = FILES.get(options.file)?;
    Ok(save_labels_as(to, labels, format, &at(&file, "stack", options.stack)?.stack.layout)?)
}

/// The results, which stay alive meanwhile.
unsafe fn all(results: *const *mut flowmask_result, count: u64) -> Result<Vec<Arc<Found>>, Fault> {
    let count = usize::try_from(count).ok().filter(|&count| count < 1 << 31);
    let count = count.ok_or_else(|| Fault::argument("count", "is 2³¹ or more"))?;
    if count == 0 {
        return Ok(Vec::new());
    }
    check_pointer("results", results)?;
    // SAFETY: the caller's list has as many pointers.
    let results = unsafe { std::slice::from_raw_parts(results, count) };
    results.iter().map(|&result| RESULTS.get(result.cast_const())).collect()
}

unsafe fn read(options: *const flowmask_save_options) -> Result<flowmask_save_options, Fault> {
    let options = match options.is_null() {
        true => flowmask_save_options::defaults(),
        // SAFETY: the caller guarantees it.
        false => unsafe { sized::read(options) }?,
    };
    match options.reserved {
        0 => Ok(options),
        _ => Err(Fault::argument("save_options", "its field reserved is not 0")),
    }
}
