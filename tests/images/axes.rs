//! Which page of a TIFF is which: descriptions, options and guesses.

use std::io::Cursor;
use std::path::Path;

use flowmask::image::{Note, ReadOptions, read, read_with};
use flowmask::{Error, Image, Result, Stack};
use tiff::encoder::{Compression, TiffEncoder, colortype::Gray8};
use tiff::tags::Tag;

/// A TIFF of `count` pages, the pixels of each of which have its number, with a description.
fn tiff(count: usize, (height, width): (u32, u32), text: &str, packed: bool) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let packing = if packed { Compression::Deflate(Default::default()) } else { Compression::Uncompressed };
    let mut encoder = TiffEncoder::new(&mut bytes).unwrap().with_compression(packing);
    for page in 0..count {
        let mut image = encoder.new_image::<Gray8>(width, height).unwrap();
        if page == 0 && !text.is_empty() {
            image.encoder().write_tag(Tag::ImageDescription, text).unwrap();
        }
        image.write_data(&vec![page as u8; (height * width) as usize]).unwrap();
    }
    bytes.into_inner()
}

/// Reads a file with this content and name.
fn named(name: &str, content: &[u8], options: &ReadOptions) -> Result<Vec<Stack>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    read_with(&path, options)
}

fn all(content: &[u8], options: &ReadOptions) -> Result<Vec<Stack>> {
    named("a.tif", content, options)
}

fn one(content: &[u8]) -> Stack {
    let mut stacks = all(content, &ReadOptions::default()).unwrap();
    assert_eq!(stacks.len(), 1);
    stacks.remove(0)
}

/// The page numbers of each plane's channels.
fn pages(stack: &Stack) -> Vec<Vec<u8>> {
    let first = |plane: &Image| {
        let pixels = plane.pixels().to_f32();
        (0..plane.channels()).map(|channel| pixels[(0, 0, channel)] as u8).collect()
    };
    stack.planes.iter().map(first).collect()
}

/// The letters and lengths of the axes, such as `T2 Z4`.
fn axes(stack: &Stack) -> String {
    assert_eq!(stack.layout.planes(), Some(stack.planes.len()));
    let shown = stack.layout.axes.iter().map(|axis| format!("{}{}", axis.letter, axis.length));
    shown.collect::<Vec<_>>().join(" ")
}

fn warnings(stack: &Stack) -> usize {
    stack.warnings().count()
}

fn remarks(stack: &Stack) -> usize {
    stack.notes.iter().filter(|note| matches!(note, Note::Remark(_))).count()
}

const PAGE: (u32, u32) = (24, 32);

#[test]
fn a_picture_written_row_by_row_is_one_picture_with_channels() {
    let stack = one(&tiff(128, (160, 2), r#"{"shape": [128, 160, 2]}"#, false));
    let [image] = &stack.planes[..] else { panic!("{} planes", stack.planes.len()) };
    assert_eq!((image.height(), image.width(), image.channels()), (128, 160, 2));
    assert_eq!(image.pixels().to_f32()[(77, 159, 1)], 77.0);
    assert_eq!((remarks(&stack), warnings(&stack)), (1, 0));
}

#[test]
fn of_unnamed_axes_the_shortest_is_the_channels() {
    let stack = one(&tiff(12, PAGE, r#"{"shape": [3, 4, 24, 32]}"#, true));
    assert_eq!(pages(&stack), [[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]]);
    assert!(stack.notes[0].to_string().contains("(3, 4, 24, 32)"), "{:?}", stack.notes);
    let Err(Error::ImageFile { reason, .. }) =
        all(&tiff(9, PAGE, r#"{"shape": [3, 3, 24, 32]}"#, false), &ReadOptions::default())
    else {
        panic!("two axes are equally short")
    };
    assert!(reason.contains("(3, 3, 24, 32)") && reason.contains("--axes"), "{reason}");
}

#[test]
fn pages_are_channels_or_planes_as_the_user_says() {
    let six = tiff(6, PAGE, "", false);
    assert_eq!((axes(&one(&six)), one(&six).planes[0].channels()), ("Q6".into(), 1));
    let options = ReadOptions::default();
    for channels in [options.clone().channel_axis(Some(0)), options.clone().axes(Some("CYX".into()))] {
        assert_eq!(pages(&all(&six, &channels).unwrap()[0]), [[0, 1, 2, 3, 4, 5]]);
    }
    let depth = options.clone().z_axis(Some(-3));
    assert_eq!(axes(&all(&six, &depth).unwrap()[0]), "Z6");
    let wrong = all(&six, &options.clone().axes(Some("TZCYX".into()))).unwrap_err().to_string();
    assert!(wrong.contains("(6, 24, 32)") && wrong.contains("a.tif"), "{wrong}");
    let invalid = all(&six, &options.axes(Some("CCYX".into()))).unwrap_err();
    assert!(matches!(invalid, Error::Option { name: "axes", .. }), "{invalid}");
}

#[test]
fn the_rules_are_the_same_for_numpy_arrays() {
    let array = |shape: &str, length: usize| {
        let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n");
        let values = (0..length).map(|i| (i / (24 * 32)) as u8).collect::<Vec<u8>>();
        [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), &values].concat()
    };
    let twelve = array("(3, 4, 24, 32)", 12 * 24 * 32);
    assert_eq!(pages(&one(&twelve)), [[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]]);
    let named = ReadOptions::default().axes(Some("TZYX".into()));
    assert_eq!(axes(&all(&twelve, &named).unwrap()[0]), "T3 Z4");
    let five = array("(3, 2, 2, 24, 32)", 12 * 24 * 32);
    assert!(all(&five, &ReadOptions::default()).unwrap_err().to_string().contains("(3, 2, 2, 24, 32)"));
    let named = ReadOptions::default().axes(Some("ZCTYX".into()));
    let stack = all(&five, &named).unwrap().remove(0);
    assert_eq!((axes(&stack), pages(&stack)[0].clone()), ("T2 Z3".into(), vec![0, 2]));
    let picture = array("(24, 32, 3)", 24 * 32 * 3);
    assert_eq!(one(&picture).planes[0].channels(), 3);
}

#[test]
fn imagej_may_promise_more_than_there_is() {
    let text = "ImageJ=1.53t\nimages=5\nslices=5\nloop=false\n";
    for packed in [false, true] {
        let stack = one(&tiff(1, PAGE, text, packed));
        assert_eq!((pages(&stack), warnings(&stack)), (vec![vec![0]], 1));
        let stack = one(&tiff(3, PAGE, text, packed));
        assert_eq!((axes(&stack), warnings(&stack)), ("Z3".into(), 1));
    }
    // A frame whose second channel is missing is left out.
    let stack = one(&tiff(5, PAGE, "ImageJ=1.53t\nimages=8\nchannels=2\nframes=4\nhyperstack=true\n", true));
    assert_eq!((axes(&stack), pages(&stack)), ("T2".into(), vec![vec![0, 1], vec![2, 3]]));
    assert_eq!(warnings(&stack), 1);
}

/// OME-XML with the two channels of `times` time points, and elements in `Pixels`.
fn ome(times: usize, data: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"
        UUID="urn:uuid:this"><Image ID="Image:0" Name="first"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8"
        SizeX="32" SizeY="24" SizeC="2" SizeZ="1" SizeT="{times}" PhysicalSizeX="0.5" PhysicalSizeY="0.5">{data}</Pixels></Image></OME>"#
    )
}

fn data(c: usize, t: usize, ifd: usize, file: &str) -> String {
    format!(
        r#"<TiffData FirstC="{c}" FirstT="{t}" IFD="{ifd}" PlaneCount="1"><UUID FileName="{file}">urn:uuid:{file}</UUID></TiffData>"#
    )
}

#[test]
fn an_acquisition_that_was_stopped_is_what_there_is_of_it() {
    let listed: String = (0..6).map(|i| data(i % 2, i / 2, i, "a.tif")).collect();
    for data in [listed.as_str(), "<TiffData/>", ""] {
        let stack = one(&tiff(6, PAGE, &ome(100, data), true));
        assert_eq!((axes(&stack), pages(&stack)), ("T3".into(), vec![vec![0, 1], vec![2, 3], vec![4, 5]]));
        assert_eq!(warnings(&stack), 1, "{:?}", stack.notes);
        assert_eq!((stack.layout.pixel_size.x, stack.name.as_deref()), (Some(0.5), Some("first")));
    }
}

#[test]
fn a_file_of_a_data_set_has_its_own_pages() {
    let list: String =
        (0..4).map(|i| data(i % 2, i / 2, 0, &format!("c{}_t{}.ome.tif", i % 2, i / 2))).collect();
    let content = tiff(1, PAGE, &ome(2, &list).replace("urn:uuid:this", "urn:uuid:c1_t1.ome.tif"), false);
    for name in ["c1_t0.ome.tif", "renamed.tif"] {
        let stack = named(name, &content, &ReadOptions::default()).unwrap().remove(0);
        assert_eq!((pages(&stack), warnings(&stack), remarks(&stack)), (vec![vec![0]], 0, 1), "{name}");
    }
}

#[test]
fn xml_that_cannot_be_understood_is_a_warning() {
    let whole = ome(3, "<TiffData/>");
    let cut = &whole[..whole.len() - 20];
    let stray = whole.replace(r#""first""#, r#""A & B <1>""#);
    let order = whole.replace("XYCZT", &"C".repeat(100_000));
    for text in [cut, &stray, &order] {
        let stack = one(&tiff(6, PAGE, text, false));
        assert_eq!((stack.planes.len(), warnings(&stack)), (6, 1));
    }
    let companion = r#"<?xml version="1.0"?><OME UUID="urn:uuid:1"><BinaryOnly MetadataFile="x.companion.ome" UUID="urn:uuid:2"/></OME>"#;
    let stack = one(&tiff(1, PAGE, companion, false));
    assert!(stack.warnings().all(|text| text.contains("x.companion.ome")) && warnings(&stack) == 1);
}

#[test]
fn no_image_of_several_is_taken_in_silence() {
    let image = |name: &str, ifd: usize| {
        format!(
            r#"<Image Name="{name}"><Pixels DimensionOrder="XYCZT" SizeT="3"><TiffData IFD="{ifd}" PlaneCount="3"/></Pixels></Image>"#
        )
    };
    let content = tiff(6, PAGE, &format!("<OME>{}{}</OME>", image("left", 3), image("right", 0)), false);
    let stacks = all(&content, &ReadOptions::default()).unwrap();
    let found: Vec<_> = stacks.iter().map(|s| (s.name.as_deref(), s.series, pages(s)[0][0])).collect();
    assert_eq!(found, [(Some("left"), Some(1), 3), (Some("right"), Some(2), 0)]);
    let second = all(&content, &ReadOptions::default().series(Some(2))).unwrap();
    assert_eq!(second, stacks[1..]);
    let missing = all(&content, &ReadOptions::default().series(Some(3))).unwrap_err().to_string();
    assert!(missing.contains("no image 3"), "{missing}");

    let text = format!("<OME>{}{}</OME>", image("left", 0), image("never taken", 9));
    let stack = one(&tiff(3, PAGE, &text, false));
    assert_eq!((stack.name.as_deref(), warnings(&stack)), (Some("left"), 1), "{:?}", stack.notes);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tif");
    std::fs::write(&path, content).unwrap();
    let error = read(Path::new(&path)).unwrap_err().to_string();
    assert!(error.contains("2 images") && error.contains("--series"), "{error}");
}

/// 20,000 planes in a list. Each step of the reader must take time in proportion to it.
#[test]
fn a_long_list_of_planes_takes_no_time() {
    let list: String = (0..20_000).map(|i| data(i % 2, i / 2, i, "a.tif")).collect();
    let content = tiff(20_000, (1, 2), &ome(10_000, &list), false);
    let start = std::time::Instant::now();
    assert_eq!(axes(&one(&content)), "T10000");
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

/// A page of 12 bits a sample, packed, with tifffile's description: pixels are not a whole number of bytes, so none can
/// follow without a directory.
#[test]
fn a_described_page_of_packed_samples_is_read() {
    for (text, warned) in [("{\"shape\": [4, 8]}", 0), ("{\"shape\": [2, 4, 8]}", 1)] {
        let pixels: Vec<u8> = (0..16).flat_map(|_| [0x12, 0x34, 0x56]).collect();
        let text = format!("{text:\0<32}");
        // As in tifffile's files, the pixels are at the end.
        let (text_at, directory) = (8, 40_u32);
        let pixels_at = directory + 2 + 10 * 12 + 4;
        let mut bytes = [b"II*\0", &directory.to_le_bytes()[..], text.as_bytes()].concat();
        let entries = [
            (256, 4, 1, 8),
            (257, 4, 1, 4),
            (258, 3, 1, 12),
            (259, 3, 1, 1),
            (262, 3, 1, 1),
            (270, 2, 32, text_at),
            (273, 4, 1, pixels_at),
            (277, 3, 1, 1),
            (278, 4, 1, 4),
            (279, 4, 1, 48),
        ];
        bytes.extend((entries.len() as u16).to_le_bytes());
        for (tag, kind, count, value) in entries {
            bytes.extend([u16::to_le_bytes(tag), u16::to_le_bytes(kind)].concat());
            bytes.extend([u32::to_le_bytes(count), u32::to_le_bytes(value)].concat());
        }
        bytes.extend([0; 4]);
        bytes.extend(&pixels);
        let stack = one(&bytes);
        assert_eq!((stack.planes.len(), warnings(&stack)), (1, warned), "{text}");
        let values = stack.planes[0].pixels().to_f32();
        assert_eq!(values.iter().copied().collect::<Vec<_>>(), [0x123 as f32, 0x456 as f32].repeat(16));
    }
}

/// An array without axes is no image; it ended the run.
#[test]
fn a_single_number_is_an_error() {
    let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (), }";
    let content = format!("\u{1}\0v\0{header:117}\n\u{7}");
    let error = all(&[b"\x93NUMPY", content.as_bytes()].concat(), &ReadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("a single number"), "{error}");
}

#[test]
fn a_row_of_numbers_is_an_error() {
    let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }";
    let content = format!("\u{1}\0v\0{header:117}\n\u{7}\u{8}");
    let error = all(&[b"\x93NUMPY", content.as_bytes()].concat(), &ReadOptions::default()).unwrap_err();
    assert!(error.to_string().ends_with("has the shape (2), but an image has rows and columns"), "{error}");
}

/// MetaMorph writes one directory; the other planes follow the first, and the tag UIC2 has an entry for each.
#[test]
fn a_stack_of_metamorph_has_all_its_planes() {
    let (planes, height, width) = (5_u32, 4_u32, 6_u32);
    let size = height * width;
    let start = 8;
    let end = start + planes * size;
    let tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, start),
        (277, 3, 1, 1),
        (278, 4, 1, height),
        (279, 4, 1, size),
        (33629, 5, planes, start),
    ];
    let mut file = [b"II*\0".as_slice(), &end.to_le_bytes()].concat();
    file.extend((0..planes * size).map(|i| (i / size) as u8 * 10));
    file.extend((tags.len() as u16).to_le_bytes());
    for (tag, kind, count, value) in tags {
        file.extend(u16::to_le_bytes(tag).into_iter().chain(u16::to_le_bytes(kind)));
        file.extend(u32::to_le_bytes(count).into_iter().chain(u32::to_le_bytes(value)));
    }
    file.extend([0; 4]);
    let stack = one(&file);
    assert_eq!((stack.planes.len(), axes(&stack).as_str(), warnings(&stack)), (5, "Q5", 0));
    assert!(pages(&stack).iter().enumerate().all(|(i, page)| page.iter().all(|&v| v == i as u8 * 10)));
}
