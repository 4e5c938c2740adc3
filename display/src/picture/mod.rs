//! Draws a block's run, so that parallelism and the hot key are seen in five seconds.
//!
//! ```text
//! ┌ headline: workers · calls · speed-up reached and possible · hot key ────────────┐
//! │ the run            │ phases          │▓resolve▓│ execute                 │ │ how  │
//! │                    │ worker 0        │         │███▌██▌█▌██████████▌████ │ │ fast │
//! │                    │ worker 1        │         │█▌███████▌█████▌██▌█████ │ │      │
//! │ the plan           │ calls at once   │█▅▃▂▂▁▁▁▁▁▁▁                       │ │ hot  │
//! │                    │                 └ steps, one after another ───────  │ │ keys │
//! └─────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A call has the color of the hot key that it waits for, and is gray when it waits for nobody.
//!
//! # Invariants
//! 1. Well-formed XML whatever the names in the trace (`tests::names_cannot_break_the_picture`).
//! 2. Its size is bounded by its width, not by the calls: below a pixel, calls are summed up
//!    (`tests::size_does_not_follow_the_calls`).
//! 3. Nothing is loaded from elsewhere (`tests::nothing_is_fetched`).

mod bars;
mod canvas;
mod chain;
mod model;
mod page;
mod plan;
mod run;
mod side;
mod words;

#[cfg(test)]
mod tests;

pub use model::Run;
pub use page::{Section, page};
pub use words::Words;

use canvas::{Anchor, Canvas};
use model::Model;

/// Width of the picture in pixels; its height follows from the number of workers.
const WIDTH: f64 = 1240.0;
const MARGIN: f64 = 24.0;
/// Where the charts begin, right of the workers' names.
const CHART_X: f64 = MARGIN + 118.0;
const CHART_WIDTH: f64 = 790.0;
/// Where the bars at the side begin.
const SIDE_X: f64 = CHART_X + CHART_WIDTH + 32.0;
const SIDE_WIDTH: f64 = WIDTH - MARGIN - SIDE_X;

/// What the picture says at its top.
pub fn words_of(run: &Run<'_>) -> Words {
    words::words(&Model::new(run))
}

/// The picture as one self-contained SVG document.
pub fn svg(run: &Run<'_>) -> String {
    draw(&Model::new(run)).into_document(WIDTH)
}

fn draw(model: &Model<'_>) -> Canvas {
    let mut canvas = Canvas::new();
    let words = words::words(model);
    canvas.text("title", MARGIN, 34.0, Anchor::Start, &words.title);
    canvas.text("headline", MARGIN, 64.0, Anchor::Start, &words.headline);
    canvas.text("verdict", MARGIN, 88.0, Anchor::Start, &words.verdict);
    let top = 128.0;
    let run_bottom = run::draw(&mut canvas, model, top);
    let plan_bottom = plan::draw(&mut canvas, model, run_bottom + 46.0);
    let side_bottom = side::draw(&mut canvas, model, top);
    canvas.height = plan_bottom.max(side_bottom) + MARGIN;
    canvas
}
