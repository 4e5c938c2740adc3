//! The side: how fast the block could be on more workers, and its hot keys, as bars.

use super::canvas::{Anchor, Canvas};
use super::model::{COLORS_MAX, Group, Model};
use super::{SIDE_WIDTH, SIDE_X};
use crate::format::{count, factor, fit, short_key, thousands};
use tollway::HotKey;

const KEYS_SHOWN_MAX: usize = 8;
const SHARE_MIN: f64 = 0.03;
/// Room for the number beside a hot key's bar.
const NUMBER_WIDTH: f64 = 46.0;

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
    canvas.text("head", SIDE_X, top, Anchor::Start, "Hot keys: calls in a row");
    let mut y = top + 12.0;
    if model.hot.is_empty() {
        canvas.text("note", SIDE_X, y + 10.0, Anchor::Start, "none: no call waits for another one");
        return y + 20.0;
    }
    let longest = model.hot.iter().map(|key| key.chain).fold(1, u32::max);
    // A queue this short beside the longest one is no news.
    let is_long = |key: &&HotKey| f64::from(key.chain) >= f64::from(longest) * SHARE_MIN;
    let shown = model.hot.iter().take(KEYS_SHOWN_MAX).take_while(is_long).count();
    for (index, key) in model.hot[..shown].iter().enumerate() {
        let group = if index < COLORS_MAX { Group::Hot(index) } else { Group::Other };
        let name = short_key(&key.name);
        canvas.text("key", SIDE_X, y + 10.0, Anchor::Start, &fit(&name, 33));
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
        let room = SIDE_WIDTH - NUMBER_WIDTH;
        canvas.rect("track", [SIDE_X, y + 15.0, room, 11.0], 2.0, &hint);
        let width = (room * f64::from(key.chain) / f64::from(longest)).max(2.0);
        canvas.rect(group.class(), [SIDE_X, y + 15.0, width, 11.0], 2.0, &hint);
        let row = thousands(key.chain.into());
        canvas.text("big", SIDE_X + SIDE_WIDTH, y + 25.0, Anchor::End, &row);
        y += 36.0;
    }
    let rest = &model.hot[shown..];
    if let Some(next) = rest.first() {
        let more = rest.len();
        canvas.text(
            "note",
            SIDE_X,
            y + 8.0,
            Anchor::Start,
            &format!("and {more} more, {} or less", next.chain),
        );
        y += 14.0;
    }
    y
}
