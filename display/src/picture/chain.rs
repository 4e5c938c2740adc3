//! What stands above and below a worker's calls: the critical chain and the lanes.

use super::CHART_X;
use super::canvas::{Canvas, Path};
use super::model::{Model, Worker};
use super::run::{BAND, span, x_of};
use tollway::CallTrace;

/// More changes of worker along the chain than this would only be a gray veil.
const HOPS_MAX: usize = 80;
/// Lanes below this width in pixels are not told apart.
const LANE_WIDTH_MIN: f64 = 1.0;

/// Marks the calls of the critical chain.
pub(super) fn draw(canvas: &mut Canvas, model: &Model<'_>, worker: &Worker, y: f64) {
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

/// Draws a worker's lanes, by turns light and dark.
pub(super) fn lanes(canvas: &mut Canvas, model: &Model<'_>, worker: &Worker, y: f64) {
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
        if end - start < LANE_WIDTH_MIN {
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

/// Draws where the critical chain goes from worker to worker.
pub(super) fn hops(canvas: &mut Canvas, model: &Model<'_>, tops: &[f64], height: f64) {
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
