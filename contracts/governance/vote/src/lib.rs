//! Weighted votes on proposals.
//!
//! ```text
//! vote(proposal, choice)   read  proposals[proposal]         until when
//!                          read  weights[caller]             how much the voter counts
//!                          write voted[proposal, caller]     nobody votes twice
//!                          add   tallies[proposal, choice]
//! ```
//!
//! Tallies are adds and what is read does not change while people vote, so all votes on one
//! proposal run side by side. Only two votes of one voter wait for each other.
//!
//! No method declares its access: the macro finds it in the bodies.
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

/// The contract.
#[tollway_sdk::contract]
pub mod vote {
    use tollway_sdk::env::{caller, height};
    use tollway_sdk::{Address, Counter, Item, Map};

    /// Choices are numbered from 0 up to but not including this: against, for, abstain.
    pub const CHOICES: u8 = 3;

    /// What is fixed when the contract is created.
    #[immutables]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Immutables {
        /// Who opens proposals and sets weights.
        pub owner: Address,
    }

    /// The state.
    #[storage]
    pub struct Vote {
        /// The last height at which each proposal takes votes.
        proposals: Map<u64, Item<u64>>,
        /// How much each voter counts.
        weights: Map<Address, Item<u128>>,
        /// What each voter chose.
        voted: Map<(u64, Address), Item<u8>>,
        /// The weight behind each choice.
        tallies: Map<(u64, u8), Counter>,
    }

    /// A proposal takes votes.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Opened {
        /// The proposal.
        pub proposal: u64,
        /// The last height at which it takes votes.
        pub last_height: u64,
    }

    /// A vote was counted.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Voted {
        /// The proposal.
        pub proposal: u64,
        /// Who voted.
        pub voter: Address,
        /// For what.
        pub choice: u8,
        /// With what weight.
        pub weight: u128,
    }

    /// Why a call reverts.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// Only the owner may do this.
        NotOwner,
        /// The proposal was opened before.
        AlreadyOpened,
        /// There is no such proposal.
        UnknownProposal,
        /// The proposal takes no votes any more.
        Closed,
        /// There is no such choice.
        UnknownChoice,
        /// The caller has no weight.
        NoWeight,
        /// The caller voted on this before.
        AlreadyVoted,
    }

    impl Vote {
        /// Sets what `voter` counts in votes from now on. Only the owner may.
        #[call]
        pub fn set_weight(&mut self, voter: Address, weight: u128) -> Result<(), Error> {
            if caller() != self.imm.owner {
                return Err(Error::NotOwner);
            }
            self.weights.at(voter).set(&weight);
            Ok(())
        }

        /// Opens a proposal for votes, up to and with the block at `last_height`. Only the owner
        /// may, and once.
        #[call]
        pub fn open(&mut self, proposal: u64, last_height: u64) -> Result<(), Error> {
            if caller() != self.imm.owner {
                return Err(Error::NotOwner);
            }
            let opened = self.proposals.at(proposal);
            if opened.exists() {
                return Err(Error::AlreadyOpened);
            }
            opened.set(&last_height);
            Opened { proposal, last_height }.emit();
            Ok(())
        }

        /// Puts the caller's whole weight behind a choice.
        #[call]
        pub fn vote(&mut self, proposal: u64, choice: u8) -> Result<(), Error> {
            let voter = caller();
            let Some(last_height) = self.proposals.at(proposal).get() else {
                return Err(Error::UnknownProposal);
            };
            if height() > last_height {
                return Err(Error::Closed);
            }
            if choice >= CHOICES {
                return Err(Error::UnknownChoice);
            }
            let weight = self.weights.at(voter).get_or(0);
            if weight == 0 {
                return Err(Error::NoWeight);
            }
            let voted = self.voted.at((proposal, voter));
            if voted.exists() {
                return Err(Error::AlreadyVoted);
            }
            voted.set(&choice);
            self.tallies.at((proposal, choice)).add(weight);
            Voted { proposal, voter, choice, weight }.emit();
            Ok(())
        }

        /// The weight behind a choice.
        #[view]
        pub fn tally(&self, proposal: u64, choice: u8) -> u128 {
            self.tallies.at((proposal, choice)).get()
        }

        /// What a voter chose, if they voted.
        #[view]
        pub fn choice_of(&self, proposal: u64, voter: Address) -> Option<u8> {
            self.voted.at((proposal, voter)).get()
        }

        /// How much a voter counts.
        #[view]
        pub fn weight_of(&self, voter: Address) -> u128 {
            self.weights.at(voter).get_or(0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::vote::NATIVE;
    use tollway_testkit::native::NativeChain;

    #[test]
    fn a_proposal_takes_votes_up_to_its_last_height() {
        let mut chain = NativeChain::new();
        let [owner, voter, late] = chain.accounts(["owner", "voter", "late"]);
        let vote = chain.deploy(&NATIVE, &owner);
        for account in [voter, late] {
            chain.run(vote.call(owner, "set_weight", (account, 3u128))).succeeded();
        }
        // Every call has a block of its own: these are the heights 3 to 5.
        chain.run(vote.call(owner, "open", (1u64, 4u64))).succeeded();
        chain.run(vote.call(voter, "vote", (1u64, 2u8))).succeeded();
        chain.run(vote.call(late, "vote", (1u64, 2u8))).reverted_with("Closed");
        assert_eq!(chain.query::<u128>(vote, "tally", (1u64, 2u8)), 3);
    }
}
