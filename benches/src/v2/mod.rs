//! Recorded swaps of real constant-product pairs: what went in and out, the reserves before and
//! after, and which formula explains them.
//!
//! ```text
//! v2_swaps.csv ──▶ Vec<RecordedSwap> ──▶ contradiction()   by integer arithmetic alone, here
//!                         └────────────▶ crate::replay     by running it through the runtime
//! ```

pub mod formula;

use crate::table::{Row, Table, TableError};
use formula::Trade;
use std::path::{Path, PathBuf};
use tollway_host_api::Address;

const COLUMNS: &[&str] = &[
    "block",
    "tx",
    "log",
    "dex",
    "pair",
    "token0",
    "token1",
    "reserve0_before",
    "reserve1_before",
    "amount0_in",
    "amount1_in",
    "amount0_out",
    "amount1_out",
    "reserve0_after",
    "reserve1_after",
    "fee_bp",
    "fit",
    "k_holds_30bp",
    "before_from",
    "sender",
    "to",
    "tx_from",
];

/// Amounts and reserves are below 2 to this power, as in the contracts that were recorded.
pub const AMOUNT_BITS: u32 = 112;

/// A fee in basis points is below this.
pub const FEE_BP_MAX: u32 = 10_000;

/// Why recorded swaps could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SwapsError {
    /// The file is no table of the expected kind.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A swap is not after the one on the line above it.
    #[error(
        "{}:{line}: block {}, transaction {}, log {} is not after the line above",
        file.display(), position.0, position.1, position.2
    )]
    Order {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Block, transaction and log of that line.
        position: (u64, u64, u64),
    },
}

/// How a swap relates to the constant-product formula, as recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// The amount out is the formula's for the amount in.
    Out,
    /// The amount in is the formula's for the amount out.
    In,
    /// Both.
    Both,
    /// The product holds at 30 bp, but less was taken than the formula allows.
    Slack,
    /// Both tokens went in, or out.
    TwoSided,
    /// The product fails at 30 bp.
    Below30bp,
}

impl Fit {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "out" => Self::Out,
            "in" => Self::In,
            "both" => Self::Both,
            "slack" => Self::Slack,
            "two_sided" => Self::TwoSided,
            "below_30bp" => Self::Below30bp,
            _ => return None,
        })
    }

    /// Whether a formula gives the swap's amounts to the unit.
    pub const fn is_exact(self) -> bool {
        matches!(self, Self::Out | Self::In | Self::Both)
    }
}

/// One recorded swap. Pairs of numbers are for token 0 and token 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedSwap {
    /// Its line in the file.
    pub line: u64,
    /// Its block.
    pub block: u64,
    /// The pair.
    pub pair: Address,
    /// The pair's tokens.
    pub tokens: [Address; 2],
    /// The pair's reserves before it.
    pub before: [u128; 2],
    /// What went in.
    pub amounts_in: [u128; 2],
    /// What came out.
    pub amounts_out: [u128; 2],
    /// The pair's reserves after it.
    pub after: [u128; 2],
    /// The fee at which a formula gives the amounts; always there if the fit is exact.
    pub fee_bp: Option<u32>,
    /// Which formula does.
    pub fit: Fit,
    /// Whether the product of the reserves holds at a fee of 30 bp.
    pub k_holds_30bp: bool,
    /// Who received what came out.
    pub to: Address,
    /// Who sent the transaction.
    pub sender: Address,
}

/// Reads recorded swaps, which must be in the order of block, transaction and log.
///
/// # Errors
/// [`SwapsError`] names the line of the first thing that is wrong.
pub fn read(file: &Path) -> Result<Vec<RecordedSwap>, SwapsError> {
    let mut table = Table::open(file, COLUMNS)?;
    let mut swaps = Vec::new();
    let mut previous = None;
    while let Some(row) = table.next_row()? {
        let position = (row.number("block")?, row.number("tx")?, row.number("log")?);
        if previous.is_some_and(|previous| previous >= position) {
            return Err(SwapsError::Order { file: file.into(), line: row.line, position });
        }
        previous = Some(position);
        swaps.push(parse(&row, position.0)?);
    }
    Ok(swaps)
}

fn parse(row: &Row<'_>, block: u64) -> Result<RecordedSwap, TableError> {
    let fit = Fit::parse(row.text("fit"));
    let fit =
        fit.ok_or_else(|| row.wrong("fit", "one of out, in, both, slack, two_sided, below_30bp"))?;
    let fee_bp: Option<u32> = row.optional("fee_bp")?;
    if fee_bp.is_none_or(|fee| fee >= FEE_BP_MAX) && (fee_bp.is_some() || fit.is_exact()) {
        return Err(row.wrong("fee_bp", format!("a number below {FEE_BP_MAX}")));
    }
    let k_holds_30bp = match row.text("k_holds_30bp") {
        "0" => false,
        "1" => true,
        _ => return Err(row.wrong("k_holds_30bp", "0 or 1")),
    };
    let tokens = [address(row, "token0")?, address(row, "token1")?];
    if tokens[0] == tokens[1] {
        return Err(row.wrong("token1", "another token than token0"));
    }
    Ok(RecordedSwap {
        line: row.line,
        block,
        pair: address(row, "pair")?,
        tokens,
        before: [reserve(row, "reserve0_before")?, reserve(row, "reserve1_before")?],
        amounts_in: [amount(row, "amount0_in")?, amount(row, "amount1_in")?],
        amounts_out: [amount(row, "amount0_out")?, amount(row, "amount1_out")?],
        after: [reserve(row, "reserve0_after")?, reserve(row, "reserve1_after")?],
        fee_bp,
        fit,
        k_holds_30bp,
        to: address(row, "to")?,
        sender: address(row, "tx_from")?,
    })
}

fn amount(row: &Row<'_>, column: &'static str) -> Result<u128, TableError> {
    let amount: u128 = row.number(column)?;
    if amount >> AMOUNT_BITS == 0 {
        return Ok(amount);
    }
    Err(row.wrong(column, format!("a decimal number below 2^{AMOUNT_BITS}")))
}

fn reserve(row: &Row<'_>, column: &'static str) -> Result<u128, TableError> {
    match amount(row, column)? {
        0 => Err(row.wrong(column, "a decimal number above 0")),
        reserve => Ok(reserve),
    }
}

/// A 20-byte address, as the last 20 bytes of one of ours.
fn address(row: &Row<'_>, column: &'static str) -> Result<Address, TableError> {
    let digits = row.text(column).strip_prefix("0x").filter(|digits| digits.len() == 40);
    let parsed = digits.and_then(|digits| format!("{digits:0>64}").parse().ok());
    parsed.ok_or_else(|| row.wrong(column, "0x and 40 hexadecimal digits"))
}

impl RecordedSwap {
    /// The trade, if exactly one token went in and the other one came out.
    pub fn trade(&self) -> Option<Trade> {
        match (self.amounts_in, self.amounts_out) {
            ([amount_in @ 1..=u128::MAX, 0], [0, amount_out @ 1..=u128::MAX]) => Some(Trade {
                zero_for_one: true,
                reserve_in: self.before[0],
                reserve_out: self.before[1],
                amount_in,
                amount_out,
            }),
            ([0, amount_in @ 1..=u128::MAX], [amount_out @ 1..=u128::MAX, 0]) => Some(Trade {
                zero_for_one: false,
                reserve_in: self.before[1],
                reserve_out: self.before[0],
                amount_in,
                amount_out,
            }),
            _ => None,
        }
    }

    /// In what way the recorded numbers, fit and flag contradict each other, if they do.
    pub fn contradiction(&self) -> Option<String> {
        for token in 0..2 {
            let held = self.before[token] + self.amounts_in[token];
            if held.checked_sub(self.amounts_out[token]) != Some(self.after[token]) {
                return Some(format!("reserve {token} before + in - out is not the one after"));
            }
        }
        let holds = formula::product_holds(self.before, self.amounts_in, self.after, 30);
        if holds != self.k_holds_30bp {
            return Some(format!("k_holds_30bp should be {}", u8::from(holds)));
        }
        let fits = self.fit_at(self.fee_bp);
        (!fits).then(|| format!("{:?} does not fit with fee_bp {:?}", self.fit, self.fee_bp))
    }

    fn fit_at(&self, fee_bp: Option<u32>) -> bool {
        let Some(trade) = self.trade() else {
            return self.fit == Fit::TwoSided && fee_bp.is_none();
        };
        let at = |fee_bp| (trade.is_formula_out(fee_bp), trade.is_formula_in(fee_bp));
        // 30 bp is tried first: another fee, or none, means that 30 bp gives nothing.
        let is_thirty = at(30) != (false, false);
        if is_thirty != (fee_bp == Some(30)) {
            return false;
        }
        self.fit
            == match fee_bp.map(at) {
                Some((true, true)) => Fit::Both,
                Some((true, false)) => Fit::Out,
                Some((false, true)) => Fit::In,
                Some((false, false)) => return false,
                None if self.k_holds_30bp => Fit::Slack,
                None => Fit::Below30bp,
            }
    }
}

#[cfg(test)]
pub(crate) mod tests;
