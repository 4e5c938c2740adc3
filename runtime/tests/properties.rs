//! Random blocks, several in a row on one state, on any number of threads: receipts to the byte,
//! events, gas and state are those of the oracle.
//!
//! Blocks are made to conflict: few accounts, few cells, calls that are declared rightly, wrongly
//! or not at all, that trap, revert, run out of gas at any point, re-enter, and swallow failures.

mod support;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{FileFailurePersistence, TestRunner};
use std::cell::RefCell;
use std::collections::BTreeMap;
use support::puppet::{self, Callee, Cells, Op, RevertOn};
use support::{World, call, call_with};
use tollway::{Address, Call, Compiler, Config, Failure, Gas, Limits, OnMiss, Outcome, Receipt};
use tollway_contracts_wasm::{PAIR, SYNTHETIC, TOKEN};

/// What a case has: indices into [`Contracts`], so that cases can be printed and shrunk.
#[derive(Clone, Debug)]
struct AnyCall {
    what: What,
    caller: u64,
    gas_limit: u64,
}

#[derive(Clone, Debug)]
enum What {
    Puppet { target: usize, method: &'static str, body: Body },
    Synthetic { target: usize, run: Run },
    Token { target: usize, action: TokenAction },
    Pair(PairAction),
    Garbage { target: usize, garbage: Garbage },
}

/// What a puppet does, and what it declares of it.
#[derive(Clone, Debug)]
struct Body {
    steps: Vec<Step>,
    declares: Declares,
}

#[derive(Clone, Debug)]
enum Step {
    Do(Op),
    Call { target: usize, method: &'static str, gas: u64, body: Body },
}

#[derive(Clone, Debug)]
enum Declares {
    Rightly,
    /// Everything that it touches as a write, and more.
    TooMuch,
    Wrongly(Cells),
}

#[derive(Clone, Debug)]
enum Run {
    Touch { method: &'static str, reads: Vec<u32>, writes: Vec<u32>, adds: Vec<u32>, burn: u64 },
    Sum(Vec<u32>),
    End { method: &'static str, writes: Vec<u32>, adds: Vec<u32> },
    Overflow(Vec<u32>),
    Nested { method: &'static str, target: usize, own: u32, lists: [Vec<u32>; 3] },
    Try { target: usize, own: u32, trap: bool, writes: Vec<u32>, adds: Vec<u32> },
    Descend { target: usize, other: usize, depth: u32, key: u32 },
    Recurse { depth: u32, key: u32 },
    Group { method: &'static str, group: u8, other: u8, lists: [Vec<u32>; 4] },
    NestedGroup { target: usize, group: u8, fails: bool, writes: Vec<u32> },
    Note(u64),
    Shard { key: Vec<u8>, value: u64 },
}

#[derive(Clone, Debug)]
enum TokenAction {
    Mint { to: u64, amount: u128 },
    Burn { amount: u128 },
    Transfer { to: u64, amount: u128 },
    Approve { spender: u64, amount: u128 },
    TransferFrom { from: u64, to: u64, amount: u128 },
    BalanceOf(u64),
    TotalSupply,
}

#[derive(Clone, Debug)]
enum PairAction {
    AddLiquidity(u128, u128),
    RemoveLiquidity(u128),
    Swap { inputs: [u128; 2], outputs: [u128; 2], to: u64 },
    SwapExactIn { zero_for_one: bool, amount: u128, min: u128, to: u64 },
    SwapOneWay { zero_for_one: bool, amount: u128, min: u128, to: u64 },
    Reserves,
}

#[derive(Clone, Debug)]
enum Garbage {
    UnknownMethod(String),
    UnknownContract,
    Args(Vec<u8>),
    /// More than the limit.
    Long,
}

/// Four puppets: two with cells that conflict one by one, one with cells that all conflict, and one
/// with cells that are prefixes of themselves. Two synthetics, two tokens and a pair of them.
struct Contracts {
    puppets: [Address; PUPPETS],
    synthetics: [Address; 2],
    tokens: [Address; 2],
    pair: Address,
}

const PUPPETS: usize = 4;

const ACCOUNTS: u64 = 4;

fn account(number: u64) -> Address {
    Address::from_u64(1_000 + number)
}

// Strategies.

fn cells() -> impl Strategy<Value = Cells> {
    let some = || vec(0..6u8, 0..3);
    (some(), some(), some()).prop_map(|(reads, writes, adds)| Cells { reads, writes, adds })
}

fn op() -> impl Strategy<Value = Op> {
    let cell = || 0..6u8;
    prop_oneof![
        12 => cell().prop_map(Op::Read),
        12 => cell().prop_map(Op::Write),
        12 => (cell(), 0..1_000u64).prop_map(|(cell, amount)| Op::Add(cell, amount)),
        1 => cell().prop_map(Op::AddMost),
        8 => (cell(), 0..1_000u64, revert_on())
            .prop_map(|(cell, amount, revert_on)| Op::Sub(cell, amount, revert_on)),
        1 => cell().prop_map(Op::SubMost),
        2 => (cell(), 0..1_000u64).prop_map(|(cell, amount)| Op::Set(cell, amount)),
        2 => cell().prop_map(Op::ReadTransient),
        2 => cell().prop_map(Op::WriteTransient),
        2 => Just(Op::Sequence),
        3 => cell().prop_map(Op::Remove),
        1 => cell().prop_map(Op::Spoil),
        6 => Just(Op::Emit),
        1 => Just(Op::Revert),
        1 => Just(Op::ReturnError),
        1 => Just(Op::Trap),
        1 => Just(Op::Spin),
        1 => Just(Op::Forward),
        4 => Just(Op::GasLeft),
        4 => Just(Op::Dirty),
        1 => Just(Op::Grow),
        3 => (0..300u32).prop_map(Op::Burn),
        1 => prop_oneof![0..200u32, any::<u32>()].prop_map(Op::Recurse),
        4 => Just(Op::Context),
        1 => (any::<u16>(), 0..200u32, any::<u32>(), any::<u32>()).prop_map(
            |(key, key_len, out, capacity)| Op::HostRead { key: key.into(), key_len, out, capacity }
        ),
    ]
}

fn revert_on() -> impl Strategy<Value = RevertOn> {
    prop_oneof![
        1 => Just(RevertOn::Less),
        1 => Just(RevertOn::Done),
        4 => Just(RevertOn::Neither),
    ]
}

fn declares() -> impl Strategy<Value = Declares> {
    prop_oneof![
        6 => Just(Declares::Rightly),
        1 => Just(Declares::TooMuch),
        1 => cells().prop_map(Declares::Wrongly),
    ]
}

fn body() -> impl Strategy<Value = Body> {
    let of = |steps: BoxedStrategy<Vec<Step>>| {
        (steps, declares()).prop_map(|(steps, declares)| Body { steps, declares }).boxed()
    };
    let leaf = of(vec(op().prop_map(Step::Do), 0..6).boxed());
    let methods =
        select(vec!["act_leaf", "act_leaf", "act_reentrant", "act_undeclared", "look", "missing"]);
    leaf.prop_recursive(3, 20, 5, move |inner| {
        let gas = prop_oneof![2 => Just(0u64), 3 => 0..60_000u64, 1 => 200_000..400_000u64];
        let call = (0..PUPPETS, methods.clone(), gas, inner)
            .prop_map(|(target, method, gas, body)| Step::Call { target, method, gas, body });
        of(vec(prop_oneof![3 => op().prop_map(Step::Do), 2 => call], 0..5).boxed())
    })
}

fn puppet_call() -> impl Strategy<Value = What> {
    let methods = select(vec![
        "act",
        "act",
        "act_leaf",
        "act_leaf",
        "act_undeclared",
        "act_reentrant",
        "look",
    ]);
    (0..PUPPETS, methods, body()).prop_map(|(target, method, body)| What::Puppet {
        target,
        method,
        body,
    })
}

fn synthetic_call() -> impl Strategy<Value = What> {
    let keys = || vec(0..6u32, 0..4);
    let runs = select(vec![
        "run",
        "run",
        "run_undeclared",
        "run_misdeclared",
        "run_overdeclared",
        "run_reentrant",
    ]);
    let run = prop_oneof![
        8 => (runs, keys(), keys(), keys(), 0..100u64).prop_map(
            |(method, reads, writes, adds, burn)| Run::Touch { method, reads, writes, adds, burn }),
        1 => keys().prop_map(Run::Sum),
        2 => (select(vec!["fail_after", "trap_after", "spin_after"]), keys(), keys())
            .prop_map(|(method, writes, adds)| Run::End { method, writes, adds }),
        1 => keys().prop_map(Run::Overflow),
        4 => (
            select(vec!["nested", "nested_reentrant", "nested_undeclared"]),
            0..2usize,
            0..6u32,
            [keys(), keys(), keys()],
        ).prop_map(|(method, target, own, lists)| Run::Nested { method, target, own, lists }),
        2 => (0..2usize, 0..6u32, any::<bool>(), keys(), keys()).prop_map(
            |(target, own, trap, writes, adds)| Run::Try { target, own, trap, writes, adds }),
        1 => (0..2usize, 0..2usize, 0..12u32, 0..6u32).prop_map(
            |(target, other, depth, key)| Run::Descend { target, other, depth, key }),
        1 => (0..20_000u32, 0..6u32).prop_map(|(depth, key)| Run::Recurse { depth, key }),
        8 => (
            select(vec!["run_group", "run_group", "run_group", "run_group_misdeclared"]),
            0..3u8,
            0..3u8,
            [keys(), keys(), keys(), keys()],
        ).prop_map(|(method, group, other, lists)| Run::Group { method, group, other, lists }),
        4 => (0..2usize, 0..3u8, any::<bool>(), keys()).prop_map(
            |(target, group, fails, writes)| Run::NestedGroup { target, group, fails, writes }),
        1 => any::<u64>().prop_map(Run::Note),
        1 => (vec(any::<u8>(), 0..20), any::<u64>())
            .prop_map(|(key, value)| Run::Shard { key, value }),
    ];
    (0..2usize, run).prop_map(|(target, run)| What::Synthetic { target, run })
}

fn amount() -> impl Strategy<Value = u128> {
    prop_oneof![
        8 => 0..1_000u128,
        2 => 0..2_000_000u128,
        1 => any::<u128>(),
        1 => Just(u128::MAX),
    ]
}

fn token_call() -> impl Strategy<Value = What> {
    let who = || 0..ACCOUNTS;
    let action = prop_oneof![
        2 => (who(), amount()).prop_map(|(to, amount)| TokenAction::Mint { to, amount }),
        1 => amount().prop_map(|amount| TokenAction::Burn { amount }),
        8 => (who(), amount()).prop_map(|(to, amount)| TokenAction::Transfer { to, amount }),
        2 => (who(), amount())
            .prop_map(|(spender, amount)| TokenAction::Approve { spender, amount }),
        4 => (who(), who(), amount())
            .prop_map(|(from, to, amount)| TokenAction::TransferFrom { from, to, amount }),
        1 => who().prop_map(TokenAction::BalanceOf),
        1 => Just(TokenAction::TotalSupply),
    ];
    (0..2usize, action).prop_map(|(target, action)| What::Token { target, action })
}

fn pair_call() -> impl Strategy<Value = What> {
    let to = || 0..ACCOUNTS;
    prop_oneof![
        2 => (amount(), amount()).prop_map(|(a, b)| PairAction::AddLiquidity(a, b)),
        2 => amount().prop_map(PairAction::RemoveLiquidity),
        2 => ([0..500u128, 0..2u128], [0..2u128, 0..500u128], to())
            .prop_map(|(inputs, outputs, to)| PairAction::Swap { inputs, outputs, to }),
        3 => (any::<bool>(), amount(), 0..50u128, to()).prop_map(
            |(zero_for_one, amount, min, to)| PairAction::SwapExactIn { zero_for_one, amount, min, to }),
        6 => (any::<bool>(), amount(), 0..50u128, to()).prop_map(
            |(zero_for_one, amount, min, to)| PairAction::SwapOneWay { zero_for_one, amount, min, to }),
        1 => Just(PairAction::Reserves),
    ]
    .prop_map(What::Pair)
}

fn garbage_call() -> impl Strategy<Value = What> {
    let garbage = prop_oneof![
        "[a-z_]{0,80}".prop_map(Garbage::UnknownMethod),
        Just(Garbage::UnknownMethod("init".to_owned())),
        Just(Garbage::UnknownContract),
        vec(any::<u8>(), 0..40).prop_map(Garbage::Args),
        Just(Garbage::Long),
    ];
    (0..PUPPETS, garbage).prop_map(|(target, garbage)| What::Garbage { target, garbage })
}

fn any_call() -> impl Strategy<Value = AnyCall> {
    let what = prop_oneof![
        8 => puppet_call(),
        6 => synthetic_call(),
        4 => token_call(),
        4 => pair_call(),
        1 => garbage_call(),
    ];
    // Swaps take some 20,000; what never ends must end soon.
    let gas_limit = prop_oneof![
        12 => Just(400_000u64),
        3 => 1_000..40_000u64,
        1 => 0..1_200u64,
        1 => Just(u64::MAX),
    ];
    (what, 0..ACCOUNTS, gas_limit).prop_map(|(what, caller, gas_limit)| AnyCall {
        what,
        caller,
        gas_limit,
    })
}

fn blocks(blocks_max: usize, calls_max: usize) -> impl Strategy<Value = Vec<Vec<AnyCall>>> {
    vec(vec(any_call(), 0..calls_max), 1..=blocks_max)
}

// From a case to calls.

impl Body {
    fn ops(&self, contracts: &Contracts) -> Vec<Op> {
        self.steps.iter().map(|step| step.op(contracts)).collect()
    }

    fn cells(&self) -> Cells {
        let mut right = Cells::default();
        for step in &self.steps {
            match step {
                Step::Do(Op::Read(cell)) => right.reads.push(*cell),
                Step::Do(
                    Op::Write(cell) | Op::Remove(cell) | Op::Spoil(cell) | Op::Set(cell, _),
                ) => right.writes.push(*cell),
                Step::Do(
                    Op::Add(cell, _) | Op::AddMost(cell) | Op::Sub(cell, ..) | Op::SubMost(cell),
                ) => right.adds.push(*cell),
                Step::Do(_) | Step::Call { .. } => {}
            }
        }
        match &self.declares {
            Declares::Rightly => right,
            Declares::TooMuch => {
                let writes = [right.reads, right.writes, right.adds, vec![0, 5]].concat();
                Cells { writes, ..Cells::default() }
            }
            Declares::Wrongly(cells) => cells.clone(),
        }
    }

    /// What an `act` declares of the puppets that it calls; nothing of those that they call.
    fn callees(&self, contracts: &Contracts) -> Vec<Callee> {
        let callee = |step: &Step| match step {
            Step::Call { target, body, .. } => {
                Some(Callee { contract: contracts.puppets[*target], cells: body.cells() })
            }
            Step::Do(_) => None,
        };
        self.steps.iter().filter_map(callee).collect()
    }
}

impl Step {
    fn op(&self, contracts: &Contracts) -> Op {
        match self {
            Self::Do(op) => op.clone(),
            Self::Call { target, method, gas, body } => {
                let ops = body.ops(contracts);
                let args = match *method {
                    "look" => borsh::to_vec(&puppet::script(&ops)).expect("arguments encode"),
                    _ => puppet::leaf_args(&ops, &body.cells()),
                };
                Op::Call { contract: contracts.puppets[*target], method, gas: *gas, args }
            }
        }
    }
}

impl AnyCall {
    fn build(&self, contracts: &Contracts) -> Call {
        let call = self.what.build(contracts);
        Call { caller: account(self.caller), gas_limit: Gas(self.gas_limit), ..call }
    }
}

impl What {
    fn build(&self, contracts: &Contracts) -> Call {
        match self {
            Self::Puppet { target, method, body } => {
                let (contract, ops) = (contracts.puppets[*target], body.ops(contracts));
                match *method {
                    "act" => puppet::act(contract, &ops, body.cells(), &body.callees(contracts)),
                    "look" => puppet::look(contract, &ops),
                    _ => puppet::act_as(contract, method, &ops, body.cells()),
                }
            }
            Self::Synthetic { target, run } => run.build(contracts, contracts.synthetics[*target]),
            Self::Token { target, action } => action.build(contracts.tokens[*target]),
            Self::Pair(action) => action.build(contracts.pair),
            Self::Garbage { target, garbage } => {
                let contract = contracts.puppets[*target];
                match garbage {
                    Garbage::UnknownMethod(method) => call(contract, method),
                    Garbage::UnknownContract => call(Address::from_u64(404), "act"),
                    Garbage::Args(args) => Call { args: args.clone(), ..call(contract, "act") },
                    Garbage::Long => Call { args: vec![0; 70_000], ..call(contract, "act") },
                }
            }
        }
    }
}

impl Run {
    fn build(&self, contracts: &Contracts, contract: Address) -> Call {
        let synthetic = |index: usize| contracts.synthetics[index];
        match self {
            Self::Touch { method, reads, writes, adds, burn } => {
                call_with(contract, method, &(reads, writes, adds, burn))
            }
            Self::Sum(reads) => call_with(contract, "sum", reads),
            Self::End { method, writes, adds } => call_with(contract, method, &(writes, adds)),
            Self::Overflow(adds) => call_with(contract, "overflow", adds),
            Self::Nested { method, target, own, lists: [reads, writes, adds] } => {
                call_with(contract, method, &(synthetic(*target), own, reads, writes, adds))
            }
            Self::Try { target, own, trap, writes, adds } => {
                call_with(contract, "nested_try", &(synthetic(*target), own, trap, writes, adds))
            }
            Self::Descend { target, other, depth, key } => {
                let args = (synthetic(*target), synthetic(*other), depth, key);
                call_with(contract, "descend", &args)
            }
            Self::Recurse { depth, key } => call_with(contract, "recurse", &(depth, key)),
            Self::Group { method, group, other, lists: [reads, writes, adds, peeks] } => {
                call_with(contract, method, &(group, other, reads, writes, adds, peeks))
            }
            Self::NestedGroup { target, group, fails, writes } => {
                let args = (synthetic(*target), group, fails, writes);
                call_with(contract, "nested_group", &args)
            }
            Self::Note(value) => call_with(contract, "note", value),
            Self::Shard { key, value } => call_with(contract, "mix_shard", &(key, value)),
        }
    }
}

impl TokenAction {
    fn build(&self, contract: Address) -> Call {
        match self {
            Self::Mint { to, amount } => call_with(contract, "mint", &(account(*to), amount)),
            Self::Burn { amount } => call_with(contract, "burn", amount),
            Self::Transfer { to, amount } => {
                call_with(contract, "transfer", &(account(*to), amount))
            }
            Self::Approve { spender, amount } => {
                call_with(contract, "approve", &(account(*spender), amount))
            }
            Self::TransferFrom { from, to, amount } => {
                call_with(contract, "transfer_from", &(account(*from), account(*to), amount))
            }
            Self::BalanceOf(of) => call_with(contract, "balance_of", &account(*of)),
            Self::TotalSupply => call(contract, "total_supply"),
        }
    }
}

impl PairAction {
    fn build(&self, contract: Address) -> Call {
        match self {
            Self::AddLiquidity(a, b) => call_with(contract, "add_liquidity", &(a, b, 0u128)),
            Self::RemoveLiquidity(shares) => {
                call_with(contract, "remove_liquidity", &(shares, 0u128, 0u128))
            }
            Self::Swap { inputs: [in0, in1], outputs: [out0, out1], to } => {
                call_with(contract, "swap", &(in0, in1, out0, out1, account(*to)))
            }
            Self::SwapExactIn { zero_for_one, amount, min, to } => {
                call_with(contract, "swap_exact_in", &(zero_for_one, amount, min, account(*to)))
            }
            Self::SwapOneWay { zero_for_one, amount, min, to } => {
                let method = if *zero_for_one { "swap_0_for_1" } else { "swap_1_for_0" };
                call_with(contract, method, &(amount, min, account(*to)))
            }
            Self::Reserves => call(contract, "reserves"),
        }
    }
}

// Running cases.

fn puppets(world: &mut World) -> [Address; PUPPETS] {
    [None, None, Some(0), Some(1)].map(|prefix_parts| {
        let code = world.upload(&puppet::wasm_by(prefix_parts));
        world.instantiate(code, &())
    })
}

/// New contracts on a world: two accounts hold tokens, the pair may move them and has reserves.
fn set_up(world: &mut World) -> Contracts {
    let puppets = puppets(world);
    let synthetic = world.upload(SYNTHETIC);
    let token = world.upload(TOKEN);
    let pair = world.upload(PAIR);
    let synthetics = [(); 2].map(|()| world.instantiate(synthetic, &()));
    let tokens = [(); 2].map(|()| world.instantiate(token, &account(0)));
    let pair = world.instantiate(pair, &(tokens[0], tokens[1], 30u16));
    let by = |number: u64, call: Call| Call { caller: account(number), ..call };
    let mut calls = Vec::new();
    for token in tokens {
        for holder in 0..3 {
            calls.push(by(0, call_with(token, "mint", &(account(holder), 1_000_000u128))));
            calls.push(by(holder, call_with(token, "approve", &(pair, u128::MAX))));
        }
    }
    calls.push(by(0, PairAction::AddLiquidity(300_000, 500_000).build(pair)));
    let receipts = world.run(calls);
    assert!(receipts.iter().all(Receipt::is_success), "{receipts:?}");
    Contracts { puppets, synthetics, tokens, pair }
}

/// Worlds are kept from case to case, because compiling takes most of a case's time; but not for
/// ever, because the oracle copies all that earlier cases left.
#[derive(Default)]
struct Worlds {
    idle: BTreeMap<(usize, &'static str), (World, usize)>,
}

const CASES_PER_WORLD: usize = 16;

impl Worlds {
    /// Lends a world. It comes back only if `test` doesn't panic.
    fn with<R>(
        &mut self,
        threads: usize,
        compiler: Compiler,
        test: impl FnOnce(&mut World) -> R,
    ) -> R {
        let name = (threads, compiler.name());
        let (mut world, cases) =
            self.idle.remove(&name).unwrap_or_else(|| (World::new(threads, compiler), 0));
        let result = test(&mut world);
        if cases + 1 < CASES_PER_WORLD {
            self.idle.insert(name, (world, cases + 1));
        }
        result
    }
}

/// How calls ended, so that a generator that has gone lame is noticed.
#[derive(Default)]
struct Ends(BTreeMap<&'static str, usize>);

impl Ends {
    fn count(&mut self, receipts: &[Receipt]) {
        for receipt in receipts {
            let end = match &receipt.outcome {
                Outcome::Returned(_) if receipt.misses > 0 => "missed and returned",
                Outcome::Returned(_) => "returned",
                Outcome::Reverted { .. } => "reverted",
                Outcome::Failed(Failure::OutOfGas) => "out of gas",
                Outcome::Failed(Failure::Trap { .. }) => "trap",
                Outcome::Failed(Failure::StackExhausted { .. }) => "stack exhausted",
                Outcome::Failed(Failure::AddOverflow { .. }) => "add overflow",
                Outcome::Failed(Failure::CallRefused { .. }) => "call refused",
                Outcome::Failed(_) => "refused",
            };
            *self.0.entry(end).or_default() += 1;
        }
    }

    fn assert_varied(&self) {
        let total: usize = self.0.values().sum();
        let of = |end| self.0.get(end).copied().unwrap_or(0);
        assert!(of("returned") * 4 > total, "{:?}", self.0);
        for end in [
            "missed and returned",
            "reverted",
            "out of gas",
            "trap",
            "stack exhausted",
            "add overflow",
            "call refused",
            "refused",
        ] {
            assert!(of(end) > 0, "no call ended as {end}: {:?}", self.0);
        }
    }
}

fn runner(cases: u32) -> TestRunner {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(cases);
    TestRunner::new(ProptestConfig {
        cases,
        max_shrink_iters: 2_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "proptest-regressions/properties.txt",
        ))),
        ..ProptestConfig::default()
    })
}

fn build(blocks: &[AnyCall], contracts: &Contracts) -> Vec<Call> {
    blocks.iter().map(|call| call.build(contracts)).collect()
}

/// Holds random blocks against the oracle, on 1 to 8 threads.
fn check_against_oracle(compiler: Compiler, cases: u32, calls_max: usize) -> Ends {
    let worlds = RefCell::new(Worlds::default());
    let ends = RefCell::new(Ends::default());
    let strategy = (1..=8usize, blocks(3, calls_max));
    let result = runner(cases).run(&strategy, |(threads, blocks)| {
        let mut worlds = worlds.borrow_mut();
        worlds.with(threads, compiler, |world| {
            let contracts = set_up(world);
            for block in &blocks {
                let receipts = world.run(build(block, &contracts));
                ends.borrow_mut().count(&receipts);
            }
        });
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    ends.into_inner()
}

#[test]
fn random_blocks_run_as_in_the_oracle() {
    check_against_oracle(Compiler::Cranelift, 200, 60).assert_varied();
}

#[test]
fn random_blocks_run_as_in_the_oracle_under_winch() {
    check_against_oracle(Compiler::Winch, 80, 60);
}

#[test]
fn random_blocks_run_as_in_the_oracle_under_pulley() {
    check_against_oracle(Compiler::Pulley, 32, 30);
}

#[test]
fn compilers_agree_on_random_blocks() {
    let worlds = RefCell::new(Worlds::default());
    let result = runner(40).run(&(1..=3usize, blocks(2, 40)), |(threads, blocks)| {
        let mut worlds = worlds.borrow_mut();
        let mut histories = Compiler::ALL.map(|compiler| {
            worlds.with(threads, compiler, |world| {
                // All three worlds have come as far, so their contracts have the same addresses.
                let contracts = set_up(world);
                let receipts = blocks.iter().map(|block| world.run(build(block, &contracts)));
                let receipts: Vec<Vec<Receipt>> = receipts.collect();
                (receipts, world.root())
            })
        });
        let [expected, others @ ..] = &mut histories;
        for (found, compiler) in others.iter().zip(&Compiler::ALL[1..]) {
            prop_assert_eq!(found, &*expected, "{}", compiler.name());
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// Limits so small that random calls meet all of them.
fn tight_limits() -> Limits {
    Limits {
        access_keys_max: 6,
        call_depth_max: 3,
        events_max: 3,
        event_bytes_max: 100,
        args_bytes_max: 300,
        value_bytes_max: 16,
        output_bytes_max: 20,
        call_gas_max: 300_000,
        instances_max: 1,
        stack_units_max: 64 << 10,
        memory_pages_max: 2,
        history_max: 1,
        ..Limits::default()
    }
}

#[test]
fn random_blocks_run_as_in_the_oracle_within_tight_limits() {
    let worlds = RefCell::new(BTreeMap::<(usize, bool), (World, usize)>::new());
    let what = prop_oneof![6 => puppet_call(), 4 => synthetic_call(), 1 => garbage_call()];
    let gas_limit = prop_oneof![6 => Just(300_000u64), 2 => 0..40_000u64, 1 => Just(300_001u64)];
    let any_call = (what, 0..ACCOUNTS, gas_limit).prop_map(|(what, caller, gas_limit)| AnyCall {
        what,
        caller,
        gas_limit,
    });
    let strategy = (1..=4usize, any::<bool>(), vec(vec(any_call, 0..60), 1..=3));
    let result = runner(120).run(&strategy, |(threads, fails, blocks)| {
        let mut worlds = worlds.borrow_mut();
        let (mut world, cases) = worlds.remove(&(threads, fails)).unwrap_or_else(|| {
            let on_miss = if fails { OnMiss::Fail } else { OnMiss::Repair };
            // On odd numbers of threads, nearly all of the state is below the store.
            let cache_keys_max = threads % 2;
            let history_max = if cache_keys_max > 0 { 1 } else { 4 };
            let limits = Limits { history_max, ..tight_limits() };
            let config = Config { threads, on_miss, limits, cache_keys_max, ..Config::default() };
            (World::with(config), 0)
        });
        let puppets = puppets(&mut world);
        let synthetic = world.upload(SYNTHETIC);
        let synthetics = [(); 2].map(|()| world.instantiate(synthetic, &()));
        let [token, pair, ..] = puppets;
        let contracts = Contracts { puppets, synthetics, tokens: [token; 2], pair };
        for block in &blocks {
            world.run(build(block, &contracts));
        }
        if cases + 1 < CASES_PER_WORLD {
            worlds.insert((threads, fails), (world, cases + 1));
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// Adders, readers and writers of three cells and nothing else: the densest conflicts there are.
#[test]
fn dense_conflicts_run_as_in_the_oracle() {
    let cell = || 0..3u8;
    let op = prop_oneof![
        2 => cell().prop_map(Op::Read),
        2 => cell().prop_map(Op::Write),
        6 => (cell(), 0..10u64).prop_map(|(cell, amount)| Op::Add(cell, amount)),
        1 => cell().prop_map(Op::AddMost),
        1 => cell().prop_map(Op::Remove),
        1 => cell().prop_map(Op::Spoil),
        1 => Just(Op::Revert),
    ];
    let body = (vec(op.prop_map(Step::Do), 1..4), declares())
        .prop_map(|(steps, declares)| Body { steps, declares })
        .boxed();
    let worlds = RefCell::new(Worlds::default());
    // Each kind of puppet by itself.
    let bodies =
        (1..PUPPETS).prop_flat_map(move |puppet| vec((Just(puppet), body.clone()), 1..200));
    let strategy = (1..=8usize, bodies);
    let result = runner(120).run(&strategy, |(threads, bodies)| {
        let mut worlds = worlds.borrow_mut();
        worlds.with(threads, Compiler::Cranelift, |world| {
            let puppets = puppets(world);
            let [one, ..] = puppets;
            let others = [one; 2];
            let contracts = Contracts { puppets, synthetics: others, tokens: others, pair: one };
            let calls = bodies.iter().map(|(puppet, body)| {
                let contract = contracts.puppets[*puppet];
                let call = puppet::act_leaf(contract, &body.ops(&contracts), body.cells());
                Call { gas_limit: Gas(400_000), ..call }
            });
            world.run(calls.collect());
        });
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
