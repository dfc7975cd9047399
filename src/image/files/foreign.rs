//! Formats that are recognised but not read, so that the error can say what to do.

/// The extensions of image files that are not read from a folder, in lower case. They hold images, so that a program
/// that lists a folder should say that it left them out.
pub const UNREADABLE: &[&str] = &[
    "nd2", "czi", "lif", "lof", "xlef", "oib", "oif", "oir", "vsi", "ets", "zvi", "lsm", "stk", "nd", "ims",
    "h5", "hdf5", "zarr", "dcm", "dicom", "svs", "ndpi", "scn", "mrxs", "bif", "qptiff", "dv", "r3d", "mrc",
    "sld", "sldy", "flex", "dax", "ics", "ids", "nrrd", "mha", "nii", "gif", "webp", "jp2", "j2k", "jxl",
    "jxr", "avif", "heic", "psd", "xcf",
];

/// Where a file has which bytes, and what it then is.
const MARKS: &[(usize, &[u8], &str)] = &[
    (0, b"\xda\xce\xbe\x0a", "a Nikon ND2 file"),
    (0, b"ZISRAWFILE", "a Zeiss CZI file"),
    // The first of the blocks, then the mark of its text.
    (8, b"\x2a", "a Leica LIF file"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a compound file, such as Olympus OIB or Zeiss ZVI"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file, such as Imaris IMS"),
    (128, b"DICM", "a DICOM file"),
    (0, b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 file, or an ND2 file of the old kind"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 file"),
    (0, b"\x00\x00\x00\x0cJXL ", "a JPEG XL file"),
    (0, b"\xff\x0a", "a JPEG XL file"),
    (0, b"II\xbc\x01", "a JPEG XR file"),
    (0, b"GIF8", "a GIF file"),
    (8, b"WEBP", "a WebP file"),
    (4, b"ftyp", "an AVIF, HEIC or film file"),
    (0, b"NRRD000", "an NRRD file"),
    (0, b"PK\x03\x04", "a zip archive"),
];

/// How many bytes of a file tell its format.
pub(super) const HEAD: usize = 132;

/// Whether a file that begins with `head` is of a format that is read, or empty.
pub(super) fn is_read(head: &[u8]) -> bool {
    let tiff = [b"II*\0", b"II+\0", b"MM\0*", b"MM\0+"].iter().any(|mark| head.starts_with(*mark));
    let other: [&[u8]; 4] = [b"\x89PNG", b"\xff\xd8\xff", b"BM", b"\x93NUMPY"];
    tiff || head.is_empty() || other.iter().any(|mark| head.starts_with(mark))
}

/// What a file is that begins with `head` and is not read.
pub(super) fn refusal(head: &[u8]) -> String {
    let is = |&&(at, mark, name): &&(usize, &[u8], &str)| {
        let lif = !name.contains("LIF") || head.starts_with(b"\x70\0\0\0");
        lif && head.get(at..).is_some_and(|rest| rest.starts_with(mark))
    };
    match MARKS.iter().find(is) {
        Some((_, _, name)) => {
            format!(
                "{name}, which is not read; convert it to TIFF, as with Bio-Formats in Fiji, or bfconvert"
            )
        }
        None => "not an image of a known format (TIFF, PNG, JPEG, BMP and NPY are read)".into(),
    }
}
