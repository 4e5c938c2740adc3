//! What `tollway inspect` prints for people.

use super::conflict::{Conflict, Meeting, Shared, conflicts};
use super::syntax::{fields, marks, signature, templates, type_name};
use super::{Subject, condition, shared, waits};
use crate::format::thousands;
use crate::table::{indented, table};
use std::fmt::Write;
use tollway_host_api::{Abi, Method, Mutability, StorageField};

/// The page for people.
pub(crate) fn print(subject: &Subject) -> String {
    let abi = &subject.abi;
    let mut page = String::new();
    let mut section = |title: &str, body: String| {
        if !body.is_empty() {
            write!(page, "\n{title}\n{}\n", indented(&body))
                .expect("writing to a string cannot fail");
        }
    };
    let conflicts = conflicts(&subject.abis());
    section("methods", methods(abi));
    section("storage", abi.storage.iter().map(storage).collect::<Vec<_>>().join("\n"));
    section(
        "immutables",
        abi.immutables
            .iter()
            .map(|field| fields(std::slice::from_ref(field)))
            .collect::<Vec<_>>()
            .join("\n"),
    );
    let event =
        |event: &tollway_host_api::Event| format!("{} {{ {} }}", event.name, fields(&event.fields));
    section("events", abi.events.iter().map(event).collect::<Vec<_>>().join("\n"));
    section("errors", errors(abi).join("\n"));
    section(
        "which calls wait for each other (a and b are two calls of one such contract)",
        waiting(abi, &conflicts),
    );
    format!(
        "{}  {}\n  {} bytes, code hash {}\n{page}",
        abi.name,
        subject.source,
        thousands(subject.bytes as u64),
        subject.code_hash
    )
}

fn methods(abi: &Abi) -> String {
    let block = |method: &Method| {
        let access = match templates(abi, method) {
            none if none.is_empty() && method.declared => vec!["touches nothing".to_owned()],
            none if none.is_empty() => vec!["runs in repair".to_owned()],
            lines => lines,
        };
        let marks: String = marks(method).iter().map(|mark| format!("  ({mark})")).collect();
        format!("{}{marks}\n{}", signature(method), indented(&indented(&access.join("\n"))))
    };
    abi.methods.iter().map(block).collect::<Vec<_>>().join("\n")
}

fn storage(field: &StorageField) -> String {
    let key: Vec<_> = field.key.iter().map(type_name).collect();
    let counter =
        if field.counter { "  counter: calls may add and take without reading" } else { "" };
    format!(
        "{}{}: {}{counter}",
        field.name,
        super::syntax::bracketed(&key),
        type_name(&field.value)
    )
}

pub(super) fn errors(abi: &Abi) -> Vec<String> {
    abi.error
        .iter()
        .flat_map(|ty| match ty {
            tollway_host_api::Type::Enum { variants, .. } => (variants.iter())
                .map(|variant| match fields(&variant.fields) {
                    none if none.is_empty() => variant.name.to_string(),
                    fields => format!("{} {{ {fields} }}", variant.name),
                })
                .collect(),
            other => vec![type_name(other)],
        })
        .collect()
}

fn waiting(abi: &Abi, conflicts: &[Conflict]) -> String {
    let is_view =
        |name: &str| abi.method(name).is_some_and(|method| method.mutability == Mutability::View);
    let shown = conflicts.iter().filter(|conflict| !is_view(&conflict.a) && !is_view(&conflict.b));
    let rows = shown.flat_map(|conflict| {
        telling(&conflict.meetings).iter().enumerate().map(|(index, meeting)| {
            let pair = format!("{} × {}", conflict.a, conflict.b);
            let pair = if index == 0 { pair } else { String::new() };
            [pair, condition(meeting), lines(&meeting.on), waits(meeting).to_owned()]
        })
    });
    let table = table(["a × b", "when", "both touch", "who waits"], rows);
    let parts = [table, notes(abi, conflicts)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// Where two calls always wait, when else they do tells nothing more.
pub(super) fn telling(meetings: &[Meeting]) -> &[Meeting] {
    let always = |meeting: &Meeting| meeting.when.is_empty() && waits(meeting) == "the later one";
    match meetings.first() {
        Some(first) if always(first) => &meetings[..1],
        _ => meetings,
    }
}

/// The contract's own fields if there are any, and not too many lines.
pub(super) fn lines(on: &[Shared]) -> String {
    const LINES_MAX: usize = 4;
    let own: Vec<_> =
        on.iter().filter(|shared| !shared.field.starts_with("through")).cloned().collect();
    let mut lines = if own.is_empty() { shared(on) } else { shared(&own) };
    if lines.len() > LINES_MAX {
        let more = lines.len() - LINES_MAX + 1;
        lines.truncate(LINES_MAX - 1);
        lines.push(format!("and {more} more"));
    }
    lines.join("\n")
}

fn notes(abi: &Abi, conflicts: &[Conflict]) -> String {
    let mut notes =
        vec!["Pairs that are not listed never wait for each other; --json tells about all keys."];
    if abi.methods.iter().any(|method| method.mutability == Mutability::View) {
        notes.push(
            "Views are left out: a view waits for what writes its keys, and nobody waits for it.",
        );
    }
    let mut shared =
        (conflicts.iter()).flat_map(|conflict| &conflict.meetings).flat_map(|meeting| &meeting.on);
    if shared.any(|shared| shared.modes.is_none()) {
        notes.push("Look into the contracts that it calls with --with CONTRACT.");
    }
    notes.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::fixture::subject;

    #[test]
    fn the_page_tells_all_parts() {
        let page = print(&subject());
        for part in [
            "12,345 bytes",
            "transfer(to: Address, amount: u128)",
            "write balances[caller]",
            "free()  (undeclared)",
            "runs in repair",
            "balances[Address]: u128  counter",
            "other: Address",
            "transfer × transfer",
            "a.caller = b.to, or the reverse",
            "balances (write × add)",
            "total()  (view)",
            "Views are left out",
            "--with",
        ] {
            assert!(page.contains(part), "{part:?} is not in:\n{page}");
        }
        assert!(page.lines().all(|line| line.trim_end() == line), "trailing blanks:\n{page}");
    }
}
