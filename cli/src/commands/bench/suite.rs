//! `tollway bench suite`: everything that the sample contracts do.

use crate::args::{MeasureArgs, SuiteArgs};
use crate::format::{count, wrapped};
use crate::output;
use crate::progress::with_bar;
use crate::scaling;
use crate::suite::{
    POSSIBLE, hot_keys_text, notes_text, page_text, parts_text, records_text, shares_text,
};
use anyhow::Result;
use serde_json::json;
use tollway_benches::suite::{Declared, KINDS, SuiteOptions, USERS, run as run_mixed, run_alone};
use tollway_benches::turns::TurnOptions;

pub(super) fn run(args: &SuiteArgs, measure: &MeasureArgs) -> Result<()> {
    let options = SuiteOptions {
        turns: TurnOptions { traced: !(args.each || args.page), ..super::turns(measure) },
        block_calls: args.calls as usize,
        only: args.only.clone(),
        declared: match (args.without_adds, args.without_immutables) {
            (true, _) => Declared::AddsAsWrites,
            (_, true) => Declared::WithoutImmutables,
            _ => Declared::AsWritten,
        },
        users: USERS,
    };
    if args.page {
        let with = with_bar("suite", |progress| run_alone(&options, progress))?;
        let mut options = options;
        if options.only.is_empty() {
            options.only = KINDS.iter().map(|kind| kind.name.to_owned()).collect();
        }
        let without = |declared, title| {
            let options = SuiteOptions { declared, ..options.clone() };
            with_bar(title, |progress| run_alone(&options, progress))
        };
        let without_adds = without(Declared::AddsAsWrites, "without adds")?;
        let without_immutables = without(Declared::WithoutImmutables, "without immutables")?;
        return output::print(&page_text(&with, &without_adds, &without_immutables));
    }
    if args.each {
        let parts = with_bar("suite", |progress| run_alone(&options, progress))?;
        if measure.json {
            return parts.iter().try_for_each(output::print_json);
        }
        return output::print(&format!(
            "{}\n\n{}\n{}",
            setting(&options),
            parts_text(&parts),
            notes_text(&parts)
        ));
    }
    let report = with_bar("suite", |progress| run_mixed(&options, progress))?;
    if measure.json {
        report.records.iter().try_for_each(output::print_json)?;
        return match &report.scaling {
            Some(scaling) => output::print_json(&json!({ "scaling": scaling })),
            None => Ok(()),
        };
    }
    output::print(&format!(
        "{}\n\n{}\n\n{}\n\n{}\n{}",
        setting(&options),
        records_text(&report.records),
        shares_text(&report.trace),
        hot_keys_text(&report.trace),
        wrapped(POSSIBLE)
    ))?;
    match &report.scaling {
        Some(scaling) => output::print(&format!("\n{}", scaling::text(scaling, "calls"))),
        None => Ok(()),
    }
}

fn setting(options: &SuiteOptions) -> String {
    let declared = match options.declared {
        Declared::AsWritten => "",
        Declared::AddsAsWrites => "; every add is declared as a write",
        Declared::WithoutImmutables => "; nothing is declared by immutables",
    };
    format!(
        "suite: {} of {}, each, decoded, executed and committed; {}{declared}",
        count(options.turns.blocks as u64, "block"),
        count(options.block_calls as u64, "call"),
        count(options.users as u64, "account")
    )
}
