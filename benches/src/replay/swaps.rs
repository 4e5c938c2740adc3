//! Real swaps, run through the contract `pair` and compared with the record to the unit.
//!
//! ```text
//! row ──▶ swap(amounts)       at a pair of 30 bp          accepted as k_holds_30bp says
//!    └──▶ swap_0_for_1(in) …  at a pair of the row's fee  gives the amount out to the unit
//! ```
//!
//! A pair contract starts with the row's real reserves, given as liquidity, and goes on with the
//! next row of the same pair if that one begins where this one ended. If not (something else
//! happened in between, or a 30 bp pair refused the swap), another pair is made.
//!
//! # Invariants
//! 1. Reserves are compared after every swap, by the pair's own event, and at the end by its view.
//! 2. Receipts and state are the oracle's for any number of threads; other receipts are an error,
//!    another state shows in the roots.

use super::expect_equal;
use crate::Progress;
use crate::contracts::{
    OPERATOR, SET_UP_CALLS_MAX, call, expect_success, instantiate, next_block, query, returned,
};
use crate::v2::{Fit, RecordedSwap};
use anyhow::{Context, ensure};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use tollway::oracle::Oracle;
use tollway::{Address, Block, Call, Compiler, Config, Outcome, Receipt, Runtime};
use tollway_contracts_wasm::{PAIR, TOKEN};
use tollway_host_api::Abi;
use tollway_host_api::value::{self, Value};

/// The fee of Uniswap V2 in basis points.
const THIRTY_BP: u32 = 30;

/// The product of reserves below which a pair gives no shares for them.
const PRODUCT_MIN: u128 = 1_001 * 1_001;

/// How to replay.
#[derive(Clone, Debug)]
pub struct SwapsOptions {
    /// Worker threads.
    pub threads: usize,
    /// The engine's compiler.
    pub compiler: Compiler,
}

impl Default for SwapsOptions {
    fn default() -> Self {
        Self { threads: 2, compiler: Compiler::default() }
    }
}

/// What became of the recorded swaps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SwapsReport {
    /// Swaps of the file.
    pub rows: usize,
    /// Those that a formula explains to the unit, and the contract with it.
    pub exact: usize,
    /// Those that no formula gives, and that the contract accepts or refuses as recorded.
    pub explained: usize,
    /// All others.
    pub mismatched: usize,
    /// Worker threads.
    pub threads: usize,
    /// Digest of the runtime's state at the end.
    pub state_root: String,
    /// Digest of the oracle's state at the end.
    pub oracle_root: String,
    /// What is wrong with the mismatched ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mismatches: Vec<Mismatch>,
}

impl SwapsReport {
    /// Whether every swap is as recorded and the runtime's state is the oracle's.
    pub fn is_success(&self) -> bool {
        self.mismatched == 0 && self.state_root == self.oracle_root
    }
}

/// A recorded swap that is not as recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// Its line in the file.
    pub line: u64,
    /// The first thing that is wrong.
    pub reason: String,
}

/// Replays swaps, those of one real block as one block. Progress counts calls, set-up included.
///
/// # Errors
/// If the set-up fails or the oracle gives other receipts. A swap that is not as recorded is no
/// error; see [`SwapsReport::mismatches`].
pub fn run(
    swaps: &[RecordedSwap],
    options: &SwapsOptions,
    progress: Progress<'_>,
) -> anyhow::Result<SwapsReport> {
    ensure!(options.threads > 0, "at least one thread is needed");
    let plan = Plan::new(swaps);
    let mut replay = Replay::new(swaps, &plan, options)?;
    let set_up = replay.set_up_calls(swaps, &plan)?;
    let total = (set_up.len() + plan.steps.len()) as u64;
    let mut done = 0;
    for calls in set_up.chunks(SET_UP_CALLS_MAX) {
        let block = next_block(&replay.runtime, calls.to_vec());
        let receipts = replay.execute(&block)?;
        expect_success(&block, &receipts).context("set-up")?;
        done += calls.len() as u64;
        progress(done, total);
    }
    let mut reasons: BTreeMap<usize, String> = BTreeMap::new();
    for (row, swap) in swaps.iter().enumerate() {
        reasons.extend(swap.contradiction().map(|reason| (row, reason)));
    }
    for steps in plan.steps.chunk_by(|a, b| swaps[a.row].block == swaps[b.row].block) {
        let calls = steps.iter().map(|step| replay.call(step, &swaps[step.row])).collect();
        let block = next_block(&replay.runtime, calls);
        let receipts = replay.execute(&block)?;
        for (step, receipt) in steps.iter().zip(&receipts) {
            if let Err(error) = replay.check(step, &swaps[step.row], receipt) {
                reasons.entry(step.row).or_insert_with(|| format!("{error:#}"));
            }
        }
        done += steps.len() as u64;
        progress(done, total);
    }
    for (segment, pair) in plan.segments.iter().zip(&replay.pairs) {
        let found: [u128; 2] = query(&replay.runtime, *pair, "reserves", ())?;
        if found != segment.reserves_last {
            let reason = format!("reserves end as {found:?}, expected {:?}", segment.reserves_last);
            reasons.entry(segment.row_last).or_insert(reason);
        }
    }
    replay.report(swaps, reasons, options)
}

/// A pair contract and the successive rows that it runs.
struct Segment {
    tokens: [Address; 2],
    fee_bp: u32,
    reserves: [u128; 2],
    reserves_last: [u128; 2],
    row_last: usize,
}

/// A call of a row: on which pair, and how.
struct Step {
    row: usize,
    segment: usize,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// All four amounts given, at 30 bp.
    AmountsAtThirty,
    /// All four amounts given, at the row's fee.
    AmountsAtFee,
    /// The amount in given, at the row's fee.
    ExactIn,
}

/// Which pairs there must be, and which calls go to them: known from the rows alone.
#[derive(Default)]
struct Plan {
    segments: Vec<Segment>,
    steps: Vec<Step>,
}

impl Plan {
    fn new(swaps: &[RecordedSwap]) -> Self {
        let mut plan = Self::default();
        let mut open = BTreeMap::new();
        for (row, swap) in swaps.iter().enumerate() {
            plan.add(&mut open, row, swap, Kind::AmountsAtThirty, THIRTY_BP);
            match (swap.fit, swap.fee_bp) {
                (Fit::Out | Fit::Both, Some(fee)) => {
                    plan.add(&mut open, row, swap, Kind::ExactIn, fee);
                }
                (Fit::In, Some(fee)) if fee != THIRTY_BP => {
                    plan.add(&mut open, row, swap, Kind::AmountsAtFee, fee);
                }
                _ => {}
            }
        }
        plan
    }

    /// Adds a step to the open segment of its kind, pair and fee, or to a new one.
    fn add(
        &mut self,
        open: &mut BTreeMap<(Kind, Address, u32), usize>,
        row: usize,
        swap: &RecordedSwap,
        kind: Kind,
        fee_bp: u32,
    ) {
        let key = (kind, swap.pair, fee_bp);
        let goes_on = open.get(&key).copied().filter(|segment| {
            let segment = &self.segments[*segment];
            segment.reserves_last == swap.before && segment.tokens == swap.tokens
        });
        let segment = goes_on.unwrap_or_else(|| {
            self.segments.push(Segment {
                tokens: swap.tokens,
                fee_bp,
                reserves: swap.before,
                reserves_last: swap.before,
                row_last: row,
            });
            self.segments.len() - 1
        });
        open.insert(key, segment);
        if is_accepted(kind, swap) {
            self.segments[segment].reserves_last = swap.after;
        }
        self.segments[segment].row_last = row;
        self.steps.push(Step { row, segment, kind });
    }
}

fn is_accepted(kind: Kind, swap: &RecordedSwap) -> bool {
    kind != Kind::AmountsAtThirty || swap.k_holds_30bp
}

/// The runtime and the oracle that see the same blocks.
struct Replay {
    runtime: Runtime,
    oracle: Oracle,
    /// Our token contract for each real token.
    tokens: BTreeMap<Address, Address>,
    /// One for each segment.
    pairs: Vec<Address>,
    abi: Abi,
}

impl Replay {
    fn new(swaps: &[RecordedSwap], plan: &Plan, options: &SwapsOptions) -> anyhow::Result<Self> {
        let (threads, compiler) = (options.threads, options.compiler);
        let mut runtime = Runtime::new(Config { threads, compiler, ..Config::default() })?;
        let code = runtime.upload(TOKEN)?;
        let real: BTreeSet<Address> = swaps.iter().flat_map(|swap| swap.tokens).collect();
        let tokens = (0..)
            .zip(real)
            .map(|(salt, real)| Ok((real, instantiate(&mut runtime, code, salt, (OPERATOR,))?)))
            .collect::<anyhow::Result<BTreeMap<_, _>>>()?;
        let code = runtime.upload(PAIR)?;
        let abi = runtime.code(&code).context("uploaded code is kept")?.abi.clone();
        let pairs = (0..)
            .zip(&plan.segments)
            .map(|(salt, segment)| {
                let [token0, token1] = segment.tokens.map(|token| tokens[&token]);
                instantiate(&mut runtime, code, salt, (token0, token1, segment.fee_bp as u16))
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        let oracle = Oracle::new(&runtime);
        Ok(Self { runtime, oracle, tokens, pairs, abi })
    }

    /// What must happen before the first swap: tokens for providers and traders, approvals, and
    /// each pair's first reserves.
    fn set_up_calls(&self, swaps: &[RecordedSwap], plan: &Plan) -> anyhow::Result<Vec<Call>> {
        let mut needed: BTreeMap<(Address, Address), u128> = BTreeMap::new();
        let mut approvals = BTreeSet::new();
        let mut need = |owner, token, amount: u128, pair| -> anyhow::Result<()> {
            let sum = needed.entry((token, owner)).or_default();
            *sum = sum.checked_add(amount).context("the amounts of a token overflow together")?;
            approvals.insert((owner, token, pair));
            Ok(())
        };
        for (segment, pair) in plan.segments.iter().zip(&self.pairs) {
            for (token, reserve) in segment.tokens.iter().zip(segment.reserves) {
                need(OPERATOR, self.tokens[token], reserve, *pair)?;
            }
        }
        for step in &plan.steps {
            let swap = &swaps[step.row];
            for (token, amount) in swap.tokens.iter().zip(swap.amounts_in) {
                need(swap.sender, self.tokens[token], amount, self.pairs[step.segment])?;
            }
        }
        let mints = needed
            .into_iter()
            .map(|((token, owner), amount)| call(OPERATOR, token, "mint", (owner, amount)));
        let approvals = approvals
            .into_iter()
            .map(|(owner, token, pair)| call(owner, token, "approve", (pair, u128::MAX)));
        let mut calls: Vec<Call> = mints.chain(approvals).collect();
        for (segment, pair) in plan.segments.iter().zip(&self.pairs) {
            let [reserve0, reserve1] = segment.reserves;
            ensure!(
                reserve0.saturating_mul(reserve1) >= PRODUCT_MIN,
                "line {}: reserves {reserve0} and {reserve1} are too small to start a pair with",
                swaps[segment.row_last].line
            );
            calls.push(call(OPERATOR, *pair, "add_liquidity", (reserve0, reserve1, 0u128)));
        }
        Ok(calls)
    }

    fn call(&self, step: &Step, swap: &RecordedSwap) -> Call {
        let pair = self.pairs[step.segment];
        match (step.kind, swap.trade()) {
            (Kind::ExactIn, Some(trade)) => {
                let method = if trade.zero_for_one { "swap_0_for_1" } else { "swap_1_for_0" };
                call(swap.sender, pair, method, (trade.amount_in, trade.amount_out, swap.to))
            }
            _ => {
                let args = (swap.amounts_in, swap.amounts_out, swap.to);
                call(swap.sender, pair, "swap", args)
            }
        }
    }

    /// Executes and commits a block, and holds its receipts against the oracle's.
    fn execute(&mut self, block: &Block) -> anyhow::Result<Vec<Receipt>> {
        let outcome = self.runtime.execute(block)?;
        expect_equal(&mut self.oracle, block, &outcome.receipts)?;
        self.runtime.commit(outcome.batch)?;
        Ok(outcome.receipts)
    }

    fn check(&self, step: &Step, swap: &RecordedSwap, receipt: &Receipt) -> anyhow::Result<()> {
        ensure!(receipt.misses == 0, "the swap touched undeclared keys");
        if !is_accepted(step.kind, swap) {
            let error = self.error_name(receipt);
            ensure!(
                error.as_deref() == Some("K"),
                "expected to be refused at 30 bp, got {error:?}"
            );
            return Ok(());
        }
        match (step.kind, swap.trade()) {
            (Kind::ExactIn, Some(trade)) => {
                let out: u128 = returned(receipt)?;
                ensure!(
                    out == trade.amount_out,
                    "the formula gives {out}, recorded is {}",
                    trade.amount_out
                );
            }
            _ => returned::<()>(receipt)?,
        }
        let found = self.reserves_after(receipt, self.pairs[step.segment]);
        ensure!(
            found == Some(swap.after),
            "reserves after are {found:?}, recorded {:?}",
            swap.after
        );
        Ok(())
    }

    /// The name of the error with which a pair refused a call.
    fn error_name(&self, receipt: &Receipt) -> Option<String> {
        let Outcome::Reverted { error, .. } = &receipt.outcome else { return None };
        match value::decode(self.abi.error.first()?, &mut error.as_slice()) {
            Ok(Value::Enum(_, name, _)) => Some(name.into_owned()),
            _ => None,
        }
    }

    /// What the pair's event says that it holds now.
    fn reserves_after(&self, receipt: &Receipt, pair: Address) -> Option<[u128; 2]> {
        let sync = self.abi.events.iter().position(|event| event.name == "Sync")?;
        let is_sync =
            |event: &&tollway::Event| event.contract == pair && event.event as usize == sync;
        let event = receipt.events.iter().rfind(is_sync)?;
        borsh::from_slice(&event.data).ok()
    }

    fn report(
        self,
        swaps: &[RecordedSwap],
        reasons: BTreeMap<usize, String>,
        options: &SwapsOptions,
    ) -> anyhow::Result<SwapsReport> {
        let matched = || (0..swaps.len()).filter(|row| !reasons.contains_key(row));
        let exact = matched().filter(|row| swaps[*row].fit.is_exact()).count();
        let explained = matched().count() - exact;
        Ok(SwapsReport {
            rows: swaps.len(),
            exact,
            explained,
            mismatched: reasons.len(),
            threads: options.threads,
            state_root: self.runtime.state_root()?.to_string(),
            oracle_root: self.oracle.state_root().to_string(),
            mismatches: reasons
                .into_iter()
                .map(|(row, reason)| Mismatch { line: swaps[row].line, reason })
                .collect(),
        })
    }
}
