//! Governance.

use super::{Kind, LONG_MS, Zipf};
use crate::contracts::{OPERATOR, call};
use crate::suite::world::{At, Part, user};
use crate::swaps::random::Random;
use tollway::{Address, Call};
use tollway_contracts_wasm::{DAO, VOTE};

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

/// What every user locks.
const LOCKED: u128 = 1 << 60;

/// Proposals of the DAO that are voted on side by side.
const AGENDA: usize = 16;

pub(super) const DAO_KIND: Kind = Kind {
    name: "dao",
    weight: 20,
    about: "votes of all users, weighed by what they locked, on 16 proposals at a time, the k-th one k \
            times rarer than the first",
    make: |world| {
        let token = world.tokens[2];
        // Delay, voting, timelock, grace, unlocking; quorum, threshold, the least of a proposer.
        let rules = (0u64, LONG_MS, 1_000u64, 1_000u64, 1_000u64, 4_000u16, 5_000u16, 0u128);
        let dao = world.deploy(DAO, (token, OPERATOR, rules), ())?;
        world.approve(token, dao)?;
        let lock = |number| call(user(number), dao, "lock", (LOCKED,));
        world.set_up((0..world.users).map(lock).collect())?;
        let pay = borsh::to_vec(&(OPERATOR, 1u128))?;
        let actions = vec![(token, "transfer", pay)];
        let propose = |number: u64| call(OPERATOR, dao, "propose", (number, &actions, "why"));
        world.set_up((0..PROPOSALS).map(propose).collect())?;
        let agenda = (0..AGENDA as u64).map(|number| (number, 0)).collect();
        let (next, popular) = (AGENDA as u64, Zipf::new(AGENDA));
        Ok(Box::new(Ballots { dao, agenda, next, popular }))
    },
};

struct Ballots {
    dao: Address,
    /// Proposals, and how many voted on each.
    agenda: Vec<(u64, usize)>,
    /// The proposal that takes the place of the next one that all have voted on.
    next: u64,
    popular: Zipf,
}

impl Part for Ballots {
    fn call(&mut self, random: &mut Random, at: At) -> Call {
        let place = self.popular.draw(random);
        let (proposal, voted) = self.agenda[place];
        self.agenda[place].1 += 1;
        if voted + 1 == at.users {
            self.agenda[place] = (self.next, 0);
            self.next += 1;
        }
        // Every proposal begins with another voter.
        let voter = (voted + proposal as usize * 997) % at.users;
        let choice = random.below(3) as u8;
        call(user(voter), self.dao, "vote", ((OPERATOR, proposal), choice))
    }
}
