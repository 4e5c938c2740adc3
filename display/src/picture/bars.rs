//! A worker's calls as bars. Wide ones stand alone, narrow ones of one color are joined, and where
//! they are below a pixel they are summed up in columns.

use super::canvas::{Anchor, Canvas, Path};
use super::model::{Group, Model, Worker};
use super::run::span;
use super::{CHART_WIDTH, CHART_X};
use crate::format::{duration, short_key, thousands};
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

/// Draws a worker's calls.
pub(super) fn draw(canvas: &mut Canvas, model: &Model<'_>, worker: &Worker, y: f64, height: f64) {
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

fn hint(call: &CallTrace) -> String {
    let wait = match call.waits_for.first() {
        Some(source) => {
            format!(" · waits for call {source} on {}", short_key(&call.waits_on))
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
