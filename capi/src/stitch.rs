//! Labels of planes become labels of a volume.

use ndarray::{ArrayViewMut2, ArrayViewMut3, Axis};

use crate::fault::{Fault, guard};
use crate::flowmask_status;
use crate::image::check_pointer;
use crate::options::compat;
use crate::pool::{POOLS, flowmask_pool};
use crate::save::array_shape;
use crate::sized::{self, Versioned, sized};
use flowmask::Pool;
use flowmask::cpu::stitch::{drop_small, stitch_within};

/// How the masks of neighbouring planes are joined. Call flowmask_stitch_options_default first, then set what differs.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct flowmask_stitch_options {
    /// sizeof(flowmask_stitch_options).
    pub size: u32,
    /// A flowmask_compat: FLOWMASK_COMPAT_3_1_1 numbers labels as cellpose does, where they may begin anew after an empty
    /// plane. Default FLOWMASK_COMPAT_NONE.
    pub compat: i32,
    /// Masks of neighbouring planes become one if their intersection over union is at least this, from 0 to 1. Default 0.25.
    pub threshold: f64,
    /// Cells of fewer pixels than this in all planes together are dropped, and the others are numbered anew; 0 leaves the
    /// labels as they are. Default 0.
    pub min_size: u64,
    /// The most memory beside the labels, in bytes; what needs more gives FLOWMASK_ERROR_MEMORY. 0 takes what is free.
    /// Default 0.
    pub memory: u64,
    /// The threads to use; NULL starts one for each core, for this call. Default NULL.
    pub pool: *const flowmask_pool,
}

sized!(
    flowmask_stitch_options, "stitch_options", first: 40,
    fields: [
        size: u32, compat: i32, threshold: f64, min_size: u64, memory: u64, pool: *const flowmask_pool,
    ],
    flowmask_stitch_options {
        size: 40, compat: 0, threshold: 0.25, min_size: 0, memory: 0, pool: std::ptr::null(),
    }
);

/// Sets all fields to their defaults. size is sizeof(flowmask_stitch_options), so that a newer library writes no more than
/// the caller has.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_stitch_options_default(
    options: *mut flowmask_stitch_options,
    size: u32,
) -> flowmask_status {
    // SAFETY: the caller's struct has `size` bytes.
    guard(|| unsafe { sized::set_defaults(options, size) })
}

/// Joins masks that exist: labels, uint32_t [planes, height, width] without gaps, are those of planes that were segmented
/// one by one, from the first to the last of a volume, with 0 for background. Afterwards a cell has one label in all planes
/// (cellpose's stitch3D); after an error, labels are unchanged. Each time point of a movie is a volume of its own. cells gets
/// the number of cells, and may be NULL. options may be NULL for the defaults. Fewer than two planes give
/// FLOWMASK_ERROR_IMAGE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flowmask_stitch(
    labels: *mut u32,
    planes: u64,
    height: u64,
    width: u64,
    options: *const flowmask_stitch_options,
    cells: *mut u32,
) -> flowmask_status {
    // SAFETY: the caller's arguments are as the header demands.
    guard(|| unsafe {
        if !cells.is_null() {
            check_pointer("cells", cells)?;
            cells.write(0);
        }
        check_pointer("labels", labels)?;
        let shape = array_shape(planes, height, width)?;
        let options = match options.is_null() {
            true => flowmask_stitch_options::defaults(),
            false => sized::read(options)?,
        };
        let found = stitched(ArrayViewMut3::from_shape_ptr(shape, labels), &options)?;
        if !cells.is_null() {
            cells.write(found);
        }
        Ok(())
    })
}

fn stitched(mut labels: ArrayViewMut3<u32>, options: &flowmask_stitch_options) -> Result<u32, Fault> {
    let (threshold, compat) = (options.threshold, compat(options.compat)?);
    let memory = (options.memory != 0).then_some(options.memory);
    let min_size = usize::try_from(options.min_size).unwrap_or(usize::MAX);
    let mut planes: Vec<ArrayViewMut2<u32>> = labels.axis_iter_mut(Axis(0)).collect();
    let join = move || {
        let cells = stitch_within(&mut planes, threshold, compat, memory)?;
        Ok::<u32, flowmask::Error>(if min_size > 0 { drop_small(&mut planes, min_size) } else { cells })
    };
    let found = match options.pool.is_null() {
        true => Pool::new(0)?.run(join),
        false => POOLS.get(options.pool)?.run(join),
    };
    Ok(found??)
}
