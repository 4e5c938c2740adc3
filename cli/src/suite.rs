//! The suite's figures, for people.

use crate::format::{count, factor, fit, short_key, thousands};
use crate::table::aligned;
use std::collections::BTreeMap;
use tollway::BlockTrace;
use tollway_benches::suite::{PartRecord, SuiteRecord};

/// What the columns "possible" mean.
pub(crate) const POSSIBLE: &str = "Possible is what the plan of the last block allows by gas, without any \
                        overhead; the last column of that on any number of threads.";

/// One row for each number of threads.
pub(crate) fn records_text(records: &[SuiteRecord]) -> String {
    let rows = records.iter().map(|record| {
        let ns = [record.ns_per_call_median, record.ns_per_call_min, record.ns_per_call_max];
        let [median, min, max] = ns.map(|ns| format!("{ns:.0}"));
        let ideal = record.speedup.map(|speedup| speedup / record.speedup_possible);
        [
            record.threads.to_string(),
            thousands(record.calls_per_s_median.round() as u64),
            record.speedup.map_or_else(String::new, factor),
            factor(record.speedup_possible),
            ideal.map_or_else(String::new, |ideal| format!("{ideal:.2}")),
            median,
            min,
            max,
            format!("{:.0}", record.gas_per_call),
        ]
    });
    let headings = [
        "threads",
        "calls/s",
        "speed-up\nreached",
        "\npossible",
        "of that\nreached",
        "ns a call,\nmedian",
        "\nmin",
        "\nmax",
        "gas a\ncall",
    ];
    aligned(headings, &[0, 1, 2, 3, 4, 5, 6, 7, 8], rows)
}

/// One row for each kind of call.
pub(crate) fn parts_text(parts: &[PartRecord]) -> String {
    let rows = parts.iter().map(|part| {
        let one = part.records.first();
        let last = part.records.last();
        let rate = |record: Option<&SuiteRecord>| {
            record.map_or_else(String::new, |record| {
                thousands(record.calls_per_s_median.round() as u64)
            })
        };
        let of_last = |figure: fn(&SuiteRecord) -> Option<f64>| {
            last.and_then(figure).map_or_else(String::new, factor)
        };
        [
            part.name.to_owned(),
            rate(one),
            rate(last),
            of_last(|record| record.speedup),
            of_last(|record| Some(record.speedup_possible)),
            factor(part.speedup_unlimited),
            thousands(part.critical_path_calls.into()),
            one.map_or_else(String::new, |one| format!("{:.0}", one.gas_per_call)),
            fit(&short_key(&part.hot_key), 17),
        ]
    });
    let threads = |record: Option<&SuiteRecord>| {
        record.map_or_else(String::new, |record| count(record.threads as u64, "thread"))
    };
    let records = parts.first().map_or(&[][..], |part| &part.records);
    let headings = [
        String::new(),
        format!("calls/s on\n{}", threads(records.first())),
        format!("on\n{}", threads(records.last())),
        "speed-up\nreached".to_owned(),
        "\npossible".to_owned(),
        "without\na limit".to_owned(),
        "longest\nchain".to_owned(),
        "gas a\ncall".to_owned(),
        "hot key".to_owned(),
    ];
    let headings = headings.each_ref().map(String::as_str);
    aligned(headings, &[1, 2, 3, 4, 5, 6, 7], rows)
}

/// Who the calls of a block were, by contract and method.
pub(crate) fn shares_text(trace: &BlockTrace) -> String {
    #[derive(Default)]
    struct Share {
        calls: u64,
        gas: u64,
        ns: u64,
        misses: u64,
    }
    let mut shares = BTreeMap::<(&str, &str), Share>::new();
    for call in &trace.calls {
        let share = shares.entry((&call.contract, &call.method)).or_default();
        share.calls += 1;
        share.gas += call.gas;
        share.ns += call.end_ns - call.start_ns;
        share.misses += u64::from(call.missed);
    }
    let rows = shares.iter().map(|((contract, method), share)| {
        let calls = share.calls as f64;
        [
            format!("{contract}.{method}"),
            thousands(share.calls),
            format!("{:.0}", share.ns as f64 / calls),
            format!("{:.0}", share.gas as f64 / calls),
            share.misses.to_string(),
        ]
    });
    aligned(["the last block", "calls", "ns in\na lane", "gas", "misses"], &[1, 2, 3, 4], rows)
}

/// What calls waited for.
pub(crate) fn hot_keys_text(trace: &BlockTrace) -> String {
    if trace.hot_keys.is_empty() {
        return "nobody waits for anybody\n".to_owned();
    }
    let rows = trace.hot_keys.iter().take(8).map(|key| {
        [
            fit(&short_key(&key.name), 48),
            thousands(key.calls.into()),
            thousands(key.waits.into()),
            thousands(key.chain.into()),
        ]
    });
    aligned(["hot keys", "calls", "waits", "chain"], &[1, 2, 3], rows) + "\n"
}

/// Each kind of call, as its contract declares it and with every add as a write, in Markdown.
pub(crate) fn page_text(with: &[PartRecord], without: &[PartRecord]) -> String {
    let rate = |part: &PartRecord| {
        let record = part.records.last();
        record
            .map_or_else(String::new, |record| thousands(record.calls_per_s_median.round() as u64))
    };
    let reached = |part: &PartRecord| {
        let speedup = part.records.last().and_then(|record| record.speedup);
        speedup.map_or_else(String::new, |speedup| format!("{speedup:.2}"))
    };
    let rows = with.iter().zip(without).map(|(with, without)| {
        let cells = [
            format!("`{}`", with.name),
            with.about.to_owned(),
            rate(with),
            format!("{} / {}", reached(with), reached(without)),
            format!("{} / {}", factor(with.speedup_unlimited), factor(without.speedup_unlimited)),
            format!(
                "{} / {}",
                thousands(with.critical_path_calls.into()),
                thousands(without.critical_path_calls.into())
            ),
            with.records.first().map_or_else(String::new, |one| format!("{:.0}", one.gas_per_call)),
        ];
        format!("| {} |\n", cells.join(" | "))
    });
    let first = with.first().and_then(|part| part.records.last());
    let threads = first.map_or_else(String::new, |record| count(record.threads as u64, "thread"));
    let block = first.map_or_else(String::new, |record| thousands(record.block as u64));
    format!(
        "| contract | calls of a block of {block} | calls/s on {threads} | speed-up reached on \
         {threads}, with adds / without | possible on any number of threads | longest chain | gas a \
         call |\n| --- | --- | --: | --: | --: | --: | --: |\n{}",
        rows.collect::<String>()
    )
}
