//! Says the run in words: one headline, and one sentence on what bounds it.

use super::model::Model;
use crate::format::{count, duration, factor, fit, short_key};

/// The texts at the top.
pub struct Words {
    /// What ran.
    pub title: String,
    /// Workers, calls, speed-up, hot key.
    pub headline: String,
    /// What bounds it.
    pub verdict: String,
}

pub(super) fn words(model: &Model<'_>) -> Words {
    Words { title: title(model), headline: headline(model), verdict: verdict(model) }
}

fn title(model: &Model<'_>) -> String {
    let height = model.trace.height;
    let name = fit(model.title, 80);
    let time = duration(model.end_ns);
    format!("tollway · {name} · block {height} · {time}, the fastest of many runs")
}

fn headline(model: &Model<'_>) -> String {
    let workers = count(model.trace.threads as u64, "worker");
    let calls = count(model.trace.calls.len() as u64, "call");
    let possible = factor(model.possible);
    let speedup = match model.reached {
        Some(reached) => format!("speed-up {} of {possible} possible", factor(reached)),
        None => format!("speed-up {possible} possible"),
    };
    let key = match model.hot.first() {
        Some(key) => format!(
            "hot key: {} ({} in a row)",
            fit(&short_key(&key.name), 34),
            count(key.chain.into(), "call")
        ),
        None => "no hot key".to_owned(),
    };
    format!("{workers} · {calls} · {speedup} · {key}")
}

fn verdict(model: &Model<'_>) -> String {
    let threads = model.trace.threads.max(1);
    let limit = model.outlook[2];
    let queue = match model.chain_key() {
        Some(key) => format!("the queue for {}", fit(&short_key(key), 40)),
        None => {
            format!("one chain of {} over several keys", count(model.chain.len() as u64, "call"))
        }
    };
    let verdict = match () {
        () if model.trace.calls.is_empty() => "The block is empty.".to_owned(),
        () if model.hot.is_empty() => {
            "No call waits for another one: all of them could run at once.".to_owned()
        }
        () if limit < 1.2 => {
            format!("Nearly every call is in {queue}: more workers cannot help.")
        }
        () if model.possible < threads as f64 * 0.9 => {
            format!(
                "What bounds this block is {queue}: {} times as fast at most, on any number of workers.",
                factor(limit)
            )
        }
        () => format!(
            "There is work for every worker. More of them could be up to {} times as fast; then only {queue} is left.",
            factor(limit)
        ),
    };
    let repaired = model.trace.calls.iter().filter(|call| call.repaired).count() as u64;
    match repaired {
        0 => verdict,
        many => format!("{verdict} {} ran again in repair.", count(many, "call")),
    }
}
