//! Errors say in plain words what is wrong, and what to do.

use flowmask::image::read;

use crate::{file, fixture, npy, reason};

#[test]
fn a_jpeg_that_was_cut_and_closed_is_incomplete() {
    for name in ["gray.jpg", "rgb.jpg", "restart.jpg", "progressive.jpeg"] {
        let whole = fixture(&format!("jpeg_1x{}_{name}", if name == "gray.jpg" { 1 } else { 3 }));
        // The data of the last scan follow its header.
        let scan = whole.windows(2).rposition(|pair| pair == [0xff, 0xda]).unwrap();
        let data = scan + 2 + usize::from(whole[scan + 3]);
        for part in 0..4 {
            let cut = data + (whole.len() - 4 - data) * part / 4;
            // A lone 0xff would make another mark.
            let cut = if whole[cut - 1] == 0xff { cut - 1 } else { cut };
            let closed = [&whole[..cut], &[0xff, 0xd9]].concat();
            assert_eq!(reason(&closed), "the JPEG is incomplete", "{name} cut at {cut} of {}", whole.len());
        }
        assert_eq!(reason(&whole[..whole.len() - 4]), "the JPEG is incomplete", "{name}");
    }
}

/// Each scan of a progressive JPEG ends like the last.
#[test]
fn a_jpeg_without_its_last_scans_is_incomplete() {
    let whole = fixture("jpeg_1x3_progressive.jpeg");
    let scans = (0..whole.len() - 1).filter(|&at| whole[at..at + 2] == [0xff, 0xda]);
    let later: Vec<usize> = scans.skip(1).collect();
    assert!(later.len() > 5);
    for cut in later {
        let closed = [&whole[..cut], &[0xff, 0xd9]].concat();
        assert_eq!(reason(&closed), "the JPEG is incomplete", "cut at {cut}");
    }
}

#[test]
fn a_truncated_file_says_so_in_words() {
    for name in ["u8_1x1_gray.png", "u16_1x3_16.png", "u16_1x1_lzw.tif", "u8_1x1_zlib.tif", "u8_1x1_zstd.tif"]
        .into_iter()
        .chain([
            "u16_1x1_packbits.tif",
            "u16_1x1_plain.tif",
            "u8_1x1_lzma.tif",
            "jpeg_1x3_rgb.tif",
            "u8_1x3_rgb.bmp",
        ])
        .chain(["u16_1x1_little.npy"])
    {
        let mut bytes = fixture(name);
        if bytes.starts_with(b"II*\0") {
            // The end of the first strip: its offset and length are the tags 273 and 279.
            let number = |tag: u16| {
                let at = (10..).step_by(12).find(|&at| bytes[at..at + 2] == tag.to_le_bytes()).unwrap();
                let kind = u16::from_le_bytes(bytes[at + 2..at + 4].try_into().unwrap());
                let count = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap());
                let value = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
                let place = if count == 1 { at + 8 } else { value };
                match kind {
                    3 => usize::from(u16::from_le_bytes(bytes[place..place + 2].try_into().unwrap())),
                    _ => u32::from_le_bytes(bytes[place..place + 4].try_into().unwrap()) as usize,
                }
            };
            bytes.truncate(number(273) + number(279) / 2);
        } else {
            bytes.truncate(bytes.len() * 2 / 3);
        }
        let reason = reason(&bytes);
        let words = ["incomplete", "ends before", "has 0 bytes", "promises"];
        assert!(words.iter().any(|word| reason.contains(word)), "{name}: {reason}");
        assert!(!reason.contains("fill whole buffer") && !reason.contains("EOF"), "{name}: {reason}");
    }
}

#[test]
fn compressions_that_are_not_read_have_names() {
    let mut tiff = fixture("u8_1x1_zlib.tif");
    let at = (10..).step_by(12).find(|&at| tiff[at..at + 2] == 259_u16.to_le_bytes()).unwrap();
    for (number, name) in [
        (34887_u16, "LERC (34887)"),
        (2, "CCITT modified Huffman (2)"),
        (50002, "JPEG XL (50002)"),
        (9999, "(9999)"),
    ] {
        tiff[at + 8..at + 10].copy_from_slice(&number.to_le_bytes());
        let reason = reason(&tiff);
        assert!(reason.contains(&format!("compression {name} is not supported; convert")), "{reason}");
    }
}

#[test]
fn other_formats_are_named_with_what_to_do() {
    let dicom = [&[0; 128][..], b"DICM"].concat();
    for (content, name) in [
        (&b"\xda\xce\xbe\x0a\0\0\0\0"[..], "ND2"),
        (b"ZISRAWFILE\0\0\0\0\0\0", "CZI"),
        (b"\x70\0\0\0\x10\0\0\0\x2a", "LIF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "OIB"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (&dicom, "DICOM"),
        (b"GIF89a", "GIF"),
    ] {
        let reason = reason(content);
        assert!(reason.contains(name) && reason.contains("Bio-Formats"), "{reason}");
    }
}

#[test]
fn text_of_a_file_is_escaped() {
    let (_folder, path) =
        file(&npy("{'descr': '<\x1b[31mf9\x07', 'fortran_order': False, 'shape': (1, 1), }"));
    let message = read(&path).unwrap_err().to_string();
    assert!(message.contains("[31mf9") && !message.contains(char::is_control), "{message:?}");
}

/// Systems lend memory that they do not have, so the file would be read until the system ends the program.
#[test]
fn a_file_larger_than_memory_is_refused_with_its_length() {
    let (_folder, path) = file(b"II*\0");
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(1 << 42).unwrap();
    let error = read(&path).unwrap_err().to_string();
    assert!(error.contains("needs 4.4 TB of memory, but"), "{error}");
}
