//! The columns of the table of cells.

use super::axes::{Ellipse, ellipsoid};
use super::intensity::Intensity;
use super::moments::Moments;
use super::table::Table;

/// What was measured of a cell. What only planes or only volumes have is 0 in the other.
pub struct Measured {
    pub label: u32,
    pub moments: Moments,
    pub euler_number: i64,
    pub perimeter: f64,
    pub convex_pixels: u64,
    /// In faces of a voxel, and in µm².
    pub surface: [f64; 2],
    pub channels: Vec<Intensity>,
    pub cellprob: f64,
    pub flow_error: f64,
}

/// What is known of the image that the cells are in.
pub struct About {
    /// Whether it is a volume.
    pub volume: bool,
    /// Planes, rows and columns.
    pub size: [usize; 3],
    pub channels: usize,
    pub cellprob: bool,
    pub flow_error: bool,
    /// The distance of pixels along z, y and x in µm.
    pub voxel: Option<[f64; 3]>,
}

/// A name, and the number that the column has of a cell or of a channel of it.
type Floats<'a, T = Measured> = (&'a str, fn(&T) -> f64);

/// The table of cells.
pub fn table(cells: &[Measured], about: &About) -> Table {
    let mut table = Table::default();
    let axes = if about.volume { 0..3 } else { 1..3 };
    let many = axes.len();
    table.integers("label", cells.iter().map(|cell| cell.label.into()));
    table.integers("area", cells.iter().map(|cell| cell.moments.pixels as i64));
    for (i, axis) in axes.clone().enumerate() {
        table.integers(format!("bbox-{i}"), cells.iter().map(|cell| cell.moments.start[axis].into()));
    }
    for (i, axis) in axes.clone().enumerate() {
        table.integers(format!("bbox-{}", many + i), cells.iter().map(|cell| cell.moments.end[axis].into()));
    }
    for (i, axis) in axes.clone().enumerate() {
        table.floats(format!("centroid-{i}"), cells.iter().map(|cell| cell.moments.centroid()[axis]));
    }
    sizes(&mut table, cells, about.volume, [1.0; 3], "");
    let shape: &[Floats] = match about.volume {
        true => &[("surface", |cell| cell.surface[0])],
        false => {
            let ellipse: [Floats; 2] = [
                ("eccentricity", |cell| ellipse(cell, [1.0; 3]).eccentricity),
                ("orientation", |cell| ellipse(cell, [1.0; 3]).orientation),
            ];
            ellipse.iter().for_each(|(name, of)| table.floats(*name, cells.iter().map(of)));
            table.integers("area_convex", cells.iter().map(|cell| cell.convex_pixels as i64));
            &[
                ("solidity", |cell| cell.moments.pixels as f64 / cell.convex_pixels as f64),
                ("perimeter", |cell| cell.perimeter),
            ]
        }
    };
    shape.iter().for_each(|(name, of)| table.floats(*name, cells.iter().map(of)));
    table.integers("euler_number", cells.iter().map(|cell| cell.euler_number));
    let touches = |cell: &Measured| {
        let Moments { start, end, .. } = &cell.moments;
        axes.clone().any(|axis| start[axis] == 0 || end[axis] as usize == about.size[axis])
    };
    table.booleans("touches_edge", cells.iter().map(touches));
    intensities(&mut table, cells, about);
    if let Some(voxel) = about.voxel {
        micrometres(&mut table, cells, about.volume, voxel);
    }
    table
}

/// The lengths that depend on the area and the second moments, for this distance of pixels; their names end in `unit`.
fn sizes(table: &mut Table, cells: &[Measured], volume: bool, voxel: [f64; 3], unit: &str) {
    let diameter = |cell: &Measured| equivalent_diameter(cell.moments.pixels, volume, voxel);
    table.floats(format!("equivalent_diameter_area{unit}"), cells.iter().map(diameter));
    let axes = |cell: &Measured| match volume {
        true => ellipsoid(covariance(cell, voxel)),
        false => [ellipse(cell, voxel).major, ellipse(cell, voxel).minor],
    };
    table.floats(format!("axis_major_length{unit}"), cells.iter().map(|cell| axes(cell)[0]));
    table.floats(format!("axis_minor_length{unit}"), cells.iter().map(|cell| axes(cell)[1]));
}

/// The diameter of a disc or ball with this area.
fn equivalent_diameter(pixels: u64, volume: bool, [z, y, x]: [f64; 3]) -> f64 {
    let (pixels, pi) = (pixels as f64, std::f64::consts::PI);
    if volume { (6.0 * pixels * z * y * x / pi).cbrt() } else { (4.0 * pixels * y * x / pi).sqrt() }
}

fn covariance(cell: &Measured, voxel: [f64; 3]) -> [[f64; 3]; 3] {
    let of =
        |i: usize, j: usize| if i > j { 0.0 } else { cell.moments.covariance(i, j) * voxel[i] * voxel[j] };
    std::array::from_fn(|i| std::array::from_fn(|j| of(i, j)))
}

fn ellipse(cell: &Measured, voxel: [f64; 3]) -> Ellipse {
    let [_, [_, yy, yx], [_, _, xx]] = covariance(cell, voxel);
    Ellipse::new(yy, yx, xx)
}

fn intensities(table: &mut Table, cells: &[Measured], about: &About) {
    let of: [Floats<Intensity>; 5] = [
        ("mean", |channel| channel.mean),
        ("min", |channel| channel.min),
        ("max", |channel| channel.max),
        ("std", |channel| channel.std),
        ("sum", |channel| channel.sum),
    ];
    for (name, of) in of {
        for c in 0..about.channels {
            table.floats(format!("intensity_{name}-{c}"), cells.iter().map(|cell| of(&cell.channels[c])));
        }
    }
    if about.cellprob {
        table.floats("cellprob_mean", cells.iter().map(|cell| cell.cellprob));
    }
    if about.flow_error {
        table.floats("flow_error", cells.iter().map(|cell| cell.flow_error));
    }
}

/// The same in µm, with what it is in its name.
fn micrometres(table: &mut Table, cells: &[Measured], volume: bool, voxel: [f64; 3]) {
    let [z, y, x] = voxel;
    let (unit, pixel, axes) = if volume { ("um3", z * y * x, 0..3) } else { ("um2", y * x, 1..3) };
    table.floats(format!("area_{unit}"), cells.iter().map(|cell| cell.moments.pixels as f64 * pixel));
    for (i, axis) in axes.enumerate() {
        let of = |cell: &Measured| cell.moments.centroid()[axis] * voxel[axis];
        table.floats(format!("centroid_um-{i}"), cells.iter().map(of));
    }
    sizes(table, cells, volume, voxel, "_um");
    if volume {
        table.floats("surface_um2", cells.iter().map(|cell| cell.surface[1]));
    } else if y == x {
        // The estimate holds for square pixels alone.
        table.floats("perimeter_um", cells.iter().map(|cell| cell.perimeter * x));
    }
}
