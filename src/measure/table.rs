//! Tables of cells.

use crate::{Error, Result};

/// A table with one row for each cell and columns that have names. All columns have the same length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    columns: Vec<(String, Column)>,
}

/// The values of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Whole numbers.
    Integers(Vec<i64>),
    /// Numbers; `NaN` where there is none.
    Floats(Vec<f64>),
    /// Yes or no.
    Booleans(Vec<bool>),
}

impl Column {
    /// The number of rows.
    pub fn len(&self) -> usize {
        match self {
            Column::Integers(values) => values.len(),
            Column::Floats(values) => values.len(),
            Column::Booleans(values) => values.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds the rows of a column of the same kind; `None` if it is of another.
    fn append(&mut self, other: Column) -> Option<()> {
        match (self, other) {
            (Column::Integers(to), Column::Integers(from)) => to.extend(from),
            (Column::Floats(to), Column::Floats(from)) => to.extend(from),
            (Column::Booleans(to), Column::Booleans(from)) => to.extend(from),
            _ => return None,
        }
        Some(())
    }
}

impl Table {
    /// The columns with their names, in their order.
    pub fn columns(&self) -> &[(String, Column)] {
        &self.columns
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.0 == name).map(|column| &column.1)
    }

    /// The number of rows: of cells.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.1.len())
    }

    /// Says for all rows where the image lies among others: for each name, such as `t`, a column with this number, after the
    /// column `label`.
    #[must_use]
    pub fn placed(mut self, places: &[(String, usize)]) -> Self {
        let rows = self.rows();
        for (i, (name, number)) in places.iter().enumerate() {
            let at = (1 + i).min(self.columns.len());
            self.columns.insert(at, (name.clone(), Column::Integers(vec![*number as i64; rows])));
        }
        self
    }

    /// Adds the rows of another table at the end.
    ///
    /// # Errors
    /// [`Error::Image`] when the columns have other names or kinds. An empty table, of which nothing is known yet, takes those
    /// of the other.
    pub fn append(&mut self, other: Table) -> Result<()> {
        if self.columns.is_empty() {
            *self = other;
            return Ok(());
        }
        let same = |(a, b): (&(String, Column), &(String, Column))| {
            a.0 == b.0 && std::mem::discriminant(&a.1) == std::mem::discriminant(&b.1)
        };
        if self.columns.len() != other.columns.len() || !self.columns.iter().zip(&other.columns).all(same) {
            return Err(Error::Image("its table has other columns than the one before".into()));
        }
        for (to, from) in self.columns.iter_mut().zip(other.columns) {
            to.1.append(from.1);
        }
        Ok(())
    }

    pub(super) fn integers(&mut self, name: impl Into<String>, values: impl IntoIterator<Item = i64>) {
        self.columns.push((name.into(), Column::Integers(values.into_iter().collect())));
    }

    pub(super) fn floats(&mut self, name: impl Into<String>, values: impl IntoIterator<Item = f64>) {
        self.columns.push((name.into(), Column::Floats(values.into_iter().collect())));
    }

    pub(super) fn booleans(&mut self, name: impl Into<String>, values: impl IntoIterator<Item = bool>) {
        self.columns.push((name.into(), Column::Booleans(values.into_iter().collect())));
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn table() -> Table {
        let mut table = Table::default();
        table.integers("label", [1, 70_000]);
        table.floats("area", [0.1 + 0.2, f64::NAN]);
        table.booleans("touches_edge", [true, false]);
        table
    }

    #[test]
    fn tables_are_placed_and_joined() {
        let place = |t: usize| table().placed(&[("t".into(), t), ("z".into(), 3)]);
        let mut all = Table::default();
        all.append(place(0)).unwrap();
        all.append(place(1)).unwrap();
        assert_eq!(
            all.columns().iter().map(|c| &c.0[..]).collect::<Vec<_>>(),
            ["label", "t", "z", "area", "touches_edge"]
        );
        assert_eq!(all.column("t"), Some(&Column::Integers(vec![0, 0, 1, 1])));
        assert_eq!(all.column("touches_edge"), Some(&Column::Booleans(vec![true, false, true, false])));
        assert_eq!((all.rows(), all.column("x")), (4, None));
        assert!(all.append(table()).is_err());
        let mut other = Table::default();
        other.floats("label", []);
        assert!(table().append(other).is_err());
    }
}
