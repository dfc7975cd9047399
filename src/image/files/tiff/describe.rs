//! The axes of the pages, from the description in the first page: OME-XML, ImageJ's lines or tifffile's JSON.

use std::collections::HashSet;

use roxmltree::{Document, Node};

use super::super::axes::{Axis, count};
use super::super::samples::Decoded;
use super::directory::Page;

/// What a description says about the pages.
#[derive(Debug, PartialEq)]
pub(super) struct Meaning {
    /// The axes over which the pages run, slowest first.
    pub axes: Vec<Axis>,
    /// The numbers of the pages in the file, in the order of the axes; `None` if the file is in that order.
    pub order: Option<Vec<usize>>,
}

/// Reads the description of a file with `pages` pages; `None` if it is none of the three kinds.
pub(super) fn meaning(text: &str, first: &Page, pages: usize) -> Decoded<Option<Meaning>> {
    let start = text.trim_start_matches('\u{feff}').trim_start();
    if start.starts_with('<') && (start.contains("<OME") || start.contains(":OME")) {
        return ome(start, usize::from(first.samples), pages).map(Some);
    }
    let axes = if start.starts_with("ImageJ=") {
        Some(imagej(start))
    } else if start.starts_with("{\"shape\":") {
        tifffile(start, first)
    } else {
        None
    };
    Ok(axes.map(|axes| Meaning { axes, order: None }))
}

/// ImageJ's description: lines of `key=value`. Channels run fastest, then slices, then frames.
fn imagej(text: &str) -> Vec<Axis> {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        line.trim().parse::<usize>().ok()
    };
    let length = |key| value(key).unwrap_or(1).max(1);
    let (channels, slices, frames) = (length("channels"), length("slices"), length("frames"));
    let images = length("images");
    let axes = vec![('T', frames), ('Z', slices), ('C', channels)];
    if count(&axes) == Some(images) { axes } else { vec![('Q', images)] }
}

/// tifffile's description: `{"shape": [5, 2, 64, 64], "axes": "ZCYX"}`, in which the axes may be missing.
fn tifffile(text: &str, first: &Page) -> Option<Vec<Axis>> {
    let json: serde_json::Value = serde_json::from_str(text).ok()?;
    let shape: Vec<u64> = json.get("shape")?.as_array()?.iter().map(|n| n.as_u64()).collect::<Option<_>>()?;
    let samples = u64::from(first.samples);
    let mut within = vec![first.height, first.width];
    if first.planar {
        within.insert(0, samples);
    } else if samples > 1 {
        within.push(samples);
    }
    let shape = shape.strip_suffix(&[1][..]).filter(|s| s.ends_with(&within)).unwrap_or(&shape);
    let lengths = shape.strip_suffix(within.as_slice())?;
    let lengths: Vec<usize> = lengths.iter().map(|&n| usize::try_from(n)).collect::<Result<_, _>>().ok()?;
    let letters: Vec<char> = match json.get("axes").and_then(|axes| axes.as_str()) {
        Some(axes) => axes.chars().take(lengths.len()).map(|c| if c == 'S' { 'C' } else { c }).collect(),
        None => guess(&lengths, samples),
    };
    (letters.len() == lengths.len()).then(|| letters.into_iter().zip(lengths).collect())
}

/// Guesses the letters of axes: the last one is the channels if it is 2 to 4 long, as for pages without a description.
fn guess(lengths: &[usize], samples: u64) -> Vec<char> {
    let mut letters = vec!['Q'; lengths.len()];
    if let (Some(last), 1, Some(2..=4)) = (letters.last_mut(), samples, lengths.last()) {
        *last = 'C';
    }
    letters
}

/// OME-XML (2016-06): the sizes of the first image, the order of its axes, and its pages in this file.
fn ome(text: &str, samples: usize, pages: usize) -> Decoded<Meaning> {
    let xml = Document::parse(text).map_err(|e| format!("the OME-XML cannot be understood: {e}"))?;
    let pixels = xml.descendants().find(|n| n.tag_name().name() == "Pixels");
    let pixels = pixels.ok_or("the OME-XML describes no pixels")?;
    let size = |name| number(&pixels, name).unwrap_or(1);
    let order = pixels.attribute("DimensionOrder").unwrap_or("XYCZT");
    // OME counts the samples of a page as channels.
    let channels = size("SizeC");
    let each = if channels.is_multiple_of(samples) { samples } else { 1 };
    let mut axes: Vec<Axis> = Vec::new();
    for letter in order.chars().rev().filter(|letter| "CZT".contains(*letter)) {
        let length =
            if letter == 'C' { channels / each } else { size(if letter == 'Z' { "SizeZ" } else { "SizeT" }) };
        axes.push((letter, length));
    }
    match count(&axes) {
        Some(0) | None => Err("the sizes in the OME-XML are wrong".into()),
        Some(n) if n > pages => Err(format!("the OME-XML declares {n} pages, the file has {pages}")),
        Some(n) => Ok(Meaning { order: Some(listed(&pixels, &axes, each, n)?), axes }),
    }
}

/// The page numbers that `TiffData` elements list, in the order of the axes. Without a list, the file is in that order.
fn listed(pixels: &Node, axes: &[Axis], each: usize, total: usize) -> Decoded<Vec<usize>> {
    // A data set in several files lists the same page numbers once for each file.
    let wrong = "the OME-XML lists other pages than its sizes declare, or pages of other files";
    let mut order = Vec::new();
    for data in pixels.children().filter(|n| n.tag_name().name() == "TiffData") {
        let index = |name| number(&data, name);
        let page = index("IFD");
        if page.is_none() && index("PlaneCount").is_none() {
            return Ok((0..total).collect()); // `TiffData` without attributes means all pages in order.
        }
        let place = |letter| match letter {
            'C' => index("FirstC").unwrap_or(0) / each,
            'Z' => index("FirstZ").unwrap_or(0),
            _ => index("FirstT").unwrap_or(0),
        };
        let start =
            axes.iter().try_fold(0_usize, |n, axis| n.checked_mul(axis.1)?.checked_add(place(axis.0)));
        for i in 0..index("PlaneCount").unwrap_or(1) {
            if order.len() == total {
                return Err(wrong.into());
            }
            let plane = start.and_then(|start| start.checked_add(i));
            order.push((plane, page.unwrap_or(0).checked_add(i).ok_or(wrong)?));
        }
    }
    if order.is_empty() {
        return Ok((0..total).collect());
    }
    order.sort();
    let complete = order.len() == total && order.iter().zip(0..).all(|(&(plane, _), i)| plane == Some(i));
    let pages: Vec<usize> = order.into_iter().map(|(_, page)| page).collect();
    let distinct = pages.iter().collect::<HashSet<_>>().len() == total;
    if complete && distinct { Ok(pages) } else { Err(wrong.into()) }
}

fn number(node: &Node, attribute: &str) -> Option<usize> {
    node.attribute(attribute)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str = r#"<OME><Image><Pixels DimensionOrder="XYZTC" SizeC="2" SizeZ="3" SizeT="1">"#;

    fn order(data: &str, pages: usize) -> Decoded<Vec<usize>> {
        let meaning = ome(&format!("{XML}{data}</Pixels></Image></OME>"), 1, pages)?;
        assert_eq!(meaning.axes, [('C', 2), ('T', 1), ('Z', 3)]);
        Ok(meaning.order.unwrap())
    }

    #[test]
    fn ome_pages_follow_their_list() {
        assert_eq!(order("", 6).unwrap(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(order("<TiffData/>", 9).unwrap(), [0, 1, 2, 3, 4, 5]);
        let blocks = r#"<TiffData IFD="3" PlaneCount="3"/><TiffData FirstC="1" PlaneCount="3"/>"#;
        assert_eq!(order(blocks, 6).unwrap(), [3, 4, 5, 0, 1, 2]);
    }

    #[test]
    fn ome_of_other_files_is_refused() {
        assert!(order("", 5).unwrap_err().contains("declares 6 pages"));
        let short = r#"<TiffData IFD="0" PlaneCount="3"/>"#;
        let twice = r#"<TiffData IFD="0" PlaneCount="3"/><TiffData FirstC="1" IFD="0" PlaneCount="3"/>"#;
        let long = r#"<TiffData PlaneCount="99999999999999"/>"#;
        for data in [short, twice, long] {
            assert!(order(data, 6).unwrap_err().contains("lists other pages"), "{data}");
        }
    }

    #[test]
    fn imagej_hyperstacks() {
        let axes = imagej("ImageJ=1.54f\nimages=12\nchannels=2\nslices=3\nframes=2\n");
        assert_eq!(axes, [('T', 2), ('Z', 3), ('C', 2)]);
        assert_eq!(imagej("ImageJ=1.54f\nimages=5\nslices=2\n"), [('Q', 5)]);
    }
}
