//! Which methods can make each other wait, and when: the access templates of two calls of one
//! contract, compared key by key, without running anything.
//!
//! ```text
//! a: move_all(to)              b: move_all(to)
//!    write balances[caller]       write balances[caller]     when a.caller = b.caller
//!    add   balances[to]           add   balances[to]         when a.caller = b.to
//!                                                            when a.to = b.caller
//! ```
//!
//! # Invariants
//! 1. Two reads never meet, nor two adds (`tests::equal_reads_and_adds_do_not_meet`).
//! 2. The second of two calls waits only if it reads or writes what the first writes or adds to:
//!    readers never block writers, adders wait for nobody (`tests::waits_follow_the_edge_rules`).
//!
//! What two different contracts share is only seen through the contracts that both call. Two
//! immutables of one contract are taken to be different contracts.

use super::expand::{Step, THIS, Term, Touch, touches};
use std::collections::BTreeMap;
use tollway_host_api::{Abi, Mode, abi::INIT_METHOD};

/// All ways in which calls of two methods meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// The method of call a.
    pub(crate) a: String,
    /// The method of call b; may be the same one.
    pub(crate) b: String,
    /// The conditions, each with the keys that meet under it.
    pub(crate) meetings: Vec<Meeting>,
}

/// Keys that two calls share under one condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meeting {
    /// Equations that must all hold; none if the calls always meet.
    pub(crate) when: Vec<String>,
    /// For two calls of one method, the same with a and b swapped, where that is another one.
    pub(crate) or: Vec<String>,
    /// The fields that meet.
    pub(crate) on: Vec<Shared>,
}

/// A storage field, or a method of another contract, that both calls touch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shared {
    /// The field's name; for other contracts with the path of calls to it.
    pub(crate) field: String,
    /// How a and b touch it; `None` if only the called contract knows.
    pub(crate) modes: Option<(Mode, Mode)>,
}

impl Shared {
    /// Whether b waits when a comes first, and a when b comes first. A callee that is not known
    /// may make either wait.
    pub(crate) fn waits(&self) -> (bool, bool) {
        let waits = |first: Mode, second: Mode| first != Mode::Read && second != Mode::Add;
        self.modes.map_or((true, true), |(a, b)| (waits(a, b), waits(b, a)))
    }
}

/// Compares every two methods of the first ABI, and every method with itself. The other ABIs are
/// those of contracts that it may call, found by their methods.
pub(crate) fn conflicts(abis: &[Abi]) -> Vec<Conflict> {
    let Some(abi) = abis.first() else {
        return Vec::new();
    };
    let methods: Vec<_> = (abi.methods.iter())
        .filter(|method| method.name != INIT_METHOD && method.declared)
        .map(|method| (method.name.to_string(), touches(abis, method)))
        .collect();
    let mut conflicts = Vec::new();
    for (index, (a, touches_a)) in methods.iter().enumerate() {
        for (b, touches_b) in &methods[index..] {
            let meetings =
                if a == b { meetings_of_one(touches_a) } else { meetings(touches_a, touches_b) };
            if !meetings.is_empty() {
                conflicts.push(Conflict { a: a.clone(), b: b.clone(), meetings });
            }
        }
    }
    conflicts
}

fn meetings(a: &[Touch], b: &[Touch]) -> Vec<Meeting> {
    let pairs = a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
    grouped(pairs.filter_map(|(a, b)| Some((meet(a, b)?, None))))
}

/// Two calls of one method: each pair of templates once, with its mirror image.
fn meetings_of_one(touches: &[Touch]) -> Vec<Meeting> {
    let pairs = (touches.iter().enumerate())
        .flat_map(|(index, a)| touches[index..].iter().map(move |b| (a, b)));
    grouped(pairs.filter_map(|(a, b)| Some((meet(a, b)?, meet(b, a)))))
}

type Met = (Vec<String>, Shared);

fn grouped(met: impl Iterator<Item = (Met, Option<Met>)>) -> Vec<Meeting> {
    let mut groups: BTreeMap<_, Meeting> = BTreeMap::new();
    for ((when, shared), mirror) in met {
        let or = mirror.map(|(when, _)| when).filter(|or| *or != when).unwrap_or_default();
        let meeting = Meeting { when: when.clone(), or: or.clone(), on: Vec::new() };
        // Conditions of fewer equations first: they meet more often.
        let group = groups.entry((shared.modes.is_none(), when.len(), when, or)).or_insert(meeting);
        if !group.on.contains(&shared) {
            group.on.push(shared);
        }
    }
    groups.into_values().collect()
}

/// The equations under which two touches are of one key, if they can be and one could wait.
fn meet(a: &Touch, b: &Touch) -> Option<Met> {
    let mut when = Vec::new();
    if a.abi != b.abi {
        return None;
    }
    require(&a.contract, &b.contract, &mut when, true)?;
    let (field, modes) = match (&a.step, &b.step) {
        (
            Step::Key { field, mode, parts },
            Step::Key { field: other, mode: mode_b, parts: parts_b },
        ) if field == other => {
            if mode == mode_b && *mode != Mode::Write {
                return None;
            }
            for (part, part_b) in parts.iter().zip(parts_b) {
                require(part, part_b, &mut when, false)?;
            }
            (format!("{}{field}", a.through), Some((*mode, *mode_b)))
        }
        (Step::Opaque, Step::Opaque) => (a.through.clone(), None),
        _ => return None,
    };
    when.sort();
    when.dedup();
    Some((when, Shared { field, modes }))
}

/// Adds the equation `a` = `b`, if it is not always true. `None` if it never is.
fn require(a: &Term, b: &Term, when: &mut Vec<String>, contract: bool) -> Option<()> {
    match (a, b) {
        (Term::Unknown, _) | (_, Term::Unknown) => Some(()),
        (Term::Constant(a), Term::Constant(b)) => (a == b).then_some(()),
        (Term::Fixed(a), Term::Fixed(b)) if a == b => Some(()),
        (Term::CallId, Term::CallId) => None,
        (Term::Shard(a, m), Term::Shard(b, n)) if is_fixed(a) && a == b && m == n => Some(()),
        (Term::Shard(_, count), Term::Constant(text))
        | (Term::Constant(text), Term::Shard(_, count))
            if text.parse::<u16>().is_ok_and(|number| number >= *count) =>
        {
            None
        }
        (Term::Fixed(_), Term::Fixed(_)) if contract => None,
        (Term::Outsider, Term::Fixed(fixed)) | (Term::Fixed(fixed), Term::Outsider)
            if fixed == THIS =>
        {
            None
        }
        (a, b) => {
            let (a_text, b_text) = (a.of("a"), b.of("b"));
            // What differs from call to call stands first.
            when.push(match a {
                Term::OfCall(_) | Term::Outsider | Term::CallId | Term::Shard(..) => {
                    format!("{a_text} = {b_text}")
                }
                _ => format!("{b_text} = {a_text}"),
            });
            Some(())
        }
    }
}

/// Whether a value is the same for every call of the contract.
fn is_fixed(term: &Term) -> bool {
    matches!(term, Term::Fixed(_) | Term::Constant(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::fixture::{arg, field, key, method, token};
    use tollway_host_api::{Expr, Method, Type};

    fn text(abis: &[Abi], a: &str, b: &str) -> Vec<String> {
        let conflicts = conflicts(abis);
        let found = conflicts.iter().find(|conflict| conflict.a == a && conflict.b == b);
        let meetings = found.map_or(&[][..], |conflict| &conflict.meetings);
        meetings.iter().map(crate::inspect::meeting_text).collect()
    }

    fn with_methods(methods: Vec<Method>) -> Abi {
        Abi { methods: methods.into(), ..token() }
    }

    #[test]
    fn transfers_meet_at_senders_and_receivers() {
        assert_eq!(
            text(&[token()], "transfer", "transfer"),
            [
                "a.caller = b.caller: balances (write × write)",
                "a.caller = b.to, or the reverse: balances (write × add)",
            ]
        );
        assert_eq!(
            text(&[token()], "transfer", "mint"),
            ["a.caller = b.to: balances (write × add)"]
        );
    }

    #[test]
    fn loops_meet_by_any_element() {
        assert_eq!(
            text(&[token()], "transfer", "pay_all"),
            [
                "a.caller = b.caller: balances (write × write)",
                "a.caller = b.legs[*].to: balances (write × add)",
                "a.to = b.caller: balances (add × write)",
            ]
        );
    }

    #[test]
    fn equal_reads_and_adds_do_not_meet() {
        assert_eq!(text(&[token()], "mint", "mint"), [""; 0]);
        assert_eq!(text(&[token()], "total", "total"), [""; 0]);
        assert_eq!(text(&[token()], "mint", "total"), ["always: supply (add × read)"]);
    }

    #[test]
    fn different_constants_never_meet() {
        let constant = |number| key(Mode::Write, 2, &[Expr::Integer(number), Expr::Caller]);
        let abi = with_methods(vec![
            method("one", vec![], vec![constant(1)]),
            method("two", vec![], vec![constant(2)]),
        ]);
        assert_eq!(text(std::slice::from_ref(&abi), "one", "two"), [""; 0]);
        assert_eq!(text(&[abi], "one", "one"), ["a.caller = b.caller: names (write × write)"]);
    }

    #[test]
    fn identifiers_of_two_calls_differ_and_shards_may_be_equal() {
        let shard = |of: Expr, count| Expr::Shard { of: vec![of].into(), count };
        let set = |part: Expr| vec![key(Mode::Write, 2, &[part, Expr::Integer(0)])];
        let abi = with_methods(vec![
            method("place", vec![], set(Expr::CallId)),
            method("cancel", vec![field("id", Type::U128)], set(arg(0, &[]))),
            method("swap", vec![], set(shard(Expr::Caller, 8))),
            method("look", vec![], set(shard(Expr::This, 8))),
            method("last", vec![], set(Expr::Integer(8))),
        ]);
        let text = |a, b| text(std::slice::from_ref(&abi), a, b);
        assert_eq!(text("place", "place"), [""; 0]);
        assert_eq!(text("place", "cancel"), ["a.call_id = b.id: names (write × write)"]);
        assert_eq!(
            text("swap", "swap"),
            ["shard_of(a.caller, 8) = shard_of(b.caller, 8): names (write × write)"]
        );
        assert_eq!(text("look", "look"), ["always: names (write × write)"]);
        assert_eq!(text("swap", "last"), [""; 0]);
    }

    #[test]
    fn several_key_parts_must_all_be_equal() {
        let ids = || vec![field("id", Type::U64)];
        let parts = [Expr::Caller, arg(0, &[])];
        let abi = with_methods(vec![method("set", ids(), vec![key(Mode::Write, 2, &parts)])]);
        assert_eq!(
            text(&[abi], "set", "set"),
            ["a.caller = b.caller and a.id = b.id: names (write × write)"]
        );
    }

    #[test]
    fn unknown_callees_are_named() {
        assert_eq!(
            text(&[token()], "swap", "swap"),
            ["perhaps: through imm.other, as declared there"]
        );
    }

    #[test]
    fn known_callees_are_looked_into() {
        let other = token();
        let abi = Abi { name: "pool".into(), ..token() };
        assert_eq!(
            text(&[abi, other], "swap", "swap"),
            ["always: through imm.other.transfer: balances (write × write)",]
        );
    }

    #[test]
    fn waits_follow_the_edge_rules() {
        let waits = |a, b| Shared { field: String::new(), modes: Some((a, b)) }.waits();
        assert_eq!(waits(Mode::Write, Mode::Write), (true, true));
        assert_eq!(waits(Mode::Write, Mode::Read), (true, false));
        assert_eq!(waits(Mode::Write, Mode::Add), (false, true));
        assert_eq!(waits(Mode::Add, Mode::Read), (true, false));
        assert_eq!(waits(Mode::Read, Mode::Read), (false, false));
        assert_eq!(waits(Mode::Add, Mode::Add), (false, false));
    }

    #[test]
    fn undeclared_methods_are_left_out() {
        assert!(
            conflicts(&[token()])
                .iter()
                .all(|conflict| conflict.a != "free" && conflict.b != "free")
        );
        assert!(conflicts(&[]).is_empty());
    }
}
