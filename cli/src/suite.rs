//! The suite's figures, for people.

use crate::format::{count, factor, fit, short_key, thousands, wrapped};
use crate::table::aligned;
use std::collections::BTreeMap;
use tollway::BlockTrace;
use tollway_benches::suite::{ABLATIONS, Ablation, PartRecord, SuiteRecord};

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
            fit(&short_key(&part.hot_key), 15),
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

/// What the columns of [`parts_text`] mean, and which of its rows are what others do without.
pub(crate) fn notes_text(parts: &[PartRecord]) -> String {
    let told = ablated(parts).map(|(_, kind, ablation)| {
        let Ablation { of, without, .. } = ablation;
        format!(" {} is {of} without its {without}.", kind.name)
    });
    wrapped(&format!("{POSSIBLE}{}", told.collect::<String>()))
}

/// Those that were measured with something and without, in this order.
fn ablated(
    parts: &[PartRecord],
) -> impl Iterator<Item = (&PartRecord, &PartRecord, &'static Ablation)> {
    let named = |name| parts.iter().find(|part| part.name == name);
    ABLATIONS.iter().filter_map(move |ablation| {
        Some((named(ablation.of)?, named(ablation.kind.name)?, ablation))
    })
}

/// What the book has of the suite, in Markdown: each kind of call, as its contract declares it and
/// with every add as a write; those that then declare nothing as if immutables were state; and
/// what else some contracts do for parallelism, with it and without.
pub(crate) fn page_text(
    with: &[PartRecord],
    without_adds: &[PartRecord],
    without_immutables: &[PartRecord],
) -> String {
    let first = with.first().and_then(|part| part.records.last());
    let threads = first.map_or_else(String::new, |record| count(record.threads as u64, "thread"));
    let block = first.map_or_else(String::new, |record| thousands(record.block as u64));
    let of = |with: &PartRecord, all: &'_ [PartRecord]| {
        all.iter().find(|without| without.name == with.name).cloned()
    };
    let adds = with.iter().filter_map(|with| {
        let without = &of(with, without_adds)?;
        let gas = with.records.first().map(|one| format!("{:.0}", one.gas_per_call));
        let figures = with_and_without(with, without).join(" | ");
        let (name, about, gas) = (with.name, with.about, gas.unwrap_or_default());
        Some(format!("| `{name}` | {about} | {figures} | {gas} |\n"))
    });
    let immutables = with.iter().filter_map(|with| {
        let without =
            &of(with, without_immutables).filter(|without| without.undeclared_calls > 0)?;
        let figures = with_and_without(with, without).join(" | ");
        let undeclared = thousands(without.undeclared_calls.into());
        Some(format!("| `{}` | {undeclared} | {figures} |\n", with.name))
    });
    let others = ablated(with).map(|(with, without, ablation)| {
        let figures = with_and_without(with, without).join(" | ");
        format!("| `{}` | {} | {figures} |\n", with.name, ablation.without)
    });
    let columns = format!(
        "calls/s on {threads} | speed-up reached on {threads} | possible on any number of threads | \
         longest chain"
    );
    let mut page = format!(
        "| contract | calls of a block of {block} | {columns} | gas a call |\n\
         | --- | --- | --: | --: | --: | --: | --: |\n{}\n\
         With its adds / with every add as a write.\n",
        adds.collect::<String>()
    );
    let immutables = immutables.collect::<String>();
    if !immutables.is_empty() {
        page += &format!(
            "\n| contract | calls that declare nothing without | {columns} |\n\
             | --- | --: | --: | --: | --: | --: |\n{immutables}\n\
             With its immutables / as if these were state, which is not known before a call runs: what is \
             declared by them cannot be then, and calls that declare nothing run one after another.\n"
        );
    }
    let others = others.collect::<String>();
    if !others.is_empty() {
        page += &format!(
            "\n| contract | without | {columns} |\n\
             | --- | --- | --: | --: | --: | --: |\n{others}\n\
             With it / without.\n"
        );
    }
    page
}

/// Calls a second, the speed-up reached, the one that is possible, and the longest chain, of two.
fn with_and_without(with: &PartRecord, without: &PartRecord) -> [String; 4] {
    let figures = |part: &PartRecord| {
        let last = part.records.last();
        let rate = last.map(|record| thousands(record.calls_per_s_median.round() as u64));
        let reached = last.and_then(|record| record.speedup);
        [
            rate.unwrap_or_default(),
            reached.map_or_else(String::new, |speedup| format!("{speedup:.2}")),
            factor(part.speedup_unlimited),
            thousands(part.critical_path_calls.into()),
        ]
    };
    let (with, without) = (figures(with), figures(without));
    std::array::from_fn(|at| format!("{} / {}", with[at], without[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &'static str, speedup: f64, chain: u32) -> PartRecord {
        let record = |threads: usize, speedup: f64| SuiteRecord {
            threads,
            block: 10_000,
            blocks: 1,
            ns_per_call_min: 1_000.0,
            ns_per_call_median: 1_000.0 / speedup,
            ns_per_call_max: 1_000.0,
            calls_per_s_median: 1e6 * speedup,
            speedup: Some(speedup),
            speedup_possible: threads as f64,
            quiet_blocks: 1,
            gas_per_call: 4_000.0,
            state_root: String::new(),
        };
        PartRecord {
            name,
            about: "what they do",
            records: vec![record(1, 1.0), record(2, speedup)],
            critical_path_calls: chain,
            undeclared_calls: if chain == 10_000 { chain } else { 0 },
            keys_per_call: 2.0,
            speedup_unlimited: 10_000.0 / f64::from(chain),
            hot_key: String::new(),
        }
    }

    #[test]
    fn the_page_has_each_contract_with_and_without_what_it_does() {
        let with = [
            part("token", 1.9, 1),
            part("sharded_pool", 1.8, 700),
            part("unsharded_pool", 1.0, 10_000),
        ];
        let without = [part("token", 1.2, 400), part("sharded_pool", 1.1, 9_000)];
        let serial = [part("token", 1.9, 1), part("sharded_pool", 0.9, 10_000)];
        assert_eq!(
            page_text(&with, &without, &serial),
            "\
| contract | calls of a block of 10,000 | calls/s on 2 threads | speed-up reached on 2 threads | possible \
on any number of threads | longest chain | gas a call |
| --- | --- | --: | --: | --: | --: | --: |
| `token` | what they do | 1,900,000 / 1,200,000 | 1.90 / 1.20 | 10,000 / 25.0 | 1 / 400 | 4000 |
| `sharded_pool` | what they do | 1,800,000 / 1,100,000 | 1.80 / 1.10 | 14.3 / 1.1 | 700 / 9,000 | 4000 |

With its adds / with every add as a write.

| contract | calls that declare nothing without | calls/s on 2 threads | speed-up reached on 2 threads | \
possible on any number of threads | longest chain |
| --- | --: | --: | --: | --: | --: |
| `sharded_pool` | 10,000 | 1,800,000 / 900,000 | 1.80 / 0.90 | 14.3 / 1.0 | 700 / 10,000 |

With its immutables / as if these were state, which is not known before a call runs: what is declared by them cannot be \
then, and calls that declare nothing run one after another.

| contract | without | calls/s on 2 threads | speed-up reached on 2 threads | possible on any number of \
threads | longest chain |
| --- | --- | --: | --: | --: | --: |
| `sharded_pool` | shards | 1,800,000 / 1,000,000 | 1.80 / 1.00 | 14.3 / 1.0 | 700 / 10,000 |

With it / without.
"
        );
        assert!(notes_text(&with).ends_with("unsharded_pool is sharded_pool without its shards."));
        assert!(!page_text(&with[..1], &without, &[]).contains("shards"));
    }
}
