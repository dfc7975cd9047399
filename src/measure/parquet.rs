//! Tables as Parquet files.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Repetition, Type as Kind};
use parquet::data_type::{BoolType, DoubleType, Int64Type};
use parquet::errors::Result as Parquet;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use super::table::{Column, Table};
use crate::Result;
use crate::atomic::{Destination, write_atomic};
use crate::mark::SOFTWARE;

/// Writes a table as Parquet, without compression: whole numbers as INT64, numbers as DOUBLE (`NaN` stays), yes and no as
/// BOOLEAN. All columns are required, so no value is null.
///
/// # Errors
/// [`Error::Write`](crate::Error::Write), [`Error::Exists`](crate::Error::Exists). A file that was there is then unchanged.
pub fn save_parquet(to: impl Into<Destination>, table: &Table) -> Result<()> {
    write_atomic(to, |writer| write(table, writer).map_err(io::Error::other))
}

fn write(table: &Table, out: &mut (impl Write + Send)) -> Parquet<()> {
    let fields = table.columns().iter().map(|(name, column)| {
        let kind = match column {
            Column::Integers(_) => Kind::INT64,
            Column::Floats(_) => Kind::DOUBLE,
            Column::Booleans(_) => Kind::BOOLEAN,
        };
        Type::primitive_type_builder(name, kind).with_repetition(Repetition::REQUIRED).build().map(Arc::new)
    });
    let schema = Type::group_type_builder("cells").with_fields(fields.collect::<Parquet<_>>()?).build()?;
    let properties = WriterProperties::builder().set_created_by(SOFTWARE.into()).build();
    let mut file = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    for (_, column) in table.columns() {
        let Some(mut writer) = group.next_column()? else { break };
        match column {
            Column::Integers(values) => writer.typed::<Int64Type>().write_batch(values, None, None)?,
            Column::Floats(values) => writer.typed::<DoubleType>().write_batch(values, None, None)?,
            Column::Booleans(values) => writer.typed::<BoolType>().write_batch(values, None, None)?,
        };
        writer.close()?;
    }
    group.close()?;
    file.close()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    #[test]
    fn what_is_written_is_read_and_is_ours() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cells.parquet");
        save_parquet(&path, &super::super::table::tests::table()).unwrap();
        let file = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
        let rows: Vec<_> = file.get_row_iter(None).unwrap().map(|row| row.unwrap()).collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[1].get_long(0).unwrap(), 70_000);
        assert_eq!(rows[0].get_double(1).unwrap(), 0.1 + 0.2);
        assert!(rows[1].get_double(1).unwrap().is_nan());
        assert!(rows[0].get_bool(2).unwrap());
        assert!(crate::output::is_own(&path));
        // Without columns and rows too.
        save_parquet(Destination::new(&path).overwrite(false), &Table::default()).unwrap();
        std::fs::write(&path, b"PAR1 of somebody else PAR1").unwrap();
        assert!(!crate::output::is_own(&path));
    }
}
