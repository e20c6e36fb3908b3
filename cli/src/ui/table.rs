//! Aligned columns.

use anstyle::Style;

use super::escape;

/// Rows of text that are aligned when they are printed.
///
/// The last text of a row is not padded, so that no line ends in spaces.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    cells: Vec<(Style, String)>,
    /// Lines below it, and how far they are indented.
    notes: Vec<(usize, String)>,
}

impl Table {
    /// Adds a row. Escapes what a terminal would obey.
    pub(crate) fn row<const N: usize>(&mut self, cells: [(Style, &str); N]) {
        let cells = cells.map(|(style, text)| (style, escape(text).into_owned()));
        self.rows.push(Row { cells: cells.into(), notes: Vec::new() });
    }

    /// Adds a line below the last row.
    pub(crate) fn note(&mut self, indent: usize, text: &str) {
        if let Some(row) = self.rows.last_mut() {
            row.notes.push((indent, escape(text).into_owned()));
        }
    }

    /// The lines, each with its line feed.
    pub(crate) fn print(&self) -> String {
        let n_columns = self.rows.iter().map(|row| row.cells.len()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..n_columns)
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.cells.get(column));
                cells.map(|(_, text)| text.chars().count()).max().unwrap_or(0)
            })
            .collect();
        self.rows.iter().map(|row| row.print(&widths)).collect()
    }
}

impl Row {
    fn print(&self, widths: &[usize]) -> String {
        let mut line = String::new();
        let mut padding = 0;
        let n_cells =
            self.cells.iter().rposition(|(_, text)| !text.is_empty()).map_or(0, |i| i + 1);
        for ((style, text), width) in self.cells[..n_cells].iter().zip(widths) {
            line.extend([format!("{:padding$}{style}{text}{style:#}", "")]);
            padding = width - text.chars().count() + 2;
        }
        let notes = self.notes.iter().map(|(indent, note)| format!("{:indent$}{note}\n", ""));
        format!("{line}\n{}", notes.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{GOOD, PLAIN};
    use super::*;

    #[test]
    fn columns_line_up_and_notes_stand_below_the_second() {
        let mut table = Table::default();
        table.row([(PLAIN, "held"), (PLAIN, "längere.ipynb"), (PLAIN, "marimo")]);
        table.note(8, "why");
        table.row([(PLAIN, "synced"), (GOOD, "b.py"), (GOOD, "")]);
        assert_eq!(
            anstream::adapter::strip_str(&table.print()).to_string(),
            "held    längere.ipynb  marimo\n        why\nsynced  b.py\n"
        );
    }
}
