//! The pictures of one image file, and what the file says about them.

use std::fmt;

use super::Image;
use crate::{Error, Result};

/// The pictures of one image: the planes of a stack, or the frames of a time series. There is at least one.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    /// The pictures, by time, then by any other axis, then by z. All have the same shape and type.
    pub planes: Vec<Image>,
    /// The axes over which the planes run, and the size of a pixel.
    pub layout: Layout,
    /// The name that the file gives to this image (of OME-XML).
    pub name: Option<String>,
    /// The number of this image in its file, counted from 1; `None` if the file has no other.
    pub series: Option<usize>,
    /// What had to be guessed to read the file, and what was left out.
    pub notes: Vec<Note>,
}

impl Stack {
    /// A stack of planes that nothing more is known about; their axis has the letter `Q`.
    pub fn new(planes: Vec<Image>) -> Self {
        let axes = match planes.len() {
            1 => vec![],
            length => vec![Axis { letter: 'Q', length }],
        };
        Stack {
            planes,
            layout: Layout { axes, ..Layout::default() },
            name: None,
            series: None,
            notes: vec![],
        }
    }

    /// The warnings among the notes.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.notes.iter().filter_map(|note| match note {
            Note::Warning(text) => Some(text.as_str()),
            Note::Remark(_) => None,
        })
    }
}

/// How the planes of a stack lie in time and space. It is what a label file needs to lie over its image:
/// [`save_labels_as`](crate::output::save_labels_as) writes it.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    /// The axes over which the planes run, slowest first; the product of their lengths is the number of planes. Axes of
    /// length 1 are left out, so that one plane has none.
    pub axes: Vec<Axis>,
    /// The size of a pixel, as far as the file has it.
    pub pixel_size: PixelSize,
}

crate::options::setters! {
    Layout:
    axes: Vec<Axis>,
    pixel_size: PixelSize,
}

impl Layout {
    /// The number of planes that fill the axes; `None` if it overflows.
    pub fn planes(&self) -> Option<usize> {
        self.axes.iter().try_fold(1_usize, |n, axis| n.checked_mul(axis.length))
    }

    /// The planes of each volume, front to back: the planes along Z, for each place on the other axes, such as each time
    /// point.
    ///
    /// # Errors
    /// [`Error::Image`] when there is one plane, or no axis is called Z.
    pub fn volumes(&self) -> Result<Vec<Vec<usize>>> {
        let count = self.planes().unwrap_or(usize::MAX);
        if count < 2 {
            return Err(Error::Image("has one plane; a volume needs at least two".into()));
        }
        let Some(z) = self.axes.iter().position(|axis| axis.letter == 'Z') else {
            let reason = format!(
                "none of its axes, {}YX, is known to be Z, along which planes make a volume; --axes or --z-axis names it",
                self.letters()
            );
            return Err(Error::Image(reason));
        };
        let depth = self.axes[z].length;
        let inner: usize = self.axes[z + 1..].iter().map(|axis| axis.length).product();
        let first = |volume: usize| volume / inner * depth * inner + volume % inner;
        Ok((0..count / depth).map(|v| (0..depth).map(|plane| first(v) + plane * inner).collect()).collect())
    }

    /// Where a plane lies: for each axis, slowest first, its letter and the index on it, from 0.
    ///
    /// ```
    /// use flowmask::image::{Axis, Layout};
    /// let axes = vec![Axis { letter: 'T', length: 2 }, Axis { letter: 'Z', length: 3 }];
    /// assert_eq!(Layout::default().axes(axes).place(4), [('T', 1), ('Z', 1)]);
    /// ```
    pub fn place(&self, plane: usize) -> Vec<(char, usize)> {
        let mut rest = plane;
        let mut place: Vec<_> = self
            .axes
            .iter()
            .rev()
            .map(|axis| {
                let length = axis.length.max(1);
                let index = rest % length;
                rest /= length;
                (axis.letter, index)
            })
            .collect();
        place.reverse();
        place
    }

    /// The axes of the volumes: those of the planes without Z.
    pub fn of_volumes(&self) -> Layout {
        self.clone().axes(self.axes.iter().copied().filter(|axis| axis.letter != 'Z').collect())
    }

    /// The letters of the axes of the planes, slowest first, such as `TZ`.
    pub fn letters(&self) -> String {
        self.axes.iter().map(|axis| axis.letter).collect()
    }
}

/// An axis over which planes run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// `T` for time, `Z` for depth, `Q` where nothing says what it is, or any other letter that the file has.
    pub letter: char,
    /// The number of steps along the axis.
    pub length: usize,
}

/// The size of a pixel, and the distance of two planes.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PixelSize {
    /// The width of a pixel, in `unit`.
    pub x: Option<f64>,
    /// The height of a pixel, in `unit`.
    pub y: Option<f64>,
    /// The distance of neighbouring planes along z, in `unit`.
    pub z: Option<f64>,
    /// The unit as the file has it, such as `µm` or `inch`.
    pub unit: Option<String>,
}

crate::options::setters! {
    PixelSize:
    x: Option<f64>,
    y: Option<f64>,
    z: Option<f64>,
    unit: Option<String>,
}

/// The length of a unit in metres, for units that occur in microscopy.
pub(crate) fn metres(unit: &str) -> Option<f64> {
    Some(match unit {
        "m" => 1.0,
        "cm" => 1e-2,
        "mm" => 1e-3,
        "µm" | "\u{3bc}m" => 1e-6,
        "nm" => 1e-9,
        "Å" | "\u{212b}" => 1e-10,
        "pm" => 1e-12,
        "in" => 0.0254,
        _ => return None,
    })
}

/// One sentence on how a file was read.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// What the file does not say and was guessed, or what is in other files of a data set.
    Remark(String),
    /// What the file has and is not in the stack, or what it says and is not true.
    Warning(String),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Note::Remark(text) | Note::Warning(text) => f.write_str(text),
        }
    }
}
