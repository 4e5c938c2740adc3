//! Reads what callgrind writes: how many instructions each function took, and what it called.
//!
//! ```text
//! fn=(3) tollway::plan::plan      the function that the next lines belong to
//! 17 120                          at line 17, 120 instructions of its own
//! cfn=(4) malloc                  a call …
//! calls=9 40                      … nine times …
//! 17 900                          … of 900 instructions in all
//! ```
//!
//! Names are given once and numbered afterwards; lines may be relative. Other records are skipped.

use std::collections::BTreeMap;

/// The counts of one run.
#[derive(Debug)]
pub(crate) struct Profile {
    by_name: BTreeMap<String, u64>,
}

impl Profile {
    /// Reads a profile with one event, instructions.
    ///
    /// # Errors
    /// A message that names the line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut names: BTreeMap<&str, &str> = BTreeMap::new();
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        let mut current = None;
        let mut is_whole = false;
        for (number, line) in (1..).zip(text.lines()) {
            let wrong = |what: &str| format!("line {number}: {what}: {line:?}");
            if let Some(name) = line.strip_prefix("fn=") {
                let (id, given) = split_name(name).ok_or_else(|| wrong("no function"))?;
                names.extend(given.map(|name| (id, name)));
                current = Some(id);
            } else if let Some(name) = line.strip_prefix("cfn=") {
                let (id, given) = split_name(name).ok_or_else(|| wrong("no function"))?;
                names.extend(given.map(|name| (id, name)));
            } else if let Some(events) = line.strip_prefix("events:") {
                if events.trim() != "Ir" {
                    return Err(wrong("other events than instructions"));
                }
            } else if line.starts_with("totals:") {
                is_whole = true;
            } else if line
                .starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first))
            {
                // Its own, or of the call in the line before: both are inclusive.
                let count = line.split(' ').nth(1).unwrap_or("0");
                let count: u64 = count.parse().map_err(|_| wrong("no number"))?;
                let function = current.ok_or_else(|| wrong("a count of no function"))?;
                *counts.entry(function).or_default() += count;
            }
        }
        if !is_whole {
            return Err("it has no total; was the run cut short?".into());
        }
        let mut by_name: BTreeMap<String, u64> = BTreeMap::new();
        for (id, count) in counts {
            // One function may be in several objects, each with a number of its own.
            let name = names.get(id).ok_or_else(|| format!("function {id} has no name"))?;
            *by_name.entry((*name).to_owned()).or_default() += count;
        }
        Ok(Self { by_name })
    }

    /// Instructions in a function that does not call itself, and in all that it calls.
    pub(crate) fn inclusive(&self, name: &str) -> Option<u64> {
        self.by_name.get(name).copied()
    }
}

/// `(3) plan` is number `(3)`, named now; `(3)` was named before.
fn split_name(text: &str) -> Option<(&str, Option<&str>)> {
    let end = text.find(')')? + 1;
    let name = text[end..].trim();
    Some((&text[..end], (!name.is_empty()).then_some(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "\
version: 1
creator: callgrind-3.19.0
positions: line
events: Ir
summary: 1135

ob=(1) /bin/x
fl=(1) a.rs
fn=(3) main
16 100
cfi=(2) b.rs
cfn=(4) tollway::plan::plan
calls=1 50
16 920
+2 5
fn=(4)
fi=(2)
50 20
fe=(1)
* 10
cfn=(5) malloc
calls=9 40
-3 890

fn=(5)
40 110

totals: 1135
";

    #[test]
    fn counts_include_what_is_called() {
        let profile = Profile::parse(SAMPLE).expect("the sample is sound");
        assert_eq!(profile.inclusive("main"), Some(1025));
        assert_eq!(profile.inclusive("tollway::plan::plan"), Some(920));
        assert_eq!(profile.inclusive("malloc"), Some(110));
        assert_eq!(profile.inclusive("plan"), None);
    }

    #[test]
    fn what_is_cut_or_wrong_is_refused() {
        let check = |text: &str, expected: &str| {
            let error = Profile::parse(text).expect_err("it is wrong");
            assert!(error.contains(expected), "{error}");
        };
        check(&SAMPLE.replace("totals: 1135\n", ""), "no total");
        check(&SAMPLE.replace("* 10", "* ten"), "line 20: no number");
        check(&SAMPLE.replace("events: Ir", "events: Ir Dr"), "other events");
        check("7 7\ntotals: 7", "a count of no function");
        check("fn=(1)\n7 7\ntotals: 7", "function (1) has no name");
        check("fn=main\ntotals: 7", "no function");
    }
}
