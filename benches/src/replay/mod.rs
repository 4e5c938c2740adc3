//! Real blocks run through the runtime and held against the oracle.
//!
//! ```text
//! access   recorded access sets ──▶ calls of `synthetic` that touch the same keys
//! swaps    recorded swaps ────────▶ calls of `pair`, compared with the record to the unit
//! ```

pub mod access;
pub mod swaps;

#[cfg(test)]
mod tests;

use anyhow::ensure;
use tollway::oracle::Oracle;
use tollway::{Block, Receipt};

/// Runs a block through the oracle too and checks that it gives the same receipts.
fn expect_equal(oracle: &mut Oracle, block: &Block, receipts: &[Receipt]) -> anyhow::Result<()> {
    let expected = oracle.execute(block);
    for (index, (found, expected)) in receipts.iter().zip(&expected).enumerate() {
        ensure!(
            found == expected,
            "block {}, call {index}: receipt is {found:?}, the oracle's is {expected:?}",
            block.height
        );
    }
    ensure!(
        receipts.len() == expected.len(),
        "block {} has not the oracle's receipts",
        block.height
    );
    Ok(())
}
