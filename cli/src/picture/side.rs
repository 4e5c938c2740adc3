//! The side: how fast the block could be on more workers, and its hot keys, as bars.

use super::canvas::{Anchor, Canvas};
use super::model::{COLORS_MAX, Group, Model};
use super::{SIDE_WIDTH, SIDE_X};
use crate::format::{count, factor, fit, short_key};

const KEYS_SHOWN_MAX: usize = 8;

/// Draws the side below `top` and returns where it ends.
pub(super) fn draw(canvas: &mut Canvas, model: &Model<'_>, top: f64) -> f64 {
    let below = lengths(canvas, model, top);
    hot_keys(canvas, model, below + 34.0)
}

/// The block's length in time, one worker's being the whole width: short is fast.
fn lengths(canvas: &mut Canvas, model: &Model<'_>, top: f64) -> f64 {
    canvas.text("head", SIDE_X, top, Anchor::Start, "Time it takes: shorter is faster");
    let threads = model.trace.threads.max(1);
    let here = count(threads as u64, "worker");
    let mut rows = vec![("one by one".to_owned(), "serial", 1.0)];
    if let Some(reached) = model.reached {
        rows.push((format!("{here}, this run"), "reached", reached));
    }
    rows.push((format!("{here}, possible"), "possible", model.possible));
    for (workers, speedup) in [8, 32].into_iter().zip(model.outlook) {
        if workers > threads {
            rows.push((format!("{workers} workers, possible"), "possible", speedup));
        }
    }
    rows.push(("no limit".to_owned(), "possible", model.outlook[2]));
    let mut y = top + 12.0;
    for (name, class, speedup) in rows {
        canvas.text("note", SIDE_X, y + 10.0, Anchor::Start, &name);
        let number = format!("{}×", factor(speedup));
        canvas.text("big", SIDE_X + SIDE_WIDTH, y + 10.0, Anchor::End, &number);
        canvas.rect("track", [SIDE_X, y + 14.0, SIDE_WIDTH, 7.0], 2.0, "");
        let width = (SIDE_WIDTH / speedup.max(0.01)).clamp(1.5, SIDE_WIDTH);
        canvas.rect(class, [SIDE_X, y + 14.0, width, 7.0], 2.0, "");
        y += 29.0;
    }
    y
}

fn hot_keys(canvas: &mut Canvas, model: &Model<'_>, top: f64) -> f64 {
    canvas.text("head", SIDE_X, top, Anchor::Start, "Hot keys: the longest queues");
    let mut y = top + 12.0;
    if model.hot.is_empty() {
        canvas.text("note", SIDE_X, y + 10.0, Anchor::Start, "none: no call waits for another one");
        return y + 20.0;
    }
    let longest = model.hot.iter().map(|key| key.chain).fold(1, u32::max);
    for (index, key) in model.hot.iter().take(KEYS_SHOWN_MAX).enumerate() {
        let group = if index < COLORS_MAX { Group::Hot(index) } else { Group::Other };
        let name = short_key(&key.name);
        canvas.text("key", SIDE_X, y + 10.0, Anchor::Start, &fit(&name, 30));
        let modes = [(key.writers, "write"), (key.readers, "read"), (key.adders, "add")];
        let modes: Vec<_> = (modes.into_iter().filter(|(count, _)| *count > 0))
            .map(|(count, mode)| format!("{count} {mode}"))
            .collect();
        let hint = format!(
            "{name}: {} ({}), {} waits",
            count(key.calls.into(), "call"),
            modes.join(", "),
            key.waits
        );
        canvas.rect("track", [SIDE_X, y + 15.0, SIDE_WIDTH, 11.0], 2.0, &hint);
        let width = (SIDE_WIDTH * f64::from(key.chain) / f64::from(longest)).max(2.0);
        canvas.rect(group.class(), [SIDE_X, y + 15.0, width, 11.0], 2.0, &hint);
        let row = format!("{} in a row", count(key.chain.into(), "call"));
        canvas.text("note", SIDE_X + SIDE_WIDTH, y + 10.0, Anchor::End, &row);
        y += 36.0;
    }
    let more = model.hot.len().saturating_sub(KEYS_SHOWN_MAX);
    if more > 0 {
        canvas.text("note", SIDE_X, y + 8.0, Anchor::Start, &format!("and {more} more"));
        y += 14.0;
    }
    y
}
