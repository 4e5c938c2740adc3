//! The book as a whole: every page is reached, every link leads somewhere, every example is
//! compiled.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use tollway_book::page::{anchors, blocks, links};
use tollway_book::{EXAMPLES, TUTORIAL, WALKED, pages_folder};

/// Pages by their paths in the folder, with what they include put in.
fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    let mut folders = vec![pages_folder()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("the folder is there") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.strip_prefix(pages_folder()).expect("it is below");
                let name = name.to_str().expect("names are text").to_owned();
                pages.insert(name, included(&path));
            }
        }
    }
    pages
}

fn included(path: &Path) -> String {
    let text = read(path);
    let mut whole = String::new();
    for line in text.lines() {
        let file = line.strip_prefix("{{#include ").and_then(|rest| rest.strip_suffix("}}"));
        match file {
            Some(file) => whole += &read(&path.with_file_name("").join(file)),
            None => whole += line,
        }
        whole.push('\n');
    }
    whole
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

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
    for (name, text) in &pages {
        // What is included has links from where it lies.
        let source = read(&pages_folder().join(name));
        for (line, target) in links(&source) {
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
                    None => anchor.is_empty() && pages_folder().join(&path).is_file(),
                }
            };
            if !leads {
                faults.push(format!("src/{name}:{line}: {target}"));
            }
        }
    }
    assert!(faults.is_empty(), "these lead nowhere:\n{}", faults.join("\n"));
}

/// A link of a page, from the folder of all pages.
fn joined(page: &str, link: &str) -> String {
    let mut path = PathBuf::new();
    for part in Path::new(page).with_file_name("").join(link).components() {
        match part {
            Component::ParentDir => {
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
        let has_rust = blocks.iter().any(|block| block.language == "rust");
        let is_compiled = EXAMPLES.contains(&&name[..]) || name == TUTORIAL;
        assert_eq!(has_rust, is_compiled, "{name} and the list in check/lib.rs do not agree");
    }
}

/// Families and contracts of a page's table or headings are those of `contracts/`.
#[test]
fn the_suite_has_what_it_tells_of() {
    let pages = pages();
    let contracts = pages_folder().join("../../contracts");
    let rows = pages["suite-table.md"].lines().filter_map(|row| row.strip_prefix("| `"));
    let mut told = BTreeSet::new();
    for row in rows {
        let mut cells = row.split('|').map(|cell| cell.trim().trim_matches('`'));
        let (name, family) = (cells.next().unwrap_or(""), cells.next().unwrap_or(""));
        let source = contracts.join(family).join(name).join("src/lib.rs");
        assert!(source.is_file(), "there is no {name} in the family {family}");
        let page = pages.get(&format!("suite/{family}.md"));
        let has_part = page.is_some_and(|page| page.contains(&format!("\n## {name}\n")));
        assert!(has_part, "suite/{family}.md says nothing of {name}");
        told.insert(name.to_owned());
    }
    let is_family = |page: &str| page.starts_with("suite/") && page != "suite/index.md";
    let parts = pages.iter().filter(|(page, _)| is_family(page));
    for (page, text) in parts {
        for name in text.lines().filter_map(|line| line.strip_prefix("## ")) {
            assert!(told.contains(name), "{name} of {page} is not in suite-table.md");
        }
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
