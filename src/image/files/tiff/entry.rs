//! The entries of a directory and their values (TIFF 6.0, section 2; BigTIFF with its wider offsets).

const BYTE: u16 = 1;
const SHORT: u16 = 3;
const LONG: u16 = 4;
const LONG8: u16 = 16;

/// One tag.
pub(super) struct Entry {
    pub tag: u16,
    kind: u16,
    count: u64,
    /// Where the value, or its place, is in the file.
    inline: usize,
}

/// Byte order and width of the offsets.
pub(super) struct Layout {
    pub big_endian: bool,
    pub big: bool,
}

impl Layout {
    fn uint(&self, bytes: &[u8], at: usize, size: usize) -> Option<u64> {
        let raw = bytes.get(at..at.checked_add(size)?)?;
        let push = |n: u64, byte: &u8| n << 8 | u64::from(*byte);
        Some(if self.big_endian { raw.iter().fold(0, push) } else { raw.iter().rev().fold(0, push) })
    }

    /// The offset at a place.
    pub fn offset(&self, bytes: &[u8], at: usize) -> Option<u64> {
        self.uint(bytes, at, if self.big { 8 } else { 4 })
    }

    /// The entries of the directory at `start`, and the place of the next directory.
    pub fn entries(&self, bytes: &[u8], start: u64) -> Option<(Vec<Entry>, u64)> {
        let start = usize::try_from(start).ok()?;
        let (head, size, value) = if self.big { (8, 20, 12) } else { (2, 12, 8) };
        let count = usize::try_from(self.uint(bytes, start, head)?).ok()?;
        let first = start.checked_add(head)?;
        let end = first.checked_add(count.checked_mul(size)?)?;
        let after = self.offset(bytes, end)?;
        let entry = |at: usize| {
            let tag = self.uint(bytes, at, 2)? as u16;
            let kind = self.uint(bytes, at + 2, 2)? as u16;
            let count = self.offset(bytes, at + 4)?;
            // No list is longer than the file: the crate would reserve memory for any length.
            (count <= bytes.len() as u64).then_some(Entry { tag, kind, count, inline: at + value })
        };
        Some(((first..end).step_by(size).map(entry).collect::<Option<_>>()?, after))
    }

    /// Where the values of an entry of `size` bytes each are.
    fn place(&self, bytes: &[u8], entry: &Entry, size: u64) -> Option<usize> {
        let room = if self.big { 8 } else { 4 };
        match entry.count.checked_mul(size)? {
            n if n <= room => Some(entry.inline),
            _ => usize::try_from(self.offset(bytes, entry.inline)?).ok(),
        }
    }

    /// The place and the size of the first of an entry's whole numbers.
    fn first_place(&self, bytes: &[u8], entry: &Entry) -> Option<(usize, usize)> {
        let size = match entry.kind {
            BYTE => 1,
            SHORT => 2,
            LONG => 4,
            LONG8 => 8,
            _ => return None,
        };
        Some((self.place(bytes, entry, size).filter(|_| entry.count > 0)?, size as usize))
    }

    /// The first of an entry's whole numbers.
    pub fn first(&self, bytes: &[u8], entry: &Entry) -> Option<u64> {
        let (at, size) = self.first_place(bytes, entry)?;
        self.uint(bytes, at, size)
    }

    /// Overwrites the first of an entry's whole numbers, where it can hold the value.
    pub fn set_first(&self, bytes: &mut [u8], entry: Option<&Entry>, value: u64) -> Option<()> {
        let (at, size) = self.first_place(bytes, entry?)?;
        let raw = value.to_be_bytes();
        let (unused, raw) = raw.split_at_checked(raw.len() - size)?;
        let place = bytes.get_mut(at..at.checked_add(size)?)?;
        if unused.iter().any(|&byte| byte != 0) {
            return None;
        }
        place.copy_from_slice(raw);
        if !self.big_endian {
            place.reverse();
        }
        Some(())
    }

    /// An entry's text, up to its first zero.
    pub fn text(&self, bytes: &[u8], entry: &Entry) -> Option<String> {
        let start = self.place(bytes, entry, 1)?;
        let text = bytes.get(start..start.checked_add(usize::try_from(entry.count).ok()?)?)?;
        let text = text.split(|&byte| byte == 0).next()?;
        Some(String::from_utf8_lossy(text).into_owned())
    }
}
