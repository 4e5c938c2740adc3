//! Declarations whose types do not fit the contract.
#![allow(unused, reason = "only errors matter here")]

#[tollway_sdk::interface]
pub trait Token {
    fn transfer(to: tollway_sdk::Address, amount: u128);
}

#[tollway_sdk::contract]
mod sample {
    use super::TokenRef;
    use tollway_sdk::{Address, Counter, Map};

    #[immutables]
    pub struct Immutables {
        pub token: TokenRef,
        pub owner: Address,
    }

    #[storage]
    pub struct Sample {
        balances: Map<Address, Counter>,
        grid: Map<(u32, Address), Counter>,
    }

    impl Sample {
        #[call]
        #[access(read balances[amount])]
        pub fn wrong_key(&mut self, amount: u128) {}

        #[call]
        #[access(read grid[(amount, caller)])]
        pub fn wrong_part(&mut self, amount: u128) {}

        #[call]
        #[access(for who in who { read balances[who] })]
        pub fn loop_over_one(&mut self, who: Address) {}

        #[call]
        #[access(call imm.token.transfer(amount, _))]
        pub fn wrong_call_argument(&mut self, amount: u128) {}

        #[call]
        #[access(call imm.token.transfer_all(caller))]
        pub fn unknown_method(&mut self) {}

        #[call]
        #[access(call imm.owner.transfer(caller, _))]
        pub fn no_client(&mut self) {}

        #[call]
        #[access(read balances[leg.to])]
        pub fn unknown_path(&mut self, leg: (Address, u128)) {}
    }
}

fn main() {}
