//! The parts of a page that can be checked: its blocks of code, its headings, its links.
//!
//! Markdown as far as the book uses it: fenced blocks, `#` headings, inline links and images.

use std::collections::BTreeSet;

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The line of its fence, from 1.
    pub line: usize,
    /// The first word of what is behind the fence.
    pub language: String,
    /// The other words.
    pub attributes: Vec<String>,
    /// What is in it, with its line breaks.
    pub text: String,
}

impl Block {
    /// The value of the attribute `name=value`.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find_map(|attribute| attribute.strip_prefix(name)?.strip_prefix('='))
    }
}

/// The fenced blocks of a page, in order.
///
/// # Panics
/// If one does not end.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let mut words = info.split(',').map(|word| word.trim().to_owned());
        let language = words.next().unwrap_or_default();
        let mut text = String::new();
        loop {
            let next = lines.next();
            let (_, line) = next.unwrap_or_else(|| panic!("the block of line {} is open", at + 1));
            if line == "```" {
                break;
            }
            text += line;
            text.push('\n');
        }
        blocks.push(Block { line: at + 1, language, attributes: words.collect(), text });
    }
    blocks
}

/// A page without its fenced blocks and inline code, line by line.
fn prose(page: &str) -> Vec<String> {
    let mut is_code = false;
    let mut prose = Vec::new();
    for line in page.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
            prose.push(String::new());
        } else if is_code {
            prose.push(String::new());
        } else {
            prose.push(line.split('`').step_by(2).collect::<Vec<_>>().join("``"));
        }
    }
    prose
}

/// Where the links and images of a page lead, with their lines, from 1.
pub fn links(page: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (at, line) in prose(page).iter().enumerate() {
        for part in line.split("](").skip(1) {
            if let Some((target, _)) = part.split_once(')') {
                links.push((at + 1, target.to_owned()));
            }
        }
    }
    links
}

/// The anchors of a page's headings, as mdBook makes them.
pub fn anchors(page: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut is_code = false;
    for line in page.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
        }
        let title = line.trim_start_matches('#');
        let is_heading = !is_code && title.len() < line.len() && title.starts_with(' ');
        if is_heading {
            anchors.insert(anchor(title.trim()));
        }
    }
    anchors
}

fn anchor(title: &str) -> String {
    let kept = title.chars().filter_map(|c| match c {
        c if c.is_alphanumeric() || c == '_' || c == '-' => Some(c.to_ascii_lowercase()),
        c if c.is_whitespace() => Some('-'),
        _ => None,
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# A page, `of` sorts\n\n[one](a.md) and [two](b.md#c)\n\n\
                        ```rust,file=src/lib.rs\n[no](link.md)\n```\n\n## Call-by-`name`\n`[no](x)`\n";

    #[test]
    fn blocks_have_language_attributes_and_text() {
        let blocks = blocks(PAGE);
        assert_eq!(blocks.len(), 1);
        assert_eq!(blocks[0].language, "rust");
        assert_eq!(blocks[0].attribute("file"), Some("src/lib.rs"));
        assert_eq!((blocks[0].line, &blocks[0].text[..]), (5, "[no](link.md)\n"));
    }

    #[test]
    fn links_in_code_are_none() {
        assert_eq!(links(PAGE), [(3, "a.md".to_owned()), (3, "b.md#c".to_owned())]);
    }

    #[test]
    fn anchors_are_those_of_headings() {
        let expected = ["a-page-of-sorts", "call-by-name"].map(str::to_owned);
        assert_eq!(anchors(PAGE), BTreeSet::from(expected));
    }
}
