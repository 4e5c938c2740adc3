//! What the demo says.

use super::Level;
use super::level::THREADS;
use crate::format::{factor, fit, short_key, thousands};
use crate::table::aligned;
use tollway_benches::swaps::Distribution;

/// One row a level.
pub(crate) fn table(levels: &[Level]) -> String {
    let rows = levels.iter().map(|level| {
        let rate = |per_s: f64| thousands(per_s.round() as u64);
        let plan = &level.trace.plan;
        let possible = plan.speedup_gas.iter().find(|(n, _)| *n as usize == THREADS);
        let limit = plan.speedup_gas.last();
        let speedup = |found: Option<&(u32, f64)>| {
            found.map_or_else(String::new, |(_, speedup)| factor(*speedup))
        };
        [
            level.distribution.to_string(),
            rate(level.oracle_per_s),
            rate(level.one_per_s),
            rate(level.many_per_s),
            format!("{:.2}", level.many_per_s / level.one_per_s),
            speedup(possible),
            speedup(limit),
            hot_key(level),
        ]
    });
    aligned(
        [
            "",
            "oracle\ncalls/s",
            "1 thread\ncalls/s",
            "2 threads\ncalls/s",
            "speed-up\nreached",
            "possible\non 2",
            "without\na limit",
            "hot key, share of the calls",
        ],
        &[1, 2, 3, 4, 5, 6],
        rows,
    )
}

fn hot_key(level: &Level) -> String {
    let calls = level.trace.calls.len().max(1) as f64;
    match level.trace.hot_keys.first() {
        Some(key) => {
            let share = f64::from(key.chain) / calls * 100.0;
            format!("{}, {share:.0} %", fit(&short_key(&key.name), 32))
        }
        None => "none".to_owned(),
    }
}

/// What the level is, in words.
pub(crate) fn intro(distribution: Distribution) -> &'static str {
    match distribution {
        Distribution::Disjoint => "disjoint: every swap has a pool and a trader of its own",
        Distribution::Zipf1024 => "zipf1024: 1,024 pools, some far more popular than others",
        Distribution::Zipf64 => "zipf64: 64 pools, some far more popular than others",
        Distribution::Hot => "hot: everybody trades in one pool",
    }
}
