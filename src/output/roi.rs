//! A region of ImageJ as a file, after `ij.io.RoiDecoder` of ImageJ 1.54 and as the Python package roifile writes it for
//! cellpose.

use super::{Contour, planes};

/// Coordinates beyond this would be read as negative (ImageJ takes 16 bits below −5000 for large numbers): such regions have
/// their points as floats too. roifile has the same limit.
const MAX_SHORT: u32 = 60_535;
/// Floats have all whole numbers up to this.
pub(super) const MAX_FLOAT: usize = 1 << 24;
/// The number of points must fit 32 bits together with the bytes that they take.
pub(super) const MAX_POINTS: usize = 1 << 27;

/// The version of the format, that of ImageJ 1.54.
const VERSION: u16 = 229;
/// A polygon that was drawn by hand, as roifile makes of points.
const FREEHAND: u8 = 7;
/// Labels have a background in an overlay: roifile's choice.
const OVERLAY: u16 = 8 | 32;
const SUB_PIXEL: u16 = 128;
const HEADER: usize = 64;

/// The slice of a stack that a region belongs to, counted from 1; 0 stands for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// The number of the slice in a stack with one axis.
    pub slice: u32,
    /// The channel, depth and time in a hyperstack.
    pub hyperstack: [u32; 3],
}

impl Position {
    /// The position that ImageJ gives to a region drawn on this plane: a stack with several axes is a hyperstack, unless it has
    /// axes that ImageJ does not know.
    pub fn new(place: &[(char, usize)], plane: usize) -> Self {
        let number = |index: usize| index as u32 + 1;
        match place.len() {
            0 => Position::default(),
            2.. if planes::are_known(place) => {
                let of = |letter| planes::index(place, letter).map_or(0, number);
                Position { slice: 0, hyperstack: ['C', 'Z', 'T'].map(of) }
            }
            _ => Position { slice: number(plane), hyperstack: [0; 3] },
        }
    }
}

/// The file of a contour that has points.
pub(super) fn encode(contour: &Contour, name: &str, position: Position) -> Vec<u8> {
    let points = &contour.points;
    let [xs, ys] = [0, 1].map(|axis| points.iter().map(move |point| point[axis]));
    let [left, top] = [xs.clone(), ys.clone()].map(|values| values.min().unwrap_or(0));
    let [right, bottom] = [xs.clone(), ys.clone()].map(|values| values.max().unwrap_or(0));
    let floats = right.max(bottom) > MAX_SHORT;
    let second = HEADER + points.len() * if floats { 12 } else { 4 };
    let name: Vec<u16> = name.encode_utf16().collect();

    let mut file = Vec::with_capacity(second + HEADER + 2 * name.len());
    file.extend(b"Iout");
    file.extend(VERSION.to_be_bytes());
    file.extend([FREEHAND, 0]);
    for side in [top, left, bottom + 1, right + 1] {
        file.extend((side as u16).to_be_bytes());
    }
    // More points than 16 bits can count are counted after a 0.
    let few = u16::try_from(points.len());
    file.extend(few.unwrap_or(0).to_be_bytes());
    file.extend(few.map_or(points.len() as u32, |_| 0).to_be_bytes());
    file.resize(50, 0);
    file.extend((if floats { OVERLAY | SUB_PIXEL } else { OVERLAY }).to_be_bytes());
    file.resize(56, 0);
    file.extend(position.slice.to_be_bytes());
    file.extend((second as u32).to_be_bytes());

    xs.clone().for_each(|x| file.extend(((x - left) as u16).to_be_bytes()));
    ys.clone().for_each(|y| file.extend(((y - top) as u16).to_be_bytes()));
    if floats {
        xs.chain(ys).for_each(|value| file.extend((value as f32).to_be_bytes()));
    }

    // The second header: the position, and where the name is.
    file.extend([0; 4]);
    position.hyperstack.iter().for_each(|number| file.extend(number.to_be_bytes()));
    file.extend(((second + HEADER) as u32).to_be_bytes());
    file.extend((name.len() as u32).to_be_bytes());
    file.resize(second + HEADER, 0);
    file.extend(name.iter().flat_map(|unit| unit.to_be_bytes()));
    file
}
