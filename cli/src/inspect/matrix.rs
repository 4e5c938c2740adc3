//! Which methods make each other wait, as one picture: a row and a column for each, and a sign for
//! each condition.
//!
//! ```text
//!                1  2  3
//! 1 transfer     a  ·  b        a  a.caller = b.caller    balances (write × write)
//! 2 mint            ·  ■        b  a.to = b.owner         balances (add × read)
//! 3 total              ·        ■  always                 supply (add × read)
//! ```
//!
//! # Invariants
//! 1. A pair has the sign `·` if and only if two such calls never wait for each other, as
//!    [`super::conflict`] finds (`tests::no_conflict_is_left_out`).
//! 2. A sign means one condition and one answer to who waits (`tests::signs_are_told_apart`).

use super::conflict::{Conflict, Meeting, Shared, conflicts};
use super::lints::{Lint, lints};
use super::print::{lines, telling};
use super::{Subject, condition, waits};
use crate::table::{indented, table};
use serde_json::{Value, json};
use tollway_host_api::{Abi, Mutability, abi::INIT_METHOD};

/// The sign of pairs that never wait for each other.
const NEVER: &str = "·";
/// The sign of pairs that always do.
const ALWAYS: &str = "■";
/// The sign of pairs that do if a contract which is not known has it so.
const PERHAPS: &str = "?";
/// The sign of methods that declare nothing.
const ALONE: &str = "!";

/// What a sign stands for.
struct Sign {
    sign: String,
    when: String,
    waits: &'static str,
    on: Vec<Shared>,
}

/// The picture, as data.
struct Matrix {
    methods: Vec<String>,
    views: Vec<bool>,
    /// The signs of method i and method j, where j is not before i.
    cells: Vec<Vec<Vec<String>>>,
    signs: Vec<Sign>,
}

impl Matrix {
    fn new(abi: &Abi, conflicts: &[Conflict]) -> Self {
        let callable: Vec<_> =
            abi.methods.iter().filter(|method| method.name != INIT_METHOD).collect();
        let mut signs = Vec::new();
        let cell = |(i, j): (usize, usize), signs: &mut Vec<Sign>| {
            let [a, b] = [i, j].map(|index| callable[index]);
            if !a.declared || !b.declared {
                return vec![ALONE.to_owned()];
            }
            let found = conflicts.iter().find(|both| both.a == a.name && both.b == b.name);
            let meetings = found.map_or(&[][..], |found| telling(&found.meetings));
            let mut own: Vec<String> =
                meetings.iter().map(|meeting| sign_of(meeting, signs)).collect();
            own.dedup();
            own
        };
        let count = callable.len();
        let cells =
            (0..count).map(|i| (i..count).map(|j| cell((i, j), &mut signs)).collect()).collect();
        let methods = callable.iter().map(|method| method.name.to_string()).collect();
        let views = callable.iter().map(|method| method.mutability == Mutability::View).collect();
        Self { methods, views, cells, signs }
    }

    fn cell(&self, i: usize, j: usize) -> String {
        match j.checked_sub(i).map(|after| &self.cells[i][after]) {
            None => String::new(),
            Some(signs) if signs.is_empty() => NEVER.to_owned(),
            Some(signs) => signs.concat(),
        }
    }
}

/// The sign of a meeting's condition, a new one if it is the first of its kind.
fn sign_of(meeting: &Meeting, signs: &mut Vec<Sign>) -> String {
    let (when, waits) = (condition(meeting), waits(meeting));
    if let Some(known) = signs.iter_mut().find(|sign| sign.when == when && sign.waits == waits) {
        let new: Vec<_> =
            meeting.on.iter().filter(|shared| !known.on.contains(shared)).cloned().collect();
        known.on.extend(new);
        return known.sign.clone();
    }
    let taken = |sign: &str| signs.iter().any(|known| known.sign == sign);
    let sign = match when.as_str() {
        "always" if !taken(ALWAYS) => ALWAYS.to_owned(),
        "perhaps" if !taken(PERHAPS) => PERHAPS.to_owned(),
        _ => letter(signs.iter().filter(|sign| sign.sign.is_ascii()).count()),
    };
    signs.push(Sign { sign: sign.clone(), when, waits, on: meeting.on.clone() });
    sign
}

/// a … z, then A … Z, then (52), (53), …
fn letter(index: usize) -> String {
    let letters = (b'a'..=b'z').chain(b'A'..=b'Z');
    letters.map(char::from).nth(index).map_or_else(|| format!("({index})"), String::from)
}

/// The page for people.
pub(crate) fn print_matrix(subject: &Subject) -> String {
    let abi = &subject.abi;
    let matrix = Matrix::new(abi, &conflicts(&subject.abis()));
    let mut parts = vec![format!("{}  {}", abi.name, subject.source)];
    parts.push(picture(&matrix));
    parts.push(legend(&matrix));
    parts.push(notes(&matrix));
    let found: Vec<String> = lints(&subject.abis()).iter().map(Lint::to_string).collect();
    if !found.is_empty() {
        parts.push(format!("worth a look\n{}", indented(&found.join("\n"))));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

fn picture(matrix: &Matrix) -> String {
    let count = matrix.methods.len();
    let name = |index: usize| {
        let view = if matrix.views[index] { "  (view)" } else { "" };
        format!("{} {}{view}", index + 1, matrix.methods[index])
    };
    let names: Vec<String> = (0..count).map(name).collect();
    let name_width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let cells: Vec<Vec<String>> =
        (0..count).map(|i| (0..count).map(|j| matrix.cell(i, j)).collect()).collect();
    let width = |column: usize| {
        let widest = cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        widest.max((column + 1).to_string().len())
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let row = |name: &str, cells: &[String]| {
        let mut line = format!("{name:name_width$}");
        for (cell, width) in cells.iter().zip(&widths) {
            line += &format!("  {cell:>width$}");
        }
        line.trim_end().to_owned()
    };
    let numbers: Vec<String> = (1..=count).map(|number| number.to_string()).collect();
    let mut lines = vec![row("", &numbers)];
    lines.extend(names.iter().zip(&cells).map(|(name, cells)| row(name, cells)));
    lines.join("\n")
}

fn legend(matrix: &Matrix) -> String {
    let mut signs: Vec<&Sign> = matrix.signs.iter().collect();
    // What always holds first, then the letters in their order.
    signs.sort_by_key(|sign| (sign.sign != ALWAYS, sign.sign == PERHAPS, sign.sign.len()));
    let rows = signs
        .into_iter()
        .map(|sign| [sign.sign.clone(), sign.when.clone(), lines(&sign.on), sign.waits.to_owned()]);
    table(["", "when", "both touch", "who waits"], rows)
}

fn notes(matrix: &Matrix) -> String {
    let mut notes = vec!["a is a call of the row's method, b one of the column's.".to_owned()];
    let all = || matrix.cells.iter().flatten().flatten();
    if matrix.cells.iter().flatten().any(Vec::is_empty) {
        notes.push(format!("{NEVER} never wait for each other."));
    }
    if all().any(|sign| sign == ALONE) {
        notes.push(format!(
            "{ALONE} declares nothing: runs alone, after all others, with what depends on it."
        ));
    }
    if all().any(|sign| sign == PERHAPS) {
        notes.push("Look into the contracts that it calls with --with CONTRACT.".to_owned());
    }
    notes.join("\n")
}

/// The document for programs.
pub(crate) fn json_matrix(subject: &Subject) -> Value {
    let matrix = Matrix::new(&subject.abi, &conflicts(&subject.abis()));
    let signs = matrix.signs.iter().map(|sign| {
        let on = sign.on.iter().map(|shared| {
            let modes = shared.modes.map(|(a, b)| [a.name(), b.name()]);
            json!({ "field": shared.field, "modes": modes })
        });
        json!({
            "sign": sign.sign, "when": sign.when, "waits": sign.waits,
            "on": on.collect::<Vec<_>>(),
        })
    });
    let pairs = matrix.cells.iter().enumerate().flat_map(|(i, row)| {
        let name = |index: usize| &matrix.methods[index];
        row.iter().enumerate().map(
            move |(after, signs)| json!({ "a": name(i), "b": name(i + after), "signs": signs }),
        )
    });
    json!({
        "name": subject.abi.name,
        "methods": matrix.methods,
        "signs": signs.collect::<Vec<_>>(),
        "pairs": pairs.collect::<Vec<_>>(),
        "lints": lints(&subject.abis()).iter().map(Lint::json).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::fixture::{subject, token};

    fn matrix() -> Matrix {
        Matrix::new(&token(), &conflicts(&[token()]))
    }

    #[test]
    fn the_picture_has_a_sign_for_every_pair() {
        let text = picture(&matrix());
        assert_eq!(text.lines().count(), 7);
        assert!(text.lines().all(|line| line.trim_end() == line));
    }

    #[test]
    fn no_conflict_is_left_out() {
        let (matrix, conflicts) = (matrix(), conflicts(&[token()]));
        for (i, a) in matrix.methods.iter().enumerate() {
            for (j, b) in matrix.methods.iter().enumerate().skip(i) {
                let is_alone = [a, b].iter().any(|name| *name == "free");
                let found = conflicts.iter().any(|both| both.a == *a && both.b == *b);
                let sign = matrix.cell(i, j);
                assert_eq!(sign == NEVER, !found && !is_alone, "{a} {b} {sign}");
                assert_eq!(sign == ALONE, is_alone);
            }
        }
    }

    #[test]
    fn signs_are_told_apart() {
        let matrix = matrix();
        for (index, sign) in matrix.signs.iter().enumerate() {
            for other in &matrix.signs[index + 1..] {
                assert_ne!(sign.sign, other.sign);
                assert!(sign.when != other.when || sign.waits != other.waits);
            }
        }
        let letters: Vec<_> = [0, 25, 26, 51, 52].map(letter).into();
        assert_eq!(letters, ["a", "z", "A", "Z", "(52)"]);
    }

    #[test]
    fn page_and_document_tell_the_same() {
        let (page, document) = (print_matrix(&subject()), json_matrix(&subject()));
        for sign in document["signs"].as_array().expect("a list") {
            let when = sign["when"].as_str().expect("a text");
            assert!(page.contains(when), "{when} is not in:\n{page}");
        }
        assert_eq!(document["methods"].as_array().map(Vec::len), Some(6));
        assert_eq!(document["pairs"].as_array().map(Vec::len), Some(21));
    }
}
