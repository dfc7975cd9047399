//! Where the tiles of an image lie: padding and tiling (`get_pad_yx`, `make_tiles`).

use super::scale::scaled;
use crate::Options;

/// A tile of the padded image. Flipped tiles come with `augment`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tile {
    /// First row.
    pub y: usize,
    /// First column.
    pub x: usize,
    /// The network sees its rows in reverse.
    pub flip_y: bool,
    /// The network sees its columns in reverse.
    pub flip_x: bool,
}

/// Where the tiles of an image lie.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// The image, (height, width).
    pub image: (usize, usize),
    /// Zeros before the image, (above, left).
    pub before: (usize, usize),
    /// The padded image, (height, width): multiples of 16, with `augment` at least a tile.
    pub padded: (usize, usize),
    /// A tile, (height, width): multiples of 16.
    pub tile: (usize, usize),
    /// First rows and first columns of the tiles.
    pub starts: (Vec<usize>, Vec<usize>),
    pub(crate) augment: bool,
}

/// Zeros before and after a side: to a multiple of 16, and 16 more.
pub fn padding(side: usize) -> (usize, usize) {
    let missing = side.next_multiple_of(16) - side;
    (8 + missing / 2, 8 + missing - missing / 2)
}

impl Grid {
    /// The tiles of an image of `height` by `width`.
    pub fn new(height: usize, width: usize, bsize: usize, overlap: f64, augment: bool) -> Self {
        let ((top, bottom), (left, right)) = (padding(height), padding(width));
        let (padded_height, padded_width) = (top + height + bottom, left + width + right);
        let grid = Grid::of_padded(padded_height, padded_width, bsize, overlap, augment);
        Grid { image: (height, width), before: (top, left), ..grid }
    }

    /// The tiles of an image that has its padding.
    pub fn of_padded(height: usize, width: usize, bsize: usize, overlap: f64, augment: bool) -> Self {
        let (y, x) = (Side::new(height, bsize, overlap, augment), Side::new(width, bsize, overlap, augment));
        Grid {
            image: (height, width),
            before: (0, 0),
            padded: (y.padded, x.padded),
            tile: (y.tile, x.tile),
            starts: (y.starts, x.starts),
            augment,
        }
    }

    /// The tiles of an image of this size, (height, width), as the options say.
    pub(crate) fn of((height, width): (usize, usize), options: &Options) -> Self {
        Grid::new(height, width, options.bsize, options.tile_overlap, options.augment)
    }

    /// How many tiles an image of this size has when it is scaled by `scale`.
    pub(crate) fn count_of((height, width): (usize, usize), scale: f64, options: &Options) -> usize {
        Grid::of((scaled(height, scale), scaled(width, scale)), options).count()
    }

    /// How many tiles there are.
    pub fn count(&self) -> usize {
        self.starts.0.len() * self.starts.1.len()
    }

    /// The tiles, row by row. With `augment`, odd columns are flipped in y and odd rows in x (sic).
    pub fn tiles(&self) -> Vec<Tile> {
        let rows = self.starts.0.iter().enumerate();
        rows.flat_map(|(j, &y)| {
            self.starts.1.iter().enumerate().map(move |(i, &x)| Tile {
                y,
                x,
                flip_y: self.augment && i % 2 == 1,
                flip_x: self.augment && j % 2 == 1,
            })
        })
        .collect()
    }
}

/// One direction of a grid.
struct Side {
    padded: usize,
    tile: usize,
    starts: Vec<usize>,
}

impl Side {
    fn new(padded: usize, bsize: usize, overlap: f64, augment: bool) -> Self {
        let (padded, tiles) = match augment {
            true => (padded.max(bsize), ((2.0 * padded as f64 / bsize as f64).ceil() as usize).max(2)),
            false if padded <= bsize => (padded, 1),
            false => (padded, ((1.0 + 2.0 * overlap) * padded as f64 / bsize as f64).ceil() as usize),
        };
        let tile = bsize.min(padded);
        Side { padded, tile, starts: starts(padded - tile, tiles) }
    }
}

/// `numpy.linspace(0, last, n).astype(int)`.
fn starts(last: usize, n: usize) -> Vec<usize> {
    let step = last as f64 / (n.max(2) - 1) as f64;
    (0..n).map(|i| if i > 0 && i + 1 == n { last } else { (i as f64 * step) as usize }).collect()
}
