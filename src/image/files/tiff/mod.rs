//! TIFF files, including BigTIFF, OME-TIFF and the stacks of ImageJ.
//!
//! `directory` and `entry` list the pages; `codec` knows the compressions, `chunk` and `picture` unpack a strip or tile,
//! `predictor` and `numbers` make numbers of it;
//! `describe`, `ome` and `xml` find the images and their axes in the description, which `series` compares with the pages
//! that are there; `page` assembles a page, and `raw` reads pages without a directory, which `follow` finds.

use super::axes::{arrange, rearrange};
use super::letters::{Described, UNKNOWN, of_labels, resolve};
use super::options::ReadOptions;
use super::samples::Decoded;
use crate::image::{Axis, Note, PixelSize, Stack};
use crate::memory::require;
use directory::Page;
use series::{Complete, Series, complete, within};

mod chunk;
mod codec;
mod describe;
mod directory;
mod entry;
mod follow;
pub(super) mod labels;
mod numbers;
mod ome;
mod page;
mod picture;
mod predictor;
mod raw;
mod series;
mod xml;

pub(super) use numbers::unpack;

/// Reads a page of a file.
type Read<P> = fn(&[u8], &Page) -> Decoded<P>;

/// The longest axis of pages that is taken for channels when nothing names it. Longer ones are more often planes.
const MOST_CHANNELS: usize = 4;

/// Decodes the images of a TIFF, all or the one that the options choose. `name` is that of the file.
pub(super) fn decode(bytes: Vec<u8>, name: &str, options: &ReadOptions) -> Decoded<Vec<Stack>> {
    let chain = directory::pages(&bytes)?;
    chain.get(series::full(&chain)).ok_or("the TIFF has no pages")?.check()?;
    let images = describe::images(&bytes, &chain, name)?;
    let several = images.len() > 1;
    let chosen = images.into_iter().enumerate().map(|(i, series)| (i + 1, series));
    let chosen: Vec<_> = chosen.filter(|(i, _)| !several || options.series.is_none_or(|n| n == *i)).collect();
    let pages = chosen.iter().flat_map(|(_, series)| &series.pages).filter_map(|(_, page)| chain.get(*page));
    let promised = pages.fold(0_u64, |n, page| n.saturating_add(page.bytes()));
    require(promised, options.memory);
    let file = File { bytes: &bytes, chain: &chain };
    let stack = |(i, series)| Ok(Stack { series: several.then_some(i), ..file.stack(series, options)? });
    chosen.into_iter().map(stack).collect()
}

/// The only image of a TIFF whose pages are all planes.
struct Planes<P> {
    pages: Vec<P>,
    /// The axes over which the pages run, and the letters of those of a page.
    axes: Vec<Axis>,
    own: Vec<char>,
    pixel_size: PixelSize,
    notes: Vec<Note>,
}

fn planes<P>(bytes: Vec<u8>, options: &ReadOptions, read: Read<P>) -> Decoded<Planes<P>> {
    let chain = directory::pages(&bytes)?;
    chain.get(series::full(&chain)).ok_or("the TIFF has no pages")?.check()?;
    let [series] = <[Series; 1]>::try_from(describe::images(&bytes, &chain, "")?)
        .map_err(|images| format!("holds {} images, one is expected", images.len()))?;
    let promised = series.pages.iter().filter_map(|(_, page)| chain.get(*page));
    require(promised.fold(0_u64, |n, page| n.saturating_add(page.bytes())), options.memory);
    let number = if series.raw { 0 } else { series.pages[0].1 };
    let file = File { bytes: &bytes, chain: &chain };
    let (shape, letters) = file.described(&series);
    let array = Described { shape: &shape, letters: &letters, most_channels: 0 };
    let mut letters = of_labels(&array, options)?;
    let own = letters.split_off(series.lengths.len());
    // Channels are planes here, and so none is left out because another is missing.
    let over = letters.iter().map(|&letter| if letter == 'C' { 'c' } else { letter });
    let over = over.zip(&series.lengths).map(|(letter, &length)| Axis { letter, length }).collect();
    let Complete { mut axes, pages, .. } = complete(over, series.pages)?;
    axes.retain(|axis| axis.length > 1 || matches!(axis.letter, 'Y' | 'X'));
    axes.iter_mut().for_each(|axis| axis.letter = axis.letter.to_ascii_uppercase());
    let pixel_size = file.pixel_size(number, series.pixel_size);
    Ok(Planes { pages: file.pages(series.raw, &pages, read)?, axes, own, pixel_size, notes: series.notes })
}

struct File<'a> {
    bytes: &'a [u8],
    chain: &'a [Page],
}

impl File<'_> {
    /// The lengths of the axes of an image, slowest first, and their letters as the file has them.
    fn described(&self, series: &Series) -> (Vec<usize>, Vec<char>) {
        let first = &self.chain[if series.raw { 0 } else { series.pages[0].1 }];
        let (own, lengths): (Vec<char>, Vec<usize>) = within(first).into_iter().unzip();
        let unknown = || {
            let known = own.iter().map(|&letter| if letter == 'S' { 'S' } else { UNKNOWN });
            series.lengths.iter().map(|_| UNKNOWN).chain(known).collect()
        };
        let letters = series.letters.clone().unwrap_or_else(unknown);
        ([&series.lengths[..], &lengths].concat(), letters)
    }

    fn stack(&self, mut series: Series, options: &ReadOptions) -> Decoded<Stack> {
        let number = if series.raw { 0 } else { series.pages[0].1 };
        let first = &self.chain[number];
        let (shape, letters) = self.described(&series);
        let array = Described { shape: &shape, letters: &letters, most_channels: MOST_CHANNELS };
        let mut letters = resolve(&array, options, &mut series.notes)?;
        let over = letters.iter().zip(&series.lengths).map(|(&letter, &length)| Axis { letter, length });
        let Complete { axes, pages, left_out } = complete(over.collect(), std::mem::take(&mut series.pages))?;
        if left_out > 0 {
            series.warn(format!(
                "{left_out} pages are left out, since other channels of their planes are missing"
            ));
        }
        let pixel_size = self.pixel_size(number, series.pixel_size);
        let pages = self.pages(series.raw, &pages, page::read)?;
        // In memory, the samples of a pixel are together.
        let own = letters.split_off(series.lengths.len());
        let own = match &own[..] {
            [samples, y, x] if first.planar => [*y, *x, *samples],
            [y, x, samples] => [*y, *x, *samples],
            _ => [own[0], own[1], 'S'],
        };
        let mut stack = match own {
            ['Y', 'X', 'S' | 'C'] => arrange(pages, &axes)?,
            own => {
                let lengths: Vec<usize> = axes.iter().map(|axis| axis.length).collect();
                let letters: Vec<char> = axes.iter().map(|axis| axis.letter).chain(own).collect();
                rearrange(pages, &lengths, &letters)?
            }
        };
        stack.layout.pixel_size = pixel_size;
        stack.name = series.name;
        stack.notes = one_warning(series.notes);
        Ok(stack)
    }

    /// Reads these pages. They may be `following` the only one that has a directory.
    fn pages<P>(&self, following: bool, pages: &[usize], read: Read<P>) -> Decoded<Vec<P>> {
        let all: Vec<Page>;
        let chain = if following {
            let count = pages.iter().max().map(|last| last + 1);
            all = raw::pages(self.bytes, &self.chain[0], count)?;
            &all
        } else {
            self.chain
        };
        let page = |&page: &usize| chain.get(page).ok_or("the TIFF is incomplete");
        pages.iter().map(|i| read(self.bytes, page(i)?)).collect()
    }

    /// Completes the size of a pixel by the resolution of a page. In a file of ImageJ it is in the unit that the
    /// description names.
    fn pixel_size(&self, page: usize, described: PixelSize) -> PixelSize {
        if described.x.is_some() || described.y.is_some() {
            return described;
        }
        let page = &self.chain[page];
        let unit = match page.unit {
            3 => "cm",
            1 => "",
            _ => "inch",
        };
        let size = |entry: &Option<_>| match page.layout.rational(self.bytes, entry.as_ref()?) {
            Some((n, d)) if n > 0 && d > 0 => Some(d as f64 / n as f64),
            _ => None,
        };
        let (x, y) = (size(&page.resolution[0]), size(&page.resolution[1]));
        // What programs write when they know nothing: screens of 72 or 96 dots an inch, or one dot of no unit.
        let is_screen = |size: f64| unit == "inch" && [72.0, 96.0].contains(&size.recip().round());
        let is_nothing = described.unit.is_none() && (unit.is_empty() || x.is_some_and(is_screen));
        if is_nothing || described.unit.as_deref() == Some("pixel") {
            return described;
        }
        PixelSize { x, y, unit: described.unit.or_else(|| x.or(y).map(|_| unit.into())), ..described }
    }
}

/// Joins the warnings, so that a file gives one.
fn one_warning(notes: Vec<Note>) -> Vec<Note> {
    let (warnings, mut remarks): (Vec<_>, Vec<_>) =
        notes.into_iter().partition(|note| matches!(note, Note::Warning(_)));
    if !warnings.is_empty() {
        let texts: Vec<_> = warnings.iter().map(Note::to_string).collect();
        remarks.insert(0, Note::Warning(texts.join("; ")));
    }
    remarks
}
