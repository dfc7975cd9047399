//! What the description in the first page says: OME-XML, ImageJ's lines or tifffile's JSON. It is advice: what
//! contradicts the pages is left out of account, with a warning.

use super::super::samples::Decoded;
use super::directory::Page;
use super::follow::following;
use super::ome;
use super::series::{Series, alike, full, within};
use crate::image::PixelSize;

/// The images of a file. There is at least one, and each has at least one page. `file` is the name of the file.
pub(super) fn images(bytes: &[u8], chain: &[Page], file: &str) -> Decoded<Vec<Series>> {
    let text = chain.first().ok_or("the TIFF has no pages")?.description.as_deref().unwrap_or_default();
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with('<') && (text.contains("<OME") || text.contains(":OME")) {
        return Ok(ome::images(text, chain, file).unwrap_or_else(|reason| {
            let mut plain = Series::plain(chain);
            plain.warn(format!("{reason}; it is read as pages that nothing describes"));
            vec![plain]
        }));
    }
    let first = &chain[full(chain)];
    let promise = if text.starts_with("ImageJ=") {
        Some(imagej(text, first))
    } else if text.starts_with("{\"shape\":") {
        tifffile(text, first)
    } else if first.planes > 1 {
        Some(metamorph(first))
    } else {
        None
    };
    Ok(vec![match promise {
        Some(promise) => kept(promise, bytes, chain)?,
        None => Series::plain(chain),
    }])
}

/// Gives a description that promises pages those that are there.
fn kept(mut promise: Series, bytes: &[u8], chain: &[Page]) -> Decoded<Series> {
    let pages: Vec<usize> = alike(chain, full(chain)).collect();
    let have = pages.len();
    let promised = promise.lengths.iter().try_fold(1_usize, |n, &length| n.checked_mul(length));
    if promised.is_some_and(|n| n < have) {
        // It was copied from another file, or more pages were added later.
        let mut plain = Series { pixel_size: promise.pixel_size, ..Series::plain(chain) };
        let n = promised.unwrap_or(0);
        plain.warn(format!("its description tells of {n} pages, the file has {have}: it is not followed"));
        return Ok(plain);
    }
    let total = promised.unwrap_or(usize::MAX);
    let following = if have == 1 { following(bytes, &chain[0], total)? } else { 1 };
    promise.raw = following > 1;
    promise.pages = match promise.raw {
        true => (0..following).map(|place| (place, place)).collect(),
        false => pages.into_iter().enumerate().collect(),
    };
    let have = promise.pages.len();
    if have < total {
        promise.warn(format!("its description promises {total} pages, the file has {have}"));
    }
    Ok(promise)
}

/// A stack of MetaMorph, whose planes may be of any axis.
fn metamorph(first: &Page) -> Series {
    let planes = usize::try_from(first.planes).unwrap_or(usize::MAX);
    let letters = std::iter::once('Q').chain(within(first).into_iter().map(|(letter, _)| letter));
    Series { lengths: vec![planes], letters: Some(letters.collect()), ..Series::default() }
}

/// ImageJ's description: lines of `key=value`. Channels run fastest, then slices, then frames.
fn imagej(text: &str, first: &Page) -> Series {
    let value =
        |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(str::trim);
    let length = |key| value(key).and_then(|text| text.parse::<usize>().ok()).filter(|&length| length > 0);
    let mut axes = vec![("frames", 'T'), ("slices", 'Z'), ("channels", 'C')];
    axes.retain(|(key, _)| length(key).is_some_and(|length| length > 1));
    let mut lengths: Vec<usize> = axes.iter().filter_map(|(key, _)| length(key)).collect();
    let mut letters: Vec<char> = axes.iter().map(|(_, letter)| *letter).collect();
    let total = lengths.iter().try_fold(1_usize, |n, &length| n.checked_mul(length));
    if let Some(images) = length("images").filter(|&images| Some(images) != total) {
        (lengths, letters) = (vec![images], vec!['Q']);
    }
    letters.extend(within(first).iter().map(|(letter, _)| letter));
    let pixel_size = PixelSize {
        z: value("spacing").and_then(|text| text.parse().ok()).filter(|z: &f64| z.is_finite() && *z > 0.0),
        unit: value("unit").map(unit),
        ..PixelSize::default()
    };
    Series { lengths, letters: Some(letters), pixel_size, ..Series::default() }
}

/// The unit of ImageJ, which writes µ in words or as an escape.
fn unit(text: &str) -> String {
    match text {
        "micron" | "microns" | "um" | "\\u00B5m" | "\\u00b5m" | "\u{3bc}m" => "µm".into(),
        other => other.replace("\\u00C5", "Å"),
    }
}

/// tifffile's description: `{"shape": [5, 2, 64, 64], "axes": "ZCYX"}`, in which the axes may be missing.
fn tifffile(text: &str, first: &Page) -> Option<Series> {
    let json: serde_json::Value = serde_json::from_str(text).ok()?;
    let whole = json.get("shape")?.as_array()?;
    let mut shape: Vec<usize> =
        whole.iter().map(|n| usize::try_from(n.as_u64()?).ok()).collect::<Option<_>>()?;
    let mut own: Vec<usize> = within(first).iter().map(|&(_, length)| length).collect();
    if first.alpha {
        // The shape counts the opacity.
        *own.last_mut()? += 1;
    }
    if !shape.ends_with(&own) && shape.last() == Some(&1) {
        shape.pop();
    }
    let lengths = shape.strip_suffix(own.as_slice())?.to_vec();
    let axes = json.get("axes").and_then(|axes| axes.as_str()).unwrap_or_default();
    let letters: Vec<char> = axes.chars().take(shape.len()).collect();
    let once = |letter| letters.iter().filter(|&&other| other == letter).count() == 1;
    let named = letters.len() == shape.len() && once('Y') && once('X');
    Some(Series { lengths, letters: named.then_some(letters), ..Series::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page of 5 by 4.
    fn page() -> Page {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/images");
        let bytes = std::fs::read(folder.join("u8_1x1_plain.tif")).unwrap();
        super::super::directory::pages(&bytes).unwrap().remove(0)
    }

    fn axes(text: &str) -> (Vec<usize>, String) {
        let series = imagej(text, &page());
        (series.lengths, series.letters.unwrap().into_iter().collect())
    }

    #[test]
    fn imagej_hyperstacks() {
        let text = "ImageJ=1.54f\nimages=12\nchannels=2\nslices=3\nframes=2\n";
        assert_eq!(axes(text), (vec![2, 3, 2], "TZCYX".into()));
        assert_eq!(axes("ImageJ=1.54f\nslices=3\n"), (vec![3], "ZYX".into()));
        assert_eq!(axes("ImageJ=1.54f\nimages=5\nslices=2\n"), (vec![5], "QYX".into()));
        let size = imagej("ImageJ=1.54f\nunit=\\u00B5m\nspacing=0.5\n", &page()).pixel_size;
        assert_eq!((size.z, size.unit.as_deref()), (Some(0.5), Some("µm")));
    }

    #[test]
    fn the_json_of_tifffile() {
        let read = |text: &str| tifffile(text, &page()).map(|series| (series.lengths, series.letters));
        let letters = |text: &str| Some(text.chars().collect::<Vec<_>>());
        let named = read(r#"{"shape": [2, 3, 7, 17], "axes": "TZYX"}"#);
        assert_eq!(named, Some((vec![2, 3], letters("TZYX"))));
        assert_eq!(read(r#"{"shape": [3, 7, 17]}"#), Some((vec![3], None)));
        assert_eq!(read(r#"{"shape": [3, 7, 17, 1]}"#), Some((vec![3], None)));
        assert_eq!(read(r#"{"shape": [3, 7, 17], "axes": "YXC"}"#), Some((vec![3], letters("YXC"))));
        assert_eq!(read(r#"{"shape": [3, 7, 17], "axes": "ABC"}"#), Some((vec![3], None)));
        assert_eq!(read(r#"{"shape": [3, 17, 7]}"#), None);
    }
}
