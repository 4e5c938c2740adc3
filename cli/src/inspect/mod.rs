//! Shows what a contract says of itself: methods, access, storage, events, and which methods make
//! each other wait, and when.

pub(crate) mod conflict;
mod expand;
mod json;
mod lints;
mod matrix;
mod print;

#[cfg(test)]
pub(crate) mod fixture;

pub(crate) use json::json;
pub(crate) use matrix::{json_matrix, print_matrix};
pub(crate) use print::print;

use conflict::{Meeting, Shared};
use tollway_display::notation as syntax;
use tollway_host_api::{Abi, Mode};

/// A contract to show.
pub(crate) struct Subject {
    /// Where it came from: a file, or the name of a sample.
    pub(crate) source: String,
    /// The hash of its Wasm, in hexadecimal.
    pub(crate) code_hash: String,
    /// The size of its Wasm.
    pub(crate) bytes: usize,
    /// What its ABI section holds.
    pub(crate) abi: Abi,
    /// The ABIs of contracts that it may call.
    pub(crate) callees: Vec<Abi>,
}

impl Subject {
    /// Its ABI first, then those of what it may call.
    fn abis(&self) -> Vec<Abi> {
        std::iter::once(&self.abi).chain(&self.callees).cloned().collect()
    }
}

/// `a.caller = b.to, or the reverse: balances (write × add)`
#[cfg(test)]
pub(crate) fn meeting_text(meeting: &Meeting) -> String {
    format!("{}: {}", condition(meeting), shared(&meeting.on).join(", "))
}

fn condition(meeting: &Meeting) -> String {
    let equations = meeting.when.join(" and ");
    match equations.as_str() {
        "" if meeting.on.iter().all(|shared| shared.modes.is_none()) => "perhaps".to_owned(),
        "" => "always".to_owned(),
        _ if meeting.or.is_empty() => equations,
        _ => format!("{equations}, or the reverse"),
    }
}

fn shared(shared: &[Shared]) -> Vec<String> {
    let one = |shared: &Shared| match shared.modes {
        Some((a, b)) => format!("{} ({} × {})", shared.field, a.name(), b.name()),
        None => format!("{}, as declared there", shared.field),
    };
    shared.iter().map(one).collect()
}

/// Who waits where both are in one block: as a rule, the one whose place is later.
fn waits(meeting: &Meeting) -> &'static str {
    let waits = meeting.on.iter().map(Shared::waits);
    let both = waits.fold((false, false), |all, one| (all.0 | one.0, all.1 | one.1));
    let reads =
        |shared: &Shared| shared.modes.is_some_and(|(a, b)| a == Mode::Read || b == Mode::Read);
    match both {
        (true, true) => "the later one",
        (false, false) => "nobody",
        _ if meeting.on.iter().any(reads) => "the reader, if later",
        _ => "the writer, if later",
    }
}
