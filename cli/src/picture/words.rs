//! Says the run in words: one headline, and one sentence on what bounds it.

use super::model::Model;
use crate::format::{count, duration, factor, fit, short_key};

/// The texts at the top.
pub(crate) struct Words {
    /// What ran.
    pub(crate) title: String,
    /// Workers, calls, speed-up, hot key.
    pub(crate) headline: String,
    /// What bounds it.
    pub(crate) verdict: String,
}

pub(super) fn words(model: &Model<'_>) -> Words {
    Words { title: title(model), headline: headline(model), verdict: verdict(model) }
}

fn title(model: &Model<'_>) -> String {
    let height = model.trace.height;
    let name = fit(model.title, 80);
    let time = duration(model.end_ns);
    format!("tollway · {name} · block {height} · {time}, traced")
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
    let repaired = model.trace.calls.iter().filter(|call| call.repaired).count() as u64;
    let repair = match repaired {
        0 => String::new(),
        many => format!(" {} ran again in repair.", count(many, "call")),
    };
    let hottest = model.hot.first().map(|key| fit(&short_key(&key.name), 40));
    let verdict = match hottest {
        _ if model.trace.calls.is_empty() => "The block is empty.".to_owned(),
        None => "No call waits for another one: all of them could run at once.".to_owned(),
        Some(key) if limit < 1.2 => {
            format!("One queue: nearly every call waits for {key}, so more workers cannot help.")
        }
        Some(key) if model.possible < threads as f64 * 0.9 => format!(
            "Calls that queue for {key} bound this block: no number of workers makes it more than {} times as fast.",
            factor(limit)
        ),
        Some(key) => format!(
            "There is work for every worker; with more of them up to {} times as fast, until the queue for {key} is all that is left.",
            factor(limit)
        ),
    };
    verdict + &repair
}
