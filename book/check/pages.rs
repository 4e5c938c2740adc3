//! All pages of the book, as readers get them: with what they include put in.

use crate::pages_folder;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Pages by their paths in the folder, with what they include put in.
///
/// # Panics
/// If a page, or what it includes, can't be read.
pub fn pages() -> BTreeMap<String, String> {
    let files = markdown_below(&pages_folder());
    let named = files.into_iter().map(|path| {
        let name = path.strip_prefix(pages_folder()).expect("it is below");
        (name.to_str().expect("names are text").to_owned(), included(&path))
    });
    named.collect()
}

/// Every Markdown file in a folder and those below it.
///
/// # Panics
/// If a folder can't be listed.
pub fn markdown_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("the folder is there") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// A file as text.
///
/// # Panics
/// If it can't be read.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A page with what it includes put in: whole files, or what lies between two anchors.
fn included(path: &Path) -> String {
    let mut whole = String::new();
    for line in read(path).lines() {
        let place = line.strip_prefix("{{#include ").and_then(|rest| rest.strip_suffix("}}"));
        match place.map(|place| place.split_once(':').unwrap_or((place, ""))) {
            Some((file, anchor)) => {
                let text = read(&path.with_file_name("").join(file));
                whole += &if anchor.is_empty() { text } else { between(&text, file, anchor) };
            }
            None => whole += line,
        }
        whole.push('\n');
    }
    whole
}

/// The lines between the anchors of this name.
fn between(text: &str, file: &str, anchor: &str) -> String {
    let after = text.split_once(&format!("ANCHOR: {anchor} "));
    let (_, after) = after.unwrap_or_else(|| panic!("{file} has no anchor {anchor}"));
    let (_, after) = after.split_once('\n').expect("an anchor is a line of its own");
    let inside = after.split_once(&format!("ANCHOR_END: {anchor} "));
    let (inside, _) = inside.unwrap_or_else(|| panic!("{file} has no end of anchor {anchor}"));
    let lines = inside.rsplit_once('\n').map_or("", |(lines, _)| lines);
    format!("{lines}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_cut_whole_lines() {
        let text = "a\n<!-- ANCHOR: how -->\nb\n\nc\n<!-- ANCHOR_END: how -->\nd\n";
        assert_eq!(between(text, "x.md", "how"), "b\n\nc\n");
        assert!(std::panic::catch_unwind(|| between(text, "x.md", "why")).is_err());
    }
}
