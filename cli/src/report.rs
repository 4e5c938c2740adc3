//! A plan or a run as tables, for people.

use crate::format::{count, duration, factor, fit, short_key, thousands};
use crate::picture::{Run, words_of};
use crate::table::{aligned, indented};
use crate::what_if::Allowed;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tollway::{BlockTrace, CallTrace, HotKey, PlanSummary};

const KEYS_SHOWN_MAX: usize = 12;
const LANES_SHOWN_MAX: usize = 10;
const NAME_CHARS_MAX: usize = 48;

/// A hot key, and what the block would be without it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PlannedKey {
    #[serde(flatten)]
    pub(crate) key: HotKey,
    /// Calls on the block's longest chain if this key were left out.
    pub(crate) chain_without: u32,
}

/// What the plan of a block allows, and what it would allow.
pub(crate) fn plan(trace: &BlockTrace, keys: &[PlannedKey], allowed: &[Allowed]) -> String {
    let plan = &trace.plan;
    joined(vec![facts(plan), speedups(plan), planned_keys(keys), what_if(allowed)])
}

fn planned_keys(keys: &[PlannedKey]) -> String {
    let number = |number: u32| thousands(number.into());
    let rows = keys.iter().take(KEYS_SHOWN_MAX).map(|PlannedKey { key, chain_without }| {
        let name = fit(&short_key(&key.name), NAME_CHARS_MAX);
        let [calls, writers, readers, adders] =
            [key.calls, key.writers, key.readers, key.adders].map(number);
        let (chain, waits) = (number(key.chain), number(key.waits));
        [name, number(*chain_without), chain, waits, calls, writers, readers, adders]
    });
    let headings = [
        "hot key",
        "longest chain without it",
        "calls in a row",
        "waits",
        "calls",
        "write",
        "read",
        "add",
    ];
    more(aligned(headings, &[1, 2, 3, 4, 5, 6, 7], rows), keys.len())
}

fn what_if(allowed: &[Allowed]) -> String {
    let rows = allowed.iter().map(|allowed| {
        let name = match allowed.what_if.as_slice() {
            [] => "as it is".to_owned(),
            [one] => one.clone(),
            _ => "all of these".to_owned(),
        };
        let [two, eight, all] = allowed.speedup.map(|speedup| format!("{}×", factor(speedup)));
        [name, thousands(allowed.longest_chain.into()), two, eight, all]
    });
    aligned(["what if", "longest chain", "on 2", "on 8", "without a limit"], &[1, 2, 3, 4], rows)
}

/// What happened in a run.
pub(crate) fn run(run: &Run<'_>) -> String {
    let trace = run.trace;
    let words = words_of(run);
    joined(vec![
        format!("{}\n{}\n{}", words.title, words.headline, words.verdict),
        facts(&trace.plan),
        outcomes(&trace.calls),
        phases(trace),
        workers(trace),
        lanes(&trace.calls),
        speedups(&trace.plan),
        hot_keys(&trace.hot_keys),
    ])
}

/// The summary of a plan for programs; the last speed-up is that without a limit.
pub(crate) fn plan_json(plan: &PlanSummary) -> Value {
    let mut speedups = serde_json::Map::new();
    for (name, speedup) in named_speedups(plan) {
        speedups.insert(name, json!(speedup));
    }
    json!({
        "calls": plan.calls,
        "undeclared": plan.undeclared,
        "accesses": plan.accesses,
        "keys": plan.keys,
        "edges": plan.edges,
        "critical_path_calls": plan.critical_path_calls,
        "critical_path_gas": plan.critical_path_gas,
        "gas_total": plan.gas_total,
        "ideal_speedup": speedups,
    })
}

fn joined(parts: Vec<String>) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

fn named_speedups(plan: &PlanSummary) -> Vec<(String, f64)> {
    let last = plan.speedup_gas.len().saturating_sub(1);
    let name = |index: usize, workers: u32| {
        if index == last { "inf".to_owned() } else { workers.to_string() }
    };
    let named = plan.speedup_gas.iter().enumerate();
    named.map(|(index, (workers, speedup))| (name(index, *workers), *speedup)).collect()
}

fn facts(plan: &PlanSummary) -> String {
    let undeclared = match plan.undeclared {
        0 => String::new(),
        many => format!(", {} without a declaration, which run in repair", thousands(many.into())),
    };
    format!(
        "{}{undeclared}\n{} of {}, {} between calls\nlongest chain: {}, one after another",
        count(plan.calls.into(), "call"),
        count(plan.accesses, "use"),
        count(plan.keys, "key"),
        count(plan.edges, "wait"),
        count(plan.critical_path_calls.into(), "call"),
    )
}

fn speedups(plan: &PlanSummary) -> String {
    let limit = plan.speedup_gas.last().map_or(1.0, |(_, speedup)| *speedup);
    let mut texts = Vec::new();
    for (name, speedup) in named_speedups(plan).iter().filter(|(name, _)| name != "1") {
        let text = format!("{}×", factor(*speedup));
        texts.push(match name.as_str() {
            "inf" => format!("{text} without a limit"),
            workers => format!("{text} on {workers}"),
        });
        // More workers than this bring nothing.
        if *speedup > limit * 0.995 && name != "inf" {
            texts.pop();
            texts.push(format!("{text} on {name} or more"));
            break;
        }
    }
    format!("speed-up possible: {}", texts.join(", "))
}

fn hot_keys(keys: &[HotKey]) -> String {
    let number = |number: u32| thousands(number.into());
    let rows = keys.iter().take(KEYS_SHOWN_MAX).map(|key| {
        let name = fit(&short_key(&key.name), NAME_CHARS_MAX);
        let [calls, writers, readers, adders] =
            [key.calls, key.writers, key.readers, key.adders].map(number);
        [name, number(key.chain), number(key.waits), calls, writers, readers, adders]
    });
    let table = aligned(
        ["hot key", "calls in a row", "waits", "calls", "write", "read", "add"],
        &[1, 2, 3, 4, 5, 6],
        rows,
    );
    more(table, keys.len())
}

fn more(table: String, keys: usize) -> String {
    match keys {
        0 => "no hot key: no call waits for another one".to_owned(),
        1..=KEYS_SHOWN_MAX => table,
        many => format!("{table}\nand {} more", many - KEYS_SHOWN_MAX),
    }
}

fn outcomes(calls: &[CallTrace]) -> String {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for call in calls {
        *counts.entry(call.outcome).or_default() += 1;
        *counts.entry("missed a declaration").or_default() += u64::from(call.missed);
        *counts.entry("ran again in repair").or_default() += u64::from(call.repaired);
    }
    let counts = counts.iter().filter(|(_, count)| **count > 0);
    let texts: Vec<_> =
        counts.map(|(name, count)| format!("{} {name}", thousands(*count))).collect();
    let gas: u64 = calls.iter().map(|call| call.gas).sum();
    format!("{}; {} gas", texts.join(", "), thousands(gas))
}

fn phases(trace: &BlockTrace) -> String {
    let rows = trace.phases.iter().map(|phase| {
        [phase.name.to_owned(), duration(phase.end_ns.saturating_sub(phase.start_ns))]
    });
    aligned(["phase", "time"], &[1], rows)
}

/// A worker's or a lane's calls, summed up.
#[derive(Default)]
struct Sum {
    worker: u32,
    calls: u64,
    lanes: u64,
    busy_ns: u64,
    start_ns: u64,
    end_ns: u64,
    gas: u64,
}

impl Sum {
    fn add(&mut self, call: &CallTrace) {
        self.start_ns =
            if self.calls == 0 { call.start_ns } else { self.start_ns.min(call.start_ns) };
        self.worker = call.worker;
        self.calls += 1;
        self.busy_ns += call.end_ns - call.start_ns;
        self.end_ns = self.end_ns.max(call.end_ns);
        self.gas += call.gas;
    }
}

fn lane_sums(calls: &[CallTrace]) -> BTreeMap<(u32, u32), Sum> {
    let mut lanes: BTreeMap<(u32, u32), Sum> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.end_ns > call.start_ns) {
        lanes.entry((call.worker, call.lane)).or_default().add(call);
    }
    lanes
}

fn workers(trace: &BlockTrace) -> String {
    let mut workers: BTreeMap<u32, Sum> = BTreeMap::new();
    for ((worker, _), lane) in lane_sums(&trace.calls) {
        let sum = workers.entry(worker).or_default();
        sum.calls += lane.calls;
        sum.lanes += 1;
        sum.busy_ns += lane.busy_ns;
    }
    let execute = trace.phases.iter().find(|phase| phase.name == "execute");
    let wall = execute.map_or(1, |phase| phase.end_ns.saturating_sub(phase.start_ns).max(1));
    let rows = workers.into_iter().map(|(worker, sum)| {
        let busy = (sum.busy_ns as f64 / wall as f64 * 100.0).min(100.0);
        [worker.to_string(), format!("{busy:.0} %"), thousands(sum.calls), thousands(sum.lanes)]
    });
    aligned(["worker", "busy", "calls", "lanes"], &[0, 1, 2, 3], rows)
}

fn lanes(calls: &[CallTrace]) -> String {
    let mut lanes: Vec<_> = lane_sums(calls).into_iter().collect();
    let count = lanes.len();
    lanes.sort_by_key(|((_, lane), sum)| (std::cmp::Reverse(sum.calls), *lane));
    let rows = lanes.into_iter().take(LANES_SHOWN_MAX).map(|((_, lane), sum)| {
        [
            lane.to_string(),
            sum.worker.to_string(),
            thousands(sum.calls),
            duration(sum.start_ns),
            duration(sum.end_ns - sum.start_ns),
            thousands(sum.gas),
        ]
    });
    let table =
        aligned(["lane", "worker", "calls", "start", "time", "gas"], &[0, 1, 2, 3, 4, 5], rows);
    match count.saturating_sub(LANES_SHOWN_MAX) {
        0 => table,
        more => {
            format!("{table}\n{}", indented(&format!("and {} more lanes", thousands(more as u64))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn contains(text: &str, parts: &[&str]) {
        for part in parts {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
    }

    #[test]
    fn a_plan_names_chains_speedups_and_keys() {
        let trace = fixture::run(200, 2, |index| (index % 4 == 0).then_some(3));
        let planned = |key: &HotKey| PlannedKey { key: key.clone(), chain_without: 7 };
        let keys: Vec<_> = trace.hot_keys.iter().map(planned).collect();
        contains(
            &plan(&trace, &keys, &[]),
            &[
                "200 calls\n",
                "longest chain without it",
                "longest chain: 50 calls",
                "2.0× on 2, 4.0× on 4 or more",
                "dex.reserves[3]",
            ],
        );
        let document = plan_json(&trace.plan);
        assert_eq!(document["critical_path_calls"], 50);
        assert_eq!(document["ideal_speedup"]["inf"], 4.0);
        assert_eq!(document["ideal_speedup"]["2"], 2.0);
    }

    #[test]
    fn a_run_names_workers_and_lanes() {
        let mut trace = fixture::run(200, 2, fixture::zipf(8));
        trace.calls[5].outcome = "reverted";
        trace.calls[6].repaired = true;
        let run_of =
            Run { title: "test".into(), trace: &trace, serial_ns: None, parallel_ns: None };
        contains(
            &run(&run_of),
            &[
                "2 workers · 200 calls",
                "199 ok",
                "1 reverted",
                "1 ran again in repair",
                "execute",
                "busy",
                "more lanes",
            ],
        );
    }

    #[test]
    fn empty_blocks_have_no_tables() {
        let trace = BlockTrace::default();
        contains(&plan(&trace, &[], &[]), &["0 calls", "no hot key"]);
    }
}
