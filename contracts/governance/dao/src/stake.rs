//! What somebody had locked at a time in the past.

use alloc::vec::Vec;
use tollway_sdk::contract_type;

/// The most changes of one stake that are kept. Whoever changes theirs more often while a vote may
/// need to know what it was has to wait: nobody else does.
pub const CHECKPOINTS_MAX: usize = 16;

/// From a time on, a stake is of this amount.
#[contract_type]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The block time of the change.
    pub time_ms: u64,
    /// The stake after it.
    pub amount: u128,
}

/// The stake now; `history` is in order of time.
pub(crate) fn latest(history: &[Checkpoint]) -> u128 {
    history.last().map_or(0, |last| last.amount)
}

/// The stake as it was when the block at `time_ms` began: changes in that block do not count.
pub(crate) fn before(history: &[Checkpoint], time_ms: u64) -> u128 {
    let earlier = history.iter().rev().find(|checkpoint| checkpoint.time_ms < time_ms);
    earlier.map_or(0, |checkpoint| checkpoint.amount)
}

/// Sets the stake from `now_ms` on, and forgets what nobody asks for any more: [`before`] stays as
/// it is for every time from `needed_ms` to `now_ms`. `None`, with nothing changed, if too much has
/// to be kept.
pub(crate) fn set(
    history: &mut Vec<Checkpoint>,
    now_ms: u64,
    needed_ms: u64,
    amount: u128,
) -> Option<()> {
    // The last one from before all that is needed answers for what came before it too.
    let known = history.iter().filter(|checkpoint| checkpoint.time_ms < needed_ms).count();
    let forgotten = known.saturating_sub(1);
    let is_same_block = history.last().is_some_and(|last| last.time_ms == now_ms);
    let kept = history.len() - forgotten;
    if !is_same_block && kept >= CHECKPOINTS_MAX {
        return None;
    }
    history.drain(..forgotten);
    match history.last_mut() {
        Some(last) if is_same_block => last.amount = amount,
        _ => history.push(Checkpoint { time_ms: now_ms, amount }),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollway_testkit::Dice;

    #[test]
    fn the_past_is_what_it_was_as_long_as_it_is_needed() {
        const NEEDED_MS: u64 = 100;
        let mut dice = Dice::new(1);
        let mut refused = 0;
        for _ in 0..200 {
            let mut history = Vec::new();
            let mut all: Vec<(u64, u128)> = vec![];
            let mut now_ms = 1_000;
            let busy = dice.between(2, 60);
            for _ in 0..100 {
                now_ms += dice.below(busy);
                let amount = u128::from(dice.below(1_000));
                let needed_ms = now_ms - NEEDED_MS;
                if set(&mut history, now_ms, needed_ms, amount).is_some() {
                    all.push((now_ms, amount));
                } else {
                    refused += 1;
                    assert_eq!(history.len(), CHECKPOINTS_MAX);
                }
                assert!(history.len() <= CHECKPOINTS_MAX);
                assert_eq!(latest(&history), all.last().expect("one was set").1);
                for time_ms in needed_ms..=now_ms {
                    let then = all.iter().rev().find(|(at_ms, _)| *at_ms < time_ms);
                    let expected = then.map_or(0, |(_, amount)| *amount);
                    assert_eq!(before(&history, time_ms), expected, "at {time_ms} of {now_ms}");
                }
            }
        }
        assert!(refused > 0, "some are too busy");
    }
}
