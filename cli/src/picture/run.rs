//! The run: a track for the phases and one for each worker, over time.
//!
//! ```text
//!             ▔▔   ▔▔▔▔   critical chain
//! worker 0    ██▌█▌█████  calls, by color
//!             ▁▁▂▂▁▁▁▁▂▂  lanes, by turns light and dark
//! ```

use super::canvas::{Anchor, Canvas, Path};
use super::model::{Group, Model, Worker};
use super::{CHART_WIDTH, CHART_X, MARGIN};
use crate::format::{count, duration, thousands};
use tollway::CallTrace;

/// Where narrow calls are below this width in pixels on the mean, they are summed up in columns.
const CALL_WIDTH_MIN: f64 = 0.9;
/// A column is as wide as so many calls, or neighbors would differ by chance and flicker.
const COLUMN_CALLS: f64 = 24.0;
const COLUMN_MIN: f64 = 2.0;
const COLUMN_MAX: f64 = 8.0;
/// Calls at least this wide have an edge, and say on request what they are.
const EDGE_WIDTH_MIN: f64 = 3.0;
/// Calls at least this wide carry their number.
const NUMBER_WIDTH_MIN: f64 = 26.0;
const BAND: f64 = 5.0;
/// More changes of worker along the chain than this would only be a gray veil.
const HOPS_MAX: usize = 80;

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
    hops(canvas, model, &centers, height);
    bottom + 14.0
}

fn x_of(model: &Model<'_>, ns: u64) -> f64 {
    CHART_WIDTH * ns as f64 / model.end_ns as f64
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
    let bars = y + BAND + 1.0;
    let small = height < 30.0;
    let name_y = if small { bars + height / 2.0 + 4.0 } else { bars + 16.0 };
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
    canvas.rect("track", [CHART_X, bars, CHART_WIDTH, height], 0.0, "");
    canvas.open(
        "calls",
        &format!(" data-worker=\"{index}\" data-y=\"{bars}\" data-height=\"{height}\""),
    );
    calls(canvas, model, worker, bars, height);
    canvas.close();
    chain(canvas, model, worker, y);
    lanes(canvas, model, worker, bars + height + 1.0);
}

fn calls(canvas: &mut Canvas, model: &Model<'_>, worker: &Worker, y: f64, height: f64) {
    let mut columns = Columns::new(model, worker);
    // Bars too narrow for an edge of their own are joined, or edges would flicker: (group, x, end).
    let mut joined: Option<(Group, f64, f64)> = None;
    let mut paths = paths();
    for index in &worker.calls {
        let call = &model.trace.calls[*index];
        let group = model.groups[*index];
        let (x, width) = span(model, call);
        match joined {
            _ if width < columns.below => columns.add(x, width, group),
            _ if width >= EDGE_WIDTH_MIN => {
                bar(canvas, call, group, [CHART_X + x, y, width, height])
            }
            Some((same, _, ref mut end)) if same == group && x - *end < 1.0 => *end = x + width,
            _ => {
                let before = joined.replace((group, x, x + width));
                close(&mut paths, before, y, height);
            }
        }
    }
    close(&mut paths, joined, y, height);
    columns.stack(&mut paths, y, height);
    for (group, path) in Group::ALL.iter().zip(&paths) {
        canvas.path(group.class(), path);
    }
}

fn paths() -> Vec<Path> {
    Group::ALL.iter().map(|_| Path::default()).collect()
}

fn close(paths: &mut [Path], joined: Option<(Group, f64, f64)>, y: f64, height: f64) {
    if let Some((group, x, end)) = joined {
        paths[group.rank()].rect([CHART_X + x, y, end - x, height]);
    }
}

fn bar(canvas: &mut Canvas, call: &CallTrace, group: Group, [x, y, width, height]: [f64; 4]) {
    // A thin gap keeps neighbors apart where there is room for one.
    let (gap, radius) = if width < 8.0 { (0.5, 0.0) } else { (1.0, 1.5) };
    canvas.rect(group.class(), [x, y, width - gap, height], radius, &hint(call));
    if width >= NUMBER_WIDTH_MIN {
        let class = if group == Group::Free { "infree" } else { "in" };
        let number = call.call.to_string();
        canvas.text(
            class,
            x + (width - gap) / 2.0,
            y + height / 2.0 + 4.0,
            Anchor::Middle,
            &number,
        );
    }
}

/// Calls below a pixel, summed up: each column is filled as far as the worker was busy in it.
struct Columns {
    /// Calls below this width are summed up: all narrow ones if most are below a pixel, else none.
    below: f64,
    origin: f64,
    width: f64,
    shares: Vec<[f64; Group::ALL.len()]>,
}

impl Columns {
    fn new(model: &Model<'_>, worker: &Worker) -> Self {
        let spans = worker.calls.iter().map(|index| span(model, &model.trace.calls[*index]));
        let narrow: Vec<_> = spans.filter(|(_, width)| *width < EDGE_WIDTH_MIN).collect();
        let origin = narrow.first().map_or(0.0, |(x, _)| *x);
        let mean = narrow.iter().map(|(_, width)| width).sum::<f64>() / narrow.len().max(1) as f64;
        let width = (COLUMN_CALLS * mean).clamp(COLUMN_MIN, COLUMN_MAX);
        let count = ((CHART_WIDTH - origin) / width) as usize + 1;
        let below = if mean < CALL_WIDTH_MIN { EDGE_WIDTH_MIN } else { 0.0 };
        Self { below, origin, width, shares: vec![[0.0; Group::ALL.len()]; count] }
    }

    /// Adds a call to the columns that it lies in.
    fn add(&mut self, x: f64, width: f64, group: Group) {
        let (mut at, end) = (x - self.origin, x - self.origin + width);
        for index in (at / self.width) as usize..=(end / self.width) as usize {
            let border = ((index + 1) as f64 * self.width).min(end);
            if let Some(shares) = self.shares.get_mut(index) {
                shares[group.rank()] += border - at;
            }
            at = border;
        }
    }

    fn stack(&self, paths: &mut [Path], y: f64, height: f64) {
        for (index, shares) in self.shares.iter().enumerate() {
            let x = self.origin + index as f64 * self.width;
            let width = self.width.min(CHART_WIDTH - x);
            let mut filled = 0.0;
            for (path, share) in paths.iter_mut().zip(shares) {
                // Half pixels at least: thinner slices would only blur.
                let part = (share / width.max(0.1) * height * 2.0).round() / 2.0;
                let part = part.min(height - filled);
                if part > 0.0 {
                    path.rect([CHART_X + x, y + height - filled - part, width, part]);
                    filled += part;
                }
            }
        }
    }
}

fn span(model: &Model<'_>, call: &CallTrace) -> (f64, f64) {
    let x = x_of(model, call.start_ns);
    (x, x_of(model, call.end_ns) - x)
}

fn hint(call: &CallTrace) -> String {
    let wait = match call.waits_for.first() {
        Some(source) => {
            format!(" · waits for call {source} on {}", crate::format::short_key(&call.waits_on))
        }
        None => String::new(),
    };
    let time = duration(call.end_ns.saturating_sub(call.start_ns));
    format!(
        "call {} {}.{} · {time} · {} gas · {}{wait}",
        call.call,
        call.contract,
        call.method,
        thousands(call.gas),
        call.outcome
    )
}

fn chain(canvas: &mut Canvas, model: &Model<'_>, worker: &Worker, y: f64) {
    let spans = worker.calls.iter().filter(|index| model.on_chain[**index]);
    let mut path = Path::default();
    for (start, end) in merged(spans.map(|index| span(model, &model.trace.calls[*index]))) {
        path.rect([CHART_X + start, y, (end - start).max(1.0), BAND - 1.5]);
    }
    canvas.path("chain", &path);
}

/// Joins spans (start, width), sorted by start, that are less than a pixel apart.
fn merged(spans: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut joined: Vec<(f64, f64)> = Vec::new();
    for (start, width) in spans {
        match joined.last_mut() {
            Some((_, end)) if start - *end < 1.0 => *end = end.max(start + width),
            _ => joined.push((start, start + width)),
        }
    }
    joined
}

fn lanes(canvas: &mut Canvas, model: &Model<'_>, worker: &Worker, y: f64) {
    let mut runs: Vec<(u32, f64, f64)> = Vec::new();
    for index in &worker.calls {
        let call = &model.trace.calls[*index];
        let (x, width) = span(model, call);
        match runs.last_mut() {
            Some((lane, _, end)) if *lane == call.lane => *end = x + width,
            _ => runs.push((call.lane, x, x + width)),
        }
    }
    let mut turns = [Path::default(), Path::default()];
    let mut tiny = Vec::new();
    for (turn, (_, start, end)) in runs.into_iter().enumerate() {
        if end - start < CALL_WIDTH_MIN {
            tiny.push((start, end - start));
        } else {
            turns[turn % 2].rect([CHART_X + start, y, end - start, BAND - 1.5]);
        }
    }
    let mut mixed = Path::default();
    for (start, end) in merged(tiny.into_iter()) {
        mixed.rect([CHART_X + start, y, end - start, BAND - 1.5]);
    }
    canvas.path("lanes", &mixed);
    canvas.path("lane0", &turns[0]);
    canvas.path("lane1", &turns[1]);
}

fn hops(canvas: &mut Canvas, model: &Model<'_>, tops: &[f64], height: f64) {
    let changes: Vec<_> = model
        .chain
        .windows(2)
        .map(|pair| (&model.trace.calls[pair[0]], &model.trace.calls[pair[1]]))
        .filter(|(from, to)| from.worker != to.worker)
        .collect();
    if changes.len() > HOPS_MAX {
        return;
    }
    let mut path = Path::default();
    for (from, to) in changes {
        let place = |call: &CallTrace, ns| {
            let top = tops.get(call.worker as usize)?;
            Some([CHART_X + x_of(model, ns), top + BAND + height / 2.0])
        };
        if let (Some(start), Some(end)) = (place(from, from.end_ns), place(to, to.start_ns)) {
            path.line(start, end);
        }
    }
    canvas.path("hop", &path);
}
