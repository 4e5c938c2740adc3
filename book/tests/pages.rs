//! The book as a whole: every page is reached, every link leads somewhere, every example is
//! compiled.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use tollway_book::page::{Block, anchors, blocks, links};
use tollway_book::{EXAMPLES, TUTORIAL, WALKED, markdown_below, pages, pages_folder, read};

/// Pages that the summary leads to, and pages that others include.
const NOT_IN_SUMMARY: [&str; 3] = ["SUMMARY.md", "suite-table.md", "suite-measured.md"];

#[test]
fn every_page_is_in_the_summary_once() {
    let pages = pages();
    let listed = links(&pages["SUMMARY.md"]);
    let names: BTreeSet<&str> = listed.iter().map(|(_, target)| &target[..]).collect();
    assert_eq!(names.len(), listed.len(), "the summary has a page twice");
    for name in pages.keys().filter(|name| !NOT_IN_SUMMARY.contains(&&name[..])) {
        assert!(names.contains(&name[..]), "{name} is not in SUMMARY.md");
    }
}

#[test]
fn links_lead_somewhere() {
    let pages = pages();
    let mut faults = Vec::new();
    // The suite's table has links from the page that includes it.
    let parts = ["suite-table.md", "suite-measured.md"];
    for (name, text) in pages.iter().filter(|(name, _)| !parts.contains(&&name[..])) {
        // What else is included has links from where it lies.
        let source =
            if name == "suite/index.md" { text } else { &read(&pages_folder().join(name)) };
        for (line, target) in links(source) {
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let leads = if file.is_empty() {
                anchors(text).contains(anchor)
            } else {
                let path = joined(name, file);
                match pages.get(&path) {
                    Some(page) => anchor.is_empty() || anchors(page).contains(anchor),
                    None => anchor.is_empty() && pages_folder().join(&path).exists(),
                }
            };
            if !leads {
                faults.push(format!("src/{name}:{line}: {target}"));
            }
        }
    }
    assert!(faults.is_empty(), "these lead nowhere:\n{}", faults.join("\n"));
}

/// Links of what is read in the repository, not in the book.
#[test]
fn links_of_documents_lead_somewhere() {
    let root = pages_folder().join("../..");
    let in_root = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];
    let mut documents: Vec<PathBuf> = in_root.iter().map(|name| root.join(name)).collect();
    for folder in ["docs", "contracts"] {
        documents.extend(markdown_below(&root.join(folder)));
    }
    let mut faults = Vec::new();
    for document in &documents {
        for (line, target) in links(&read(document)) {
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = match file {
                "" => document.clone(),
                file => document.with_file_name("").join(file),
            };
            let has_anchor = || anchors(&read(&path)).contains(anchor);
            let leads = path.exists() && (anchor.is_empty() || has_anchor());
            if !leads && !target.contains("://") {
                faults.push(format!("{}:{line}: {target}", document.display()));
            }
        }
    }
    assert!(faults.is_empty(), "these lead nowhere:\n{}", faults.join("\n"));
}

/// A link of a page, from the folder of all pages; `..` at the front is above that.
fn joined(page: &str, link: &str) -> String {
    let mut path = PathBuf::new();
    for part in Path::new(page).with_file_name("").join(link).components() {
        match part {
            Component::ParentDir if path.file_name().is_some() => {
                path.pop();
            }
            part => path.push(part),
        }
    }
    path.to_str().expect("names are text").to_owned()
}

/// Languages of blocks: `rust` is compiled, `rs` is another system's code, shown to compare.
const LANGUAGES: [&str; 11] =
    ["rust", "rs", "solidity", "text", "console", "json", "toml", "c", "sh", "yaml", "typescript"];

#[test]
fn every_example_is_compiled() {
    for (name, text) in pages() {
        let blocks = blocks(&text);
        for block in &blocks {
            let language = &block.language[..];
            assert!(LANGUAGES.contains(&language), "{name}: line {}: {language:?}", block.line);
            let ignored = block.attributes.iter().any(|attribute| attribute == "ignore");
            assert!(!ignored, "{name}: line {}: an example that nobody compiles", block.line);
            let foreign = language == "rs" && !name.starts_with("porting/");
            assert!(!foreign, "{name}: line {}: write `rust`", block.line);
        }
        let is_typed = blocks.iter().any(|block| block.language == "console");
        assert_eq!(is_typed, WALKED.contains(&&name[..]), "{name} and WALKED do not agree");
        // What is quoted from a contract is compiled there; `tests/suite.rs` compares.
        let is_example = |block: &&Block| block.attribute("from").is_none();
        let has_rust = blocks.iter().filter(is_example).any(|block| block.language == "rust");
        let is_compiled = EXAMPLES.contains(&&name[..]) || name == TUTORIAL;
        assert_eq!(has_rust, is_compiled, "{name} and the list in check/lib.rs do not agree");
    }
}

/// Bounds that pages name are those of the code.
#[test]
fn bounds_are_those_of_the_code() {
    use tollway::engine::gas::GROWN_GAS;
    use tollway_sdk::host_api::key::KEY_BYTES_MAX;
    use tollway_sdk::host_api::window::*;
    let limits = tollway::Limits::default();
    let kib = |bytes: usize| bytes >> 10;
    let number = |number: usize| match number {
        0..1_000 => number.to_string(),
        _ => format!("{},{:03}", number / 1_000, number % 1_000),
    };
    let declared = number(limits.access_keys_max);
    let pages = pages();
    for (page, text) in [
        ("access/declarations.md", format!("at most {} templates", limits.templates_max)),
        ("access/declarations.md", format!("at most {declared} keys")),
        ("access/declarations.md", format!("A key has at most {KEY_BYTES_MAX} bytes")),
        ("access/misses.md", format!("| {WINDOW_SLOTS_MAX}, in the order")),
        ("access/misses.md", format!("at most {WINDOW_VALUE_BYTES_MAX} bytes: numbers")),
        ("access/misses.md", format!("together | {} bytes", number(WINDOW_HEAP_BYTES))),
        ("access/misses.md", format!("arguments | {WINDOW_ARGS_BYTES_MAX} bytes")),
        ("access/misses.md", format!("immutables | {WINDOW_IMMUTABLES_BYTES_MAX} bytes")),
        ("access/misses.md", format!("output | {WINDOW_OUTPUT_BYTES_MAX} bytes")),
        ("access/misses.md", format!("events | {WINDOW_EVENTS_BYTES_MAX} bytes")),
        ("parts/calls.md", format!("At most {} contracts", limits.call_depth_max)),
        ("parts/events.md", format!("at most {} events", number(limits.events_max))),
        ("parts/events.md", format!("at most {} KiB", kib(limits.event_bytes_max))),
        ("parts/immutables.md", format!("at most {} KiB", kib(limits.immutables_bytes_max))),
        ("parts/storage.md", format!("at most {} KiB", kib(limits.value_bytes_max))),
        ("parts/transient.md", format!("At most {} keys", number(limits.transient_keys_max))),
        ("patterns/groups.md", format!("at most {declared} keys")),
        ("other-languages.md", format!("pays {} gas", number(GROWN_GAS as usize))),
    ] {
        assert!(pages[page].contains(&text), "{page} does not say {text:?}");
    }
}
