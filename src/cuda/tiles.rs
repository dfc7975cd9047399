//! From the image to a batch of tiles: resize, pad, cut and flip in one kernel.

use cudarc::driver::DeviceRepr;

use super::conv::{CHANNELS_IN, Map};
use super::{Buffer, Gpu, launch};
use crate::Result;
use crate::plan::grid::{Grid, Tile};
use crate::plan::scale::step;

/// Tiles of one launch, which are a parameter of the kernel, of which there are 4 KB.
const TILES: usize = 64;

/// Where a tile lies in the padded image.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Place {
    y: i32,
    x: i32,
    flip_y: i32,
    flip_x: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Places([Place; TILES]);

/// Sizes, as (height, width), and source pixels for one of the resized image.
#[repr(C)]
#[derive(Clone, Copy)]
struct Geometry {
    image: [i32; 2],
    resized: [i32; 2],
    before: [i32; 2],
    tile: [i32; 2],
    step: [f64; 2],
}

// SAFETY: plain numbers, laid out as in the kernel.
unsafe impl DeviceRepr for Places {}
// SAFETY: as above.
unsafe impl DeviceRepr for Geometry {}

/// Writes `tiles` of `grid` to the slots of a batch from `first_slot` on: see [`Grid::cut`]. `pixels` are those
/// of an image of `shape`, `[height, width, nchan]`, which is resized to the size of the grid's. The batch, `[batch, tile
/// height, tile width, CHANNELS]`, has been given its size.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn tiles(
    gpu: &Gpu,
    pixels: &Buffer<f32>,
    shape: [usize; 3],
    grid: &Grid,
    tiles: &[Tile],
    first_slot: usize,
    out: &mut Map,
) -> Result<()> {
    let slot_len = grid.tile.0 * grid.tile.1 * CHANNELS_IN;
    debug_assert!(
        (first_slot + tiles.len()) * slot_len <= out.len(),
        "a batch that has no room for its tiles"
    );
    let (geometry, nchan) = (Geometry::new((shape[0], shape[1]), grid), shape[2] as i32);
    for (i, tiles) in tiles.chunks(TILES).enumerate() {
        let places = Places::new(tiles);
        let slot = (first_slot + i * TILES) as i32;
        let blocks = |value: usize| ((slot_len * value / 16).div_ceil(256) as u32, tiles.len() as u32, 1);
        match &mut *out {
            Map::F16(out) => launch!(
                gpu, "tiles", "tiles_f16", blocks(2), (256, 1, 1), 0;
                pixels.get(), out.get_mut(), &geometry, &places, &nchan, &slot
            ),
            Map::F32(out) => launch!(
                gpu, "tiles", "tiles_f32", blocks(4), (256, 1, 1), 0;
                pixels.get(), out.get_mut(), &geometry, &places, &nchan, &slot
            ),
        }
    }
    Ok(())
}

impl Places {
    fn new(tiles: &[Tile]) -> Self {
        let mut places = Places([Place::default(); TILES]);
        for (place, tile) in places.0.iter_mut().zip(tiles) {
            *place = Place {
                y: tile.y as i32,
                x: tile.x as i32,
                flip_y: tile.flip_y.into(),
                flip_x: tile.flip_x.into(),
            };
        }
        places
    }
}

impl Geometry {
    fn new(image: (usize, usize), grid: &Grid) -> Self {
        let pair = |(y, x): (usize, usize)| [y as i32, x as i32];
        Geometry {
            image: pair(image),
            resized: pair(grid.image),
            before: pair(grid.before),
            tile: pair(grid.tile),
            step: [step(image.0, grid.image.0), step(image.1, grid.image.1)],
        }
    }
}
