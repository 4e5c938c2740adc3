//! What a host with more cores would see, as tables.

use crate::format::{duration, factor, sentence, thousands, wrapped};
use crate::table::aligned;
use tollway_benches::scaling::{Check, CostModel, CurvePoint, Scaling};

/// The curve, how well its model does, and what it was simulated from. `calls` is what calls are
/// called.
pub(crate) fn text(scaling: &Scaling, calls: &str) -> String {
    format!(
        "simulated, by number of workers\n\n{}\n\nagainst real runs\n\n{}\n\nsimulated from\n\n{}\n\n{}",
        curve(&scaling.curve, calls),
        checks(&scaling.checks),
        costs(&scaling.costs),
        wrapped(&format!("{}.", sentence(scaling.limits)))
    )
}

fn curve(points: &[CurvePoint], calls: &str) -> String {
    let rows = points.iter().map(|point| {
        [
            point.workers.to_string(),
            duration(point.block_ns as u64),
            factor(point.speedup),
            percent(point.efficiency),
            thousands(point.calls_per_s as u64),
            factor(point.ideal_speedup),
        ]
    });
    let per_s = format!("{calls}/s");
    let headings = ["workers", "a block", "speed-up", "efficiency", &per_s, "possible"];
    aligned(headings, &[0, 1, 2, 3, 4, 5], rows)
}

fn checks(checks: &[Check]) -> String {
    let rows = checks.iter().map(|check| {
        [
            check.threads.to_string(),
            format!("{} of {}", check.quiet_runs, check.runs),
            duration(check.measured_ns as u64),
            duration(check.simulated_ns as u64),
            match check.quiet_runs {
                0 => format!("busy: {:+.1} %", 100.0 * check.error),
                _ => format!("{:+.1} %", 100.0 * check.error),
            },
        ]
    });
    aligned(["threads", "quiet runs", "measured", "simulated", "error"], &[0, 1, 2, 3, 4], rows)
}

fn costs(costs: &CostModel) -> String {
    let parts = costs.parts.iter().map(|part| {
        [
            part.part.name().to_owned(),
            format!("{:.0} ns", part.ns_per_item),
            format!("a{} {}", if part.item == "access" { "n" } else { "" }, part.item),
            duration((part.serial_ns + part.shared_ns) as u64),
            duration(part.parallel_ns as u64),
        ]
    });
    let parts = aligned(["part", "1 thread", "", "stays", "is shared"], &[1, 3, 4], parts);
    let step = |name: &str, ns: f64| format!("{name} {ns:.1} ns");
    let steps = [
        step("a call", costs.call_ns),
        format!("{:.2} times that beside {} threads", costs.busy_factor, costs.fitted_threads),
        step("to the next call", costs.next_ns),
        step("an edge", costs.edge_ns),
        step("a group of roots", costs.grab_ns),
        step("a look into a queue", costs.look_ns),
        step("a theft", costs.steal_ns),
    ];
    format!("{parts}\n\n{}", wrapped(&format!("{}.", sentence(&steps.join(", ")))))
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}
