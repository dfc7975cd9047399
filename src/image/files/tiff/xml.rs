//! The part of OME-XML (2016-06) that says which pages are which. It is read in one pass, in time and memory that are
//! proportional to its length; namespaces are not looked at.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::super::samples::Decoded;
use crate::image::{PixelSize, metres};

/// What the elements `OME`, `BinaryOnly` and `Image` say.
#[derive(Debug, Default)]
pub(super) struct Xml {
    /// The UUID of this file.
    pub uuid: Option<String>,
    /// The file that has the description, if it is not this one.
    pub companion: Option<String>,
    pub images: Vec<Image>,
}

/// The elements `Image` and `Pixels`.
#[derive(Debug, Default)]
pub(super) struct Image {
    pub name: Option<String>,
    /// `DimensionOrder`, the first letter runs fastest; empty in an image without pixels.
    pub order: String,
    /// The lengths of the axes.
    pub c: usize,
    pub z: usize,
    pub t: usize,
    pub pixel_size: PixelSize,
    pub data: Vec<TiffData>,
}

/// The element `TiffData`: pages of one file, and the place of the first of them.
#[derive(Debug, Default)]
pub(super) struct TiffData {
    pub ifd: Option<usize>,
    pub count: Option<usize>,
    pub c: Option<usize>,
    pub z: Option<usize>,
    pub t: Option<usize>,
    /// The element `UUID` in it: the name of the file, and its UUID.
    pub file: Option<String>,
    pub uuid: Option<String>,
}

/// Reads a description. It is an error if it is no XML up to its end, or has what no reader can understand where it
/// matters.
pub(super) fn parse(text: &str) -> Decoded<Xml> {
    let broken = "its OME-XML cannot be understood";
    let mut reader = Reader::from_str(text.trim_end());
    reader.config_mut().expand_empty_elements = true;
    let mut xml = Xml::default();
    let mut depth = 0_usize;
    let mut in_uuid = false;
    loop {
        match reader.read_event().map_err(|_| broken)? {
            Event::Start(element) => {
                let name = element.local_name();
                xml.take(depth, name.as_ref(), &element).ok_or(broken)?;
                in_uuid = depth == 4 && name.as_ref() == "UUID";
                depth += 1;
            }
            Event::End(_) => {
                in_uuid = false;
                depth = depth.saturating_sub(1);
            }
            Event::Text(text) if in_uuid => {
                if let Some(data) = xml.images.last_mut().and_then(|image| image.data.last_mut()) {
                    data.uuid = Some(text.xml10_content().trim().to_string());
                }
            }
            Event::Eof if depth == 0 => return Ok(xml),
            Event::Eof => return Err(broken.into()),
            _ => {}
        }
    }
}

impl Xml {
    /// Takes what an element says; `None` if an attribute is not well formed.
    fn take(&mut self, depth: usize, name: &str, element: &BytesStart) -> Option<()> {
        let image = self.images.last_mut();
        match (depth, name) {
            (0, "OME") => self.uuid = attribute(element, "UUID")?,
            (1, "BinaryOnly") => self.companion = attribute(element, "MetadataFile")?,
            (1, "Image") => {
                self.images.push(Image { name: attribute(element, "Name")?, ..Image::default() });
            }
            (2, "Pixels") => {
                let image = image?;
                image.order = attribute(element, "DimensionOrder")?.unwrap_or("XYCZT".into());
                image.c = size(element, "SizeC")?;
                image.z = size(element, "SizeZ")?;
                image.t = size(element, "SizeT")?;
                image.pixel_size = pixel_size(element)?;
            }
            (3, "TiffData") => image?.data.push(TiffData {
                ifd: number(element, "IFD")?,
                count: number(element, "PlaneCount")?,
                c: number(element, "FirstC")?,
                z: number(element, "FirstZ")?,
                t: number(element, "FirstT")?,
                ..TiffData::default()
            }),
            (4, "UUID") => {
                let file = attribute(element, "FileName")?;
                if let Some(data) = image.and_then(|image| image.data.last_mut()) {
                    data.file = file;
                }
            }
            _ => {}
        }
        Some(())
    }
}

/// The value of an attribute, `Some(None)` if there is none; `None` if it is not well formed.
fn attribute(element: &BytesStart, name: &str) -> Option<Option<String>> {
    for attribute in element.attributes().with_checks(false) {
        let attribute = attribute.ok()?;
        if attribute.key.as_ref() == name {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
            return Some(Some(value.into_owned()));
        }
    }
    Some(None)
}

/// A whole number; what is no number counts as missing.
fn number(element: &BytesStart, name: &str) -> Option<Option<usize>> {
    Some(attribute(element, name)?.and_then(|text| text.trim().parse().ok()))
}

fn size(element: &BytesStart, name: &str) -> Option<usize> {
    Some(number(element, name)?.unwrap_or(1))
}

/// The size of a pixel in the unit of its width, which is µm where none is given.
fn pixel_size(element: &BytesStart) -> Option<PixelSize> {
    let length = |axis: &str| {
        let size = attribute(element, &format!("PhysicalSize{axis}"))?;
        let size = size.and_then(|text| text.trim().parse::<f64>().ok());
        let unit = attribute(element, &format!("PhysicalSize{axis}Unit"))?;
        Some((size.filter(|size| size.is_finite() && *size > 0.0), unit.unwrap_or("µm".into())))
    };
    let (x, unit) = length("X")?;
    let other = |axis| {
        let (size, of) = length(axis)?;
        let factor =
            if of == unit { Some(1.0) } else { Some(metres(&of)?).zip(metres(&unit)).map(|(a, b)| a / b) };
        Some(size.zip(factor).map(|(size, factor)| size * factor))
    };
    let (y, z) = (other("Y").unwrap_or(None), other("Z").unwrap_or(None));
    let unit = (x.is_some() || y.is_some() || z.is_some()).then_some(unit);
    Some(PixelSize { x, y, z, unit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_and_their_pages_are_read() {
        let text = r#"<?xml version="1.0"?><!-- a note --><ome:OME xmlns:ome="x" UUID="urn:uuid:1"><ome:Instrument/>
            <ome:Image ID="Image:0" Name="A &amp; B"><ome:Pixels DimensionOrder="XYZCT" SizeC="2" SizeT="3"
             PhysicalSizeX="250" PhysicalSizeXUnit="nm" PhysicalSizeY="0.5" PhysicalSizeZ="2">
            <ome:TiffData IFD="4" FirstT="1"><ome:UUID FileName="a.tif"> urn:uuid:1 </ome:UUID></ome:TiffData>
            </ome:Pixels></ome:Image></ome:OME>"#;
        let xml = parse(text).unwrap();
        assert_eq!(xml.uuid.as_deref(), Some("urn:uuid:1"));
        let [image] = &xml.images[..] else { panic!("{xml:?}") };
        assert_eq!((image.name.as_deref(), &image.order[..]), (Some("A & B"), "XYZCT"));
        assert_eq!((image.c, image.z, image.t), (2, 1, 3));
        let size = &image.pixel_size;
        assert_eq!((size.x, size.unit.as_deref()), (Some(250.0), Some("nm")));
        assert!((size.y.unwrap() - 500.0).abs() < 1e-9 && (size.z.unwrap() - 2000.0).abs() < 1e-9);
        let data = &image.data[0];
        assert_eq!((data.ifd, data.count, data.t, data.c), (Some(4), None, Some(1), None));
        assert_eq!((data.file.as_deref(), data.uuid.as_deref()), (Some("a.tif"), Some("urn:uuid:1")));
    }

    #[test]
    fn what_is_no_xml_is_an_error() {
        for text in [
            "<OME><Image><Pixels></Image></OME>",
            "<OME><Image>",
            "<OME",
            r#"<OME><Image Name="A & B"/></OME>"#,
            r#"<OME UUID="&other;"/>"#,
            "<OME><Image><Pixels><TiffData/></P",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn many_namespaces_and_deep_elements_take_no_time() {
        let start = std::time::Instant::now();
        let names: String = (0..20_000).map(|i| format!(r#" xmlns:n{i}="u{i}""#)).collect();
        let many = format!("<OME{names}>{}</OME>", "<n1:a/>".repeat(20_000));
        assert!(parse(&many).unwrap().images.is_empty());
        let deep: String = (0..20_000).map(|i| format!(r#"<a xmlns:n{i}="u">"#)).collect();
        assert!(parse(&format!("<OME>{deep}{}</OME>", "</a>".repeat(20_000))).is_ok());
        assert!(start.elapsed().as_secs() < 5);
    }
}
