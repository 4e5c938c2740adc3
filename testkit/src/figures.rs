//! What the calls of a test cost, by contract and method.

use crate::ran::Ran;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use std::collections::BTreeMap;
use std::fmt;

/// What the calls of one method cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MethodFigures {
    /// Gas of each call that succeeded, sorted.
    gas: Vec<u64>,
    /// Calls that did not succeed.
    pub failed: u64,
    /// The most keys that one call declares.
    pub keys_max: u64,
    /// Keys that were touched without a declaration, in all calls.
    pub misses: u64,
    /// The most bytes of events and return value of one call.
    pub output_bytes_max: u64,
    /// The most bytes of values that one call left in the state.
    pub written_bytes_max: u64,
    /// The most calls of one block that wait for nobody, or for equally long chains: as many lanes
    /// could run at once.
    pub lanes_max: u64,
}

impl MethodFigures {
    /// Calls, also those that did not succeed.
    pub fn calls(&self) -> u64 {
        self.gas.len() as u64 + self.failed
    }

    /// The least, the median and the most gas of calls that succeeded; `None` without one.
    pub fn gas(&self) -> Option<[u64; 3]> {
        let last = self.gas.len().checked_sub(1)?;
        Some([self.gas[0], self.gas[last / 2], self.gas[last]])
    }
}

/// What the calls of a test cost, by contract and method. Shown as a table.
#[derive(Clone, Debug, Default)]
pub struct Figures(BTreeMap<(String, String), MethodFigures>);

impl Figures {
    /// Adds the calls of a block, each with how many calls have to run before it.
    pub(crate) fn add_lanes(&mut self, calls: &[Ran], depths: &[usize]) {
        let mut at_once: BTreeMap<((String, String), usize), u64> = BTreeMap::new();
        for (call, depth) in calls.iter().zip(depths) {
            *at_once.entry((call.method(), *depth)).or_default() += 1;
        }
        for ((method, _), count) in at_once {
            let figures = self.0.entry(method).or_default();
            figures.lanes_max = figures.lanes_max.max(count);
        }
    }

    pub(crate) fn add(&mut self, ran: &Ran, keys: u64, written_bytes: u64) {
        let figures = self.0.entry(ran.method()).or_default();
        figures.written_bytes_max = figures.written_bytes_max.max(written_bytes);
        let receipt = &ran.receipt;
        if receipt.is_success() {
            let place = figures.gas.partition_point(|gas| *gas < receipt.gas_used.0);
            figures.gas.insert(place, receipt.gas_used.0);
        } else {
            figures.failed += 1;
        }
        figures.keys_max = figures.keys_max.max(keys);
        figures.misses += u64::from(receipt.misses);
        let returned = match &receipt.outcome {
            tollway::Outcome::Returned(bytes) => bytes.len(),
            _ => 0,
        };
        let emitted: usize = receipt.events.iter().map(|event| event.data.len()).sum();
        figures.output_bytes_max = figures.output_bytes_max.max((returned + emitted) as u64);
    }

    /// Contract, method, and what its calls cost, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &MethodFigures)> {
        self.0.iter().map(|((contract, method), figures)| (&contract[..], &method[..], figures))
    }

    /// The figures of one method, if it was called.
    pub fn get(&self, contract: &str, method: &str) -> Option<&MethodFigures> {
        self.0.get(&(contract.to_owned(), method.to_owned()))
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        let line = LineStyle::none().fill('─').junction('─');
        table.load_style(TableStyle::new().header_separator(line));
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header([
            "method",
            "calls",
            "failed",
            "gas min",
            "median",
            "max",
            "keys",
            "bytes out",
            "written",
            "lanes",
            "misses",
        ]);
        for (contract, method, figures) in self.iter() {
            let gas = figures
                .gas()
                .map_or(["–"; 3].map(String::from), |gas| gas.map(|gas| gas.to_string()));
            let [least, median, most] = gas;
            table.add_row([
                format!("{contract}.{method}"),
                figures.calls().to_string(),
                figures.failed.to_string(),
                least,
                median,
                most,
                figures.keys_max.to_string(),
                figures.output_bytes_max.to_string(),
                figures.written_bytes_max.to_string(),
                figures.lanes_max.to_string(),
                figures.misses.to_string(),
            ]);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        f.write_str(&lines.join("\n"))
    }
}
