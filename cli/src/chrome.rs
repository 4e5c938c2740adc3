//! A run as a Chrome trace, which Perfetto (ui.perfetto.dev) and `chrome://tracing` open.
//!
//! ```text
//! block 7     phases     resolve │ plan │ execute
//!             worker 0   dex.swap  dex.swap ─┐ flow: waits for
//!             worker 1   dex.swap            └▶ dex.swap
//! ```
//!
//! One thread for each worker, one slice for each call, an arrow from the call whose value it
//! waited for longest. Times are microseconds, as the format wants.

use serde_json::{Value, json};
use tollway::{BlockTrace, CallTrace};

const PROCESS: u32 = 1;
const PHASES: u32 = 0;

/// The trace as one JSON document.
pub(crate) fn chrome_trace(trace: &BlockTrace) -> Value {
    let mut events = names(trace);
    for phase in &trace.phases {
        events.push(json!({
            "ph": "X", "pid": PROCESS, "tid": PHASES, "cat": "phase", "name": phase.name,
            "ts": micros(phase.start_ns), "dur": micros(phase.end_ns.saturating_sub(phase.start_ns)),
        }));
    }
    for call in trace.calls.iter().filter(|call| ran(call)) {
        events.push(slice(call));
    }
    for call in trace.calls.iter().filter(|call| ran(call)) {
        let source = call.waits_for.first().and_then(|source| trace.calls.get(*source as usize));
        if let Some(source) = source.filter(|source| ran(source)) {
            events.extend(arrow(source, call));
        }
    }
    json!({
        "displayTimeUnit": "ns",
        "otherData": { "height": trace.height, "threads": trace.threads, "calls": trace.calls.len() },
        "traceEvents": events,
    })
}

/// A call without a declaration runs in repair only, and has no time in the lanes.
fn ran(call: &CallTrace) -> bool {
    call.end_ns > call.start_ns
}

fn names(trace: &BlockTrace) -> Vec<Value> {
    // A trace names its workers itself; more than this is a broken one.
    const WORKERS_MAX: u32 = 1_024;
    let used = trace.calls.iter().map(|call| call.worker.saturating_add(1)).max().unwrap_or(0);
    let workers = used.max(trace.threads as u32).min(WORKERS_MAX);
    let name = |tid: u32, name: String| {
        [
            json!({ "ph": "M", "pid": PROCESS, "tid": tid, "name": "thread_name", "args": { "name": name } }),
            json!({ "ph": "M", "pid": PROCESS, "tid": tid, "name": "thread_sort_index", "args": { "sort_index": tid } }),
        ]
    };
    let process = format!("block {}", trace.height);
    let mut events = vec![
        json!({ "ph": "M", "pid": PROCESS, "name": "process_name", "args": { "name": process } }),
    ];
    events.extend(name(PHASES, "phases".to_owned()));
    for worker in 0..workers {
        events.extend(name(thread(worker), format!("worker {worker}")));
    }
    events
}

fn thread(worker: u32) -> u32 {
    worker.saturating_add(1)
}

fn slice(call: &CallTrace) -> Value {
    json!({
        "ph": "X", "pid": PROCESS, "tid": thread(call.worker), "cat": "call",
        "name": format!("{}.{}", call.contract, call.method),
        "ts": micros(call.start_ns), "dur": micros(call.end_ns - call.start_ns),
        "args": {
            "call": call.call,
            "lane": call.lane,
            "gas": call.gas,
            "outcome": call.outcome,
            "waits_for": call.waits_for,
            "waits_on": call.waits_on,
            "repaired": call.repaired,
            "missed": call.missed,
        },
    })
}

/// Two ends of an arrow. Each must lie inside its slice, or viewers drop it.
fn arrow(source: &CallTrace, call: &CallTrace) -> [Value; 2] {
    let end = |phase: &str, call: &CallTrace, ns: u64, id: u32| {
        json!({
            "ph": phase, "bp": "e", "pid": PROCESS, "tid": thread(call.worker), "cat": "wait",
            "name": "waits for", "id": id, "ts": micros(ns),
        })
    };
    [end("s", source, source.end_ns - 1, call.call), end("f", call, call.start_ns, call.call)]
}

fn micros(ns: u64) -> f64 {
    ns as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn events(trace: &BlockTrace) -> Vec<Value> {
        let text = chrome_trace(trace).to_string();
        let parsed: Value = serde_json::from_str(&text).expect("the trace is JSON");
        parsed["traceEvents"].as_array().expect("events are a list").clone()
    }

    fn of<'a>(events: &'a [Value], phase: &str, category: &str) -> Vec<&'a Value> {
        events.iter().filter(|event| event["ph"] == phase && event["cat"] == category).collect()
    }

    #[test]
    fn every_call_is_a_slice_on_its_worker() {
        let trace = fixture::run(40, 3, fixture::zipf(8));
        let events = events(&trace);
        let slices = of(&events, "X", "call");
        assert_eq!(slices.len(), 40);
        for (slice, call) in slices.iter().zip(&trace.calls) {
            assert_eq!(slice["tid"], call.worker + 1);
            assert_eq!(slice["name"], "dex.swap");
            assert_eq!(slice["args"]["gas"], call.gas);
        }
        assert_eq!(of(&events, "X", "phase").len(), 4);
        let threads = events.iter().filter(|event| event["name"] == "thread_name").count();
        assert_eq!(threads, 4);
    }

    #[test]
    fn arrows_start_and_end_inside_their_slices() {
        let trace = fixture::run(40, 3, fixture::zipf(8));
        let events = events(&trace);
        let starts = of(&events, "s", "wait");
        let ends = of(&events, "f", "wait");
        let waits = trace.calls.iter().filter(|call| !call.waits_for.is_empty()).count();
        assert_eq!((starts.len(), ends.len()), (waits, waits));
        let slices = of(&events, "X", "call");
        for arrow in starts.iter().chain(&ends) {
            let at = arrow["ts"].as_f64().expect("a time");
            let inside = slices.iter().any(|slice| {
                let start = slice["ts"].as_f64().expect("a time");
                let end = start + slice["dur"].as_f64().expect("a time");
                slice["tid"] == arrow["tid"] && start <= at && at <= end
            });
            assert!(inside, "{arrow}");
        }
    }

    #[test]
    fn broken_traces_make_a_document_too() {
        let mut trace = fixture::run(3, 1, |_| Some(0));
        trace.calls[1].waits_for = vec![99];
        trace.calls[2].end_ns = 0;
        assert_eq!(of(&events(&trace), "X", "call").len(), 2);
        assert!(events(&BlockTrace::default()).len() >= 3);
    }
}
