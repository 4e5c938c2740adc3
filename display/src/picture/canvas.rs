//! Writes SVG: shapes by class, colors in one style sheet with a light and a dark theme.

use crate::format::is_hostile;
use std::fmt::Write;

/// Which side of a text its position is.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// An SVG document under construction.
pub(super) struct Canvas {
    body: String,
    /// Height in pixels.
    pub(super) height: f64,
}

impl Canvas {
    pub(super) fn new() -> Self {
        Self { body: String::new(), height: 0.0 }
    }

    /// A rectangle; `hint` is what viewers show when the pointer rests on it, if not empty.
    pub(super) fn rect(&mut self, class: &str, at: [f64; 4], radius: f64, hint: &str) {
        let [x, y, width, height] = at.map(Number);
        let mut write = || {
            write!(
                self.body,
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\""
            )?;
            if radius > 0.0 {
                write!(self.body, " rx=\"{}\"", Number(radius))?;
            }
            if hint.is_empty() {
                writeln!(self.body, "/>")
            } else {
                writeln!(self.body, "><title>{}</title></rect>", escaped(hint))
            }
        };
        write().expect("writing to a string cannot fail");
    }

    /// A line of text.
    pub(super) fn text(&mut self, class: &str, x: f64, y: f64, anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        writeln!(
            self.body,
            "<text class=\"{class}\" x=\"{}\" y=\"{}\"{anchor}>{}</text>",
            Number(x),
            Number(y),
            escaped(text)
        )
        .expect("writing to a string cannot fail");
    }

    /// A shape of many parts, if it has any.
    pub(super) fn path(&mut self, class: &str, path: &Path) {
        if !path.0.is_empty() {
            writeln!(self.body, "<path class=\"{class}\" d=\"{}\"/>", path.0)
                .expect("writing to a string cannot fail");
        }
    }

    /// Opens a group whose parts a script can find by `id`. Close it with [`Self::close`].
    pub(super) fn open(&mut self, class: &str, data: &str) {
        writeln!(self.body, "<g class=\"{class}\"{data}>")
            .expect("writing to a string cannot fail");
    }

    /// Closes the innermost group.
    pub(super) fn close(&mut self) {
        self.body.push_str("</g>\n");
    }

    /// The whole document.
    pub(super) fn into_document(self, width: f64) -> String {
        let (width, height) = (Number(width), Number(self.height.ceil()));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" role=\"img\">\n\
             <style>{STYLE}</style>\n{DEFS}\
             <rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n{}</svg>\n",
            self.body
        )
    }
}

/// Many rectangles or lines in one shape.
#[derive(Default)]
pub(super) struct Path(String);

impl Path {
    /// Adds a rectangle.
    pub(super) fn rect(&mut self, [x, y, width, height]: [f64; 4]) {
        let (x, y, width, height) = (Number(x), Number(y), Number(width), Number(height));
        write!(self.0, "M{x} {y}h{width}v{height}h-{width}z")
            .expect("writing to a string cannot fail");
    }

    /// Adds a line.
    pub(super) fn line(&mut self, from: [f64; 2], to: [f64; 2]) {
        let [[a, b], [c, d]] = [from.map(Number), to.map(Number)];
        write!(self.0, "M{a} {b}L{c} {d}").expect("writing to a string cannot fail");
    }
}

/// A coordinate with two decimals at most.
struct Number(f64);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hundredths = (self.0 * 100.0).round() as i64;
        let (whole, rest) = (hundredths / 100, hundredths.abs() % 100);
        if hundredths < 0 && whole == 0 {
            f.write_str("-")?;
        }
        match rest {
            0 => write!(f, "{whole}"),
            rest if rest % 10 == 0 => write!(f, "{whole}.{}", rest / 10),
            rest => write!(f, "{whole}.{rest:02}"),
        }
    }
}

/// A text that XML and HTML take as text.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            character if is_hostile(character) => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

/// The repair pattern: calls that ran again.
const DEFS: &str = "<defs><pattern id=\"again\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
patternTransform=\"rotate(45)\"><rect width=\"6\" height=\"6\" fill=\"#facc15\"/>\
<rect width=\"3\" height=\"6\" fill=\"#854d0e\"/></pattern></defs>\n";

/// Colors of hot keys are told apart also by people who do not see red and green apart, and stand
/// out from gray on both papers.
const STYLE: &str = "
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#1c2128}
.paper{fill:#fff}.track{fill:#f3f4f6}.busy{fill:#e2e5e9}
.title{font-size:13px;fill:#69707a}.headline{font-size:19px;font-weight:650}.verdict{font-size:14px;fill:#4b525c}
.head{font-size:13px;font-weight:650}.note{font-size:11.5px;fill:#69707a}.label{font-size:12.5px}.halo{paint-order:stroke;stroke:#fff;stroke-width:3px}
.key{font-size:12px;font-family:ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace}
.big{font-size:12.5px;font-weight:650}.in{font-size:11px;fill:#fff}.infree{font-size:11px;fill:#4b525c}
.grid{stroke:#d5d9de;stroke-width:1;fill:none}.axis{stroke:#9aa1ab;stroke-width:1;fill:none}
.workers{stroke:#1c2128;stroke-width:1.2;stroke-dasharray:5 4;fill:none}
.k0{fill:#e5343d}.k1{fill:#f08c00}.k2{fill:#7c5cff}.k3{fill:#0d9f8f}.k4{fill:#2f80ed}.k5{fill:#d053b0}
.other{fill:#5f7a9c}.free{fill:#b9c0c9}.again{fill:url(#again)}
.chain{fill:#1c2128}.hop{stroke:#1c2128;stroke-width:1.2;fill:none;opacity:.75}
.lane0{fill:#8f98a3}.lane1{fill:#cdd2d8}.lanes{fill:#aeb5be}
.p0{fill:#a9bfdc}.p1{fill:#7f9fca}.p2{fill:#e2e5e9}.p3{fill:#facc15}
.reached{fill:#1c2128}.possible{fill:#9aa6b5}.serial{fill:#d5d9de}
@media (prefers-color-scheme:dark){
text{fill:#e6e8eb}.paper{fill:#14171c}.track{fill:#1d2229}.busy{fill:#2b313a}
.title,.note{fill:#99a1ac}.verdict{fill:#b7bec8}.halo{stroke:#14171c}.in{fill:#14171c}.infree{fill:#d5d9de}
.grid{stroke:#323944}.axis{stroke:#69727f}.workers{stroke:#e6e8eb}
.k0{fill:#ff5a5f}.k1{fill:#ffa62b}.k2{fill:#9d84ff}.k3{fill:#2ec4b6}.k4{fill:#5aa2ff}.k5{fill:#e879c9}
.other{fill:#7f9bbd}.free{fill:#59626f}
.chain{fill:#fff}.hop{stroke:#fff}.lane0{fill:#7b8591}.lane1{fill:#3d4550}.lanes{fill:#5a636f}
.p0{fill:#3c567c}.p1{fill:#56769f}.p2{fill:#2b313a}
.reached{fill:#fff}.possible{fill:#6d7887}.serial{fill:#3d4550}
}
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let text = |number| Number(number).to_string();
        assert_eq!(text(3.0), "3");
        assert_eq!(text(3.456), "3.46");
        assert_eq!(text(0.04), "0.04");
        assert_eq!(text(2.5), "2.5");
        assert_eq!(text(-0.25), "-0.25");
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escaped("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
        assert_eq!(escaped("\u{0}\u{202e}"), "\u{fffd}\u{fffd}");
    }
}
