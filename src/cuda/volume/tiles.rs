//! Makes a batch of tiles from planes of a volume. One kernel pads, cuts and flips.

use bytemuck::Zeroable;

use super::Size;
use crate::Result;
use crate::cuda::conv::{CHANNELS_IN, Map};
use crate::cuda::kernels::volume_tiles::{self as kernels, Geometry, Place, Places};
use crate::cuda::{Buffer, Gpu};
use crate::plan::grid::{Grid, Tile};
use crate::plan::volume::Orientation;

/// The largest number of tiles of one launch. Their positions are passed by value, and the parameters of a kernel must
/// fit into 4 KB.
const TILES: usize = kernels::TILES as usize;

/// Writes tiles of planes, whose numbers stand beside them, to `out`, a batch `[batch, tile height, tile width, CHANNELS_IN]`,
/// as [`Grid::cut`] does. `channels` is a volume, `[depth, height, width, nchan]`, whose planes in this orientation have the
/// size of the grid's image. `out` must be long enough.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device).
pub fn tiles(
    gpu: &Gpu,
    (channels, size, nchan): (&Buffer<f32>, Size, usize),
    orientation: Orientation,
    grid: &Grid,
    tiles: &[(usize, Tile)],
    out: &mut Map,
) -> Result<()> {
    let slot_len = grid.tile.0 * grid.tile.1 * CHANNELS_IN;
    debug_assert!(tiles.len() * slot_len <= out.len(), "the batch has no room for its tiles");
    let (geometry, nchan, block) = (Geometry::new(size, orientation, grid), nchan as i32, (256, 1, 1));
    for (i, tiles) in tiles.chunks(TILES).enumerate() {
        let (channels, places, slot) = (channels.get(), Places::new(tiles), (i * TILES) as i32);
        let blocks = |bytes: usize| ((slot_len * bytes / 16).div_ceil(256) as u32, tiles.len() as u32, 1);
        match &mut *out {
            Map::F16(out) => {
                let (blocks, out) = (blocks(2), out.get_mut());
                kernels::volume_tiles_f16(
                    gpu, blocks, block, 0, channels, out, &geometry, &places, nchan, slot,
                )?;
            }
            Map::F32(out) => {
                let (blocks, out) = (blocks(4), out.get_mut());
                kernels::volume_tiles_f32(
                    gpu, blocks, block, 0, channels, out, &geometry, &places, nchan, slot,
                )?;
            }
        }
    }
    Ok(())
}

impl Places {
    fn new(tiles: &[(usize, Tile)]) -> Self {
        let mut places = Places::zeroed();
        for (place, &(plane, tile)) in places.at.iter_mut().zip(tiles) {
            *place = Place {
                plane: plane as u32,
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
    fn new(size: Size, orientation: Orientation, grid: &Grid) -> Self {
        let [planes, rows, columns] = orientation.strides(size).map(|step| step as u64);
        Geometry {
            planes,
            rows,
            columns,
            height: grid.image.0 as i32,
            width: grid.image.1 as i32,
            top: grid.before.0 as i32,
            left: grid.before.1 as i32,
            tile_height: grid.tile.0 as i32,
            tile_width: grid.tile.1 as i32,
        }
    }
}
