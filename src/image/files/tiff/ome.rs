//! OME-XML: the images of a file, and the pages of each that are in this file.

use super::super::axes::count;
use super::super::samples::Decoded;
use super::directory::Page;
use super::series::{Series, alike, within};
use super::xml::{self, TiffData, Xml};
use crate::image::{Axis, Note};

/// The values that `DimensionOrder` may have.
const ORDERS: [&str; 6] = ["XYZCT", "XYZTC", "XYCZT", "XYCTZ", "XYTCZ", "XYTZC"];

/// The images that have pages in this file, whose name is `file`. An error, if the description says nothing that can be
/// followed.
pub(super) fn images(text: &str, chain: &[Page], file: &str) -> Decoded<Vec<Series>> {
    let xml = xml::parse(text)?;
    if let (Some(other), true) = (&xml.companion, xml.images.is_empty()) {
        return Err(format!("its OME-XML is in another file, {}", other.escape_debug()));
    }
    let own = Own::of(&xml, file)?;
    let mut list = List { chain, used: vec![false; chain.len()], next: 0 };
    let (mut images, mut elsewhere, mut missing) = (Vec::new(), false, 0);
    for image in xml.images.iter().filter(|image| !image.order.is_empty()) {
        let (series, is_whole) = list.take(image, &own)?;
        elsewhere |= !is_whole;
        missing += usize::from(is_whole && series.pages.is_empty());
        images.extend(Some(series).filter(|series| !series.pages.is_empty()));
    }
    let first = images.first_mut().ok_or("its OME-XML gives this file no pages")?;
    let unlisted = alike(chain, first.pages[0].1).filter(|&page| !list.used[page]).count();
    if unlisted > 0 {
        first
            .warn(format!("its OME-XML does not tell of {unlisted} of the file's pages, which are left out"));
    }
    if missing > 0 {
        first.warn(format!("its OME-XML tells of {missing} more images, of which no page is in the file"));
    }
    if elsewhere {
        let text = "the other planes of its OME-XML are in other files".into();
        first.notes.push(Note::Remark(text));
    }
    Ok(images)
}

/// How the pages of this file are told from those of other files.
enum Own<'a> {
    /// There are no other files, or none is named.
    All,
    File(&'a str),
    Uuid(&'a str),
}

impl<'a> Own<'a> {
    /// By its name or, if it was renamed, by its UUID.
    fn of(xml: &'a Xml, file: &'a str) -> Decoded<Self> {
        let data = || xml.images.iter().flat_map(|image| &image.data);
        let named = || data().filter_map(|data| data.file.as_deref().map(name));
        let uuids = || data().filter_map(|data| data.uuid.as_deref());
        if named().any(|name| name == file) {
            return Ok(Own::File(file));
        }
        if let Some(own) = xml.uuid.as_deref().filter(|own| uuids().any(|uuid| uuid == *own)) {
            return Ok(Own::Uuid(own));
        }
        let all_same = named().all(|name| Some(name) == named().next());
        match all_same && uuids().all(|uuid| Some(uuid) == uuids().next()) {
            true => Ok(Own::All),
            false => Err("its OME-XML is of several files, of which none has its name or UUID".into()),
        }
    }

    fn has(&self, data: &TiffData) -> bool {
        match (self, &data.file, &data.uuid) {
            (Own::File(own), Some(file), _) => name(file) == *own,
            (Own::Uuid(own), _, Some(uuid)) => uuid == own,
            (_, None, None) | (Own::All, ..) => true,
            _ => false,
        }
    }
}

/// A name without its folders.
fn name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// The pages of the file, each of which belongs to one image at most.
struct List<'a> {
    chain: &'a [Page],
    used: Vec<bool>,
    /// The page after those of the images before.
    next: usize,
}

impl List<'_> {
    /// The pages of one image, and whether it has none in other files.
    fn take(&mut self, image: &xml::Image, own: &Own) -> Decoded<(Series, bool)> {
        let data: Vec<&TiffData> = image.data.iter().filter(|data| own.has(data)).collect();
        let is_whole = data.len() == image.data.len();
        let mut series =
            Series { name: image.name.clone(), pixel_size: image.pixel_size.clone(), ..Series::default() };
        let first = data.first().and_then(|data| data.ifd).unwrap_or(self.next);
        if first >= self.chain.len() || data.is_empty() && !is_whole {
            return Ok((series, is_whole));
        }
        let first = &self.chain[first];
        let (axes, each) = axes(image, first)?;
        let total = count(&axes).filter(|&total| total > 0).ok_or("the sizes in its OME-XML are wrong")?;
        let all = [&TiffData::default()];
        let mut listed = 0;
        for data in if data.is_empty() { &all[..] } else { &data } {
            listed += self.add(&mut series, data, (&axes, each, total), first)?;
        }
        let promised = if is_whole { total } else { listed };
        if series.pages.len() < promised {
            let have = series.pages.len();
            series.warn(format!("its OME-XML promises {promised} pages, of which {have} are in the file"));
        }
        series.lengths = axes.iter().map(|axis| axis.length).collect();
        let letters = axes.iter().map(|axis| axis.letter);
        series.letters = Some(letters.chain(within(first).iter().map(|(letter, _)| *letter)).collect());
        Ok((series, is_whole))
    }

    /// Adds the pages of one element that are in the file, and returns how many it tells of.
    fn add(
        &mut self,
        series: &mut Series,
        data: &TiffData,
        (axes, each, total): (&[Axis], usize, usize),
        first: &Page,
    ) -> Decoded<usize> {
        let index = |letter| match letter {
            'C' => data.c.unwrap_or(0) / each,
            'Z' => data.z.unwrap_or(0),
            _ => data.t.unwrap_or(0),
        };
        if axes.iter().any(|axis| index(axis.letter) >= axis.length) {
            return Err("its OME-XML tells of planes beyond its sizes".into());
        }
        let start = axes.iter().fold(0, |place, axis| place * axis.length + index(axis.letter));
        // Without these attributes, the element means all pages that follow.
        let count = data.count.unwrap_or(if data.ifd.is_some() { 1 } else { total });
        let count = count.min(total - start);
        let page = data.ifd.unwrap_or(if data.count.is_some() && !self.used[0] { 0 } else { self.next });
        for i in 0..count.min(self.chain.len().saturating_sub(page)) {
            let page = &self.chain[page + i];
            if std::mem::replace(&mut self.used[page.index], true) {
                return Err("its OME-XML gives a page to two planes".into());
            }
            self.next = self.next.max(page.index + 1);
            if page.index == first.index || !page.reduced && page.same_pixels(first) {
                series.pages.push((start + i, page.index));
            }
        }
        Ok(count)
    }
}

/// The axes over which the pages of an image run, slowest first, and the number of channels in a page: OME counts the
/// samples of a page as channels.
fn axes(image: &xml::Image, first: &Page) -> Decoded<(Vec<Axis>, usize)> {
    if !ORDERS.contains(&&image.order[..]) {
        return Err("the DimensionOrder of its OME-XML is none".into());
    }
    let samples = usize::from(first.samples);
    let each = if image.c.is_multiple_of(samples) { samples } else { 1 };
    let axis = |letter| match letter {
        'C' => Axis { letter, length: image.c / each },
        'Z' => Axis { letter, length: image.z },
        _ => Axis { letter, length: image.t },
    };
    Ok((image.order.chars().rev().take(3).map(axis).collect(), each))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of `count` equal pages.
    fn chain(count: usize) -> Vec<Page> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/images");
        let bytes = std::fs::read(folder.join("u8_1x1_plain.tif")).unwrap();
        let page = |index| {
            let page = super::super::directory::pages(&bytes).unwrap().remove(0);
            Page { index, ..page }
        };
        (0..count).map(page).collect()
    }

    const HEAD: &str = r#"<Image><Pixels DimensionOrder="XYZTC" SizeC="2" SizeZ="3" SizeT="1">"#;

    fn read(xml: &str, pages: usize) -> Decoded<Vec<Series>> {
        images(xml, &chain(pages), "this.tif")
    }

    fn order(data: &str, pages: usize) -> Decoded<Vec<(usize, usize)>> {
        let series = read(&format!("<OME>{HEAD}{data}</Pixels></Image></OME>"), pages)?.remove(0);
        assert_eq!((&series.lengths[..], series.letters.unwrap().len()), (&[2, 1, 3][..], 5));
        let warned = series.pages.len() < 6 || pages > 6;
        assert_eq!(series.notes.iter().any(|note| matches!(note, Note::Warning(_))), warned, "{data}");
        Ok(series.pages)
    }

    #[test]
    fn pages_follow_their_list() {
        let straight: Vec<_> = (0..6).map(|i| (i, i)).collect();
        assert_eq!(order("", 6).unwrap(), straight);
        assert_eq!(order("<TiffData/>", 9).unwrap(), straight);
        let blocks = r#"<TiffData IFD="3" PlaneCount="3"/><TiffData FirstC="1" PlaneCount="3"/>"#;
        assert_eq!(order(blocks, 6).unwrap(), [(0, 3), (1, 4), (2, 5), (3, 0), (4, 1), (5, 2)]);
    }

    #[test]
    fn what_is_missing_is_told() {
        assert_eq!(order("", 5).unwrap().len(), 5);
        assert_eq!(order(r#"<TiffData IFD="0" PlaneCount="3"/>"#, 6).unwrap().len(), 3);
        assert_eq!(order(r#"<TiffData PlaneCount="99999999999999"/>"#, 4).unwrap().len(), 4);
    }

    #[test]
    fn what_cannot_be_true_is_not_followed() {
        let twice = r#"<TiffData IFD="0" PlaneCount="3"/><TiffData FirstC="1" IFD="0" PlaneCount="3"/>"#;
        assert!(order(twice, 6).unwrap_err().contains("two planes"));
        assert!(order(r#"<TiffData FirstC="2" IFD="0"/>"#, 6).unwrap_err().contains("beyond"));
        for pixels in [
            r#"<Pixels DimensionOrder="CCCZT" SizeC="2"/>"#,
            r#"<Pixels SizeC="0"/>"#,
            r#"<Pixels SizeC="99999999999999" SizeT="99999999999999"/>"#,
            "",
        ] {
            assert!(read(&format!("<OME><Image>{pixels}</Image></OME>"), 2).is_err(), "{pixels}");
        }
    }

    #[test]
    fn files_of_a_data_set_have_their_own_pages() {
        let data = |name: &str| {
            let element = |(c, file)| {
                format!(
                    r#"<TiffData FirstC="{c}" IFD="0"><UUID FileName="{file}">{file}-id</UUID></TiffData>"#
                )
            };
            let elements: String = [(0, "other.tif"), (1, name)].into_iter().map(element).collect();
            format!(r#"<OME UUID="{name}-id">{HEAD}{elements}</Pixels></Image></OME>"#)
        };
        // By the name, and by the UUID after it was renamed.
        for name in ["this.tif", "folder/this.tif", "old.tif"] {
            let series = read(&data(name), 1).unwrap().remove(0);
            assert_eq!(series.pages, [(3, 0)], "{name}");
            assert!(matches!(&series.notes[..], [Note::Remark(_)]), "{name}: {:?}", series.notes);
        }
        let unknown = data("old.tif").replace(r#"UUID="old.tif-id""#, r#"UUID="x""#);
        assert!(read(&unknown, 1).unwrap_err().contains("several files"));
    }

    #[test]
    fn all_images_are_found() {
        let image = |data: &str| format!("{HEAD}{data}</Pixels></Image>");
        let listed = [r#"<TiffData IFD="0" PlaneCount="6"/>"#, r#"<TiffData IFD="6" PlaneCount="6"/>"#];
        for data in [listed, ["<TiffData/>"; 2], [""; 2]] {
            let both = format!("<OME>{}{}</OME>", image(data[0]), image(data[1]));
            let series = read(&both, 12).unwrap();
            let pages: Vec<_> = series.iter().map(|series| series.pages[0].1).collect();
            assert_eq!(pages, [0, 6], "{data:?}");
        }
    }
}
