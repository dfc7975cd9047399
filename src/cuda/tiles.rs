//! Makes a batch of tiles from an image. One kernel resizes, pads, cuts and flips.

use bytemuck::Zeroable;

use super::conv::{CHANNELS_IN, Map};
use super::kernels::tiles::{self as kernels, Geometry, Place, Places};
use super::{Buffer, Gpu};
use crate::Result;
use crate::plan::grid::{Grid, Tile};
use crate::plan::scale::step;

/// The largest number of tiles of one launch. Their positions are passed by value, and the parameters of a kernel must
/// fit into 4 KB.
const TILES: usize = kernels::TILES as usize;

/// Writes `tiles` of `grid` to `out`, a batch `[batch, tile height, tile width, CHANNELS_IN]`, from tile `first_slot`
/// on, as [`Grid::cut`] does. `pixels` is an image of `shape`, `[height, width, nchan]`, which is resized to the size
/// of the grid's image. `out` must be long enough.
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
    debug_assert!((first_slot + tiles.len()) * slot_len <= out.len(), "the batch has no room for its tiles");
    let (geometry, nchan) = (Geometry::new((shape[0], shape[1]), grid), shape[2] as i32);
    for (i, tiles) in tiles.chunks(TILES).enumerate() {
        let places = Places::new(tiles);
        let (pixels, slot) = (pixels.get(), (first_slot + i * TILES) as i32);
        let grid = |value: usize| ((slot_len * value / 16).div_ceil(256) as u32, tiles.len() as u32, 1);
        macro_rules! cut {
            ($kernel:ident, $values:literal, $out:expr) => {
                kernels::$kernel(
                    gpu,
                    grid($values),
                    (256, 1, 1),
                    0,
                    pixels,
                    $out,
                    &geometry,
                    &places,
                    nchan,
                    slot,
                )?
            };
        }
        match &mut *out {
            Map::F16(out) => cut!(tiles_f16, 2, out.get_mut()),
            Map::F32(out) => cut!(tiles_f32, 4, out.get_mut()),
        }
    }
    Ok(())
}

impl Places {
    fn new(tiles: &[Tile]) -> Self {
        let mut places = Places::zeroed();
        for (place, tile) in places.at.iter_mut().zip(tiles) {
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
        Geometry {
            height: image.0 as i32,
            width: image.1 as i32,
            resized_height: grid.image.0 as i32,
            resized_width: grid.image.1 as i32,
            top: grid.before.0 as i32,
            left: grid.before.1 as i32,
            tile_height: grid.tile.0 as i32,
            tile_width: grid.tile.1 as i32,
            step_y: step(image.0, grid.image.0),
            step_x: step(image.1, grid.image.1),
        }
    }
}
