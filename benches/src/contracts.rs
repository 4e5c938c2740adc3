//! The sample contracts as their callers see them: method names, arguments, return values.

use anyhow::{Context, bail, ensure};
use borsh::{BorshDeserialize, BorshSerialize};
use tollway::{
    Address, Block, Call, CodeHash, Gas, Height, Instantiate, Outcome, Receipt, Runtime,
};

/// The gas limit of calls that are expected to use far less.
pub const GAS_LIMIT: Gas = Gas(10_000_000);

/// The most calls of a set-up block.
pub(crate) const SET_UP_CALLS_MAX: usize = 10_000;

/// Who owns the contracts and does the set-up.
pub const OPERATOR: Address = Address([0x0f; 32]);

/// A call with [`GAS_LIMIT`]; `args` is a tuple with one member for each parameter.
pub fn call(caller: Address, contract: Address, method: &str, args: impl BorshSerialize) -> Call {
    let args = borsh::to_vec(&args).expect("writing to memory does not fail");
    Call { caller, contract, method: method.into(), args, gas_limit: GAS_LIMIT }
}

/// A block that follows the runtime's head.
pub fn next_block(runtime: &Runtime, calls: Vec<Call>) -> Block {
    let height = Height(runtime.head().0 + 1);
    Block { height, time_ms: time_ms(height.0), calls, ..Block::default() }
}

/// The time of a block, in milliseconds since the Unix epoch. Any will do that goes up with the
/// height, at one block a second.
pub fn time_ms(height: u64) -> u64 {
    1_700_000_000_000 + 1_000 * height
}

/// Makes a contract of [`OPERATOR`]'s; `immutables` and `args` are tuples.
///
/// # Errors
/// If the runtime refuses.
pub fn instantiate(
    runtime: &mut Runtime,
    code: CodeHash,
    salt: u64,
    immutables: impl BorshSerialize,
) -> anyhow::Result<Address> {
    let immutables = borsh::to_vec(&immutables)?;
    let creator = OPERATOR;
    let request =
        Instantiate { code, creator, salt, immutables, args: Vec::new(), gas_limit: GAS_LIMIT };
    Ok(runtime.instantiate(request)?)
}

/// Executes and commits calls in ordinary blocks. Progress counts calls.
///
/// # Errors
/// If a call does not succeed.
pub fn set_up(
    runtime: &mut Runtime,
    calls: &[Call],
    progress: crate::Progress<'_>,
) -> anyhow::Result<()> {
    let (mut done, total) = (0, calls.len() as u64);
    for calls in calls.chunks(SET_UP_CALLS_MAX) {
        let block = next_block(runtime, calls.to_vec());
        let outcome = runtime.execute(&block)?;
        expect_returned(&block, &outcome.receipts)?;
        runtime.commit(outcome.batch)?;
        done += calls.len() as u64;
        progress(done, total);
    }
    Ok(())
}

/// Checks that every call of a block succeeded, inside its access set.
///
/// # Errors
/// Names the first call that did not.
pub fn expect_success(block: &Block, receipts: &[Receipt]) -> anyhow::Result<()> {
    expect_returned(block, receipts)?;
    let missed = receipts.iter().position(|receipt| receipt.misses > 0);
    if let Some(call) = missed {
        let (method, misses) = (&block.calls[call].method, receipts[call].misses);
        bail!("block {}, call {call} ({method}) missed {misses} keys", block.height);
    }
    Ok(())
}

/// Checks that every call of a block succeeded, whatever it declared.
///
/// # Errors
/// Names the first call that did not.
pub fn expect_returned(block: &Block, receipts: &[Receipt]) -> anyhow::Result<()> {
    ensure!(
        receipts.len() == block.calls.len(),
        "a block of {} calls has {} receipts",
        block.calls.len(),
        receipts.len()
    );
    for (index, (call, receipt)) in block.calls.iter().zip(receipts).enumerate() {
        returned_bytes(receipt)
            .with_context(|| format!("block {}, call {index} ({})", block.height, call.method))?;
    }
    Ok(())
}

/// The decoded return value of a call that succeeded.
///
/// # Errors
/// If it did not succeed, or returned something else.
pub fn returned<T: BorshDeserialize>(receipt: &Receipt) -> anyhow::Result<T> {
    Ok(borsh::from_slice(returned_bytes(receipt)?)?)
}

fn returned_bytes(receipt: &Receipt) -> anyhow::Result<&[u8]> {
    match &receipt.outcome {
        Outcome::Returned(value) => Ok(value),
        Outcome::Reverted { contract, error } => {
            bail!("contract {contract} reverted with {error:?}")
        }
        Outcome::Failed(failure) => bail!("{failure}"),
    }
}

/// What a view returns.
///
/// # Errors
/// If it does not succeed, or returns something else.
pub fn query<T: BorshDeserialize>(
    runtime: &Runtime,
    contract: Address,
    method: &str,
    args: impl BorshSerialize,
) -> anyhow::Result<T> {
    let receipt = runtime.query(contract, method, &borsh::to_vec(&args)?)?;
    returned(&receipt).with_context(|| format!("view {method} of {contract}"))
}
