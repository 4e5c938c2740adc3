//! What businesses agree on with each other: credit on invoices, stock, orders.

use super::payments::MERCHANTS;
use super::{CASES, Cases, Kind, LONG_MS, Zipf, any_of_group, any_user, warm_up};
use crate::contracts::{OPERATOR, call, time_ms};
use crate::suite::world::{At, Part, user};
use crate::swaps::random::Random;
use tollway::{Address, Call};
use tollway_contracts_wasm::{INVOICE, PURCHASE_ORDER, RECEIVABLE, STOCK};
use tollway_host_api::template::call_id;

/// What an invoice or an order is about.
const AMOUNT: u128 = 1_000_000;

const DAY_MS: u64 = 86_400_000;

/// Who finance invoices: the first users.
const FINANCIERS: usize = 20;

/// What each of them brings.
const FUNDS: u128 = 1 << 80;

pub(super) const RECEIVABLE_KIND: Kind = Kind {
    name: "receivable",
    weight: 10,
    about: "invoices of 100 merchants, the k-th one k times rarer than the first: issued, assigned, \
            offered, financed by one of 20, paid and collected, 4,000 at a time",
    make: |world| {
        let token = world.tokens[1];
        let invoices = world.deploy(INVOICE, (), ())?;
        // The most of an invoice that is advanced, in ten-thousandths.
        let receivable = world.deploy(RECEIVABLE, (invoices, 8_000u128), ())?;
        world.approve(token, invoices)?;
        let financiers = 0..FINANCIERS.min(world.users);
        let fund = financiers.flat_map(|number| {
            let approve = call(user(number), token, "approve", (receivable, u128::MAX));
            [approve, call(user(number), receivable, "deposit", (token, FUNDS))]
        });
        world.set_up(fund.collect())?;
        let due_ms = time_ms(0) + 100 * DAY_MS;
        // Token, anybody, advance, fee and late fee a year in millionths, grace.
        let offer = (token, Address::ZERO, AMOUNT / 2, 100_000u32, 200_000u32, DAY_MS);
        let (cases, popular) = (Cases::new(world.users), Zipf::new(MERCHANTS.min(world.users)));
        let mut claims = Claims { invoices, receivable, token, due_ms, offer, cases, popular };
        // As many calls as all of them take: some are over then, and all others on their way.
        let calls = 6 * claims.cases.most;
        warm_up(world, &mut claims, calls)?;
        Ok(Box::new(claims))
    },
};

struct Claims {
    invoices: Address,
    receivable: Address,
    token: Address,
    due_ms: u64,
    offer: (Address, Address, u128, u32, u32, u64),
    cases: Cases<Claim>,
    popular: Zipf,
}

#[derive(Clone, Copy)]
struct Claim {
    merchant: Address,
    number: u128,
    financier: Address,
    next: ClaimStep,
}

/// What happens to a claim next.
#[derive(Clone, Copy)]
enum ClaimStep {
    Assign,
    Offer,
    Finance,
    Pay,
    Collect,
}

impl Part for Claims {
    fn call(&mut self, random: &mut Random, at: At) -> Call {
        let Some(claim) = self.cases.take(random) else {
            return self.issue(random, at);
        };
        let Claim { merchant, number, financier, next } = claim;
        let (invoices, receivable) = (self.invoices, self.receivable);
        let (call, next) = match next {
            ClaimStep::Assign => {
                let args = (merchant, number, receivable);
                (call(merchant, invoices, "assign", args), ClaimStep::Offer)
            }
            ClaimStep::Offer => {
                let args = (number, self.offer);
                (call(merchant, receivable, "offer", args), ClaimStep::Finance)
            }
            ClaimStep::Finance => {
                let args = (merchant, number, self.offer);
                (call(financier, receivable, "finance", args), ClaimStep::Pay)
            }
            ClaimStep::Pay => {
                let args = (merchant, number, self.token, AMOUNT);
                let payer = user(any_user(random, at));
                (call(payer, invoices, "pay", args), ClaimStep::Collect)
            }
            ClaimStep::Collect => {
                let args = (merchant, number, self.token, financier);
                return call(financier, receivable, "collect", args);
            }
        };
        self.cases.keep(Claim { next, ..claim });
        call
    }
}

impl Claims {
    fn issue(&mut self, random: &mut Random, at: At) -> Call {
        let merchant = user(self.popular.draw(random));
        let financier = user(random.below(FINANCIERS.min(at.users) as u64) as usize);
        let number = u128::from(random.next_word());
        // Token, payer, amount, late fee, due, expiry.
        let terms = (self.token, Address::ZERO, AMOUNT, 0u128, self.due_ms, u64::MAX);
        self.cases.keep(Claim { merchant, number, financier, next: ClaimStep::Assign });
        call(merchant, self.invoices, "issue", (number, terms, [0u8; 32]))
    }
}

/// Items of a merchant.
const ITEMS: usize = 32;

/// How many there are of each at the start.
const PIECES: u128 = 1 << 60;

/// How long a slot is. Reservations are for three days.
const SLOT_MS: u64 = 3_600_000;
const SLOTS: u64 = 72;

pub(super) const STOCK_KIND: Kind = Kind {
    name: "stock",
    weight: 20,
    about: "sales and reservations by the clerks of 100 merchants with 32 items each, the k-th one of \
            both k times rarer than the first; reservations end with a sale, or are given up",
    make: |world| {
        let stock = world.deploy(STOCK, (SLOT_MS,), ())?;
        let merchants = MERCHANTS.min(world.users);
        let restock = |number: usize| {
            let (merchant, item) = (user(number / ITEMS), (number % ITEMS) as u64);
            call(merchant, stock, "restock", (merchant, item, PIECES))
        };
        world.set_up((0..merchants * ITEMS).map(restock).collect())?;
        // 1 is the role of sellers.
        let hire =
            |number: usize| call(user(number % merchants), stock, "set_roles", (user(number), 1u8));
        world.set_up((0..world.users).map(hire).collect())?;
        let (merchants, items) = (Zipf::new(merchants), Zipf::new(ITEMS));
        let mut sales = Sales { stock, reserved: Vec::new(), merchants, items };
        let calls = CASES.min(world.users);
        warm_up(world, &mut sales, calls)?;
        Ok(Box::new(sales))
    },
};

struct Sales {
    stock: Address,
    /// Merchant, item, identifier and slot of open reservations.
    reserved: Vec<(usize, u64, u128, u64)>,
    merchants: Zipf,
    items: Zipf,
}

impl Part for Sales {
    fn call(&mut self, random: &mut Random, at: At) -> Call {
        let merchants = self.merchants.count();
        let action = random.below(10);
        if action < 2 && !self.reserved.is_empty() {
            let picked = random.below(self.reserved.len() as u64) as usize;
            let (merchant, item, id, slot) = self.reserved.swap_remove(picked);
            let clerk = any_of_group(random, at, merchant, merchants);
            // Three in four are taken.
            let method = if random.below(4) == 0 { "release" } else { "fulfil" };
            return call(clerk, self.stock, method, (user(merchant), item, id, slot));
        }
        let (merchant, item) = (self.merchants.draw(random), self.items.draw(random) as u64);
        let clerk = any_of_group(random, at, merchant, merchants);
        let quantity = u128::from(1 + random.below(10));
        if action < 4 {
            let slot = at.time_ms / SLOT_MS + SLOTS;
            let id = call_id(at.height, at.index as u32);
            self.reserved.push((merchant, item, id, slot));
            return call(clerk, self.stock, "reserve", (user(merchant), item, quantity, slot));
        }
        call(clerk, self.stock, "sell", (user(merchant), item, quantity))
    }
}

pub(super) const PURCHASE_ORDER_KIND: Kind = Kind {
    name: "purchase_order",
    weight: 5,
    about: "orders of any user from another: proposed, accepted, funded, delivered and approved, one in \
            twenty disputed and ruled on, 4,000 at a time",
    make: |world| {
        let token = world.tokens[2];
        let orders = world.deploy(PURCHASE_ORDER, (), ())?;
        world.approve(token, orders)?;
        let mut deals = Deals { orders, token, cases: Cases::new(world.users), next: 0 };
        let calls = 5 * deals.cases.most;
        warm_up(world, &mut deals, calls)?;
        Ok(Box::new(deals))
    },
};

struct Deals {
    orders: Address,
    token: Address,
    cases: Cases<Deal>,
    /// The identifier of the next order.
    next: u128,
}

#[derive(Clone, Copy)]
struct Deal {
    buyer: Address,
    supplier: Address,
    id: u128,
    next: DealStep,
}

/// What happens to an order next.
#[derive(Clone, Copy)]
enum DealStep {
    Accept,
    Fund,
    Deliver,
    Approve,
    Rule,
}

impl Part for Deals {
    fn call(&mut self, random: &mut Random, at: At) -> Call {
        let Some(deal) = self.cases.take(random) else {
            return self.propose(random, at);
        };
        let Deal { buyer, supplier, id, next } = deal;
        let (orders, token) = (self.orders, self.token);
        let (call, next) = match next {
            DealStep::Accept => {
                let args = (buyer, supplier, id, VERSION, self.terms());
                (call(supplier, orders, "accept", args), DealStep::Fund)
            }
            DealStep::Fund => {
                let args = (supplier, id, VERSION, token);
                (call(buyer, orders, "fund", args), DealStep::Deliver)
            }
            DealStep::Deliver => {
                (call(supplier, orders, "deliver", (buyer, id)), DealStep::Approve)
            }
            DealStep::Approve if random.below(20) == 0 => {
                (call(buyer, orders, "dispute", (supplier, id)), DealStep::Rule)
            }
            DealStep::Approve => return call(buyer, orders, "approve", (supplier, id, token)),
            DealStep::Rule => {
                let args = (buyer, supplier, id, token, AMOUNT / 2);
                return call(OPERATOR, orders, "rule", args);
            }
        };
        self.cases.keep(Deal { next, ..deal });
        call
    }
}

/// All orders are agreed on at once.
const VERSION: u32 = 1;

/// Document, token, amount, arbiter; times of delivery, inspection and ruling; the supplier's share
/// if there is no ruling.
type OrderTerms = ([u8; 32], Address, u128, Address, u64, u64, u64, u16);

impl Deals {
    fn terms(&self) -> OrderTerms {
        ([7; 32], self.token, AMOUNT, OPERATOR, u64::MAX, LONG_MS, LONG_MS, 5_000)
    }

    fn propose(&mut self, random: &mut Random, at: At) -> Call {
        let number = any_user(random, at);
        let (buyer, supplier) = (user(number), user((number + 1) % at.users));
        self.next += 1;
        let id = self.next;
        self.cases.keep(Deal { buyer, supplier, id, next: DealStep::Accept });
        let args = (buyer, supplier, id, VERSION, self.terms());
        call(buyer, self.orders, "propose", args)
    }
}
