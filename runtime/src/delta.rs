//! What a call did to a counter that it did not read, and what it took for granted of it.
//!
//! ```text
//! add 5    sub 8 ─▶ 1    add 1         net −2, and the counter had to hold at least 3 before
//! ```
//!
//! A `sub` on a counter whose value is not known is answered with "done", and the least value from
//! which that is true becomes part of the call's [`Premise`]. Credits and debits of other calls may
//! then come and go in any order: whoever adds them up, in block order, sees whether the premise
//! holds at the call's place. Where it does not, the call runs again there.
//!
//! # Invariants
//! 1. A call's answers are the serial ones exactly if its premise holds for the counter's value
//!    before the call (`tests::premise_is_exact`).
//! 2. Where a premise holds, the counter does not fall below 0 (`tests::premise_is_exact`).
//! 3. Premises outlive what they were made for: an answer may have steered a call that reverts, or
//!    an inner call whose debit was undone.

/// The sum of credits and debits: from −(2¹²⁸ − 1) to 2¹²⁸ − 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Net {
    size: u128,
    is_debit: bool,
}

impl Net {
    /// With a credit more; `None` above the range.
    #[inline]
    pub(crate) fn plus(self, amount: u128) -> Option<Self> {
        if !self.is_debit {
            return Some(Self { size: self.size.checked_add(amount)?, is_debit: false });
        }
        Some(match self.size.checked_sub(amount) {
            Some(size) => Self { size, is_debit: size > 0 },
            None => Self { size: amount - self.size, is_debit: false },
        })
    }

    /// With a debit more; `None` below the range.
    #[inline]
    pub(crate) fn minus(self, amount: u128) -> Option<Self> {
        if self.is_debit {
            return Some(Self { size: self.size.checked_add(amount)?, is_debit: true });
        }
        Some(match self.size.checked_sub(amount) {
            Some(size) => Self { size, is_debit: false },
            None => Self { size: amount - self.size, is_debit: true },
        })
    }

    /// The least value from which `amount` can be taken after this; `None` if no counter can hold
    /// as much.
    #[inline]
    pub(crate) fn least_for(self, amount: u128) -> Option<u128> {
        if self.is_debit {
            self.size.checked_add(amount)
        } else {
            Some(amount.saturating_sub(self.size))
        }
    }

    /// The counter's value after this; `None` if it leaves the range, or is no counter.
    #[inline]
    pub(crate) fn apply(self, value: Option<&[u8]>) -> Option<u128> {
        let value = counter(value)?;
        if self.is_debit { value.checked_sub(self.size) } else { value.checked_add(self.size) }
    }
}

/// The amount that a counter holds, which is 0 where nothing was set; `None` if it is no counter.
#[inline]
pub(crate) fn counter(value: Option<&[u8]>) -> Option<u128> {
    match value {
        Some(bytes) => Some(u128::from_le_bytes(bytes.try_into().ok()?)),
        None => Some(0),
    }
}

/// What must hold of a counter before a call, for the answers that the call got to be true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Premise {
    /// It is a counter and holds at least so much, if the call took anything from it.
    least: Option<u128>,
    /// It holds just what the call was told: that was too little for something.
    is_exact: bool,
}

impl Premise {
    /// "Done" was the answer, and is true from this value on.
    #[inline]
    pub(crate) fn at_least(&mut self, least: u128) {
        self.least = self.least.max(Some(least));
    }

    /// "Less" was the answer, by the value that the call was given.
    #[inline]
    pub(crate) fn exactly(&mut self) {
        self.is_exact = true;
    }
}

/// A call's part in a counter, packed so that a cell is no larger than one that holds a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delta {
    flags: u8,
    /// Little-endian, as is `least`: the alignment of an integer would make cells larger.
    net: [u8; 16],
    least: [u8; 16],
}

const HAS_NET: u8 = 1;
const IS_DEBIT: u8 = 2;
const HAS_LEAST: u8 = 4;
const IS_EXACT: u8 = 8;

impl Delta {
    /// `net` is what the call did, if it did anything that remains.
    #[inline]
    pub(crate) fn new(net: Option<Net>, premise: Premise) -> Self {
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        Self {
            flags: flag(net.is_some(), HAS_NET)
                | flag(net.is_some_and(|net| net.is_debit), IS_DEBIT)
                | flag(premise.least.is_some(), HAS_LEAST)
                | flag(premise.is_exact, IS_EXACT),
            net: net.map_or(0, |net| net.size).to_le_bytes(),
            least: premise.least.unwrap_or(0).to_le_bytes(),
        }
    }

    /// What the call did, if it did anything that remains.
    #[inline]
    pub(crate) fn net(&self) -> Option<Net> {
        let size = u128::from_le_bytes(self.net);
        (self.flags & HAS_NET != 0).then_some(Net { size, is_debit: self.flags & IS_DEBIT != 0 })
    }

    /// Whether the call's answers are true where the counter holds `value` before it. `told` is
    /// what the call was told, if it was told anything: the parent state's value.
    #[inline]
    pub(crate) fn holds_for(&self, value: Option<&[u8]>, told: Option<&[u8]>) -> bool {
        if self.flags & IS_EXACT != 0 {
            return value == told;
        }
        self.flags & HAS_LEAST == 0
            || counter(value).is_some_and(|value| value >= u128::from_le_bytes(self.least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Add(u128),
        Sub(u128),
    }

    fn amount() -> impl Strategy<Value = u128> {
        prop_oneof![
            4 => 0..8u128,
            1 => (0..8u128).prop_map(|less| u128::MAX - less),
            1 => any::<u128>(),
        ]
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        vec(prop_oneof![amount().prop_map(Step::Add), amount().prop_map(Step::Sub)], 0..8)
    }

    /// What a call that does not know the counter does and assumes; `None` where its credits alone
    /// leave the range, which ends it.
    fn blind(steps: &[Step]) -> Option<(Vec<bool>, Net, Premise)> {
        let (mut answers, mut net, mut premise) = (Vec::new(), Net::default(), Premise::default());
        for step in steps {
            match *step {
                Step::Add(amount) => net = net.plus(amount)?,
                Step::Sub(amount) => {
                    let least = net.least_for(amount);
                    answers.push(least.is_some());
                    if let Some(least) = least {
                        premise.at_least(least);
                        net = net.minus(amount).expect("a counter can hold as much");
                    }
                }
            }
        }
        Some((answers, net, premise))
    }

    /// The answers that a call gets on this value: sums of two u128 here, as halves and a carry.
    fn serial(value: u128, steps: &[Step]) -> Vec<bool> {
        let (mut carry, mut low) = (0u32, value);
        let mut answers = Vec::new();
        for step in steps {
            match *step {
                Step::Add(amount) => {
                    let (sum, over) = low.overflowing_add(amount);
                    (carry, low) = (carry + u32::from(over), sum);
                }
                Step::Sub(amount) => {
                    let done = carry > 0 || low >= amount;
                    if done {
                        let (rest, under) = low.overflowing_sub(amount);
                        (carry, low) = (carry - u32::from(under), rest);
                    }
                    answers.push(done);
                }
            }
        }
        answers
    }

    proptest! {
        #[test]
        fn premise_is_exact(steps in steps(), value in amount()) {
            if let Some((answers, net, premise)) = blind(&steps) {
                let bytes = value.to_le_bytes();
                let delta = Delta::new(Some(net), premise);
                prop_assert_eq!(delta.net(), Some(net));
                let holds = delta.holds_for(Some(&bytes), None);
                prop_assert_eq!(holds, answers == serial(value, &steps));
                if holds && net.is_debit {
                    prop_assert!(net.apply(Some(&bytes)).is_some());
                }
            }
        }
    }

    #[test]
    fn what_is_no_counter_holds_no_premise() {
        let spoiled = [1, 2, 3];
        let mut premise = Premise::default();
        let none = Delta::new(None, premise);
        assert!(none.holds_for(Some(&spoiled), None));
        premise.at_least(0);
        let asked = Delta::new(None, premise);
        assert!(!asked.holds_for(Some(&spoiled), None));
        assert!(asked.holds_for(None, None));
    }

    #[test]
    fn an_exact_premise_holds_for_what_was_told_alone() {
        let mut premise = Premise::default();
        premise.exactly();
        let delta = Delta::new(None, premise);
        let (three, four) = (3u128.to_le_bytes(), 4u128.to_le_bytes());
        assert!(delta.holds_for(Some(&three), Some(&three)));
        assert!(!delta.holds_for(Some(&four), Some(&three)));
        assert!(delta.holds_for(None, None));
    }
}
