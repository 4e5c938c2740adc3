//! What a block's plan would be if a key were touched in another way: by adds, in shards, not at all.
//!
//! ```text
//! token.supply=add           who writes it adds to it instead; who only reads it still does
//! pair.reserves=shard:8      eight keys for one: who writes or adds touches the one of their caller,
//!                            who only reads touches all of them
//! dex.reserves[3]=none       nobody touches it
//! ```
//!
//! The block is planned again with the changed sets, every call costing 1. Nothing runs: whether the
//! contract could be written like that is for its author to say.
//!
//! # Invariants
//! 1. Without a change the longest chain is the plan's own (`tests/command.rs`, and
//!    `tests::chains_are_those_of_the_schedule`).
//! 2. Leaving a key out never makes a chain longer (`tests::a_key_less_is_no_chain_more`).

use crate::source::Names;
use anyhow::{Result, bail};
use serde::Serialize;
use std::collections::BTreeMap;
use std::str::FromStr;
use tollway::{AccessSets, Address, Block};
use tollway_benches::schedule::{Graph, Task};
use tollway_host_api::Mode;

/// How many shards a key may have.
const SHARDS_MAX: u32 = 1_024;

/// A key, or all keys of a field, and what it would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WhatIf {
    text: String,
    key: String,
    to: To,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    Add,
    Shards(u32),
    Nothing,
}

impl FromStr for WhatIf {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            || format!("expected KEY=add, KEY=shard:N with N from 2 to {SHARDS_MAX}, or KEY=none");
        let (key, to) = text.rsplit_once('=').ok_or_else(expected)?;
        let to = match to.split_once(':') {
            None if to == "add" => To::Add,
            None if to == "none" => To::Nothing,
            Some(("shard", count)) => {
                let count = count.parse().ok().filter(|count| (2..=SHARDS_MAX).contains(count));
                To::Shards(count.ok_or_else(expected)?)
            }
            _ => return Err(expected()),
        };
        if key.is_empty() {
            return Err(expected());
        }
        Ok(Self { text: text.to_owned(), key: key.to_owned(), to })
    }
}

/// What a plan allows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Allowed {
    /// What was changed, as it was asked for.
    pub(crate) what_if: Vec<String>,
    /// Calls on the longest chain.
    pub(crate) longest_chain: u32,
    /// Speed-up possible on 2 and 8 workers and on any number of them.
    pub(crate) speedup: [f64; 3],
}

/// The access sets of a block, to be changed.
#[derive(Debug)]
pub(crate) struct Sets {
    /// Of the calls that declare any.
    calls: Vec<Vec<(u32, Mode)>>,
    callers: Vec<Address>,
    /// Calls that declare nothing: they run alone, after all others.
    alone: u32,
    key_bound: u32,
}

impl Sets {
    /// What the calls of a block declare.
    pub(crate) fn new(block: &Block, sets: &AccessSets<'_>) -> Self {
        let declared: Vec<usize> =
            (0..sets.call_count()).filter(|call| sets.is_declared(*call)).collect();
        Self {
            alone: (sets.call_count() - declared.len()) as u32,
            callers: declared.iter().map(|call| block.calls[*call].caller).collect(),
            calls: declared.iter().map(|call| sets.of_call(*call).collect()).collect(),
            key_bound: sets.key_bound(),
        }
    }

    /// Calls on the longest chain if a key were left out.
    pub(crate) fn chain_without(&self, key: u32) -> u32 {
        self.alone + longest_chain(&self.calls, self.key_bound, Some(key))
    }

    /// The plan with some keys touched in another way.
    pub(crate) fn allowed(&self, changes: &[(&WhatIf, Vec<u32>)]) -> Allowed {
        let mut to: BTreeMap<u32, To> = BTreeMap::new();
        for (what_if, keys) in changes {
            to.extend(keys.iter().map(|key| (*key, what_if.to)));
        }
        let mut shards = Shards { next: self.key_bound, of: BTreeMap::new() };
        let changed = self.calls.iter().zip(&self.callers).map(|(accesses, caller)| {
            let mut changed = Vec::with_capacity(accesses.len());
            for (key, mode) in accesses {
                match to.get(key) {
                    None => changed.push((*key, *mode)),
                    Some(To::Nothing) => {}
                    Some(To::Add) => {
                        let is_write = *mode == Mode::Write;
                        changed.push((*key, if is_write { Mode::Add } else { *mode }));
                    }
                    Some(To::Shards(count)) if *mode == Mode::Read => {
                        let all = (0..*count).map(|shard| (shards.key(*key, shard), *mode));
                        changed.extend(all);
                    }
                    Some(To::Shards(count)) => {
                        changed.push((shards.key(*key, shard_of(caller, *count)), *mode));
                    }
                }
            }
            changed
        });
        let calls: Vec<Vec<(u32, Mode)>> = changed.collect();
        let what_if = changes.iter().map(|(what_if, _)| what_if.text.clone()).collect();
        let longest_chain = self.alone + longest_chain(&calls, shards.next, None);
        let total = u64::from(self.alone) + calls.len() as u64;
        let tasks: Vec<Task> =
            calls.into_iter().map(|accesses| Task { cost: 1, accesses }).collect();
        let graph = Graph::new(&tasks);
        let speedup = |makespan: u64| match makespan + u64::from(self.alone) {
            0 => 1.0,
            makespan => total as f64 / makespan as f64,
        };
        let speedup =
            [graph.makespan(2), graph.makespan(8), graph.critical_path_cost()].map(speedup);
        Allowed { what_if, longest_chain, speedup }
    }
}

/// The shards of keys, each with a number of its own.
struct Shards {
    next: u32,
    of: BTreeMap<(u32, u32), u32>,
}

impl Shards {
    fn key(&mut self, key: u32, shard: u32) -> u32 {
        *self.of.entry((key, shard)).or_insert_with(|| {
            self.next += 1;
            self.next - 1
        })
    }
}

/// The shard of a caller: by all bytes of the address, so that similar ones are spread, too (FNV-1a).
fn shard_of(caller: &Address, count: u32) -> u32 {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = caller.0.iter().fold(0xcbf2_9ce4_8422_2325, mix);
    ((hash ^ (hash >> 32)) % u64::from(count)) as u32
}

/// Calls on the longest chain: a read or write of a key waits for the latest earlier write of it and
/// the adds since, an add waits for nobody.
fn longest_chain(calls: &[Vec<(u32, Mode)>], key_bound: u32, left_out: Option<u32>) -> u32 {
    /// Calls on the longest chain up to the latest version, and up to it with the adds since.
    #[derive(Clone, Copy, Default)]
    struct Key {
        version: u32,
        with_adds: u32,
    }
    let mut keys = vec![Key::default(); key_bound as usize];
    let mut longest = 0;
    for accesses in calls {
        let used = || accesses.iter().filter(|(key, _)| Some(*key) != left_out);
        let waits = used().filter(|(_, mode)| *mode != Mode::Add);
        let before = waits.map(|(key, _)| keys[*key as usize].with_adds).max().unwrap_or(0);
        let depth = before + 1;
        longest = longest.max(depth);
        for (key, mode) in used() {
            let key = &mut keys[*key as usize];
            match mode {
                Mode::Read => {}
                Mode::Write => *key = Key { version: depth, with_adds: depth },
                Mode::Add => key.with_adds = key.with_adds.max(depth).max(key.version),
            }
        }
    }
    longest
}

/// The keys that a change is about: one by its whole name, or all of a field.
pub(crate) fn keys_of(what_if: &WhatIf, sets: &AccessSets<'_>, names: &Names) -> Result<Vec<u32>> {
    let pattern = &what_if.key;
    let is_of_field = |key: &u32| {
        let (contract, field) = sets.field(*key);
        let asked = pattern.strip_prefix(contract).and_then(|rest| rest.strip_prefix('.'));
        asked.is_some() && asked == field
    };
    let mut keys: Vec<u32> = sets.keys().filter(is_of_field).collect();
    if keys.is_empty() {
        let is_it = |key: &u32| {
            let name = sets.name(*key);
            let shown = names.renamed(&name);
            // `pair 17.reserves` stands for the field of one contract, all its keys.
            let is_within = |name: &str| {
                name.strip_prefix(pattern.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
            };
            is_within(&name) || is_within(&shown)
        };
        keys = sets.keys().filter(is_it).collect();
    }
    if keys.is_empty() {
        let Some(example) = sets.keys().next() else { bail!("no call of the block touches a key") };
        let example = names.renamed(&sets.name(example));
        bail!(
            "no call of the block touches {pattern}; a key is written like {example}, and a field \
             like that without its brackets"
        );
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Mode::{Add, Read, Write};

    fn what_if(text: &str) -> WhatIf {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn sets(calls: &[&[(u32, Mode)]]) -> Sets {
        Sets {
            callers: (0..calls.len()).map(|call| Address::from_u64(call as u64)).collect(),
            calls: calls.iter().map(|accesses| accesses.to_vec()).collect(),
            alone: 0,
            key_bound: 4,
        }
    }

    fn chain(sets: &Sets, text: &str, key: u32) -> u32 {
        sets.allowed(&[(&what_if(text), vec![key])]).longest_chain
    }

    #[test]
    fn what_is_asked_is_read() {
        assert_eq!(what_if("token.supply=add").to, To::Add);
        assert_eq!(what_if("a.b[x=1]=none").key, "a.b[x=1]");
        assert_eq!(what_if("pair.reserves=shard:8").to, To::Shards(8));
        for wrong in ["a", "a=", "=add", "a=shard", "a=shard:1", "a=shard:9999", "a=b:2"] {
            assert!(wrong.parse::<WhatIf>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn writers_become_adders_and_readers_still_wait() {
        let sets = sets(&[&[(0, Write)], &[(0, Write)], &[(0, Write)], &[(0, Read)]]);
        assert_eq!(sets.allowed(&[]).longest_chain, 4);
        assert_eq!(chain(&sets, "k=add", 0), 2);
        assert_eq!(chain(&sets, "k=none", 0), 1);
        assert_eq!(sets.chain_without(0), 1);
        assert_eq!(sets.chain_without(1), 4);
        assert_eq!(sets.allowed(&[]).speedup, [1.0, 1.0, 1.0]);
    }

    #[test]
    fn shards_share_the_writers_and_readers_read_all() {
        let writers: Vec<&[(u32, Mode)]> = vec![&[(0, Write)]; 64];
        let sharded = chain(&sets(&writers), "k=shard:8", 0);
        assert!((8..=20).contains(&sharded), "{sharded}");
        let with_reader = [writers, vec![&[(0, Read)][..]]].concat();
        assert_eq!(chain(&sets(&with_reader), "k=shard:8", 0), sharded + 1);
    }

    #[test]
    fn calls_that_declare_nothing_run_after_all_others() {
        let mut sets = sets(&[&[(0, Write)], &[(0, Write)]]);
        sets.alone = 3;
        assert_eq!(sets.allowed(&[]).longest_chain, 5);
        assert_eq!(chain(&sets, "k=none", 0), 4);
        assert_eq!(sets.allowed(&[]).speedup[2], 1.0);
    }

    /// A fixed pseudo-random block over four keys.
    fn block(seed: u64) -> Vec<Vec<(u32, Mode)>> {
        let mut state = seed;
        let mut next = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        };
        let mut accesses = || {
            (0..4)
                .filter_map(|key| Some((key, *[Read, Write, Add].get(next() as usize % 6)?)))
                .collect()
        };
        (0..40).map(|_| accesses()).collect()
    }

    #[test]
    fn chains_are_those_of_the_schedule() {
        for seed in 0..50 {
            let calls = block(seed);
            let tasks: Vec<Task> =
                calls.iter().map(|accesses| Task { cost: 1, accesses: accesses.clone() }).collect();
            assert_eq!(longest_chain(&calls, 4, None), Graph::new(&tasks).critical_path_calls());
        }
    }

    #[test]
    fn a_key_less_is_no_chain_more() {
        for seed in 0..50 {
            let calls = block(seed);
            let longest = longest_chain(&calls, 4, None);
            assert!((0..4).all(|key| longest_chain(&calls, 4, Some(key)) <= longest));
        }
    }
}
