//! Votes of many on one proposal.

use super::{CALLERS_MAX, CrowdReport, report};
use crate::Progress;
use crate::contracts::{OPERATOR, call, instantiate, next_block, query, set_up};
use crate::swaps::random::Random;
use crate::turns::{self, Host, TurnOptions};
use anyhow::ensure;
use tollway::{Address, Block, Config, Runtime};
use tollway_contracts_wasm::VOTE;

const SEED: u64 = 0x7011_3A9E_2026_0003;

/// Choices of a vote, as in the contract.
const CHOICES: u8 = 3;

/// A voter's weight is below this.
const WEIGHT_END: u64 = 1_000_000;

/// What to measure. All votes of a block are on one proposal; the next block is about the next one,
/// as nobody votes twice.
#[derive(Clone, Debug)]
pub struct VoteOptions {
    /// Threads, blocks and the rest.
    pub turns: TurnOptions,
    /// Votes of a block, and voters; at most [`CALLERS_MAX`].
    pub block_calls: usize,
}

/// A proposal's votes, in block order: voter and choice.
type Votes = Vec<(usize, u8)>;

/// The account of a voter.
pub fn voter(number: usize) -> Address {
    Address::from_u64(0x766f_7465_0000_0000 | number as u64)
}

/// Measures votes. Progress counts the set-up calls of each configuration, then votes.
///
/// # Errors
/// If a call fails, a tally or a choice is not what the votes make of it, or two runs end in
/// different states.
pub fn run(options: &VoteOptions, progress: Progress<'_>) -> anyhow::Result<CrowdReport> {
    options.turns.check()?;
    let callers = options.block_calls;
    ensure!((1..=CALLERS_MAX).contains(&callers), "a block has 1 to {CALLERS_MAX} votes");
    let mut random = Random::new(SEED);
    let weights: Vec<u128> =
        (0..callers).map(|_| u128::from(1 + random.below(WEIGHT_END - 1))).collect();
    let mut voters: Vec<usize> = (0..callers).collect();
    let votes = |_| {
        random.shuffle(&mut voters);
        let choice = |voter: &usize| (*voter, random.below(CHOICES.into()) as u8);
        voters.iter().map(choice).collect()
    };
    let blocks: Vec<Votes> = (0..=options.turns.blocks).map(votes).collect();
    let host = |config| Assembly::new(config, &blocks, &weights, progress);
    let turns = turns::run(&options.turns, host, progress)?;
    for row in &turns.rows {
        row.host.expect_tallies()?;
    }
    report("votes", "disjoint", callers, &turns)
}

/// The voting contract, a proposal for each block, and voters with weights.
struct Assembly<'b> {
    runtime: Runtime,
    contract: Address,
    blocks: &'b [Votes],
    weights: &'b [u128],
}

impl<'b> Assembly<'b> {
    fn new(
        config: Config,
        blocks: &'b [Votes],
        weights: &'b [u128],
        progress: Progress<'_>,
    ) -> anyhow::Result<Self> {
        let mut runtime = Runtime::new(config)?;
        let code = runtime.upload(VOTE)?;
        let contract = instantiate(&mut runtime, code, 0, (OPERATOR,))?;
        let open = |proposal| call(OPERATOR, contract, "open", (proposal as u64, u64::MAX));
        let weigh = |(number, weight): (usize, &u128)| {
            call(OPERATOR, contract, "set_weight", (voter(number), *weight))
        };
        let calls = (0..blocks.len()).map(open).chain(weights.iter().enumerate().map(weigh));
        set_up(&mut runtime, &calls.collect::<Vec<_>>(), progress)?;
        Ok(Self { runtime, contract, blocks, weights })
    }

    /// Every tally is the weight of those who chose so, and every choice is on record.
    fn expect_tallies(&self) -> anyhow::Result<()> {
        for (proposal, votes) in self.blocks.iter().enumerate() {
            for choice in 0..CHOICES {
                let args = (proposal as u64, choice);
                let found: u128 = query(&self.runtime, self.contract, "tally", args)?;
                let chose = votes.iter().filter(|vote| vote.1 == choice);
                let expected: u128 = chose.map(|vote| self.weights[vote.0]).sum();
                ensure!(
                    found == expected,
                    "the tally of choice {choice} on proposal {proposal} is {found}, \
                     expected {expected}"
                );
            }
        }
        let last = self.blocks.len().saturating_sub(1);
        for (number, choice) in self.blocks.last().into_iter().flatten() {
            let args = (last as u64, voter(*number));
            let found: Option<u8> = query(&self.runtime, self.contract, "choice_of", args)?;
            ensure!(
                found == Some(*choice),
                "voter {number} chose {choice}, on record is {found:?}"
            );
        }
        Ok(())
    }
}

impl Host for Assembly<'_> {
    fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    fn runtime_mut(&mut self) -> &mut Runtime {
        &mut self.runtime
    }

    fn block(&self, number: usize) -> Block {
        let vote = |(caller, choice): &(usize, u8)| {
            call(voter(*caller), self.contract, "vote", (number as u64, *choice))
        };
        next_block(&self.runtime, self.blocks[number].iter().map(vote).collect())
    }
}
