//! A raffle, for prizes in a token: how owners, roles, random numbers and the errors of other
//! contracts are used.
//!
//! ```text
//! grant(account), revoke(account)   read owner             write drawers[account]
//! offer(to), accept()               write owner
//! draw(round, accounts, prize)      read drawers[caller]   write winners[round]
//! claim(round)                      write winners[round]   token.transfer_from(imm.payer, caller, _)
//! ```
//!
//! Who wins is not known before the draw ran, so the winner's keys cannot be declared there: he
//! claims his prize by a call of his own. Rounds do not wait for each other. If the payer does not
//! pay, the claim says so, and can be made again.
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

/// The contract.
#[tollway_sdk::contract]
pub mod raffle {
    extern crate alloc;

    use alloc::vec::Vec;
    use tollway_interfaces::{TokenError, TokenRef};
    use tollway_sdk::call::CallError;
    use tollway_sdk::env::caller;
    use tollway_sdk::{Address, Item, Map, Owner, Random, Role, contract_type};

    /// What is fixed when the raffle is created.
    #[immutables]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Immutables {
        /// What prizes are paid in.
        pub token: TokenRef,
        /// Who pays them, out of what was approved to the raffle.
        pub payer: Address,
    }

    /// The state.
    #[storage]
    pub struct Raffle {
        /// Who says who may draw.
        owner: Owner,
        /// Who may draw.
        drawers: Map<Address, Role>,
        /// Who won a round, and how much, until it is claimed.
        winners: Map<u64, Item<Prize>>,
    }

    /// What was won.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Prize {
        /// By whom.
        pub winner: Address,
        /// How much.
        pub amount: u128,
    }

    /// Why a call reverts.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// Only the owner may do this.
        NotOwner,
        /// Nothing was offered to the caller.
        NotOffered,
        /// The caller may not draw.
        NotDrawer,
        /// There is nobody to win.
        Nobody,
        /// The round was drawn, and its prize is not claimed yet.
        Drawn,
        /// The caller did not win the round, or has claimed the prize.
        NotWinner,
    }

    /// How a claim ended.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Claimed {
        /// The prize was paid.
        Paid,
        /// The payer holds too little.
        PayerIsPoor,
        /// The payer approved too little.
        NotApproved,
        /// The token failed in another way, which has this number.
        Failed(u32),
    }

    impl Raffle {
        /// Makes `owner` the owner.
        #[init]
        pub fn init(&mut self, owner: Address) {
            self.owner.set(owner);
        }

        /// Lets `account` draw.
        #[call]
        pub fn grant(&mut self, account: Address) -> Result<(), Error> {
            self.owner.require(caller(), Error::NotOwner)?;
            self.drawers.at(account).grant();
            Ok(())
        }

        /// Lets `account` draw no more.
        #[call]
        pub fn revoke(&mut self, account: Address) -> Result<(), Error> {
            self.owner.require(caller(), Error::NotOwner)?;
            self.drawers.at(account).revoke();
            Ok(())
        }

        /// Offers the raffle to `to`.
        #[call]
        pub fn offer(&mut self, to: Address) -> Result<(), Error> {
            self.owner.offer(caller(), to, Error::NotOwner)
        }

        /// Takes over what was offered to the caller.
        #[call]
        pub fn accept(&mut self) -> Result<(), Error> {
            self.owner.accept(caller(), Error::NotOffered)
        }

        /// Draws one of the accounts as the winner of a round.
        #[call]
        pub fn draw(
            &mut self,
            round: u64,
            accounts: Vec<Address>,
            amount: u128,
        ) -> Result<Address, Error> {
            self.drawers.at(caller()).require(Error::NotDrawer)?;
            let place = self.winners.at(round);
            if place.exists() {
                return Err(Error::Drawn);
            }
            let number = Random::new().below(accounts.len() as u64);
            let Some(winner) = accounts.get(number as usize) else { return Err(Error::Nobody) };
            let winner = *winner;
            place.set(&Prize { winner, amount });
            Ok(winner)
        }

        /// Pays the caller what he won.
        #[call]
        pub fn claim(&mut self, round: u64) -> Result<Claimed, Error> {
            let winner = caller();
            let place = self.winners.at(round);
            let amount = match place.get() {
                Some(prize) if prize.winner == winner => prize.amount,
                _ => return Err(Error::NotWinner),
            };
            Ok(match self.imm.token.try_transfer_from(self.imm.payer, winner, amount) {
                Ok(()) => {
                    place.remove();
                    Claimed::Paid
                }
                Err(CallError { error: Some(TokenError::InsufficientBalance), .. }) => {
                    Claimed::PayerIsPoor
                }
                Err(CallError { error: Some(TokenError::InsufficientAllowance), .. }) => {
                    Claimed::NotApproved
                }
                Err(failed) => Claimed::Failed(failed.status as u32),
            })
        }

        /// The numbers below `count` in an order of which each is as likely.
        #[call]
        pub fn order(&mut self, count: u32) -> Vec<u32> {
            let mut numbers: Vec<u32> = (0..count).collect();
            Random::new().shuffle(&mut numbers);
            numbers
        }

        /// Two numbers, of two generators.
        #[call]
        pub fn numbers(&mut self) -> (u64, u64) {
            (Random::new().next_u64(), Random::new().next_u64())
        }

        /// The owner.
        #[view]
        pub fn owner(&self) -> Option<Address> {
            self.owner.get()
        }

        /// Whether `account` may draw.
        #[view]
        pub fn may_draw(&self, account: Address) -> bool {
            self.drawers.at(account).has()
        }
    }
}
