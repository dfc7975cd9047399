//! Image files: their stacks, and what the files say about them.

use std::ffi::{CString, c_char, c_void};

use crate::fault::{Fault, guard, guard_free, text};
use crate::flowmask_status::{self, FLOWMASK_ERROR_INTERNAL};
use crate::flowmask_type::{self, *};
use crate::handles::Handles;
use crate::image::{check_pointer, flowmask_image};
use crate::sized::{self, Versioned, sized};
use flowmask::image::Note;
use flowmask::{Image, Pixels, Stack};

/// The pictures of an image file: one stack, or several if the file has several images. It never changes, so threads may
/// share it.
#[allow(missing_debug_implementations)]
pub struct flowmask_file {
    _nothing: [u8; 0],
}

/// A stack of planes that have the same size and type, and what the file says about it. The pointers are valid until the
/// file is freed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct flowmask_stack_info {
    /// sizeof(flowmask_stack_info): set it before the call.
    pub size: u32,
    /// The flowmask_type of the pixels: FLOWMASK_U8, FLOWMASK_U16, or FLOWMASK_F32 for all others that a file can have.
    pub r#type: i32,
    /// The number of planes, at least 1.
    pub planes: u64,
    /// The number of rows of a plane.
    pub height: u64,
    /// The number of columns of a plane.
    pub width: u64,
    /// The number of channels of a plane.
    pub channels: u64,
    /// The width of a pixel, in unit; 0 when the file does not say it.
    pub pixel_width: f64,
    /// The height of a pixel, in unit; 0 when the file does not say it.
    pub pixel_height: f64,
    /// The distance of neighbouring planes along z, in unit; 0 when the file does not say it.
    pub plane_distance: f64,
    /// The unit of length as the file has it, such as "µm" or "inch"; NULL when the file does not say it.
    pub unit: *const c_char,
    /// The name that the file gives to this image; NULL if there is none.
    pub name: *const c_char,
    /// A letter for each axis over which the planes run, slowest first, such as "TZ": T for time, Z for depth, Q where
    /// nothing says what it is. It is empty for one plane.
    pub axes: *const c_char,
    /// The number of steps along each of these axes; their product is planes. NULL for one plane.
    pub lengths: *const u64,
    /// The number of axes over which the planes run.
    pub axis_count: u32,
    /// The number of this image in its file, counted from 1; 0 if the file has no other.
    pub series: u32,
    /// The number of notes, for flowmask_file_note.
    pub notes: u32,
    /// 0.
    pub reserved: u32,
}

sized!(
    flowmask_stack_info, "stack_info", first: 112,
    fields: [
        size: u32, r#type: i32, planes: u64, height: u64, width: u64, channels: u64, pixel_width: f64,
        pixel_height: f64, plane_distance: f64, unit: *const c_char, name: *const c_char, axes: *const c_char,
        lengths: *const u64, axis_count: u32, series: u32, notes: u32, reserved: u32,
    ],
    flowmask_stack_info {
        size: 112, r#type: 0, planes: 0, height: 0, width: 0, channels: 0, pixel_width: 0.0, pixel_height: 0.0,
        plane_distance: 0.0, unit: std::ptr::null(), name: std::ptr::null(), axes: std::ptr::null(),
        lengths: std::ptr::null(), axis_count: 0, series: 0, notes: 0, reserved: 0,
    }
);

/// A stack, and its texts as C strings.
pub(crate) struct Pictures {
    pub stack: Stack,
    unit: Option<CString>,
    name: Option<CString>,
    axes: CString,
    lengths: Vec<u64>,
    /// Each with whether it is a warning.
    notes: Vec<(CString, bool)>,
}

pub(crate) static FILES: Handles<Vec<Pictures>> = Handles::new("file");

impl Pictures {
    pub fn new(stack: Stack) -> Self {
        let note = |note: &Note| (text(&note.to_string()), matches!(note, Note::Warning(_)));
        Pictures {
            unit: stack.layout.pixel_size.unit.as_deref().map(text),
            name: stack.name.as_deref().map(text),
            axes: text(&stack.layout.letters()),
            lengths: stack.layout.axes.iter().map(|axis| axis.length as u64).collect(),
            notes: stack.notes.iter().map(note).collect(),
            stack,
        }
    }

    fn info(&self) -> Result<flowmask_stack_info, Fault> {
        let first = view(&self.stack.planes[0])?;
        let size = &self.stack.layout.pixel_size;
        let or_null = |text: &Option<CString>| text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr());
        Ok(flowmask_stack_info {
            r#type: first.r#type,
            planes: self.stack.planes.len() as u64,
            height: first.height,
            width: first.width,
            channels: first.channels,
            pixel_width: size.x.unwrap_or(0.0),
            pixel_height: size.y.unwrap_or(0.0),
            plane_distance: size.z.unwrap_or(0.0),
            unit: or_null(&self.unit),
            name: or_null(&self.name),
            axes: self.axes.as_ptr(),
            lengths: if self.lengths.is_empty() { std::ptr::null() } else { self.lengths.as_ptr() },
            axis_count: self.lengths.len() as u32,
            series: self.stack.series.unwrap_or(0) as u32,
            notes: self.notes.len() as u32,
            ..flowmask_stack_info::defaults()
        })
    }
}

/// The pixels of a plane, which stay in the file.
fn view(image: &Image) -> Result<flowmask_image, Fault> {
    let (kind, data): (flowmask_type, *const c_void) = match image.pixels() {
        Pixels::U8(array) => (FLOWMASK_U8, array.as_ptr().cast()),
        Pixels::U16(array) => (FLOWMASK_U16, array.as_ptr().cast()),
        Pixels::F32(array) => (FLOWMASK_F32, array.as_ptr().cast()),
        // The library may get types that this interface does not know yet.
        _ => return Err(Fault::new(FLOWMASK_ERROR_INTERNAL, "file: has pixels of an unknown type")),
    };
    let [height, width, channels] = [image.height(), image.width(), image.channels()].map(|side| side as u64);
    Ok(flowmask_image { r#type: kind as i32, data, height, width, channels, ..flowmask_image::defaults() })
}

/// One of several things, by its index from 0.
pub(crate) fn at<'a, T>(all: &'a [T], name: &str, index: u64) -> Result<&'a T, Fault> {
    let found = usize::try_from(index).ok().and_then(|index| all.get(index));
    found.ok_or_else(|| Fault::argument(name, format!("is {index}, but there are {} from 0 on", all.len())))
}

/// The number of stacks of a file, at least 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_file_stacks(
    file: *const flowmask_file,
    count: *mut u64,
) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    guard(|| unsafe {
        check_pointer("count", count)?;
        count.write(0);
        count.write(FILES.get(file)?.len() as u64);
        Ok(())
    })
}

/// Describes a stack, by its index from 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_file_describe(
    file: *const flowmask_file,
    stack: u64,
    info: *mut flowmask_stack_info,
) -> flowmask_status {
    guard(|| {
        let described = at(&FILES.get(file)?, "stack", stack)?.info()?;
        // SAFETY: the caller's struct has the size in its first field.
        unsafe { sized::write(info, &described) }
    })
}

/// A note on how a stack was read, by its index from 0: a sentence, and 1 if it is a warning (what the file has and is not
/// in the stack, or what it says and is not true) or 0 if it is a remark (what was guessed). The text is valid until the
/// file is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_file_note(
    file: *const flowmask_file,
    stack: u64,
    note: u64,
    text: *mut *const c_char,
    warning: *mut u32,
) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    guard(|| unsafe {
        check_pointer("text", text)?;
        check_pointer("warning", warning)?;
        text.write(std::ptr::null());
        warning.write(0);
        let file = FILES.get(file)?;
        let (found, is_warning) = at(&at(&file, "stack", stack)?.notes, "note", note)?;
        text.write(found.as_ptr());
        warning.write((*is_warning).into());
        Ok(())
    })
}

/// The pixels of a plane of a stack, both by their index from 0, as an image for flowmask_segment and the like. Set
/// image->size to sizeof(flowmask_image) before the call. The pixels stay in the file, and are valid until it is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_file_image(
    file: *const flowmask_file,
    stack: u64,
    plane: u64,
    image: *mut flowmask_image,
) -> flowmask_status {
    guard(|| {
        let file = FILES.get(file)?;
        let lent = view(at(&at(&file, "stack", stack)?.stack.planes, "plane", plane)?)?;
        // SAFETY: the caller's struct has the size in its first field.
        unsafe { sized::write(image, &lent) }
    })
}

/// Frees a file; NULL does nothing. The images of its planes must not be used any more.
#[unsafe(no_mangle)]
pub extern "C" fn flowmask_file_free(file: *mut flowmask_file) -> flowmask_status {
    guard_free(|| FILES.free(file))
}
