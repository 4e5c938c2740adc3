//! Tables for people: no frames, one line below the headings, and nothing behind the last column.

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

/// A table with these headings. Empty if there are no rows.
pub fn table<const N: usize>(
    headings: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    aligned(headings, &[], rows)
}

/// A table in which the columns of these indices are numbers, aligned at the right.
pub fn aligned<const N: usize>(
    headings: [&str; N],
    numbers: &[usize],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    let line = LineStyle::none().fill('─').junction('─');
    table.load_style(TableStyle::new().header_separator(line));
    // As wide as its cells: what breaks lines is the terminal, so that a pipe gets whole rows.
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings);
    for row in rows {
        table.add_row(row);
    }
    if table.is_empty() {
        return String::new();
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if index == 0 { 0 } else { 1 }, 0));
        if numbers.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// The text with every line moved two places to the right.
pub fn indented(text: &str) -> String {
    text.lines()
        .map(|line| if line.is_empty() { String::new() } else { format!("  {line}") })
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_with_words() {
        let rows = [["a", "1", ""], ["bcd", "1,000", "x"]].map(|row| row.map(str::to_owned));
        assert_eq!(
            aligned(["name", "n", ""], &[1], rows),
            "name      n\n──────────────\na         1\nbcd   1,000  x"
        );
        assert_eq!(table(["a"], []), "");
        assert_eq!(indented("a\nb"), "  a\n  b");
    }
}
