//! What is measured of the cells of an image: the rows of its table, and the measurements of its polygons.

use std::borrow::Cow;
use std::collections::HashMap;

use flowmask::measure::{Column, Inputs, Sums, Table, measure, measure_volume};
use flowmask::metrics::flow_error;
use flowmask::output::{CellProperties, Measurement};
use flowmask::{Image, Result};
use ndarray::ArrayView2;

use super::args::Wanted;
use super::cells::Cells;

/// Columns, and what QuPath calls such measurements.
const NAMES: [(&str, &str); 11] = [
    ("area_um2", "Area µm^2"),
    ("area_um3", "Volume µm^3"),
    ("perimeter", "Perimeter px"),
    ("perimeter_um", "Perimeter µm"),
    ("surface", "Surface px^2"),
    ("surface_um2", "Surface µm^2"),
    ("axis_major_length", "Major axis px"),
    ("axis_minor_length", "Minor axis px"),
    ("eccentricity", "Eccentricity"),
    ("solidity", "Solidity"),
    ("equivalent_diameter_area", "Equivalent diameter px"),
];

/// The intensities of a channel, which follows in both names.
const INTENSITIES: [(&str, &str); 4] =
    [("mean", "Mean"), ("std", "Std.Dev."), ("min", "Min"), ("max", "Max")];

/// The table of the cells of all planes, or of all volumes. Of several, columns tell the place.
fn table(cells: &Cells) -> Result<Table> {
    let mut all = Table::default();
    for (number, places) in parts(cells)?.iter().enumerate() {
        all.append(part(cells, places)?.placed(&place(cells, number)))?;
    }
    Ok(all)
}

/// The tables that outputs of these kinds are made of, which are measured once for all of them. Polygons alone take nothing
/// of the maps, so that they are the same as those of label files.
pub fn for_outputs(cells: &Cells, kinds: &[Wanted]) -> Result<Table> {
    match (kinds.iter().any(|kind| kind.is_table()), kinds.contains(&Wanted::Geojson)) {
        (true, _) => table(cells),
        (false, true) if parts(cells)?.len() == 1 => {
            table(&Cells { flows: Vec::new(), cellprob: Vec::new(), ..cells.clone() })
        }
        _ => Ok(Table::default()),
    }
}

/// What polygons say of their cells, of which this is the table: what follows from labels and pixels. In several planes a
/// label stands for several cells, of which nothing is said.
pub fn properties(cells: &Cells, table: &Table) -> Result<CellProperties> {
    if parts(cells)?.len() != 1 {
        return Ok(CellProperties::default());
    }
    let area = if cells.volumes { "Volume px^3" } else { "Area px^2" };
    let names = [("area".into(), area.into())].into_iter();
    let names = names.chain(NAMES.map(|(column, name)| (column.to_string(), name.to_string())));
    let channels = cells.images.first().map_or(0, Image::channels);
    let intensities = (0..channels).flat_map(|c| {
        INTENSITIES
            .map(|(column, name)| (format!("intensity_{column}-{c}"), format!("Channel {}: {name}", c + 1)))
    });
    let measurement = |(column, name): (String, String)| {
        Some(Measurement { name, values: by_label(table, table.column(&column)?) })
    };
    Ok(CellProperties::default().measurements(names.chain(intensities).filter_map(measurement).collect()))
}

fn by_label(table: &Table, column: &Column) -> HashMap<u32, f64> {
    let Some(Column::Integers(labels)) = table.column("label") else { return HashMap::new() };
    let labels = labels.iter().map(|&label| label as u32);
    match column {
        Column::Integers(values) => labels.zip(values.iter().map(|&value| value as f64)).collect(),
        Column::Floats(values) => labels.zip(values.iter().copied()).collect(),
        Column::Booleans(values) => labels.zip(values.iter().map(|&value| value.into())).collect(),
    }
}

/// The planes that are measured together: those of each volume, or each by itself.
fn parts(cells: &Cells) -> Result<Vec<Vec<usize>>> {
    match cells.volumes {
        true => cells.layout.volumes(),
        false => Ok((0..cells.masks.len()).map(|plane| vec![plane]).collect()),
    }
}

/// Where a plane or volume lies: the axes by their letters, and the place on each. Letters that several axes have are
/// numbered.
fn place(cells: &Cells, number: usize) -> Vec<(String, usize)> {
    let layout = if cells.volumes { cells.layout.of_volumes() } else { cells.layout.clone() };
    let place = layout.place(number);
    let named = |(i, &(letter, index)): (usize, &(char, usize))| {
        let many = place.iter().filter(|(other, _)| *other == letter).count() > 1;
        let name = letter.to_lowercase();
        (if many { format!("{name}{i}") } else { name.to_string() }, index)
    };
    place.iter().enumerate().map(named).collect()
}

/// The table of one plane or volume.
fn part(cells: &Cells, places: &[usize]) -> Result<Table> {
    let masks: Vec<ArrayView2<u32>> = places.iter().map(|&place| cells.masks[place]).collect();
    let cellprob: Vec<ArrayView2<f32>> =
        places.iter().filter_map(|&place| cells.cellprob.get(place).copied()).collect();
    // Maps may have another size, and then say nothing of single pixels.
    let fits = cellprob.len() == masks.len() && cellprob.iter().zip(&masks).all(|(a, b)| a.dim() == b.dim());
    let errors = flow_errors(cells, places)?;
    let inputs = Inputs {
        images: &images(cells.images, places),
        cellprob: if fits { &cellprob } else { &[] },
        flow_error: errors.as_deref(),
        sums: sums(cells, places),
        pixel_size: cells.layout.pixel_size.clone(),
        memory: None,
    };
    match &masks[..] {
        [plane] if !cells.volumes => measure(*plane, &inputs),
        planes => measure_volume(planes, &inputs),
    }
}

/// What is summed over the cells of a plane already.
fn sums<'a>(cells: &Cells<'a>, places: &[usize]) -> &'a [Sums] {
    match places {
        &[plane] if !cells.volumes => cells.sums.get(plane).copied().unwrap_or_default(),
        _ => &[],
    }
}

/// The images of these planes. They are copied only where a volume's planes do not follow each other.
fn images<'a>(all: &'a [Image], places: &[usize]) -> Cow<'a, [Image]> {
    let in_order = places.windows(2).all(|pair| pair[0] + 1 == pair[1]);
    let first = places.first().copied().unwrap_or(0);
    match all.get(first..first + places.len()).filter(|_| in_order) {
        Some(images) => Cow::Borrowed(images),
        None => Cow::Owned(places.iter().filter_map(|&place| all.get(place).cloned()).collect()),
    }
}

/// The flow error of each cell of a plane, if its flows are there.
fn flow_errors(cells: &Cells, places: &[usize]) -> Result<Option<Vec<(u32, f64)>>> {
    let &[place] = places else { return Ok(None) };
    let (masks, flows) = (cells.masks[place], cells.flows.get(place));
    let fits = |flows: &&ndarray::ArrayView3<f32>| flows.dim() == (2, masks.nrows(), masks.ncols());
    flows.filter(fits).map(|flows| flow_error(masks, *flows)).transpose()
}
