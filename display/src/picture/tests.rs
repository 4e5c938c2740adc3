//! The picture of hand-made runs: well-formed, bounded, and saying the right words.

use super::*;
use crate::fixture;
use tollway::BlockTrace;

fn picture(trace: &BlockTrace) -> String {
    let run = Run {
        title: "test".into(),
        trace,
        serial_ns: Some(2_000_000),
        parallel_ns: Some(1_000_000),
    };
    svg(&run)
}

/// A strict little reader of the XML that we write: tags nest, attributes are quoted, texts hold
/// no markup. Returns the texts.
fn texts(document: &str) -> Vec<String> {
    let mut open = Vec::new();
    let mut texts = Vec::new();
    let mut rest = document;
    while let Some(start) = rest.find('<') {
        let (text, markup) = rest.split_at(start);
        assert!(!text.contains('>'), "stray markup in {text:?}");
        let entities = text.matches('&').count();
        let known = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"];
        assert_eq!(
            entities,
            known.iter().map(|known| text.matches(known).count()).sum::<usize>(),
            "{text:?}"
        );
        if !text.trim().is_empty() {
            texts.push(text.to_owned());
        }
        let end = markup.find('>').expect("a tag ends");
        let tag = &markup[1..end];
        assert!(!tag.contains('<'), "markup in tag {tag:?}");
        assert!(tag.matches('"').count().is_multiple_of(2), "quotes in tag {tag:?}");
        let name = tag
            .trim_start_matches('/')
            .split([' ', '/'])
            .next()
            .expect("a tag has a name")
            .to_owned();
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name.as_str()), "closing tags match");
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        rest = &markup[end + 1..];
    }
    assert!(open.is_empty(), "unclosed: {open:?}");
    texts
}

fn says(trace: &BlockTrace, expected: &str) {
    let texts = texts(&picture(trace)).join("\n");
    assert!(texts.contains(expected), "{expected:?} is not in:\n{texts}");
}

#[test]
fn headline_names_workers_calls_speedup_and_hot_key() {
    let trace = fixture::run(1_000, 2, |_| Some(17));
    says(
        &trace,
        "2 workers · 1,000 calls · speed-up 2.0 of 1.0 possible · hot key: dex.reserves[17] (1,000 calls in a row)",
    );
    says(
        &trace,
        "Nearly every call is in the queue for dex.reserves[17]: more workers cannot help.",
    );
    says(&trace, "1,000 steps, one after another: the last 999 only for dex.reserves[17]");
}

#[test]
fn a_block_without_waits_has_no_hot_key() {
    let trace = fixture::run(100, 2, |_| None);
    says(&trace, "no hot key");
    says(&trace, "No call waits for another one: all of them could run at once.");
    says(&trace, "every call can run in the first step");
}

#[test]
fn repaired_calls_are_counted() {
    let mut trace = fixture::run(20, 2, |_| None);
    trace.calls[3].repaired = true;
    says(&trace, "1 call ran again in repair.");
    says(&trace, "ran again in repair");
}

#[test]
fn degenerate_traces_are_drawn() {
    says(&BlockTrace::default(), "The block is empty.");
    let mut broken = fixture::run(5, 1, |_| Some(1));
    broken.calls[4].worker = u32::MAX;
    broken.calls[3].end_ns = 0;
    broken.calls[2].waits_for = vec![2, 3, 77];
    broken.phases.reverse();
    broken.plan = Default::default();
    texts(&picture(&broken));
}

#[test]
fn names_cannot_break_the_picture() {
    let mut trace = fixture::run(8, 2, |_| Some(0));
    let name = "</text><script>alert(1)</script>\"'&\u{0}\u{7}";
    for call in &mut trace.calls {
        call.contract = name.into();
        call.method = name.into();
        call.waits_on = name.into();
    }
    trace.hot_keys[0].name = name.into();
    let document = picture(&trace);
    texts(&document);
    assert!(!document.contains("<script"));
    let section = Section {
        heading: name.into(),
        run: Run { title: name.into(), trace: &trace, serial_ns: None, parallel_ns: None },
    };
    let page = page(name, name, &[section]);
    assert_eq!(page.matches("alert(1)</script>").count(), 0);
    assert_eq!(page.matches("</script>").count(), 2);
}

#[test]
fn size_does_not_follow_the_calls() {
    let small = picture(&fixture::run(2_000, 4, fixture::zipf(64))).len();
    let large = picture(&fixture::run(20_000, 4, fixture::zipf(64))).len();
    assert!(large < 150_000, "{large} bytes");
    assert!(large < small * 2, "{small} bytes grew to {large}");
}

#[test]
fn nothing_is_fetched() {
    let trace = fixture::run(300, 2, fixture::zipf(16));
    let run = || Run { title: "test".into(), trace: &trace, serial_ns: None, parallel_ns: None };
    let page = page("title", "intro", &[Section { heading: String::new(), run: run() }]);
    for document in [svg(&run()), page] {
        let namespace = "http://www.w3.org/2000/svg";
        let rest = document.replace(namespace, "");
        for load in ["http", "src=", "@import", "@font-face", "href", "fetch(", "import("] {
            assert!(!rest.contains(load), "{load}");
        }
    }
}

#[test]
fn every_call_of_a_small_block_is_a_bar() {
    let trace = fixture::run(12, 2, |index| (index % 3 > 0).then_some(index % 3));
    let document = picture(&trace);
    let bars = document.matches("<title>call ").count();
    assert_eq!(bars, 12);
    assert!(document.contains("waits for call 8 on dex.reserves[2]"));
}

#[test]
fn the_page_tells_about_every_call() {
    let trace = fixture::run(50, 2, fixture::zipf(4));
    let run = Run { title: "test".into(), trace: &trace, serial_ns: None, parallel_ns: None };
    let page = page("title", "", &[Section { heading: String::new(), run }]);
    let start = "<script type=\"application/json\">";
    let from = page.find(start).expect("the page holds the calls") + start.len();
    let json = &page[from..from + page[from..].find("</script>").expect("the calls end")];
    let told: serde_json::Value = serde_json::from_str(json).expect("the calls are JSON");
    let calls = told["calls"].as_array().expect("calls are a list");
    assert_eq!(calls.len(), 50);
    for (index, call) in calls.iter().enumerate() {
        let source = call[6].as_i64().expect("a source");
        assert!((-1..index as i64).contains(&source));
        assert_eq!(told["names"][call[3].as_u64().expect("a name") as usize], "dex.swap");
    }
}
