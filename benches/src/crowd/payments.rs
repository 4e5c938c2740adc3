//! Payments of many to one merchant.

use super::{CALLERS_MAX, CrowdReport, report};
use crate::Progress;
use crate::contracts::{OPERATOR, call, instantiate, next_block, query, set_up};
use crate::swaps::random::Random;
use crate::turns::{self, Host, TurnOptions};
use anyhow::ensure;
use std::fmt;
use tollway::{Address, Block, Config, Runtime};
use tollway_contracts_wasm::TOKEN;

const SEED: u64 = 0x7011_3A9E_2026_0002;

/// What every payer holds at the start: more than a run of any length takes.
const BALANCE: u128 = 1 << 96;

/// A payment is below this.
const AMOUNT_END: u64 = 1_000_000_000;

/// The account that all pay.
pub const MERCHANT: Address = Address([0x3e; 32]);

/// Who pays in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payers {
    /// Everybody once: as many payers as payments.
    Disjoint,
    /// Anybody, so some pay several times, and their payments wait for each other.
    Uniform,
}

impl Payers {
    /// Its word on the command line and in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disjoint => "disjoint",
            Self::Uniform => "uniform",
        }
    }
}

impl fmt::Display for Payers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What to measure.
#[derive(Clone, Debug)]
pub struct PaymentOptions {
    /// Threads, blocks and the rest.
    pub turns: TurnOptions,
    /// Who pays.
    pub payers: Payers,
    /// Payments of a block, and payers; at most [`CALLERS_MAX`].
    pub block_calls: usize,
}

#[derive(Clone, Copy)]
struct Payment {
    payer: usize,
    amount: u128,
}

/// The account of a payer.
pub fn payer(number: usize) -> Address {
    Address::from_u64(0x7061_7965_0000_0000 | number as u64)
}

/// Measures payments. Progress counts the set-up calls of each configuration, then payments.
///
/// # Errors
/// If a call fails, a balance or the supply is not what the payments make of it, or two runs end in
/// different states.
pub fn run(options: &PaymentOptions, progress: Progress<'_>) -> anyhow::Result<CrowdReport> {
    options.turns.check()?;
    let callers = options.block_calls;
    ensure!((1..=CALLERS_MAX).contains(&callers), "a block has 1 to {CALLERS_MAX} payments");
    let blocks = draw(options);
    let host = |config| Shop::new(config, &blocks, callers, progress);
    let turns = turns::run(&options.turns, host, progress)?;
    for row in &turns.rows {
        row.host.expect_balances()?;
    }
    report("payments", options.payers.name(), callers, &turns)
}

fn draw(options: &PaymentOptions) -> Vec<Vec<Payment>> {
    let mut random = Random::new(SEED);
    let mut payers: Vec<usize> = (0..options.block_calls).collect();
    let block = |_| {
        if options.payers == Payers::Disjoint {
            random.shuffle(&mut payers);
        }
        let payment = |disjoint: &usize| Payment {
            payer: match options.payers {
                Payers::Disjoint => *disjoint,
                Payers::Uniform => random.below(options.block_calls as u64) as usize,
            },
            amount: u128::from(1 + random.below(AMOUNT_END - 1)),
        };
        payers.iter().map(payment).collect()
    };
    (0..=options.turns.blocks).map(block).collect()
}

/// A token, and payers who hold some.
struct Shop<'b> {
    runtime: Runtime,
    token: Address,
    blocks: &'b [Vec<Payment>],
    payers: usize,
}

impl<'b> Shop<'b> {
    fn new(
        config: Config,
        blocks: &'b [Vec<Payment>],
        payers: usize,
        progress: Progress<'_>,
    ) -> anyhow::Result<Self> {
        let mut runtime = Runtime::new(config)?;
        let code = runtime.upload(TOKEN)?;
        let token = instantiate(&mut runtime, code, 0, (OPERATOR,))?;
        let mint = |number| call(OPERATOR, token, "mint", (payer(number), BALANCE));
        set_up(&mut runtime, &(0..payers).map(mint).collect::<Vec<_>>(), progress)?;
        Ok(Self { runtime, token, blocks, payers })
    }

    /// The merchant has what was paid, everybody else what is left, and nothing came or went.
    fn expect_balances(&self) -> anyhow::Result<()> {
        let mut expected = vec![BALANCE; self.payers];
        let mut paid = 0;
        for payment in self.blocks.iter().flatten() {
            expected[payment.payer] -= payment.amount;
            paid += payment.amount;
        }
        let held =
            |owner: Address| query::<u128>(&self.runtime, self.token, "balance_of", (owner,));
        let found = held(MERCHANT)?;
        ensure!(found == paid, "the merchant holds {found}, {paid} was paid");
        for (number, expected) in expected.into_iter().enumerate() {
            let found = held(payer(number))?;
            ensure!(found == expected, "payer {number} holds {found}, expected {expected}");
        }
        let supply: u128 = query(&self.runtime, self.token, "total_supply", ())?;
        let minted = BALANCE * self.payers as u128;
        ensure!(supply == minted, "the supply is {supply}, {minted} was minted");
        Ok(())
    }
}

impl Host for Shop<'_> {
    fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    fn runtime_mut(&mut self) -> &mut Runtime {
        &mut self.runtime
    }

    fn block(&self, number: usize) -> Block {
        let pay = |payment: &Payment| {
            let args = (MERCHANT, payment.amount);
            call(payer(payment.payer), self.token, "transfer", args)
        };
        next_block(&self.runtime, self.blocks[number].iter().map(pay).collect())
    }
}
