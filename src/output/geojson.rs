//! Writer of cells as GeoJSON.

use std::collections::HashMap;
use std::io::{self, Write};

use ndarray::ArrayView2;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::parts::parts;
use super::{Polygon, batches, planes, polygons};
use crate::atomic::{Destination, write_atomic};
use crate::image::Layout;
use crate::mark::SOFTWARE;
use crate::{Error, Result};

/// What is said of the cells besides their shapes.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CellProperties {
    /// The class of all cells.
    pub classification: Option<Classification>,
    /// What was measured, in the order in which it is shown.
    pub measurements: Vec<Measurement>,
}

crate::options::setters! {
    CellProperties:
    classification: Option<Classification>,
    measurements: Vec<Measurement>,
}

/// A class of cells, as QuPath shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classification {
    /// Its name, such as `Tumor`; with colons that of a derived class, such as `Tumor: Positive`.
    pub name: String,
    /// Red, green and blue.
    pub color: [u8; 3],
}

/// A value of each cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measurement {
    /// What was measured, with its unit, such as `Area µm^2`.
    pub name: String,
    /// The values by label. A cell without one, or with one that is not finite, has no such measurement.
    pub values: HashMap<u32, f64>,
}

/// Writes the cells of one or more planes as GeoJSON (RFC 7946), which QuPath (0.4 or newer) imports as objects, and other
/// programs read. Each plane is `[height, width]` with 0 for background, all have the same size, and `layout` says how they
/// lie ([`Stack::layout`](crate::Stack::layout)).
///
/// The file is one FeatureCollection with a feature for each cell of each plane, by plane, then by label:
///
/// * `geometry`: a Polygon, or a MultiPolygon for a cell in several parts, along the edges of the pixels: pixel (x, y) covers the
///   square from (x, y) to (x + 1, y + 1), as in QuPath, and y points down. Rings are closed and do not touch themselves;
///   a hole may touch the outer ring at a corner. With y as it stands in the file, outer rings are counterclockwise and holes
///   clockwise, as the standard asks. In a stack there is QuPath's `plane` too: the indices `z` and `t` from 0, and
///   the channel `c`, or −1. A single axis that is neither time nor channels is taken for depth.
/// * `id`: a UUID (version 8) made of a hash of plane, label and geometry, so that the same file gives the same objects.
/// * `properties`: `objectType` is `cell`; `name` is the label; `classification`, if there is one; `measurements` by name, if
///   there are any.
///
/// # Errors
/// [`Error::Image`] when there are no planes, a plane has no pixels, planes differ in size or do not fill the axes;
/// [`Error::Labels`] for several axes of which some are not Z, T or C; [`Error::Write`] when the file cannot be written;
/// [`Error::Exists`] when one there must not be replaced.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("cells.geojson");
/// use flowmask::output::{CellProperties, Measurement, save_geojson};
/// let masks = ndarray::array![[0, 7, 7], [0, 7, 7]];
/// let area = Measurement { name: "Area px^2".into(), values: [(7, 4.0)].into() };
/// let properties = CellProperties::default().measurements(vec![area]);
/// save_geojson(&path, &[masks.view()], &Default::default(), &properties)?;
/// let text = std::fs::read_to_string(&path)?;
/// assert!(text.contains(r#""coordinates":[[[1,0],[3,0],[3,2],[1,2],[1,0]]]"#));
/// assert!(text.contains(r#""measurements":{"Area px^2":4.0}"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn save_geojson(
    to: impl Into<Destination>,
    masks: &[ArrayView2<u32>],
    layout: &Layout,
    properties: &CellProperties,
) -> Result<()> {
    let to = to.into();
    planes::check(masks, layout)?;
    if layout.axes.len() > 1 && !planes::are_known(&layout.place(0)) {
        let reason = format!("QuPath knows planes along Z, T and C, not along {}", layout.letters());
        return Err(Error::labels(to.path(), reason));
    }
    write_atomic(to, |writer| {
        // The first lines say that the file is flowmask's: see `mark`.
        write!(writer, "{{\"type\":\"FeatureCollection\",\n\"created_by\": \"{SOFTWARE}\",\n\"features\":[")?;
        let mut separator = "\n";
        for (index, masks) in masks.iter().enumerate() {
            let plane = plane(&layout.place(index));
            let cells = polygons::of_each_cell(*masks);
            let encode = |cell: &Vec<Polygon>| feature(cell, &plane, properties);
            batches::in_order(&cells, encode, |text: Vec<u8>| {
                writer.write_all(separator.as_bytes())?;
                separator = ",\n";
                writer.write_all(&text)
            })?;
        }
        writer.write_all(b"\n]}\n")
    })
}

/// A member of the geometry that names the plane; nothing for a single plane.
fn plane(place: &[(char, usize)]) -> String {
    let of = |letter| planes::index(place, letter);
    let (c, t) = (of('C').map_or(-1, |c| c as i64), of('T').unwrap_or(0));
    let z = match place {
        [] => return String::new(),
        [(letter, index)] if !"TC".contains(*letter) => *index,
        _ => of('Z').unwrap_or(0),
    };
    format!(r#","plane":{{"c":{c},"z":{z},"t":{t}}}"#)
}

/// A cell as a feature. It has at least one polygon.
fn feature(cell: &[Polygon], plane: &str, properties: &CellProperties) -> io::Result<Vec<u8>> {
    let mut parts = parts(cell);
    parts.iter_mut().flatten().for_each(|ring| ring.extend(ring.first().copied()));
    let (kind, coordinates) = match parts.as_slice() {
        [part] => ("Polygon", serde_json::to_string(part)?),
        parts => ("MultiPolygon", serde_json::to_string(parts)?),
    };
    let geometry = format!(r#"{{"type":"{kind}","coordinates":{coordinates}{plane}}}"#);
    let label = cell[0].label;
    let id = uuid(&Sha256::digest(format!("{label}{geometry}")));
    let mut text =
        format!(r#"{{"type":"Feature","id":"{id}","geometry":{geometry},"properties":"#).into_bytes();
    write_properties(&mut text, label, properties)?;
    text.push(b'}');
    Ok(text)
}

fn write_properties(text: &mut Vec<u8>, label: u32, properties: &CellProperties) -> io::Result<()> {
    write!(text, r#"{{"objectType":"cell","name":"{label}""#)?;
    if let Some(Classification { name, color }) = &properties.classification {
        write!(text, r#","classification":{}"#, json!({ "name": name, "color": color }))?;
    }
    let mut start = ",\"measurements\":{";
    for Measurement { name, values } in &properties.measurements {
        if let Some(value) = values.get(&label).filter(|value| value.is_finite()) {
            write!(text, "{start}{}:{}", json!(name), json!(value))?;
            start = ",";
        }
    }
    let end = if start == "," { "}}" } else { "}" };
    text.write_all(end.as_bytes())
}

/// A UUID of version 8: the first bits of a hash, as RFC 9562 (appendix B.2) makes them.
fn uuid(hash: &[u8]) -> String {
    let mut bytes: [u8; 16] = std::array::from_fn(|i| hash[i]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
