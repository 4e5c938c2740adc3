//! One HTML page around pictures, with nothing to load: the picture itself, and a small script
//! that tells about the call under the pointer.

use super::canvas::escaped;
use super::{CHART_WIDTH, CHART_X, Run, svg};
use crate::format::short_key;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tollway::BlockTrace;

/// A picture with the heading above it.
pub struct Section<'a> {
    /// What sets this run apart from the others on the page; empty if it stands alone.
    pub heading: String,
    /// The run.
    pub run: Run<'a>,
}

/// Runs of more calls have a picture, but tell nothing about single calls.
const CALLS_TOLD_MAX: usize = 50_000;

/// A page with these pictures, one below the other.
pub fn page(title: &str, intro: &str, sections: &[Section<'_>]) -> String {
    let title = escaped(title);
    let mut body = format!("<h1>{title}</h1>\n");
    if !intro.is_empty() {
        let lines: Vec<_> = intro.lines().map(escaped).collect();
        body.push_str(&format!("<pre>{}</pre>\n", lines.join("\n")));
    }
    for section in sections {
        if !section.heading.is_empty() {
            body.push_str(&format!("<h2>{}</h2>\n", escaped(&section.heading)));
        }
        // A script ends at the first `</`, even inside a text.
        let calls = calls(section.run.trace).to_string().replace("</", "<\\/");
        body.push_str(&format!(
            "<figure>\n{}<script type=\"application/json\">{calls}</script>\n</figure>\n",
            svg(&section.run)
        ));
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n{body}<script>\n{SCRIPT}</script>\n</html>\n",
    )
}

/// What the script needs of the run. Names stand once; calls refer to them and to each other by
/// index.
fn calls(trace: &BlockTrace) -> Value {
    let shown = if trace.calls.len() > CALLS_TOLD_MAX { &[] } else { trace.calls.as_slice() };
    let (mut names, mut keys) = (Index::default(), Index::default());
    let end = (trace.phases.iter().map(|phase| phase.end_ns))
        .chain(trace.calls.iter().map(|call| call.end_ns))
        .fold(1, u64::max);
    let first = shown.first().map_or(0, |call| call.call);
    let calls: Vec<_> = shown
        .iter()
        .map(|call| {
            let source = call.waits_for.first().filter(|source| **source < call.call);
            let source = source.map_or(-1, |source| i64::from(*source) - i64::from(first));
            json!([
                call.worker,
                call.start_ns,
                call.end_ns.saturating_sub(call.start_ns),
                names.of(format!("{}.{}", call.contract, call.method)),
                keys.of(short_key(&call.waits_on)),
                call.gas,
                source.max(-1),
                call.outcome,
            ])
        })
        .collect();
    json!({
        "x": CHART_X, "width": CHART_WIDTH, "end": end, "first": first,
        "names": names.texts, "keys": keys.texts, "calls": calls,
    })
}

/// Texts by the order in which they came first.
#[derive(Default)]
struct Index {
    texts: Vec<String>,
    places: BTreeMap<String, usize>,
}

impl Index {
    fn of(&mut self, text: String) -> usize {
        *self.places.entry(text.clone()).or_insert_with(|| {
            self.texts.push(text);
            self.texts.len() - 1
        })
    }
}

const SCRIPT: &str = include_str!("hover.js");

const STYLE: &str = "
body{margin:0 auto;padding:16px 12px 48px;max-width:1264px;background:#fff;color:#1c2128;
font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}
h1{font-size:24px;margin:12px 24px 8px}h2{font-size:18px;margin:40px 24px 0}
pre{margin:12px 24px;font:13px/1.5 ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;overflow-x:auto}
figure{margin:0;overflow-x:auto}svg{max-width:100%;height:auto;display:block}
.calls rect,.calls path{pointer-events:none}
.overlay{pointer-events:none}.overlay .here{fill:none;stroke:#000;stroke-width:2}
.overlay .before{fill:#000;opacity:.45}
.hover{display:none;position:fixed;z-index:1;white-space:pre;pointer-events:none;padding:8px 10px;
border-radius:6px;background:#1c2128;color:#fff;font-size:12.5px;line-height:1.45;box-shadow:0 2px 10px #0006}
@media (prefers-color-scheme:dark){body{background:#14171c;color:#e6e8eb}
.overlay .here{stroke:#fff}.overlay .before{fill:#fff}.hover{background:#e6e8eb;color:#14171c}}
";
