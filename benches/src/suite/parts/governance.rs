//! Governance.

use super::Kind;
use crate::contracts::{OPERATOR, call};
use crate::suite::world::{At, Part, user};
use crate::swaps::random::Random;
use tollway::{Address, Call};
use tollway_contracts_wasm::VOTE;

pub(super) const VOTE_KIND: Kind = Kind {
    name: "vote",
    weight: 20,
    about: "votes on one proposal after another",
    make: |world| {
        let vote = world.deploy(VOTE, (OPERATOR,), ())?;
        let weigh = |number| call(OPERATOR, vote, "set_weight", (user(number), 3u128));
        world.set_up((0..world.users).map(weigh).collect())?;
        let open = |proposal: u64| call(OPERATOR, vote, "open", (proposal, u64::MAX));
        world.set_up((0..PROPOSALS).map(open).collect())?;
        Ok(Box::new(Votes { vote, cast: 0 }))
    },
};

/// Proposals that are open.
const PROPOSALS: u64 = 1_000;

struct Votes {
    vote: Address,
    cast: u64,
}

impl Part for Votes {
    fn call(&mut self, random: &mut Random, at: At) -> Call {
        let (proposal, voter) = (self.cast / at.users as u64, self.cast % at.users as u64);
        self.cast += 1;
        let choice = random.below(3) as u8;
        call(user(voter as usize), self.vote, "vote", (proposal, choice))
    }
}
