//! Reading image files.

use std::ffi::{CStr, c_char};
use std::path::PathBuf;

use crate::fault::{Fault, guard};
use crate::file::{FILES, Pictures, flowmask_file};
use crate::flowmask_status;
use crate::image::check_pointer;
use crate::model::{set_null, string};
use crate::sized::{self, sized};
use flowmask::image::{ReadOptions, read_with};

/// The axis that stands for the one that the file names or that its shape suggests.
pub const FLOWMASK_AXIS_AUTO: i32 = 2147483647;

/// What an image file does not say itself, or says wrongly. Call flowmask_read_options_default first, then set what differs.
///
/// Axes are those of the whole array as tifffile and NumPy show it: first the axes over which the pages of a TIFF run, then
/// rows and columns, then the samples of a pixel if there are several (before the rows if each sample has a plane of its
/// own). Numbers of axes count from 0, negative ones from the end.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct flowmask_read_options {
    /// sizeof(flowmask_read_options).
    pub size: u32,
    /// The axis of the channels, which overrules what the file says. Default FLOWMASK_AXIS_AUTO.
    pub channel_axis: i32,
    /// The axis of depth, which overrules what the file says. Default FLOWMASK_AXIS_AUTO.
    pub z_axis: i32,
    /// Which image of a file that has several, counted from 1; 0 takes all. Default 0.
    pub series: u32,
    /// A letter for each axis, slowest first, such as "TZCYX" or "YXC": Y, X, C or S for channels, Z, T, and others over
    /// which planes run too. It overrules what the file says; channel_axis and z_axis must then be FLOWMASK_AXIS_AUTO. NULL
    /// leaves it to the file. Default NULL.
    pub axes: *const c_char,
    /// The most memory for the content of a file, and for the pixels of its images, in bytes each; what needs more gives
    /// FLOWMASK_ERROR_MEMORY. 0 takes what is free. Default 0.
    pub memory: u64,
}

sized!(
    flowmask_read_options, "read_options", first: 24,
    fields: [size: u32, channel_axis: i32, z_axis: i32, series: u32, axes: *const c_char, memory: u64],
    flowmask_read_options {
        size: 32, channel_axis: FLOWMASK_AXIS_AUTO, z_axis: FLOWMASK_AXIS_AUTO, series: 0, axes: std::ptr::null(),
        memory: 0,
    }
);

/// Sets all fields to their defaults. size is sizeof(flowmask_read_options), so that a newer library writes no more than
/// the caller has.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_read_options_default(
    options: *mut flowmask_read_options,
    size: u32,
) -> flowmask_status {
    // SAFETY: the caller's struct has `size` bytes.
    guard(|| unsafe { sized::set_defaults(options, size) })
}

/// Reads an image file: TIFF (also BigTIFF, OME-TIFF and ImageJ stacks), PNG, JPEG, BMP or NPY, which is recognised by its
/// content. path is in UTF-8; on Unix, it may have any bytes. options may be NULL for the defaults. A file that cannot be
/// read, or whose axes do not fit the options or cannot be guessed, gives FLOWMASK_ERROR_FILE; options that are wrong for any
/// file give FLOWMASK_ERROR_OPTION. The caller frees file with flowmask_file_free; it is NULL after an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_read(
    path: *const c_char,
    options: *const flowmask_read_options,
    file: *mut *mut flowmask_file,
) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    guard(|| unsafe {
        set_null("file", file)?;
        let (path, options) = (self::path(path)?, read_options(options)?);
        let stacks = read_with(&path, &options)?;
        file.write(FILES.insert(stacks.into_iter().map(Pictures::new).collect::<Vec<_>>()));
        Ok(())
    })
}

/// The path at a pointer.
///
/// # Safety
/// The pointer is NULL, or the text ends with a zero byte.
pub(crate) unsafe fn path(path: *const c_char) -> Result<PathBuf, Fault> {
    check_pointer("path", path)?;
    // SAFETY: the caller guarantees it.
    let path = unsafe { CStr::from_ptr(path) };
    #[cfg(unix)]
    return Ok(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(path.to_bytes()).into());
    #[cfg(not(unix))]
    path.to_str().map(PathBuf::from).map_err(|_| Fault::argument("path", "is not UTF-8"))
}

unsafe fn read_options(options: *const flowmask_read_options) -> Result<ReadOptions, Fault> {
    if options.is_null() {
        return Ok(ReadOptions::default());
    }
    let axis = |number: i32| (number != FLOWMASK_AXIS_AUTO).then_some(number as isize);
    // SAFETY: the caller guarantees it.
    let (options, axes) = unsafe {
        let options = sized::read(options)?;
        (options, if options.axes.is_null() { None } else { Some(string("axes", options.axes)?.to_owned()) })
    };
    Ok(ReadOptions::default()
        .axes(axes)
        .channel_axis(axis(options.channel_axis))
        .z_axis(axis(options.z_axis))
        .series((options.series != 0).then_some(options.series as usize))
        .memory((options.memory != 0).then_some(options.memory)))
}
