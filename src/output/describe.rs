//! What a label TIFF says about itself, so that it lies over its image in ImageJ, Fiji, QuPath and Python.

use tiff::encoder::Rational;
use tiff::tags::ResolutionUnit;

use crate::image::{Layout, PixelSize};

/// The description of these planes; `None` for one plane of unknown size.
///
/// ImageJ's lines are understood by all of these programs, for labels of 32 bits too. They know time, depth and channels
/// (the last axis) alone: other axes are written as tifffile's JSON.
pub(super) fn text(layout: &Layout, (height, width): (usize, usize)) -> Option<String> {
    let axes = &layout.axes;
    let lengths: Vec<usize> = axes.iter().map(|axis| axis.length).collect();
    let letters = layout.letters();
    let known = match letters.strip_suffix('C').unwrap_or(&letters) {
        "" | "T" | "Z" | "TZ" => true,
        one => one.chars().count() == 1,
    };
    if !known {
        let shape: Vec<_> = lengths.iter().chain(&[height, width]).map(usize::to_string).collect();
        return Some(format!(r#"{{"shape": [{}], "axes": "{letters}YX"}}"#, shape.join(", ")));
    }
    if axes.is_empty() && layout.pixel_size == PixelSize::default() {
        return None;
    }
    // ImageJ takes the version for the sign that the file is its own.
    let mut text = format!("ImageJ=1.54f\nimages={}\n", lengths.iter().product::<usize>());
    for axis in axes {
        match axis.letter {
            'T' => text += &format!("frames={}\n", axis.length),
            'Z' => text += &format!("slices={}\n", axis.length),
            'C' => text += &format!("channels={}\n", axis.length),
            _ => {}
        }
    }
    if axes.len() > 1 {
        text += "hyperstack=true\n";
    }
    if let Some(unit) = &layout.pixel_size.unit {
        text += &format!("unit={}\n", ascii(unit));
    }
    if let Some(z) = layout.pixel_size.z {
        text += &format!("spacing={z}\n");
    }
    text += "loop=false\n";
    Some(text)
}

/// A unit as ImageJ writes it.
fn ascii(unit: &str) -> String {
    if matches!(unit, "µm" | "\u{3bc}m" | "um") {
        return "micron".into();
    }
    let escaped = |letter: char| match letter {
        _ if letter.is_control() => String::new(),
        _ if letter.is_ascii() => letter.to_string(),
        _ => format!("\\u{:04X}", u32::from(letter)),
    };
    unit.chars().map(escaped).collect()
}

/// The unit of the resolution tags: ImageJ has its own units in the description.
pub(super) fn unit(size: &PixelSize) -> ResolutionUnit {
    match size.unit.as_deref() {
        Some("inch") => ResolutionUnit::Inch,
        Some("cm") => ResolutionUnit::Centimeter,
        _ => ResolutionUnit::None,
    }
}

/// Pixels in a unit of length, with nine digits or as many as fit.
pub(super) fn resolution(size: f64) -> Option<Rational> {
    const MOST: f64 = 4e9;
    if !(1.0 / MOST..MOST).contains(&size) {
        return None;
    }
    let scale = |larger: f64| (0..=9).rev().map(|k| 10_f64.powi(k)).find(|scale| larger * scale < MOST);
    Some(if size >= 1.0 {
        let scale = scale(size)?;
        Rational { n: scale as u32, d: (size * scale).round() as u32 }
    } else {
        let scale = scale(size.recip())?;
        Rational { n: (scale / size).round() as u32, d: scale as u32 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Axis;

    fn layout(axes: &[(char, usize)]) -> Layout {
        let axes = axes.iter().map(|&(letter, length)| Axis { letter, length }).collect();
        Layout::default().axes(axes)
    }

    #[test]
    fn time_and_depth_are_told_to_imagej_and_other_axes_to_tifffile() {
        assert_eq!(text(&layout(&[]), (5, 6)), None);
        let channels = text(&layout(&[('Z', 4), ('C', 2)]), (5, 6)).unwrap();
        assert_eq!(channels, "ImageJ=1.54f\nimages=8\nslices=4\nchannels=2\nhyperstack=true\nloop=false\n");
        let movie = text(&layout(&[('T', 2), ('Z', 4)]), (5, 6)).unwrap();
        assert_eq!(movie, "ImageJ=1.54f\nimages=8\nframes=2\nslices=4\nhyperstack=true\nloop=false\n");
        let planes = text(&layout(&[('Q', 3)]), (5, 6)).unwrap();
        assert_eq!(planes, "ImageJ=1.54f\nimages=3\nloop=false\n");
        let other = text(&layout(&[('T', 2), ('P', 3), ('Z', 4)]), (5, 6)).unwrap();
        assert_eq!(other, r#"{"shape": [2, 3, 4, 5, 6], "axes": "TPZYX"}"#);
    }

    #[test]
    fn units_are_ascii_without_control_characters() {
        let with =
            |unit: &str| text(&layout(&[]).pixel_size(PixelSize::default().unit(Some(unit.into()))), (1, 1));
        assert!(with("µm").unwrap().contains("\nunit=micron\n"));
        assert!(with("Å").unwrap().contains("\nunit=\\u00C5\n"));
        assert!(with("n\u{1b}\nm").unwrap().contains("\nunit=nm\n"));
    }

    #[test]
    fn resolutions_keep_nine_digits() {
        for size in [0.325, 1e-6, 1.0, 2.5, 65_000.0, 0.012_345_678] {
            let Rational { n, d } = resolution(size).unwrap();
            let back = f64::from(d) / f64::from(n);
            assert!((back / size - 1.0).abs() < 1e-8, "{size}: {n}/{d}");
        }
        for size in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e30] {
            assert!(resolution(size).is_none(), "{size}");
        }
    }
}
