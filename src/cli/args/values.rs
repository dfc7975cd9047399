//! Values that are read from the words of the command line.

use flowmask::Diameter;

/// Reads a number of pixels or `auto`; 0 means `auto`, as in cellpose.
pub fn diameter(text: &str) -> Result<Diameter, String> {
    match text.parse::<f64>() {
        _ if text == "auto" => Ok(Diameter::Auto),
        Ok(0.0) => Ok(Diameter::Auto),
        Ok(pixels) if pixels.is_finite() && pixels > 0.0 => Ok(Diameter::Pixels(pixels)),
        _ => Err("must be a positive number of pixels, or `auto`".into()),
    }
}

/// Reads a number of bytes: a number, and a unit of powers of 1000 (kB, MB, GB, TB) or of 1024 (KiB, MiB, GiB, TiB).
pub fn memory(text: &str) -> Result<u64, String> {
    let units = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = text[..text.len() - units.len()].parse::<f64>();
    let unit = match units.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1024f64.powi(2),
        "gib" => 1024f64.powi(3),
        "tib" => 1024f64.powi(4),
        _ => 0.0,
    };
    match number {
        Ok(number) if number.is_finite() && number * unit >= 1.0 => Ok((number * unit) as u64),
        _ => Err("must be a number of bytes, such as 4GB, 500MB or 2GiB".into()),
    }
}

/// Reads the lower and the higher intensity of all channels, or those of two channels.
pub fn lowhigh(text: &str) -> Result<[[f64; 2]; 2], String> {
    let numbers = text.split(',').map(|number| number.trim().parse::<f64>());
    match numbers.collect::<Result<Vec<_>, _>>().as_deref() {
        Ok(&[low, high]) => Ok([[low, high]; 2]),
        Ok(&[low, high, low2, high2]) => Ok([[low, high], [low2, high2]]),
        _ => Err("must be two intensities such as 100,4000, or four for two channels".into()),
    }
}

/// Reads one number, which is for all axes, or one each for z, y and x.
pub fn smooth(text: &str) -> Result<[f64; 3], String> {
    let numbers = text.split(',').map(|number| number.trim().parse::<f64>());
    match numbers.collect::<Result<Vec<_>, _>>().as_deref() {
        Ok(&[all]) => Ok([all; 3]),
        Ok(&[z, y, x]) => Ok([z, y, x]),
        _ => Err("must be a number of voxels, or three such as 1,2,2 along z, y and x".into()),
    }
}

pub fn perplexity(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if n.is_finite() && n >= 1.0 => Ok(n),
        _ => Err("must be a number of at least 1".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_a_number_with_a_unit() {
        let sizes = ["4GB", "500mb", "2GiB", "1.5 T", "1024", "12kB"].map(|text| memory(text).unwrap());
        assert_eq!(sizes, [4_000_000_000, 500_000_000, 2 << 30, 1_500_000_000_000, 1024, 12_000]);
        for wrong in ["", "GB", "-4GB", "0", "4 parsecs", "4GBGB", "1.2.3GB", "nan", "inf"] {
            assert!(memory(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn smoothing_is_one_number_or_three() {
        assert_eq!((smooth("2"), smooth("1, 2,0.5")), (Ok([2.0; 3]), Ok([1.0, 2.0, 0.5])));
        for wrong in ["", "1,2", "1,2,3,4", "a", "1;2;3"] {
            assert!(smooth(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn intensities_are_two_numbers_or_four() {
        assert_eq!(lowhigh("-1, 40.5"), Ok([[-1.0, 40.5]; 2]));
        assert_eq!(lowhigh("1,2,3,4"), Ok([[1.0, 2.0], [3.0, 4.0]]));
        for wrong in ["", "1", "1,2,3", "1;2", "a,b"] {
            assert!(lowhigh(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_diameter_is_a_number_or_auto() {
        assert_eq!(diameter("19.5"), Ok(Diameter::Pixels(19.5)));
        assert_eq!(diameter("auto"), Ok(Diameter::Auto));
        assert_eq!(diameter("0"), Ok(Diameter::Auto));
        for wrong in ["-1", "nan", "inf", "", "large"] {
            assert!(diameter(wrong).is_err(), "{wrong}");
        }
    }
}
