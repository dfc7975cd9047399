//! Whether a JPEG is whole. Decoders take what is missing for zeros, which are pixels too.

/// The file with a guard before the mark of its end; `None` if it has none, or does not have all scans.
///
/// The guard is many ones, a code that no table of JPEG may have (T.81, section C.2): after whole data it is not read, after
/// incomplete data it is an error.
pub(super) fn guarded(bytes: &[u8]) -> Option<Vec<u8>> {
    const ONES: [u8; 64] = {
        let mut ones = [0xff; 64];
        let mut i = 1;
        while i < ones.len() {
            ones[i] = 0; // Follows 0xff where it is no mark.
            i += 2;
        }
        ones
    };
    Some([&bytes[..end(bytes)?], &ONES, &[0xff, 0xd9]].concat())
}

/// Where the mark of the end stands: after the segments (T.81, section B.1), and the data that follow a scan's header.
fn end(bytes: &[u8]) -> Option<usize> {
    let mut scans = Scans::default();
    let mut at = 2;
    loop {
        let marker = match bytes.get(at..at + 2)? {
            [0xff, 0xd9] => return scans.are_all().then_some(at),
            [0xff, 0xff] => {
                at += 1;
                continue;
            }
            [0xff, marker] => *marker,
            _ => return None,
        };
        at += 2;
        if !matches!(marker, 0x01 | 0xd0..=0xd7) {
            let length = usize::from(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
            scans.note(marker, bytes.get(at + 2..at + length)?)?;
            at += length;
        }
        if marker == SCAN {
            let is_end = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7 | 0xff);
            at += bytes.get(at..)?.windows(2).position(is_end)?;
        }
    }
}

/// The headers of pictures of one kind of scan and of progressive ones, and of a scan (T.81, sections B.2.2 and B.2.3).
const BASELINE: u8 = 0xc0;
const EXTENDED: u8 = 0xc1;
const PROGRESSIVE: u8 = 0xc2;
const SCAN: u8 = 0xda;

/// What the scans of a picture have brought.
#[derive(Default)]
struct Scans {
    /// Whether each scan must begin with the first coefficient.
    sequential: bool,
    /// Of a progressive picture.
    /// The number of each component, and for each of its 64 coefficients the lowest bit that has come; [`NONE`] before the
    /// first.
    parts: Vec<(u8, [u8; 64])>,
}

const NONE: u8 = 0xff;

impl Scans {
    /// Takes note of a header with this content; `None` if it is too short, or none of such a picture: the decoder would
    /// panic.
    fn note(&mut self, marker: u8, content: &[u8]) -> Option<()> {
        match marker {
            BASELINE | EXTENDED => self.sequential = true,
            PROGRESSIVE => {
                let count = usize::from(*content.get(5)?);
                let parts = content.get(6..6 + 3 * count)?.chunks_exact(3);
                self.parts = parts.map(|part| (part[0], [NONE; 64])).collect();
            }
            SCAN => {
                let count = usize::from(*content.first()?);
                let chosen = content.get(1..1 + 2 * count)?.chunks_exact(2);
                let [first, last, bits] = *content.get(1 + 2 * count..4 + 2 * count)? else { return None };
                if self.sequential && first != 0 {
                    return None;
                }
                for part in chosen {
                    let own = self.parts.iter_mut().find(|(number, _)| *number == part[0]);
                    let bits_of = own.and_then(|(_, bits)| bits.get_mut(first.into()..=last.into()));
                    bits_of.unwrap_or_default().fill(bits & 15);
                }
            }
            _ => {}
        }
        Some(())
    }

    /// Whether all bits of all coefficients have come. (Of other pictures than progressive ones, nothing is known here.)
    fn are_all(&self) -> bool {
        self.parts.iter().all(|(_, bits)| bits.iter().all(|&lowest| lowest == 0))
    }
}
