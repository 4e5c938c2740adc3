//! Smart accounts.

use super::{Kind, LONG_MS, any_user};
use crate::contracts::{OPERATOR, call};
use crate::suite::world::{At, BALANCE, Part, user};
use crate::swaps::random::Random;
use borsh::BorshSerialize;
use ed25519_dalek::{Signer, SigningKey};
use tollway::{Address, Call};
use tollway_contracts_wasm::ACCOUNT;

/// Accounts; all have the same two keys.
const ACCOUNTS: u64 = 256;

/// The private keys of both factors.
const SECRETS: [[u8; 32]; 2] = [[1; 32], [2; 32]];

/// What each message starts with.
const DOMAIN: [u8; 18] = *b"tollway account v1";

/// The number of the chain.
const CHAIN: u64 = 1;

/// The one period that all runs are in.
const PERIOD: u64 = 0;

pub(super) const ACCOUNT_KIND: Kind = Kind {
    name: "account",
    weight: 2,
    about: "payments of 256 smart accounts, each signed with Ed25519 by one of two keys within its \
            limit, one in ten by both",
    make: |world| {
        let token = world.tokens[3];
        let keys = SECRETS.map(|secret| SigningKey::from_bytes(&secret));
        // 0 is the kind of Ed25519.
        let [first, second] = keys.each_ref().map(|key| (0u8, key.verifying_key().to_bytes()));
        let guardians = vec![OPERATOR];
        // Limit, period, delay and threshold of a recovery.
        let terms = (token, CHAIN, BALANCE, LONG_MS, 1_000u64, 1u32);
        let init = ((first, second), guardians);
        let accounts = (0..ACCOUNTS).map(|_| world.deploy(ACCOUNT, terms, init.clone()));
        let accounts = accounts.collect::<anyhow::Result<Vec<_>>>()?;
        let fund = |account: &Address| call(OPERATOR, token, "mint", (*account, BALANCE));
        world.set_up(accounts.iter().map(fund).collect())?;
        let open = |account: &Address| call(OPERATOR, *account, "open", (vec![PERIOD],));
        world.set_up(accounts.iter().map(open).collect())?;
        Ok(Box::new(SignedPayments { accounts, keys, nonce: 0 }))
    },
};

struct SignedPayments {
    accounts: Vec<Address>,
    keys: [SigningKey; 2],
    nonce: u64,
}

impl Part for SignedPayments {
    fn call(&mut self, random: &mut Random, at: At) -> Call {
        self.nonce += 1;
        let account = self.accounts[random.below(ACCOUNTS) as usize];
        let sender = user(any_user(random, at));
        let payment = (user(any_user(random, at)), u128::from(1 + random.below(1_000_000)));
        // Number, and until when it is good.
        let ticket = (self.nonce, u64::MAX);
        if random.below(10) == 0 {
            let message = (DOMAIN, CHAIN, account, ticket, (1u8, payment));
            let [first, second] = [0, 1].map(|factor| self.sign(factor, &message));
            return call(sender, account, "pay_both", (payment, ticket, first, second));
        }
        let factor = random.below(2) as usize;
        let message = (DOMAIN, CHAIN, account, ticket, (0u8, payment, PERIOD));
        let signature = self.sign(factor, &message);
        call(sender, account, "pay", (payment, PERIOD, ticket, factor as u8, signature))
    }
}

impl SignedPayments {
    fn sign(&self, factor: usize, message: &impl BorshSerialize) -> [u8; 64] {
        let bytes = borsh::to_vec(message).expect("writing to memory does not fail");
        self.keys[factor].sign(&bytes).to_bytes()
    }
}
