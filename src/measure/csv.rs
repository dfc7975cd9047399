//! Tables as CSV files.

use std::io::{self, Write};

use super::table::{Column, Table};
use crate::Result;
use crate::atomic::{Destination, write_atomic};
use crate::output::quoted;

/// Writes a table as CSV (RFC 4180, but that lines end in LF alone, as pandas, R and spreadsheets read them): a header and
/// one line for each row. Numbers have as few digits as give the same number when they are read; `NaN` is an empty field,
/// and yes and no are `true` and `false`.
///
/// # Errors
/// [`Error::Write`](crate::Error::Write), [`Error::Exists`](crate::Error::Exists). A file that was there is then unchanged.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("cells.csv");
/// let labels = ndarray::array![[0_u32, 7, 7], [0, 7, 7]];
/// let table = flowmask::measure::measure(labels.view(), &Default::default())?;
/// flowmask::measure::save_csv(&path, &table)?;
/// assert!(std::fs::read_to_string(&path)?.starts_with("label,area,"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn save_csv(to: impl Into<Destination>, table: &Table) -> Result<()> {
    write_atomic(to, |writer| write(table, writer))
}

fn write(table: &Table, out: &mut impl Write) -> io::Result<()> {
    let names: Vec<_> = table.columns().iter().map(|(name, _)| quoted(name)).collect();
    writeln!(out, "{}", names.join(","))?;
    for row in 0..table.rows() {
        for (i, (_, column)) in table.columns().iter().enumerate() {
            out.write_all(if i == 0 { b"" } else { b"," })?;
            match column {
                Column::Integers(values) => write!(out, "{}", values[row])?,
                Column::Floats(values) if values[row].is_nan() => {}
                // With a point or an exponent, so that it stays a number with a fraction.
                Column::Floats(values) => write!(out, "{:?}", values[row])?,
                Column::Booleans(values) => write!(out, "{}", values[row])?,
            }
        }
        out.write_all(b"\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_come_back() {
        let mut table = super::super::table::tests::table();
        table.floats("a, b", [1e300, -0.0]);
        table.floats("c", [f64::INFINITY, 12.0]);
        let mut text = Vec::new();
        write(&table, &mut text).unwrap();
        let wanted = "label,area,touches_edge,\"a, b\",c\n\
                      1,0.30000000000000004,true,1e300,inf\n70000,,false,-0.0,12.0\n";
        assert_eq!(String::from_utf8(text).unwrap(), wanted);
    }
}
