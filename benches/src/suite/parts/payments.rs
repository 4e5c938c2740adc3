//! Payments of businesses.

use super::exchange::{PAIRS, pairs};
use super::{Kind, Zipf, any_user, warm_up};
use crate::contracts::{call, time_ms};
use crate::suite::world::{At, Part, USERS, user};
use crate::swaps::random::Random;
use tollway::{Address, Call};
use tollway_contracts_wasm::{CHANNEL, INVOICE, PAY, ROUTER, SUBSCRIPTION};

/// Merchants: the first users.
pub(super) const MERCHANTS: usize = 100;

pub(super) const INVOICE_KIND: Kind = Kind {
    name: "invoice",
    weight: 40,
    about: "payments of invoices of 100 merchants, the k-th one k times rarer than the first, and \
            new invoices as often",
    make: |world| {
        let invoice = world.deploy(INVOICE, (), ())?;
        let token = world.tokens[0];
        world.approve(token, invoice)?;
        Ok(Box::new(Invoices { invoice, token, open: Vec::new(), popular: Zipf::new(MERCHANTS) }))
    },
};

struct Invoices {
    invoice: Address,
    token: Address,
    /// Merchant and number of invoices that nobody has paid.
    open: Vec<(usize, u128)>,
    popular: Zipf,
}

/// So many invoices wait for their payment.
const OPEN: usize = USERS;

impl Part for Invoices {
    fn call(&mut self, random: &mut Random, at: At) -> Call {
        let issue = self.open.is_empty() || (self.open.len() < OPEN && random.below(2) == 0);
        if !issue {
            let picked = random.below(self.open.len() as u64) as usize;
            let (merchant, number) = self.open.swap_remove(picked);
            let args = (user(merchant), number, self.token, AMOUNT);
            return call(user(any_user(random, at)), self.invoice, "pay", args);
        }
        let merchant = self.popular.draw(random);
        let number = u128::from(random.next_word());
        self.open.push((merchant, number));
        // Token, payer, amount, late fee, due, expiry.
        let terms = (self.token, Address::ZERO, AMOUNT, 0u128, u64::MAX, u64::MAX);
        call(user(merchant), self.invoice, "issue", (number, terms, [0u8; 32]))
    }
}

/// What an invoice is about.
const AMOUNT: u128 = 1_000;

pub(super) const PAY_KIND: Kind = Kind {
    name: "pay",
    weight: 20,
    about: "quotes of 100 merchants, and payments of these: three in four in another token, along one of \
            64 pairs; of both the k-th one is k times rarer than the first",
    make: |world| {
        let [.., other, token] = world.tokens;
        let pairs = pairs(world, other, token, PAIRS)?;
        let router = world.deploy(ROUTER, (), ())?;
        let invoices = world.deploy(INVOICE, (), ())?;
        let pay = world.deploy(PAY, (router, invoices), ())?;
        world.approve(token, pay)?;
        world.approve(other, pay)?;
        let popular = [MERCHANTS, PAIRS].map(Zipf::new);
        let mut checkout = Checkout { pay, pairs, token, other, quoted: Vec::new(), popular };
        let calls = OPEN.min(world.users);
        warm_up(world, &mut checkout, calls)?;
        Ok(Box::new(checkout))
    },
};

struct Checkout {
    pay: Address,
    pairs: Vec<Address>,
    /// What merchants want, and what payers have instead.
    token: Address,
    other: Address,
    /// Merchant and number of orders that nobody has paid.
    quoted: Vec<(usize, u128)>,
    /// Of merchants and pairs.
    popular: [Zipf; 2],
}

impl Part for Checkout {
    fn call(&mut self, random: &mut Random, at: At) -> Call {
        let [merchants, pairs] = &self.popular;
        if self.quoted.is_empty() || (self.quoted.len() < OPEN && random.below(2) == 0) {
            let merchant = merchants.draw(random);
            let order = u128::from(random.next_word());
            self.quoted.push((merchant, order));
            // Token, amount, payer, expiry.
            let quote = (self.token, AMOUNT, Address::ZERO, u64::MAX);
            return call(user(merchant), self.pay, "quote", (order, quote));
        }
        let picked = random.below(self.quoted.len() as u64) as usize;
        let (merchant, order) = self.quoted.swap_remove(picked);
        let payer = user(any_user(random, at));
        if random.below(4) == 0 {
            return call(payer, self.pay, "pay", (user(merchant), order, self.token));
        }
        let pair = self.pairs[pairs.draw(random)];
        // Pair, token in, token out, whom it pays; and no pair after it.
        let path = (
            (pair, self.other, self.token, self.pay),
            Vec::<(Address, Address, Address, Address)>::new(),
        );
        let args = (user(merchant), order, self.token, path, 2 * AMOUNT);
        call(payer, self.pay, "pay_with", args)
    }
}

pub(super) const SUBSCRIPTION_KIND: Kind = Kind {
    name: "subscription",
    weight: 20,
    about: "merchants charge one payer after the other, each once a block at most",
    make: |world| {
        let subscription = world.deploy(SUBSCRIPTION, (), ())?;
        let token = world.tokens[1];
        world.approve(token, subscription)?;
        // Cap, cap in all, start, period, end, tries, time between them.
        let plan = (token, AMOUNT, u128::MAX, time_ms(0), 1_000u64, u64::MAX, 3u8, 1_000u64);
        let authorize = |number: usize| {
            let args = (user(number % MERCHANTS), 0u128, plan);
            call(user(number), subscription, "authorize", args)
        };
        world.set_up((0..world.users).map(authorize).collect())?;
        Ok(Box::new(Charges { subscription, token, block: 0, next: 0 }))
    },
};

struct Charges {
    subscription: Address,
    token: Address,
    /// The block that the next call is of, and whom it charges.
    block: usize,
    next: usize,
}

impl Part for Charges {
    fn call(&mut self, _: &mut Random, at: At) -> Call {
        if at.block != self.block {
            (self.block, self.next) = (at.block, 0);
        }
        let payer = self.next % at.users;
        self.next += 1;
        // A block may have more calls than there are payers: nobody is charged twice in a period.
        if self.next > at.users {
            let plan = (self.token, AMOUNT, AMOUNT, 0u64, 1_000u64, u64::MAX, 3u8, 1_000u64);
            let id = ((at.block as u128) << 64) | self.next as u128;
            return call(user(payer), self.subscription, "authorize", (user(0), id, plan));
        }
        let args = (user(payer), 0u128, self.token, AMOUNT);
        call(user(payer % MERCHANTS), self.subscription, "charge", args)
    }
}

pub(super) const CHANNEL_KIND: Kind = Kind {
    name: "channel",
    weight: 5,
    about: "any user opens a channel to another",
    make: |world| {
        let token = world.tokens[2];
        let channel = world.deploy(CHANNEL, (token, 1u64), ())?;
        world.approve(token, channel)?;
        Ok(Box::new(Channels { channel, next: 0 }))
    },
};

struct Channels {
    channel: Address,
    next: u64,
}

impl Part for Channels {
    fn call(&mut self, random: &mut Random, at: At) -> Call {
        self.next += 1;
        let a = any_user(random, at);
        let b = (a + 1) % at.users;
        // Parties and number; amounts and window; a key of Ed25519.
        let name = (user(a), user(b), self.next);
        call(user(a), self.channel, "open", (name, (AMOUNT, AMOUNT, 1_000u64), (0u8, [7u8; 32])))
    }
}
