//! Writes dictionaries as `np.save` does.

use std::io::{self, Write};

#[cfg(feature = "files")]
use rayon::prelude::*;

use crate::model::pickle;
use crate::npy::Number;

/// About so many bytes of an array are in memory at once.
#[cfg(feature = "files")]
const BATCH: usize = 1 << 23;

/// Writes a file from which `np.load(file, allow_pickle=True).item()` reads a dictionary, entry after entry. Arrays go to
/// the file without being copied.
pub(crate) struct Writer<W> {
    out: W,
    /// What comes before the next array.
    pickle: pickle::Writer,
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    pub(crate) fn new(mut out: W) -> io::Result<Self> {
        let mut header =
            b"\x93NUMPY\x01\0\x76\0{'descr': '|O', 'fortran_order': False, 'shape': (), }".to_vec();
        header.resize(127, b' ');
        header.push(b'\n');
        out.write_all(&header)?;
        // Protocol 4 is the first with arrays of 4 GiB and more.
        let mut pickle = pickle::Writer::new(4);
        // The file is an array without axes, of one object.
        begin_array(&mut pickle, &[], "O8", "|");
        pickle.raw(b"](}(");
        Ok(Writer { out, pickle })
    }

    /// The key of the next value.
    pub(crate) fn key(&mut self, key: &str) -> &mut Self {
        self.pickle.text(key);
        self
    }

    pub(crate) fn float(&mut self, value: f64) {
        self.pickle.float(value);
    }

    #[cfg(feature = "files")]
    pub(crate) fn text(&mut self, text: &str) {
        self.pickle.text(text);
    }

    #[cfg(feature = "files")]
    pub(crate) fn integer(&mut self, value: usize) {
        self.pickle.integer(value);
    }

    /// The values that `content` writes, as a list.
    #[cfg(feature = "files")]
    pub(crate) fn list(&mut self, content: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        self.pickle.raw(b"](");
        content(self)?;
        self.pickle.raw(b"e");
        Ok(())
    }

    /// An array of this shape, in C order.
    ///
    /// # Errors
    /// Those of the writer; [`io::ErrorKind::InvalidInput`] when the count of `numbers` does not match the shape.
    pub(crate) fn array<T: Number>(
        &mut self,
        shape: &[usize],
        numbers: impl IntoIterator<Item = T>,
    ) -> io::Result<()> {
        self.array_as(T::KIND, shape, numbers)
    }

    /// An array of booleans that are all false.
    #[cfg(feature = "files")]
    pub(crate) fn falses(&mut self, length: usize) -> io::Result<()> {
        self.array_as("b1", &[length], std::iter::repeat_n(0_u8, length))
    }

    fn array_as<T: Number>(
        &mut self,
        kind: &str,
        shape: &[usize],
        numbers: impl IntoIterator<Item = T>,
    ) -> io::Result<()> {
        let mut left = self.begin::<T>(kind, shape)?;
        for number in numbers {
            self.out.write_all(number.bytes().as_ref())?;
            left = left.wrapping_sub(size_of::<T>());
        }
        if left != 0 {
            let reason = format!("another count of numbers than an array of the shape {shape:?} has");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        self.pickle.raw(b"tb");
        Ok(())
    }

    /// An array of this shape, in C order, in rows of `length` numbers. `fill` writes a row; many are made at once, on all
    /// threads.
    #[cfg(feature = "files")]
    pub(crate) fn rows<T: Number + Default>(
        &mut self,
        shape: &[usize],
        length: usize,
        fill: impl Fn(usize, &mut [T]) + Sync,
    ) -> io::Result<()> {
        let left = self.begin::<T>(T::KIND, shape)?;
        let bytes = length * size_of::<T>();
        let rows = left.checked_div(bytes).unwrap_or(0);
        let mut batch = vec![0; (BATCH / bytes.max(1)).clamp(1, rows.max(1)) * bytes];
        let numbers = || vec![T::default(); length];
        let mut first = 0;
        while first < rows {
            let count = rows.min(first + batch.len() / bytes) - first;
            let batch = &mut batch[..count * bytes];
            batch.par_chunks_exact_mut(bytes).enumerate().for_each_init(numbers, |numbers, (row, out)| {
                fill(first + row, numbers);
                let bytes = out.chunks_exact_mut(size_of::<T>());
                bytes.zip(&*numbers).for_each(|(out, number)| out.copy_from_slice(number.bytes().as_ref()));
            });
            self.out.write_all(batch)?;
            first += count;
        }
        self.pickle.raw(b"tb");
        Ok(())
    }

    /// Writes what comes before the data of an array. Returns how many bytes of data follow.
    fn begin<T: Number>(&mut self, kind: &str, shape: &[usize]) -> io::Result<usize> {
        let bytes = shape.iter().product::<usize>() * size_of::<T>();
        begin_array(&mut self.pickle, shape, kind, if size_of::<T>() == 1 { "|" } else { "<" });
        self.pickle.bytes_begin(bytes);
        self.out.write_all(&self.pickle.take())?;
        Ok(bytes)
    }

    /// Ends the file.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.pickle.raw(b"uetb.");
        self.out.write_all(&self.pickle.take())?;
        Ok(self.out)
    }
}

/// Writes `_reconstruct(ndarray, (0,), b"b")` and its state up to the data: `(1, shape, dtype, False, `.
fn begin_array(pickle: &mut pickle::Writer, shape: &[usize], dtype: &str, order: &str) {
    // NumPy finds `numpy.core` both before and after version 2.0.
    pickle.global("numpy.core.multiarray", "_reconstruct").global("numpy", "ndarray");
    pickle.tuple(&[0]).bytes(b"b").raw(b"\x87R(").integer(1).tuple(shape);
    pickle.global("numpy", "dtype").text(dtype).raw(b"\x89\x88\x87R(").integer(3).text(order);
    // There are no subtype, names or fields; -1 means the type's own size and alignment; flags of 63 mark objects.
    let flags = if dtype == "O8" { 63 } else { 0 };
    pickle.raw(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff").integer(flags).raw(b"tb\x89");
}
