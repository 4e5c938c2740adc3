//! What is said of the sample contracts, in the book and in their READMEs, is true of them: all are
//! told of, by the methods that they have, and what pages quote is in their sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tollway::Limits;
use tollway::engine::validate::validate;
use tollway_book::page::blocks;
use tollway_book::{pages, pages_folder, read};
use tollway_host_api::Abi;
use tollway_host_api::abi::{INIT_METHOD, Mutability};

/// Folders of `contracts` whose contracts are not to be copied from: what others are measured by,
/// other languages, and no contracts at all.
const NOT_FAMILIES: [&str; 4] = ["bench", "foreign", "interfaces", "wasm"];

/// A sample contract.
struct Sample {
    name: String,
    family: String,
    readme: String,
    abi: Abi,
}

fn contracts_folder() -> PathBuf {
    pages_folder().join("../../contracts")
}

fn folders_in(path: PathBuf) -> Vec<String> {
    let entries = path.read_dir().expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let names = paths.filter(|path| path.is_dir()).map(|path| {
        let name = path.file_name().expect("it has a name");
        name.to_str().expect("names are text").to_owned()
    });
    names.collect()
}

fn samples() -> Vec<Sample> {
    let families = folders_in(contracts_folder());
    let families = families.into_iter().filter(|name| !NOT_FAMILIES.contains(&&name[..]));
    let mut samples = Vec::new();
    for family in families {
        for name in folders_in(contracts_folder().join(&family)) {
            let readme = contracts_folder().join(&family).join(&name).join("README.md");
            let compiled = tollway_contracts_wasm::ALL.iter().find(|(other, _)| *other == name);
            let (_, wasm) = compiled.unwrap_or_else(|| panic!("{name} is not compiled"));
            let code = validate(wasm, &Limits::default()).expect("it may be uploaded");
            samples.push(Sample {
                readme: read(&readme),
                name,
                family: family.clone(),
                abi: code.abi,
            });
        }
    }
    assert!(samples.len() > 20, "these are all: {}", samples.len());
    samples
}

#[test]
fn every_contract_is_in_the_table_and_on_the_page_of_its_family() {
    let pages = pages();
    let mut missing = Vec::new();
    for Sample { name, family, .. } in samples() {
        let row = format!("| [`{name}`]({family}.md#{name}) |");
        if !pages["suite-table.md"].lines().any(|line| line.starts_with(&row)) {
            missing.push(format!("suite-table.md has no row that starts with {row}"));
        }
        let page = pages.get(&format!("suite/{family}.md")).map_or("", |page| page);
        if !page.contains(&format!("\n## {name}\n")) {
            missing.push(format!("suite/{family}.md has no part ## {name}"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_contract_that_the_book_tells_of_exists() {
    let samples = samples();
    let exists = |name: &str, family: &str| {
        samples.iter().any(|sample| sample.name == name && sample.family == family)
    };
    let pages = pages();
    let rows = pages["suite-table.md"].lines().filter_map(|line| line.strip_prefix("| [`"));
    let mut told = BTreeSet::new();
    for row in rows {
        let (name, rest) = row.split_once("`](").expect("a row starts with a link");
        let (family, _) = rest.split_once(".md#").expect("it leads to the part of a page");
        assert!(exists(name, family), "suite-table.md: {family} has no {name}");
        assert!(told.insert(name), "suite-table.md has {name} twice");
    }
    for (page, text) in &pages {
        let family = page.strip_prefix("suite/").and_then(|page| page.strip_suffix(".md"));
        let Some(family) = family.filter(|family| *family != "index") else { continue };
        for name in text.lines().filter_map(|line| line.strip_prefix("## ")) {
            assert!(exists(name, family), "{page}: {family} has no {name}");
        }
    }
}

/// The last column is what the ABI says: a contract has a cell there if it has immutables.
#[test]
fn the_table_knows_who_has_immutables() {
    let pages = pages();
    for Sample { name, abi, .. } in samples() {
        let start = format!("| [`{name}`](");
        let row = pages["suite-table.md"].lines().find(|line| line.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("{name} has no row"));
        let cell = row.trim_end_matches('|').rsplit('|').next().map_or("", str::trim);
        assert_eq!(cell.is_empty(), abi.immutables.is_empty(), "{name}: {cell:?}");
    }
}

#[test]
fn parts_of_family_pages_have_one_form() {
    let mut faults = Vec::new();
    for Sample { name, family, .. } in samples() {
        let folder = format!("contracts/{family}/{name}");
        let tests = contracts_folder().join(&family).join(&name).join("tests");
        // What is included is put in already.
        let text = &read(&pages_folder().join(format!("suite/{family}.md")));
        let part = text.split_once(&format!("\n## {name}\n")).map_or("", |(_, rest)| rest);
        let part = part.split("\n## ").next().unwrap_or_default();
        for wanted in [
            format!("{{{{#include ../../../{folder}/README.md:how}}}}"),
            format!("[`{folder}`](../../../{folder})"),
            "| two calls | conflict |".to_owned(),
            format!("```rust,from={family}/{name}/src/"),
        ] {
            if !part.contains(&wanted) {
                faults
                    .push(format!("suite/{family}.md does not have in its part {name}: {wanted}"));
            }
        }
        // Which test requires what the part says of conflicts.
        let test = part.split_once("Test:").and_then(|(_, rest)| rest.split('`').nth(1));
        if tests.is_dir() && !test.is_some_and(|test| has_test(&tests, test)) {
            faults.push(format!("suite/{family}.md, {name}: there is no test {test:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn has_test(folder: &Path, name: &str) -> bool {
    let start = format!("fn {name}() ");
    folder.read_dir().expect("the folder is there").any(|entry| {
        let path = entry.expect("it can be listed").path();
        path.extension().is_some_and(|extension| extension == "rs") && read(&path).contains(&start)
    })
}

/// What is quoted with `from=PATH`, a path below `contracts`, is there line by line; `// …` stands for
/// lines that are left out.
#[test]
fn quotes_are_in_the_sources() {
    let mut faults = Vec::new();
    let mut count = 0;
    for (page, text) in pages() {
        for block in blocks(&text) {
            let Some(from) = block.attribute("from") else { continue };
            count += 1;
            let source = read(&contracts_folder().join(from));
            if let Err(part) = is_quoted(&block.text, &source) {
                faults.push(format!("{page}:{}: {from} does not have\n{part}", block.line));
            }
        }
    }
    assert!(count > 0, "nothing is quoted");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Whether the parts of a quote are in a source, one after another. If not, the part that is not.
fn is_quoted(quote: &str, source: &str) -> Result<(), String> {
    let source: Vec<&str> = source.lines().map(str::trim).collect();
    let quote: Vec<&str> = quote.lines().map(str::trim).collect();
    let mut rest = &source[..];
    for part in quote.split(|line| *line == "// …").filter(|part| !part.is_empty()) {
        let found = rest.windows(part.len()).position(|lines| lines == part);
        let at = found.ok_or_else(|| part.join("\n"))?;
        rest = &rest[at + part.len()..];
    }
    Ok(())
}

#[test]
fn a_quote_that_is_not_there_is_told() {
    let source = "    a;\n    b;\n\n    c;\n    d;\n";
    for good in ["a;\nb;\n", "a;\n// …\nc;\n", "    b;\n\n    c;\n"] {
        assert_eq!(is_quoted(good, source), Ok(()), "{good:?}");
    }
    for bad in ["b;\na;\n", "a;\nc;\n", "c;\n// …\na;\n", "a;\nx;\n"] {
        assert!(is_quoted(bad, source).is_err(), "{bad:?}");
    }
}

#[test]
fn readmes_have_one_form() {
    let mut faults = Vec::new();
    for Sample { name, readme, .. } in samples() {
        let starts = format!("# {name}\n\n<!-- ANCHOR: how -->\n");
        if !readme.starts_with(&starts) {
            faults.push(format!("{name}/README.md does not start with {starts:?}"));
        }
        for wanted in ["\n<!-- ANCHOR_END: how -->\n", "\n**Conflicts.** "] {
            if !readme.contains(wanted) {
                faults.push(format!("{name}/README.md does not have {wanted:?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Every method that changes something is in the README, and what looks like a call there, such as
/// `deposit(token, amount)`, is a method with these parameters; `..` stands for any.
#[test]
fn readmes_name_the_methods_that_there_are() {
    let mut faults = Vec::new();
    for Sample { name, readme, abi, .. } in samples() {
        let methods: BTreeMap<&str, Vec<&str>> = abi
            .methods
            .iter()
            .map(|method| {
                (&method.name[..], method.params.iter().map(|param| &param.name[..]).collect())
            })
            .collect();
        let spans = code_spans(&readme);
        let mut named = BTreeSet::new();
        for span in &spans {
            let (method, params) = span.split_once('(').unwrap_or((span, ""));
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if method.is_empty() || !method.bytes().all(is_name) {
                continue;
            }
            named.insert(method);
            let Some(params) = params.strip_suffix(')') else { continue };
            let Some(expected) = methods.get(method) else {
                faults.push(format!("{name}/README.md: there is no {method}"));
                continue;
            };
            if !fits(params, expected) {
                faults.push(format!("{name}/README.md: `{span}` has {expected:?}"));
            }
        }
        for method in abi.methods.iter().filter(|method| method.mutability == Mutability::Call) {
            let is_init = method.name == INIT_METHOD && method.params.is_empty();
            if !is_init && !named.contains(&method.name[..]) {
                faults.push(format!("{name}/README.md does not name `{}`", method.name));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What stands in backticks, with line breaks as spaces.
fn code_spans(text: &str) -> Vec<String> {
    let spans = text.split('`').skip(1).step_by(2);
    spans.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Whether these are the parameters, where `..` is any number of them.
fn fits(params: &str, expected: &[&str]) -> bool {
    let params: Vec<&str> = params.split(", ").filter(|param| !param.is_empty()).collect();
    match params.iter().position(|param| *param == "..") {
        None => params == expected,
        Some(at) => {
            let (front, back) = (&params[..at], &params[at + 1..]);
            front.len() + back.len() <= expected.len()
                && expected.starts_with(front)
                && expected.ends_with(back)
        }
    }
}

#[test]
fn parameters_are_compared() {
    let expected = ["to", "amount", "limit"];
    for good in ["to, amount, limit", "..", "to, ..", ".., limit", "to, .., limit"] {
        assert!(fits(good, &expected), "{good:?}");
    }
    for bad in ["", "to, amount", "amount, ..", "to, amount, limit, .., x"] {
        assert!(!fits(bad, &expected), "{bad:?}");
    }
    assert!(fits("", &[]));
}
