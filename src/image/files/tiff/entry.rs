//! The entries of a directory and their values (TIFF 6.0, section 2, and BigTIFF with wider offsets).

const BYTE: u16 = 1;
const SHORT: u16 = 3;
const LONG: u16 = 4;
const LONG8: u16 = 16;

/// One entry of a directory: a tag and its values.
pub(super) struct Entry {
    pub tag: u16,
    kind: u16,
    count: u64,
    /// Where the values stand in the file, or their offset if they are too long.
    inline: usize,
}

/// The byte order of a file, and whether it is a BigTIFF, which has offsets of 8 bytes.
pub(super) struct Layout {
    pub big_endian: bool,
    pub big: bool,
}

impl Layout {
    fn uint(&self, bytes: &[u8], at: usize, length: usize) -> Option<u64> {
        let raw = bytes.get(at..at.checked_add(length)?)?;
        let push = |n: u64, byte: &u8| n << 8 | u64::from(*byte);
        Some(if self.big_endian { raw.iter().fold(0, push) } else { raw.iter().rev().fold(0, push) })
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

    /// Where the first whole number of an entry stands, and its length in bytes.
    fn first_place(&self, bytes: &[u8], entry: &Entry) -> Option<(usize, usize)> {
        let length = match entry.kind {
            BYTE => 1,
            SHORT => 2,
            LONG => 4,
            LONG8 => 8,
            _ => return None,
        };
        Some((self.place(bytes, entry, length).filter(|_| entry.count > 0)?, length as usize))
    }

    /// The first whole number of an entry.
    pub fn first(&self, bytes: &[u8], entry: &Entry) -> Option<u64> {
        let (at, length) = self.first_place(bytes, entry)?;
        self.uint(bytes, at, length)
    }

    /// Overwrites the first whole number of an entry; `None` if there is none, or the value does not fit.
    pub fn set_first(&self, bytes: &mut [u8], entry: Option<&Entry>, value: u64) -> Option<()> {
        let (at, length) = self.first_place(bytes, entry?)?;
        let raw = value.to_be_bytes();
        let (unused, raw) = raw.split_at_checked(raw.len() - length)?;
        let place = bytes.get_mut(at..at.checked_add(length)?)?;
        if unused.iter().any(|&byte| byte != 0) {
            return None;
        }
        place.copy_from_slice(raw);
        if !self.big_endian {
            place.reverse();
        }
        Some(())
    }

    /// The text of an entry, up to the first zero byte.
    pub fn text(&self, bytes: &[u8], entry: &Entry) -> Option<String> {
        let start = self.place(bytes, entry, 1)?;
        let text = bytes.get(start..start.checked_add(usize::try_from(entry.count).ok()?)?)?;
        let text = text.split(|&byte| byte == 0).next()?;
        Some(String::from_utf8_lossy(text).into_owned())
    }
}
