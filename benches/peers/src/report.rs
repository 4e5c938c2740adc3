//! The table for people, and the notes below it.

use crate::engine::Peer;
use crate::measure::Record;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

const HEADINGS: [&str; 10] = [
    "dist",
    "variant",
    "runtime",
    "threads",
    "ns/swap",
    "min",
    "max",
    "swaps/s",
    "× ours",
    "metered/swap",
];

/// The first column of numbers.
const FIRST_NUMBER: usize = 3;

/// What holds for every row.
const NOTES: &str = "\
Whole blocks of calls whose signatures are checked, one call after another, in memory, metering on;
ns/swap is the median over blocks, with min and max. Left out for all: signatures, state root, disk,
consensus, making the calls, dropping results. × ours: against Tollway on 1 thread, same variant.
Every row ended in the state of the native model";

/// The table and its notes.
pub(crate) fn text(records: &[Record], peers: &[Peer]) -> String {
    let checked = records.iter().filter_map(|record| record.published_after_blocks).min();
    let published = match checked {
        Some(blocks) => format!(", and in the published one after {blocks} blocks."),
        None => "; there is no published one for this run.".into(),
    };
    let mut text = format!("{}\n\n{NOTES}{published}\n", table(records));
    for (index, peer) in peers.iter().enumerate() {
        // The rows of a runtime are next to each other.
        if index == 0 || peers[index - 1].name != peer.name {
            text += &format!("\n{} {}: {}", peer.name, peer.version, peer.note);
        }
    }
    text
}

fn table(records: &[Record]) -> String {
    let mut table = Table::new();
    let line = LineStyle::none().fill('─').junction('─');
    table.load_style(TableStyle::new().header_separator(line));
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(HEADINGS);
    let mut sorted: Vec<_> = records.iter().collect();
    // Stable, so that runtimes stay in their order.
    let group = |record: &Record| {
        let first = |other: &Record| other.dist == record.dist;
        (records.iter().position(first), record.variant.name() != "monolith")
    };
    sorted.sort_by_key(|record| group(record));
    for record in sorted {
        table.add_row(row(record));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if index == 0 { 0 } else { 1 }, 0));
        if index >= FIRST_NUMBER {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

fn row(record: &Record) -> [String; HEADINGS.len()] {
    let whole = |number: f64| grouped(number.round() as u64);
    let metered = match record.metered_per_swap {
        0.0 => "–".into(),
        metered => format!("{} {}", whole(metered), record.unit),
    };
    [
        record.dist.to_string(),
        record.variant.to_string(),
        format!("{} {}", record.peer, record.version),
        record.threads.to_string(),
        whole(record.ns_per_swap_median),
        whole(record.ns_per_swap_min),
        whole(record.ns_per_swap_max),
        whole(record.swaps_per_s_median),
        record.times_tollway.map_or("–".into(), |times| format!("{times:.2}")),
        metered,
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
