//! Files that promise more than they hold, or that take long to refuse.

use std::io::Write;
use std::time::{Duration, Instant};

use flowmask::image::read;

use crate::{file, fixture, reason};

/// A little-endian TIFF of pages, each with these entries (tag, value) of kind LONG. `data` follows the header.
fn tiff(data: &[u8], pages: &[Vec<(u16, u32)>]) -> Vec<u8> {
    let mut bytes = b"II*\0\0\0\0\0".to_vec();
    bytes.extend(data);
    let mut link = 4;
    for entries in pages {
        let at = bytes.len() as u32;
        bytes[link..link + 4].copy_from_slice(&at.to_le_bytes());
        bytes.extend((entries.len() as u16).to_le_bytes());
        for (tag, value) in entries {
            bytes.extend(tag.to_le_bytes());
            // The description is text of a million letters; all else is a whole number.
            let (kind, count) = if *tag == 270 { (2_u16, 1_000_000_u32) } else { (4, 1) };
            bytes.extend(kind.to_le_bytes());
            bytes.extend(count.to_le_bytes());
            bytes.extend(value.to_le_bytes());
        }
        link = bytes.len();
        bytes.extend([0; 4]);
    }
    bytes
}

/// The entries of a grey page of 8 bits in one strip, which begins after the header.
fn page(side: u32, compression: u32, packed: u32) -> Vec<(u16, u32)> {
    vec![(256, side), (257, side), (258, 8), (259, compression), (262, 1), (273, 8), (277, 1), (279, packed)]
}

#[test]
fn a_page_that_its_strip_cannot_hold_is_refused() {
    for compression in [1, 5, 7, 8, 32946, 32773, 34712, 34925, 50000] {
        let bytes = tiff(&[0; 4096], &[page(16384, compression, 4096)]);
        let reason = reason(&bytes);
        assert!(reason.contains("promises 268435456 bytes"), "{compression}: {reason}");
        // A strip cannot be longer than the file.
        let bytes = tiff(&[0; 4096], &[page(16384, compression, u32::MAX)]);
        assert!(crate::reason(&bytes).contains("promises"), "{compression}");
    }
    // Nor can one that was never written be large.
    assert!(reason(&tiff(&[], &[page(16384, 1, 0)])).contains("promises"));
}

#[test]
fn many_pages_take_seconds() {
    let pages = vec![page(16, 1, 256); 20_000];
    let bytes = tiff(&[7; 256], &pages);
    let (_folder, path) = file(&bytes);
    let start = Instant::now();
    assert_eq!(read(&path).unwrap().planes.len(), 20_000);
    // A reader that searches its way to each page from the first one takes more than a minute.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
#[cfg(target_os = "linux")]
fn a_description_that_many_pages_share_is_kept_once() {
    let mut entries = page(16, 1, 256);
    entries.push((270, 8));
    let bytes = tiff(&[b'x'; 1_000_000], &vec![entries; 4_000]);
    let (_folder, path) = file(&bytes);
    assert_eq!(read(&path).unwrap().planes.len(), 4_000);
    // The most memory that this process had so far. The descriptions would take 4 GB.
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB")).unwrap();
    assert!(peak.trim().parse::<u64>().unwrap() < 2_000_000, "{peak} kB");
}

#[test]
fn directories_that_overlap_are_refused() {
    // Directory k has 20,000 entries and begins 12 bytes after directory k - 1. Each has its number of entries in the
    // upper half of the value of an entry of the one before, and the offset of the next one in a tag.
    let (directories, entries) = (20_000_u32, 20_000_u32);
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    bytes.extend((entries as u16).to_le_bytes());
    for entry in 0..directories + entries {
        let next = if entry < entries { 1 } else { 8 + 12 * (entry - entries + 1) };
        bytes.extend(next.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend((entries << 16).to_le_bytes());
    }
    let start = Instant::now();
    assert!(reason(&bytes).contains("overlap"));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn a_huge_file_is_judged_by_its_first_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("junk.tif");
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(b"junk").unwrap();
    file.set_len(1 << 43).unwrap(); // Eight terabytes, of which the disk holds four bytes.
    let start = Instant::now();
    let error = read(&path).unwrap_err().to_string();
    assert!(error.contains("known format"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[test]
fn a_huge_jpeg_is_refused_before_it_is_read() {
    for name in ["jpeg_1x1_gray.jpg", "jpeg_1x3_progressive.jpeg"] {
        let whole = fixture(name);
        // Height and width follow the length and the precision in the segment SOF0 or SOF2.
        let at = whole.windows(2).position(|pair| matches!(pair, [0xff, 0xc0 | 0xc2])).unwrap() + 5;
        for (side, why) in [(65_500_u16, "more than can be read"), (20_000, "promises")] {
            let mut bytes = whole.clone();
            bytes[at..at + 2].copy_from_slice(&side.to_be_bytes());
            bytes[at + 2..at + 4].copy_from_slice(&side.to_be_bytes());
            let start = Instant::now();
            assert!(reason(&bytes).contains(why), "{name}: {}", reason(&bytes));
            assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        }
    }
}
