//! A contract that does as it is told: touches the keys it is given, in ways that show in the
//! state if a version was wrong, and misbehaves on demand. For tests and benches.
//!
//! ```text
//! run(reads, writes, adds, burn)
//!     mix ← caller, position in the block, burn rounds of hashing
//!     mix ← mix ⊕ each cell read             so what was read is in all that follows
//!     each cell written ← hash(cell, mix)    so the order of writers shows
//!     each cell added to += 1 … 256          so a sum shows who added
//! ```
//!
//! All cells are counters of one map, so that a key may be read, written and added to by
//! different calls. What is written is below 2⁶⁴: no number of adds in a test overflows it.
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

extern crate alloc;

/// The contract.
#[tollway_sdk::contract]
pub mod synthetic {
    use alloc::vec::Vec;
    use tollway_interfaces::SyntheticRef;
    use tollway_sdk::env::{call_id, call_index, caller, height, next_id, this};
    use tollway_sdk::{Address, CallStatus, Counter, Group, Item, Map, Transient, shard_of};

    /// The state.
    #[storage]
    pub struct Synthetic {
        cells: Map<u32, Counter>,
        /// Whether [`guarded`](Self::guarded) runs in this top-level call.
        busy: Transient<bool>,
        /// What passes through this contract, by route, in this top-level call.
        passing: Map<u8, Transient<u128>>,
        /// What [`note`](Self::note) stored, by who called and in which call.
        notes: Map<(u128, Address), Item<u64>>,
        /// What [`mix_shard`](Self::mix_shard) mixed, by shard of the caller.
        shards: Map<u8, Item<u64>>,
        /// Cells that conflict by the first part of their keys.
        groups: Group<u8, Map<u32, Counter>>,
        /// A counter in groups of its own, which makes a whole key of a prefix.
        tops: Group<u8, Counter>,
    }

    /// How many [`shards`](Synthetic::shards) there are.
    const SHARDS: u16 = 8;

    /// A run came to its end.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Ran {
        /// The caller.
        pub caller: Address,
        /// What everything read was mixed into.
        pub mix: u64,
    }

    /// Why a call reverts.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// Because it was told to.
        Asked,
        /// A cell holds less than was to be taken from it.
        Short,
        /// A guarded method was entered again.
        Busy,
    }

    impl Synthetic {
        /// Reads the cells `reads`, writes `writes` (each after reading it), adds to `adds`, and
        /// burns gas: `burn` rounds of a loop of about ten Wasm instructions each (42 for every
        /// four, as compiled today). Returns what everything read was mixed into.
        #[call]
        pub fn run(&mut self, reads: Vec<u32>, writes: Vec<u32>, adds: Vec<u32>, burn: u64) -> u64 {
            let mut mix = start(burn);
            for key in &reads {
                mix = mixed(mix, self.cells.at(*key).get());
            }
            for key in &writes {
                let cell = self.cells.at(*key);
                mix = mixed(mix, cell.get());
                cell.set(mix.into());
            }
            for key in &adds {
                self.cells.at(*key).add(amount(mix, *key));
            }
            Ran { caller: caller(), mix }.emit();
            mix
        }

        /// [`run`](Self::run), without a declaration.
        #[call]
        #[access(undeclared)]
        pub fn run_undeclared(
            &mut self,
            reads: Vec<u32>,
            writes: Vec<u32>,
            adds: Vec<u32>,
            burn: u64,
        ) -> u64 {
            self.run(reads, writes, adds, burn)
        }

        /// [`run`](Self::run), with a declaration of its reads alone, so that every other touch is
        /// a miss.
        #[call]
        #[access(for key in reads { read cells[key] })]
        pub fn run_misdeclared(
            &mut self,
            reads: Vec<u32>,
            writes: Vec<u32>,
            adds: Vec<u32>,
            burn: u64,
        ) -> u64 {
            self.run(reads, writes, adds, burn)
        }

        /// [`run`](Self::run), which declares to write all that it touches.
        #[call]
        #[access(
            for key in reads { write cells[key] },
            for key in writes { write cells[key] },
            for key in adds { write cells[key] },
        )]
        pub fn run_overdeclared(
            &mut self,
            reads: Vec<u32>,
            writes: Vec<u32>,
            adds: Vec<u32>,
            burn: u64,
        ) -> u64 {
            self.run(reads, writes, adds, burn)
        }

        /// [`run`](Self::run), which may be entered while this contract runs.
        #[call(reentrant)]
        pub fn run_reentrant(
            &mut self,
            reads: Vec<u32>,
            writes: Vec<u32>,
            adds: Vec<u32>,
            burn: u64,
        ) -> u64 {
            self.run(reads, writes, adds, burn)
        }

        /// The sum of the cells `reads`, modulo 2⁶⁴.
        #[view]
        pub fn sum(&self, reads: Vec<u32>) -> u64 {
            let mut sum = 0u64;
            for key in &reads {
                sum = sum.wrapping_add(self.cells.at(*key).get() as u64);
            }
            sum
        }

        /// Writes and adds, then reverts.
        #[call]
        pub fn fail_after(&mut self, writes: Vec<u32>, adds: Vec<u32>) -> Result<(), Error> {
            self.touch(&writes, &adds);
            Err(Error::Asked)
        }

        /// Writes and adds, then traps.
        #[call]
        pub fn trap_after(&mut self, writes: Vec<u32>, adds: Vec<u32>) {
            self.touch(&writes, &adds);
            panic!("asked to");
        }

        /// Writes and adds, then never ends: out of gas.
        #[call]
        pub fn spin_after(&mut self, writes: Vec<u32>, adds: Vec<u32>) {
            self.touch(&writes, &adds);
            let mut rounds = start(0);
            loop {
                rounds = core::hint::black_box(rounds.wrapping_add(1));
            }
        }

        /// Adds so much to the cells `adds`, twice, that the sum leaves the range: the call fails
        /// at its end.
        #[call]
        pub fn overflow(&mut self, adds: Vec<u32>) {
            for key in &adds {
                self.cells.at(*key).add(u128::MAX);
                self.cells.at(*key).add(1);
            }
        }

        /// Takes `amount` from each of the cells `from` and adds it to each of the cells `to`,
        /// without reading any. What is taken and not yet paid is a balance that only passes
        /// through, so it is transient: no two calls wait for it.
        #[call]
        pub fn pass(
            &mut self,
            route: u8,
            from: Vec<u32>,
            to: Vec<u32>,
            amount: u128,
        ) -> Result<u128, Error> {
            let passing = self.passing.at(route);
            for key in &from {
                self.cells.at(*key).sub(amount).map_err(|_| Error::Short)?;
                let sum = passing.get_or(0).checked_add(amount).ok_or(Error::Short)?;
                passing.set(&sum);
            }
            for key in &to {
                let rest = passing.get_or(0).checked_sub(amount).ok_or(Error::Short)?;
                self.cells.at(*key).add(amount);
                passing.set(&rest);
            }
            Ok(passing.get_or(0))
        }

        /// May be entered while this contract runs, but not while it runs itself: a lock that is
        /// no key. Enters `target` the same way, and returns the status of that.
        #[call(reentrant)]
        pub fn guarded(&mut self, target: SyntheticRef, again: bool) -> Result<u32, Error> {
            if self.busy.get_or(false) {
                return Err(Error::Busy);
            }
            self.busy.set(&true);
            let status = match again.then(|| target.try_guarded(target, false)) {
                None | Some(Ok(_)) => CallStatus::Ok,
                Some(Err(error)) => error.status,
            };
            self.busy.set(&false);
            Ok(status as u32)
        }

        /// Two new identifiers, and between them those that `target` makes, if any.
        #[call]
        pub fn new_ids(&mut self, target: Option<SyntheticRef>) -> Vec<u128> {
            let mut ids = alloc::vec![next_id()];
            if let Some(target) = target {
                ids.extend(target.new_ids(None));
            }
            ids.push(next_id());
            ids
        }

        /// [`run`](Self::run) in a group: which cells, the state says. A cell named is taken to be
        /// so much further on as the ones before it say; writes empty every fourth. `peeks` are
        /// cells of another group that are looked at alone.
        #[call]
        pub fn run_group(
            &mut self,
            group: u8,
            other: u8,
            reads: Vec<u32>,
            writes: Vec<u32>,
            adds: Vec<u32>,
            peeks: Vec<u32>,
        ) -> u64 {
            let cells = self.groups.of(group);
            let mut mix = start(0);
            for key in &reads {
                mix = mixed(mix, cells.at(key.wrapping_add(mix as u32 % 3)).get());
            }
            for key in &writes {
                let cell = cells.at(key.wrapping_add(mix as u32 % 3));
                mix = mixed(mix, cell.get());
                if mix.is_multiple_of(4) {
                    cell.set(0);
                } else {
                    cell.set(mix.into());
                }
            }
            for key in &adds {
                let cell = cells.at(key.wrapping_add(mix as u32 % 3));
                cell.add(amount(mix, *key));
                mix = mixed(mix, cell.sub(amount(mix, 1)).is_ok().into());
            }
            let others = self.groups.of(other);
            for key in &peeks {
                mix = mixed(mix, others.at(key.wrapping_add(mix as u32 % 3)).get());
            }
            self.tops.of(group).add(1);
            mixed(mix, self.tops.of(other).get())
        }

        /// Tries [`run_group`](Self::run_group) at `target` and fails there if `fails`, between two
        /// touches of the group here.
        #[call]
        pub fn nested_group(
            &mut self,
            target: SyntheticRef,
            group: u8,
            fails: bool,
            writes: Vec<u32>,
        ) -> u64 {
            let cell = self.groups.of(group).at(0);
            cell.set(mixed(start(0), cell.get()).into());
            let result = target.try_write_group(group, writes, fails);
            let mix = mixed(result.unwrap_or(7), cell.get());
            cell.set(mix.into());
            mix
        }

        /// Writes cells of a group, then perhaps reverts. May be entered while this contract runs.
        #[call(reentrant)]
        pub fn write_group(
            &mut self,
            group: u8,
            writes: Vec<u32>,
            fails: bool,
        ) -> Result<u64, Error> {
            let cells = self.groups.of(group);
            let mut mix = start(0);
            for key in &writes {
                let cell = cells.at(*key);
                mix = mixed(mix, cell.get());
                cell.set(mix.into());
            }
            if fails { Err(Error::Asked) } else { Ok(mix) }
        }

        /// [`run_group`](Self::run_group) that declares to read one group, whatever it does.
        #[call]
        #[access(read groups[other])]
        pub fn run_group_misdeclared(
            &mut self,
            group: u8,
            other: u8,
            reads: Vec<u32>,
            writes: Vec<u32>,
            adds: Vec<u32>,
            peeks: Vec<u32>,
        ) -> u64 {
            self.run_group(group, other, reads, writes, adds, peeks)
        }

        /// Stores `value` under the call's identifier, and returns that.
        #[call]
        pub fn note(&mut self, value: u64) -> u128 {
            let id = call_id();
            let note = self.notes.at((id, caller()));
            note.set(&note.get_or(value));
            id
        }

        /// [`note`](Self::note), here and at `target`.
        #[call]
        pub fn note_both(&mut self, target: SyntheticRef, value: u64) -> u128 {
            target.note(value);
            self.note(value)
        }

        /// Mixes `value` into the cell of the caller's shard, then into that of the shard of `key`.
        /// Returns both shards.
        #[call]
        pub fn mix_shard(&mut self, key: Vec<u8>, value: u64) -> (u8, u8) {
            let shards = (shard_of(&caller(), SHARDS), shard_of(&key, 200));
            self.mix_cell(shards.0, value);
            self.mix_cell(shards.1, value);
            shards
        }

        fn mix_cell(&mut self, shard: u8, value: u64) {
            let cell = self.shards.at(shard);
            cell.set(&mixed(cell.get_or(0), value.into()));
        }

        /// Runs `target` with these keys, and mixes what it returns into the cell `own` here.
        /// `target` may be this contract, which is then refused.
        #[call]
        pub fn nested(
            &mut self,
            target: SyntheticRef,
            own: u32,
            reads: Vec<u32>,
            writes: Vec<u32>,
            adds: Vec<u32>,
        ) -> u64 {
            let result = target.run(reads, writes, adds, 0);
            let cell = self.cells.at(own);
            let mix = mixed(result, cell.get());
            cell.set(mix.into());
            mix
        }

        /// [`nested`](Self::nested) by way of [`run_reentrant`](Self::run_reentrant), with the
        /// cell `own` written before and after: `target` may be this contract, and `own` among its
        /// keys.
        #[call]
        pub fn nested_reentrant(
            &mut self,
            target: SyntheticRef,
            own: u32,
            reads: Vec<u32>,
            writes: Vec<u32>,
            adds: Vec<u32>,
        ) -> u64 {
            let cell = self.cells.at(own);
            cell.set(mixed(start(0), cell.get()).into());
            let result = target.run_reentrant(reads, writes, adds, 0);
            let mix = mixed(result, cell.get());
            cell.set(mix.into());
            mix
        }

        /// [`nested`](Self::nested) with a callee that declares nothing.
        #[call]
        pub fn nested_undeclared(
            &mut self,
            target: SyntheticRef,
            own: u32,
            reads: Vec<u32>,
            writes: Vec<u32>,
            adds: Vec<u32>,
        ) -> u64 {
            let result = target.run_undeclared(reads, writes, adds, 0);
            let cell = self.cells.at(own);
            let mix = mixed(result, cell.get());
            cell.set(mix.into());
            mix
        }

        /// Lets `target` touch its keys and fail, swallows the failure, and goes on: with a write
        /// to the cell `own` before, and one after. Returns the status of the call.
        ///
        /// The callee reverts, or traps if `trap`.
        #[call]
        pub fn nested_try(
            &mut self,
            target: SyntheticRef,
            own: u32,
            trap: bool,
            writes: Vec<u32>,
            adds: Vec<u32>,
        ) -> u32 {
            let cell = self.cells.at(own);
            cell.set(mixed(start(0), cell.get()).into());
            let result = if trap {
                target.try_trap_after(writes, adds)
            } else {
                target.try_fail_after(writes, adds)
            };
            let status = match result {
                Ok(()) => CallStatus::Ok,
                Err(error) => error.status,
            } as u32;
            cell.set(mixed(status.into(), cell.get()).into());
            status
        }

        /// Adds to the cell `key` and calls itself on `target`, with `target` and `other`
        /// exchanged, until `depth` is 0. Returns how deep it came: a level that fails is not
        /// counted, and its adds are gone.
        #[call(reentrant)]
        pub fn descend(
            &mut self,
            target: SyntheticRef,
            other: SyntheticRef,
            depth: u32,
            key: u32,
        ) -> u32 {
            self.cells.at(key).add(1);
            let Some(below) = depth.checked_sub(1) else {
                return 0;
            };
            match target.try_descend(other, target, below, key) {
                Ok(came) => came + 1,
                Err(_) => 0,
            }
        }

        /// Calls a function of its own `depth` deep, and adds the result to the cell `key`.
        #[call]
        pub fn recurse(&mut self, depth: u32, key: u32) -> u64 {
            let result = recurse(depth);
            self.cells.at(key).add(result.into());
            result
        }

        /// Does nothing: what it costs is the cost of a call.
        #[call]
        pub fn nothing(&mut self) {}

        /// Where this contract is.
        #[view]
        pub fn address(&self) -> Address {
            this()
        }

        fn touch(&mut self, writes: &[u32], adds: &[u32]) {
            let mut mix = start(0);
            for key in writes {
                let cell = self.cells.at(*key);
                mix = mixed(mix, cell.get());
                cell.set(mix.into());
            }
            for key in adds {
                self.cells.at(*key).add(amount(mix, *key));
            }
        }
    }

    /// Who calls, from where in which block, and `burn` rounds on top.
    fn start(burn: u64) -> u64 {
        let caller = caller();
        let mut mix = mixed(height(), call_index().into());
        for chunk in caller.0.chunks_exact(8) {
            let word = chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
            mix = mixed(mix, word.into());
        }
        for round in 0..burn {
            mix = (mix ^ round).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
        }
        mix
    }

    /// A hash of both, by the finalizer of splitmix64.
    fn mixed(mix: u64, value: u128) -> u64 {
        let mut mix = mix.rotate_left(17) ^ value as u64 ^ (value >> 64) as u64;
        mix = mix.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix = (mix ^ mix >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mix = (mix ^ mix >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mix ^ mix >> 31
    }

    fn amount(mix: u64, key: u32) -> u128 {
        u128::from(mixed(mix, key.into()) & 0xff) + 1
    }

    #[inline(never)]
    fn recurse(depth: u32) -> u64 {
        // What comes back is needed afterwards, so that this is not turned into a loop.
        match depth.checked_sub(1) {
            None => 1,
            Some(below) => core::hint::black_box(recurse(below)).wrapping_mul(3) ^ u64::from(depth),
        }
    }
}
