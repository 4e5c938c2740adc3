//! Payments of businesses.

use super::{Kind, Zipf, any_user};
use crate::contracts::call;
use crate::suite::world::{At, Part, USERS, user};
use crate::swaps::random::Random;
use tollway::{Address, Call};
use tollway_contracts_wasm::INVOICE;

/// Merchants: the first users.
const MERCHANTS: usize = 100;

pub(super) const INVOICE_KIND: Kind = Kind {
    name: "invoice",
    weight: 60,
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
