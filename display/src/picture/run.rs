//! The run: a track for the phases and one for each worker, over time.
//!
//! ```text
//!             ▔▔   ▔▔▔▔   critical chain
//! worker 0    ██▌█▌█████  calls, by color
//!             ▁▁▂▂▁▁▁▁▂▂  lanes, by turns light and dark
//! ```

use super::canvas::{Anchor, Canvas, Path};
use super::model::{Group, Model, Worker};
use super::{CHART_WIDTH, CHART_X, MARGIN, bars, chain};
use crate::format::{count, duration};
use tollway::CallTrace;

/// Height of what stands above and below the calls of a worker.
pub(super) const BAND: f64 = 5.0;
/// Draws the run below `top` and returns where it ends.
pub(super) fn draw(canvas: &mut Canvas, model: &Model<'_>, top: f64) -> f64 {
    canvas.text("head", MARGIN, top, Anchor::Start, "The run: who worked on what, over time");
    legend(canvas, model, top + 20.0);
    let axis_top = top + 34.0;
    let height = match model.workers.len() {
        ..=2 => 58.0,
        3..=4 => 46.0,
        5..=8 => 32.0,
        9..=16 => 20.0,
        _ => 10.0,
    };
    let step = height + 2.0 * BAND + 12.0;
    let tracks_top = axis_top + 30.0;
    let bottom = tracks_top + step * model.workers.len() as f64;
    time_axis(canvas, model, axis_top, bottom);
    phases(canvas, model, axis_top);
    let mut centers = Vec::with_capacity(model.workers.len());
    for (index, worker) in model.workers.iter().enumerate() {
        let y = tracks_top + step * index as f64;
        track(canvas, model, worker, index, y, height);
        centers.push(y);
    }
    chain::hops(canvas, model, &centers, height);
    bottom + 14.0
}

/// Where a moment is, in pixels from the start of the chart.
pub(super) fn x_of(model: &Model<'_>, ns: u64) -> f64 {
    CHART_WIDTH * ns as f64 / model.end_ns as f64
}

/// Where a call begins, in pixels from the start of the chart, and how wide it is.
pub(super) fn span(model: &Model<'_>, call: &CallTrace) -> (f64, f64) {
    let x = x_of(model, call.start_ns);
    (x, x_of(model, call.end_ns) - x)
}

fn legend(canvas: &mut Canvas, model: &Model<'_>, y: f64) {
    let mut x = MARGIN;
    let mut entry = |canvas: &mut Canvas, class: &str, height: f64, text: &str| {
        canvas.rect(class, [x, y - 5.0 - height / 2.0, 12.0, height], 2.0, "");
        canvas.text("note", x + 17.0, y, Anchor::Start, text);
        x += 17.0 + text.chars().count() as f64 * 6.2 + 16.0;
    };
    entry(canvas, "free", 11.0, "waits for nobody");
    let present = model.groups_present();
    if present.iter().any(|group| matches!(group, Group::Hot(_))) {
        entry(canvas, "k0", 11.0, "waits for a hot key, colors at the right");
    }
    if present.contains(&Group::Other) {
        entry(canvas, "other", 11.0, "waits for another key");
    }
    if present.contains(&Group::Again) {
        entry(canvas, "again", 11.0, "ran again in repair");
    }
    if !model.chain.is_empty() {
        entry(canvas, "chain", 4.0, "critical chain");
    }
    entry(canvas, "lanes", 4.0, "lanes");
}

fn time_axis(canvas: &mut Canvas, model: &Model<'_>, top: f64, bottom: f64) {
    let mut grid = Path::default();
    let step = tick(model.end_ns, 8);
    let mut at = 0;
    while at <= model.end_ns {
        let x = CHART_X + x_of(model, at);
        grid.line([x, top], [x, bottom]);
        let anchor = if at == 0 { Anchor::Start } else { Anchor::Middle };
        canvas.text("note", x, bottom + 12.0, anchor, &duration(at));
        at += step;
    }
    canvas.path("grid", &grid);
}

/// A round step that cuts `total` into at most `parts_max` parts.
pub(super) fn tick(total: u64, parts_max: u64) -> u64 {
    let least = (total / parts_max.max(1)).max(1);
    let mut power = 1u64;
    loop {
        for factor in [1, 2, 5] {
            if power.saturating_mul(factor) >= least {
                return power.saturating_mul(factor);
            }
        }
        power = power.saturating_mul(10);
    }
}

fn phases(canvas: &mut Canvas, model: &Model<'_>, y: f64) {
    canvas.text("label", MARGIN, y + 13.0, Anchor::Start, "phases");
    for (index, phase) in model.trace.phases.iter().enumerate() {
        let x = CHART_X + x_of(model, phase.start_ns);
        let width = x_of(model, phase.end_ns.saturating_sub(phase.start_ns));
        let time = duration(phase.end_ns.saturating_sub(phase.start_ns));
        // Repair draws the eye only where calls were repaired.
        let is_quiet = index == 3 && !model.groups.contains(&Group::Again);
        let class = if is_quiet { "p1" } else { ["p0", "p1", "p2", "p3"][index.min(3)] };
        canvas.rect(class, [x, y, width.max(0.5), 18.0], 0.0, &format!("{}: {time}", phase.name));
        if width > phase.name.len() as f64 * 7.0 + 8.0 {
            canvas.text("note", x + 5.0, y + 13.0, Anchor::Start, phase.name);
        }
    }
}

fn track(
    canvas: &mut Canvas,
    model: &Model<'_>,
    worker: &Worker,
    index: usize,
    y: f64,
    height: f64,
) {
    let bars_y = y + BAND + 1.0;
    let small = height < 30.0;
    let name_y = if small { bars_y + height / 2.0 + 4.0 } else { bars_y + 16.0 };
    canvas.text("label", MARGIN, name_y, Anchor::Start, &format!("worker {index}"));
    if !small {
        let busy = format!("{:.0} % busy", worker.busy * 100.0);
        let lanes = count(worker.lanes as u64, "lane");
        let calls = count(worker.calls.len() as u64, "call");
        canvas.text("note", MARGIN, name_y + 14.0, Anchor::Start, &busy);
        if height > 45.0 {
            canvas.text("note", MARGIN, name_y + 27.0, Anchor::Start, &calls);
            canvas.text("note", MARGIN, name_y + 40.0, Anchor::Start, &lanes);
        }
    }
    canvas.rect("track", [CHART_X, bars_y, CHART_WIDTH, height], 0.0, "");
    canvas.open(
        "calls",
        &format!(" data-worker=\"{index}\" data-y=\"{bars_y}\" data-height=\"{height}\""),
    );
    bars::draw(canvas, model, worker, bars_y, height);
    canvas.close();
    chain::draw(canvas, model, worker, y);
    chain::lanes(canvas, model, worker, bars_y + height + 1.0);
}
