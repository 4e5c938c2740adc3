//! The table for people, and the notes below it.

use crate::args::Options;
use crate::measure::Record;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

const HEADINGS: [&str; 13] = [
    "store",
    "version",
    "keys/s",
    "ms/block",
    "min",
    "max",
    "CPU µs/key",
    "others %",
    "RSS MB",
    "disk MB",
    "reopen s",
    "root",
    "depends on",
];

/// The columns of numbers.
const NUMBERS: std::ops::Range<usize> = 2..11;

const NOTES: &str = "\
One store after the other, each in a process of its own; a warm-up block before those measured.
keys/s and ms/block are medians over blocks, min and max beside them. A block starts as a list of
updates in no order, and ends when the store has it, with its root, and on disk where it is durable:
batches and sorting are in, drawing the updates, execution, signatures and proofs are not. CPU is that
of all threads during the measured blocks; a store that works in the background may owe more after
the last. Others is the share of all cores' time that other processes had meanwhile: compare rows where
it is small. RSS and disk are as they stand after the last block. Then the process is killed, and reopen
is how long another takes to open what it left, with files in the system's cache. It has the same
root, and the values that it must have at every key of the last block and at keys spread over all.";

/// The table and its notes.
pub(crate) fn text(records: &[Record], options: &Options) -> String {
    let Options { keys, block_keys, blocks, .. } = options;
    let mut text = format!(
        "{} keys of 32 bytes with values of 32 bytes; {blocks} blocks that update {} of them\n\n",
        grouped(u64::from(*keys)),
        grouped(*block_keys as u64)
    );
    text += &format!("{}\n\n{NOTES}\n", table(records));
    for record in records {
        text += &format!("\n{}: {}", record.store, record.note);
    }
    text
}

fn table(records: &[Record]) -> String {
    let mut table = Table::new();
    let line = LineStyle::none().fill('─').junction('─');
    table.load_style(TableStyle::new().header_separator(line));
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(HEADINGS);
    for record in records {
        table.add_row(row(record));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if index == 0 { 0 } else { 1 }, 0));
        if NUMBERS.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

fn row(record: &Record) -> [String; HEADINGS.len()] {
    let none = || "–".to_owned();
    let whole = |number: f64| grouped(number.round() as u64);
    let megabytes = |bytes: Option<u64>| bytes.map_or_else(none, |bytes| whole(bytes as f64 / 1e6));
    [
        record.store.clone(),
        record.version.to_owned(),
        whole(record.keys_per_s_median),
        whole(record.block_ms_median),
        whole(record.block_ms_min),
        whole(record.block_ms_max),
        format!("{:.2}", record.processor_us_per_key),
        record.others_share.map_or_else(none, |share| whole(share * 100.0)),
        megabytes(record.resident_bytes),
        megabytes(record.disk_bytes),
        record.reopen_s.map_or_else(none, |seconds| format!("{seconds:.2}")),
        if record.root.is_some() { "yes" } else { "no" }.to_owned(),
        record.root_of.map_or_else(none, str::to_owned),
    ]
}

/// A number with commas between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        let all = [0, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(all, ["0", "999", "1,000", "1,234,567"]);
    }
}
