//! The entries of a directory and their values (TIFF 6.0, section 2, and BigTIFF with wider offsets).

const BYTE: u16 = 1;
const SHORT: u16 = 3;
const LONG: u16 = 4;
const LONG8: u16 = 16;

/// One entry of a directory: a tag and its values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry {
    pub tag: u16,
    kind: u16,
    pub count: u64,
    /// Where the values stand in the file, or their offset if they are too long.
    inline: usize,
}

/// The byte order of a file, and whether it is a BigTIFF, which has offsets of 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Layout {
    pub big_endian: bool,
    pub big: bool,
}

impl Layout {
    fn uint(&self, bytes: &[u8], at: usize, length: usize) -> Option<u64> {
        Some(self.whole(bytes.get(at..at.checked_add(length)?)?))
    }

    fn whole(&self, raw: &[u8]) -> u64 {
        let push = |n: u64, byte: &u8| n << 8 | u64::from(*byte);
        if self.big_endian { raw.iter().fold(0, push) } else { raw.iter().rev().fold(0, push) }
    }

    /// Reads the offset at a place.
    pub fn offset(&self, bytes: &[u8], at: usize) -> Option<u64> {
        self.uint(bytes, at, if self.big { 8 } else { 4 })
    }

    /// The entries of the directory at `start`, and the offset of the next directory.
    pub fn entries(&self, bytes: &[u8], start: u64) -> Option<(Vec<Entry>, u64)> {
        let start = usize::try_from(start).ok()?;
        let (head, length, value) = if self.big { (8, 20, 12) } else { (2, 12, 8) };
        let count = usize::try_from(self.uint(bytes, start, head)?).ok()?;
        let first = start.checked_add(head)?;
        let end = first.checked_add(count.checked_mul(length)?)?;
        let after = self.offset(bytes, end)?;
        let entry = |at: usize| {
            let tag = self.uint(bytes, at, 2)? as u16;
            let kind = self.uint(bytes, at + 2, 2)? as u16;
            let count = self.offset(bytes, at + 4)?;
            // Refuses a list longer than the file: the crate would allocate memory for any length.
            (count <= bytes.len() as u64).then_some(Entry { tag, kind, count, inline: at + value })
        };
        Some(((first..end).step_by(length).map(entry).collect::<Option<_>>()?, after))
    }

    /// Where the values of an entry begin, each of `length` bytes.
    fn place(&self, bytes: &[u8], entry: &Entry, length: u64) -> Option<usize> {
        let room = if self.big { 8 } else { 4 };
        match entry.count.checked_mul(length)? {
            n if n <= room => Some(entry.inline),
            _ => usize::try_from(self.offset(bytes, entry.inline)?).ok(),
        }
    }

    /// The bytes of an entry whose values have `length` bytes each.
    fn values<'a>(&self, bytes: &'a [u8], entry: &Entry, length: u64) -> Option<&'a [u8]> {
        let start = self.place(bytes, entry, length)?;
        let size = usize::try_from(entry.count.checked_mul(length)?).ok()?;
        bytes.get(start..start.checked_add(size)?)
    }

    /// The whole numbers of an entry.
    pub fn numbers<'a>(&self, bytes: &'a [u8], entry: &Entry) -> Option<impl Iterator<Item = u64> + use<'a>> {
        let layout = *self;
        let length: u8 = match entry.kind {
            BYTE => 1,
            SHORT => 2,
            LONG => 4,
            LONG8 => 8,
            _ => return None,
        };
        let values = self.values(bytes, entry, length.into())?.chunks_exact(length.into());
        Some(values.map(move |raw| layout.whole(raw)))
    }

    /// The first whole number of an entry.
    pub fn first(&self, bytes: &[u8], entry: &Entry) -> Option<u64> {
        self.numbers(bytes, entry)?.next()
    }

    /// The numerator and the denominator of the first fraction of an entry.
    pub fn rational(&self, bytes: &[u8], entry: &Entry) -> Option<(u64, u64)> {
        const RATIONAL: u16 = 5;
        let raw = self.values(bytes, entry, 8).filter(|_| entry.kind == RATIONAL)?;
        Some((self.uint(raw, 0, 4)?, self.uint(raw, 4, 4)?))
    }

    /// The bytes of an entry that holds data of another format, such as the tables of JPEG.
    pub fn data<'a>(&self, bytes: &'a [u8], entry: &Entry) -> Option<&'a [u8]> {
        self.values(bytes, entry, 1)
    }

    /// The text of an entry, up to the first zero byte.
    pub fn text(&self, bytes: &[u8], entry: &Entry) -> Option<String> {
        let text = self.values(bytes, entry, 1)?.split(|&byte| byte == 0).next()?;
        Some(String::from_utf8_lossy(text).into_owned())
    }
}
