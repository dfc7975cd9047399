//! The padding of an image and its tiles (`get_pad_yx`, `make_tiles`).

use super::scale::scaled;
use crate::Options;

/// The place of a tile in the padded image. Tiles are flipped only with `augment`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tile {
    /// First row.
    pub y: usize,
    /// First column.
    pub x: usize,
    /// Whether the network gets the rows in reverse order.
    pub flip_y: bool,
    /// Whether the network gets the columns in reverse order.
    pub flip_x: bool,
}

/// The tiles of an image. All lengths and positions are in pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Size of the image, (height, width).
    pub image: (usize, usize),
    /// Rows and columns of zeros before the image, (above, left).
    pub before: (usize, usize),
    /// Size of the padded image, (height, width): multiples of 16, and with `augment` at least a tile.
    pub padded: (usize, usize),
    /// Size of a tile, (height, width): multiples of 16.
    pub tile: (usize, usize),
    /// The first row of each row of tiles, and the first column of each column of tiles.
    pub starts: (Vec<usize>, Vec<usize>),
    pub(crate) augment: bool,
}

/// The number of zeros before and after the pixels of an axis: up to a multiple of 16, and 16 more.
pub fn padding(length: usize) -> (usize, usize) {
    let missing = length.next_multiple_of(16) - length;
    (8 + missing / 2, 8 + missing - missing / 2)
}

impl Grid {
    /// The tiles of an image of `height` by `width` pixels. `bsize` is the length of a tile's sides, a multiple of 16;
    /// `overlap` is the part of a tile that overlaps its neighbour, 0.05 to 0.5; `augment` makes tiles overlap by half
    /// and flips some (cellpose's options of these names).
    pub fn new(height: usize, width: usize, bsize: usize, overlap: f64, augment: bool) -> Self {
        let ((top, bottom), (left, right)) = (padding(height), padding(width));
        let (padded_height, padded_width) = (top + height + bottom, left + width + right);
        let grid = Grid::of_padded(padded_height, padded_width, bsize, overlap, augment);
        Grid { image: (height, width), before: (top, left), ..grid }
    }

    /// The tiles of an image that is padded already; the other arguments are those of [`Grid::new`].
    pub fn of_padded(height: usize, width: usize, bsize: usize, overlap: f64, augment: bool) -> Self {
        let shape = Shape::of_padded(height, width, bsize, overlap, augment);
        Grid {
            image: (height, width),
            before: (0, 0),
            padded: shape.padded(),
            tile: shape.tile(),
            starts: (shape.y.starts(), shape.x.starts()),
            augment,
        }
    }

    /// The tiles of an image of this size, (height, width), with these options.
    pub(crate) fn of((height, width): (usize, usize), options: &Options) -> Self {
        Grid::new(height, width, options.bsize, options.tile_overlap, options.augment)
    }

    /// The number of tiles.
    pub fn count(&self) -> usize {
        self.starts.0.len() * self.starts.1.len()
    }

    /// The tiles, row by row. As in the original, `augment` flips odd columns of tiles in y and odd rows of tiles in x.
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

/// The sizes of a grid, which are known without its memory: an image may have more tiles than fit into it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    y: Axis,
    x: Axis,
}

impl Shape {
    /// The shape of [`Grid::of`].
    pub fn of((height, width): (usize, usize), options: &Options) -> Self {
        let padded = |length: usize| length + padding(length).0 + padding(length).1;
        let (bsize, overlap) = (options.bsize, options.tile_overlap);
        Shape::of_padded(padded(height), padded(width), bsize, overlap, options.augment)
    }

    /// The shape of the grid of an image of this size when it is scaled by `scale`.
    pub fn at_scale((height, width): (usize, usize), scale: f64, options: &Options) -> Self {
        Shape::of((scaled(height, scale), scaled(width, scale)), options)
    }

    /// The shape of [`Grid::of_padded`].
    pub fn of_padded(height: usize, width: usize, bsize: usize, overlap: f64, augment: bool) -> Self {
        let axis = |length| Axis::new(length, bsize, overlap, augment);
        Shape { y: axis(height), x: axis(width) }
    }

    /// [`Grid::padded`].
    pub fn padded(&self) -> (usize, usize) {
        (self.y.padded, self.x.padded)
    }

    /// [`Grid::tile`].
    pub fn tile(&self) -> (usize, usize) {
        (self.y.tile, self.x.tile)
    }

    /// The number of tiles.
    pub fn count(&self) -> u64 {
        (self.y.tiles as u64).saturating_mul(self.x.tiles as u64)
    }
}

/// The tiles along one axis of an image.
#[derive(Clone, Copy, Debug)]
struct Axis {
    padded: usize,
    tile: usize,
    tiles: usize,
}

impl Axis {
    fn new(padded: usize, bsize: usize, overlap: f64, augment: bool) -> Self {
        let (padded, tiles) = match augment {
            true => (padded.max(bsize), ((2.0 * padded as f64 / bsize as f64).ceil() as usize).max(2)),
            false if padded <= bsize => (padded, 1),
            false => (padded, ((1.0 + 2.0 * overlap) * padded as f64 / bsize as f64).ceil() as usize),
        };
        Axis { padded, tile: bsize.min(padded), tiles }
    }

    /// `numpy.linspace(0, last, n).astype(int)`.
    fn starts(&self) -> Vec<usize> {
        let (last, n) = (self.padded - self.tile, self.tiles);
        let step = last as f64 / (n.max(2) - 1) as f64;
        (0..n).map(|i| if i > 0 && i + 1 == n { last } else { (i as f64 * step) as usize }).collect()
    }
}
