//! The baseline as a file, and how counts compare with it.

use std::fmt::Write;

/// Counts, by phase, in order.
pub(crate) type Counts = Vec<(String, u64)>;

/// More than this many parts of a hundred above the baseline is a regression: of a total, or of what
/// the phase adds to its case's total. Totals move by up to 0.9 %, because hash seeds differ between
/// runs; a phase moves by up to 1 % of the total (resolve of `hot-composed`, 3,612 to 3,963 of
/// 36,800), because of how far the few keys that every call names are from where their search starts.
const TOLERANCE_PCT: u64 = 2;

/// So many instructions may always come and go: small totals move by more than their percentage.
const TOLERANCE: u64 = 20;

/// The counts of all cases, and what they were made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Baseline {
    pub(crate) environment: String,
    pub(crate) reset: Option<String>,
    pub(crate) cases: Vec<(String, Counts)>,
}

impl Baseline {
    pub(crate) fn new(environment: String, reset: Option<String>) -> Self {
        Self { environment, reset, cases: Vec::new() }
    }

    /// Reads what [`Self::text`] writes.
    ///
    /// # Errors
    /// A message that names the line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut baseline = Self::new(String::new(), None);
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            let wrong = || format!("line {number} is none that --update writes: {line:?}");
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                baseline.cases.push((name.to_owned(), Counts::new()));
                continue;
            }
            let (key, value) = line.split_once('=').ok_or_else(wrong)?;
            let (key, value) = (key.trim(), value.trim());
            let quoted = || value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            match (baseline.cases.last_mut(), key) {
                (None, "environment") => baseline.environment = quoted().ok_or_else(wrong)?.into(),
                (None, "reset") => baseline.reset = Some(quoted().ok_or_else(wrong)?.into()),
                (None, _) => return Err(wrong()),
                (Some((_, counts)), phase) => {
                    let count = value.replace('_', "").parse().map_err(|_| wrong())?;
                    counts.push((phase.to_owned(), count));
                }
            }
        }
        Ok(baseline)
    }

    /// The file.
    pub(crate) fn text(&self) -> String {
        let mut text = "# Instructions a swap on one thread, by phase, counted by callgrind; the \
                        total has what is in no phase too.\n# Written by `cargo xtask instructions \
                        --update`, which commits that change them run.\n"
            .to_owned();
        let mut line = |line: std::fmt::Arguments<'_>| {
            // Writing to a string never fails.
            let _ = writeln!(text, "{line}");
        };
        line(format_args!("environment = \"{}\"", self.environment));
        if let Some(reset) = &self.reset {
            line(format_args!("reset = \"{reset}\""));
        }
        for (name, counts) in &self.cases {
            line(format_args!("\n[{name}]"));
            for (phase, count) in counts {
                line(format_args!("{phase} = {count}"));
            }
        }
        text
    }

    /// What the counts were made with.
    pub(crate) fn about(&self) -> String {
        format!("{}; reset {}", self.environment, self.reset.as_deref().unwrap_or("default"))
    }

    /// The counts for people, beside those of `old`.
    pub(crate) fn table(&self, old: Option<&Self>) -> String {
        let mut text = String::new();
        for (name, counts) in &self.cases {
            let _ = writeln!(text, "{name}, instructions a swap");
            for (phase, count) in counts {
                let _ = write!(text, "  {phase:<8} {count:>8}");
                if let Some(before) = old.and_then(|old| old.count(name, phase)) {
                    let change = (*count as f64 - before as f64) * 100.0 / before.max(1) as f64;
                    let _ = write!(text, "   baseline {before:>8}   {change:+.1} %");
                }
                text.push('\n');
            }
        }
        text
    }

    /// What grew beyond the tolerance, or is in one of both only.
    pub(crate) fn regressions(&self, old: &Self) -> Vec<String> {
        let mut worse = Vec::new();
        for (name, counts) in &self.cases {
            let total = old.count(name, "total").unwrap_or(0);
            for (phase, count) in counts {
                match old.count(name, phase) {
                    None => worse.push(format!("{name} {phase}: not in the baseline")),
                    Some(before) if *count > most(before, total) => {
                        worse.push(format!("{name} {phase}: {count}, baseline {before}"));
                    }
                    Some(_) => {}
                }
            }
        }
        for (name, counts) in &old.cases {
            let gone = counts.iter().filter(|(phase, _)| self.count(name, phase).is_none());
            worse.extend(gone.map(|(phase, _)| format!("{name} {phase}: no longer counted")));
        }
        worse
    }

    fn count(&self, name: &str, phase: &str) -> Option<u64> {
        let (_, counts) = self.cases.iter().find(|(found, _)| found == name)?;
        counts.iter().find(|(found, _)| found == phase).map(|(_, count)| *count)
    }
}

/// The most that is still no regression, of a count of a case with this total.
fn most(before: u64, total: u64) -> u64 {
    before.saturating_add(TOLERANCE.max(total.saturating_mul(TOLERANCE_PCT) / 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline(counts: &[(&str, u64)]) -> Baseline {
        let counts = counts.iter().map(|(phase, count)| ((*phase).to_owned(), *count)).collect();
        Baseline {
            cases: vec![("hot".to_owned(), counts)],
            ..Baseline::new("here; now".into(), Some("zero".into()))
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let one = baseline(&[("plan", 1_234), ("total", 20_000)]);
        assert_eq!(Baseline::parse(&one.text()), Ok(one.clone()));
        let spaced = one.text().replace("plan = 1234", "  plan=1_234  # no");
        assert!(Baseline::parse(&spaced).is_err());
        let default = Baseline { reset: None, ..one };
        assert_eq!(Baseline::parse(&default.text()), Ok(default));
    }

    #[test]
    fn other_lines_are_refused() {
        for text in ["plan = 3", "nothing", "[hot]\nplan = many", "environment = here"] {
            assert!(Baseline::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn growth_beyond_the_tolerance_is_a_regression() {
        let old = baseline(&[("plan", 100), ("total", 10_000)]);
        let check = |counts: &[(&str, u64)], expected: &[&str]| {
            assert_eq!(baseline(counts).regressions(&old), expected);
        };
        check(&[("plan", 100), ("total", 10_000)], &[]);
        check(&[("plan", 300), ("total", 10_200)], &[]);
        check(&[("plan", 1), ("total", 1)], &[]);
        check(&[("plan", 301), ("total", 10_000)], &["hot plan: 301, baseline 100"]);
        check(&[("plan", 100), ("total", 10_201)], &["hot total: 10201, baseline 10000"]);
        check(&[("plan", 100)], &["hot total: no longer counted"]);
        check(&[("plan", 100), ("total", 1), ("more", 1)], &["hot more: not in the baseline"]);
    }

    #[test]
    fn the_table_shows_both() {
        let (old, new) = (baseline(&[("plan", 100)]), baseline(&[("plan", 150)]));
        assert!(new.table(Some(&old)).contains("150   baseline      100   +50.0 %"));
        assert!(!new.table(None).contains("baseline"));
    }
}
