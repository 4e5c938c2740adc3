//! The plan: what any number of workers could do. Each call as early as the calls that it waits
//! for allow, one step a call: the width is the longest chain, the height is parallelism.

use super::canvas::{Anchor, Canvas, Path};
use super::model::{COLORS_MAX, Group, Model};
use super::{CHART_WIDTH, CHART_X, MARGIN};
use crate::format::{count, fit, short_key, thousands};

const HEIGHT: f64 = 112.0;
/// A step is not drawn wider than this, or a block without waits would be one huge bar.
const STEP_WIDTH_MAX: f64 = 64.0;
const COLUMNS_MAX: usize = CHART_WIDTH as usize;
/// A column with calls is at least this high.
const COLUMN_HEIGHT_MIN: f64 = 2.0;
/// The axis reaches at least this many calls, so that a queue looks as low as it is.
const SCALE_MIN: f64 = 8.0;

/// Draws the plan below `top` and returns where it ends.
pub(super) fn draw(canvas: &mut Canvas, model: &Model<'_>, top: f64) -> f64 {
    let steps = model.depths.iter().map(|depth| depth + 1).max().unwrap_or(0);
    canvas.text("head", MARGIN, top, Anchor::Start, "The plan: with any number of workers");
    canvas.text("note", MARGIN, top + 17.0, Anchor::Start, &caption(model, steps));
    let y = top + 30.0;
    let bottom = y + HEIGHT;
    let columns = columns(model, steps);
    let width = (CHART_WIDTH / columns.len().max(1) as f64).min(STEP_WIDTH_MAX);
    let totals = columns.iter().map(|column| column.iter().sum::<f64>());
    let scale = Scale(totals.fold(f64::max(SCALE_MIN, model.trace.threads as f64 * 2.0), f64::max));
    axis(canvas, bottom, scale);
    let mut paths: Vec<Path> = Group::ALL.iter().map(|_| Path::default()).collect();
    let gap = if width > 5.0 { 1.0 } else { 0.0 };
    for (index, column) in columns.iter().enumerate() {
        let x = CHART_X + index as f64 * width;
        let total: f64 = column.iter().sum();
        if total <= 0.0 {
            continue;
        }
        let height = scale.height(total).max(COLUMN_HEIGHT_MIN);
        let mut below = 0.0;
        for (path, count) in paths.iter_mut().zip(column) {
            if *count > 0.0 {
                let part = count / total * height;
                path.rect([x, bottom - below - part, width - gap, part]);
                below += part;
            }
        }
    }
    for (group, path) in Group::ALL.iter().zip(&paths) {
        canvas.path(group.class(), path);
    }
    let end = CHART_X + width * columns.len() as f64;
    step_axis(canvas, model, bottom, steps, end);
    workers_line(canvas, model, bottom - scale.height(model.trace.threads as f64));
    bottom + 18.0
}

/// Logarithmic, so that a long thin tail still shows beside a high start.
#[derive(Clone, Copy)]
struct Scale(f64);

impl Scale {
    fn height(self, calls: f64) -> f64 {
        HEIGHT * calls.ln_1p() / self.0.ln_1p()
    }
}

fn caption(model: &Model<'_>, steps: usize) -> String {
    match (model.trace.calls.len(), steps) {
        (0, _) => "no calls".to_owned(),
        (_, 1) => "every call can run in the first step: nobody waits".to_owned(),
        (calls, steps) => format!(
            "{} calls in {} steps: height = calls that can run at once, width = the longest queue",
            thousands(calls as u64),
            thousands(steps as u64)
        ),
    }
}

/// Calls of each group at each step; steps below a pixel share a column, as a mean.
fn columns(model: &Model<'_>, steps: usize) -> Vec<[f64; Group::ALL.len()]> {
    let count = steps.min(COLUMNS_MAX);
    let column_of = |step: usize| step * count / steps.max(1);
    let mut columns = vec![[0.0; Group::ALL.len()]; count];
    for (depth, group) in model.depths.iter().zip(&model.groups) {
        columns[column_of(*depth)][group.rank()] += 1.0;
    }
    let mut shared = vec![0.0; count];
    (0..steps).for_each(|step| shared[column_of(step)] += 1.0);
    for (column, steps) in columns.iter_mut().zip(shared) {
        column.iter_mut().for_each(|calls| *calls /= steps);
    }
    columns
}

fn axis(canvas: &mut Canvas, bottom: f64, scale: Scale) {
    canvas.text("label", MARGIN, bottom - HEIGHT + 16.0, Anchor::Start, "calls at once");
    canvas.text("note", MARGIN, bottom - HEIGHT + 31.0, Anchor::Start, "(log scale)");
    let mut grid = Path::default();
    let mut y_before = f64::INFINITY;
    for at in (0..).flat_map(|power| [1, 2, 5].map(|digit| digit * 10u64.saturating_pow(power))) {
        if at as f64 > scale.0 {
            break;
        }
        let y = bottom - scale.height(at as f64);
        if y_before - y > 16.0 {
            grid.line([CHART_X, y], [CHART_X + CHART_WIDTH, y]);
            canvas.text("note", CHART_X - 6.0, y + 4.0, Anchor::End, &thousands(at));
            y_before = y;
        }
    }
    canvas.path("grid", &grid);
}

/// Where the workers of this run are all busy: what stands above must wait for one of them.
fn workers_line(canvas: &mut Canvas, model: &Model<'_>, y: f64) {
    let mut line = Path::default();
    line.line([CHART_X, y], [CHART_X + CHART_WIDTH, y]);
    canvas.path("workers", &line);
    let text = format!("enough for {}", count(model.trace.threads as u64, "worker"));
    canvas.text("note halo", CHART_X + CHART_WIDTH, y - 4.0, Anchor::End, &text);
}

/// How many of the last steps are for one hot key alone, and which.
fn queue_at_the_end<'a>(model: &Model<'a>, steps: usize) -> Option<(usize, &'a str)> {
    let mut last_of_others = vec![0; COLORS_MAX];
    let mut last = vec![0; COLORS_MAX];
    for (depth, group) in model.depths.iter().zip(&model.groups) {
        for index in 0..COLORS_MAX {
            let end = if *group == Group::Hot(index) { &mut last } else { &mut last_of_others };
            end[index] = end[index].max(depth + 1);
        }
    }
    let index = (0..COLORS_MAX).find(|index| last[*index] == steps)?;
    let alone = steps.saturating_sub(last_of_others[index]);
    (alone > 0).then_some((alone, model.hot.get(index)?.name.as_str()))
}

fn step_axis(canvas: &mut Canvas, model: &Model<'_>, bottom: f64, steps: usize, end: f64) {
    let mut axis = Path::default();
    axis.line([CHART_X, bottom], [CHART_X + CHART_WIDTH, bottom]);
    canvas.path("axis", &axis);
    let text = match steps {
        1 => "1 step".to_owned(),
        steps => format!("{} steps, one after another", thousands(steps as u64)),
    };
    let text = match queue_at_the_end(model, steps) {
        Some((alone, key)) if alone > 1 => {
            let key = fit(&short_key(key), 40);
            format!("{text}: the last {} only for {key}", thousands(alone as u64))
        }
        _ => text,
    };
    let far = end > CHART_X + 400.0;
    let (x, anchor) = if far { (end, Anchor::End) } else { (CHART_X, Anchor::Start) };
    canvas.text("note", x, bottom + 15.0, anchor, &text);
}
