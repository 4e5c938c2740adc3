//! A model of orders in plain Rust knows what comes of every call: who may do what, when, and what
//! it pays.

use num_bigint::BigInt;
use num_rational::BigRational;
use std::collections::BTreeMap;
use tollway_contract_purchase_order::purchase_order::{Stage, State, Terms};
use tollway_contracts_wasm::{PURCHASE_ORDER, TOKEN};
use tollway_interfaces::TokenRef;
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Contract, Dice, TestChain};

const WEALTH: u128 = 1_000_000;

/// Orders are above what random calls make up.
const FIRST: u128 = 1 << 100;

/// Blocks of each world.
const BLOCKS: usize = 26;

const METHODS: [&str; 12] = [
    "propose", "accept", "cancel", "fund", "deliver", "dispute", "approve", "refund", "reclaim",
    "claim", "rule", "divide",
];

type Key = (Address, Address, u128);

/// Who somebody is in an order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Buyer,
    Supplier,
    Arbiter,
    Other,
}

#[derive(Clone)]
struct Order {
    stage: Stage,
    version: u32,
    proposed_by: Role,
    terms: Terms,
    /// When it came to this stage.
    since_ms: u64,
    /// Paid in and not out.
    held: u128,
}

impl Order {
    /// Whether the time for the next step is over.
    fn is_late(&self, now: u64) -> bool {
        match self.stage {
            Stage::Agreed | Stage::Funded => now > self.terms.deliver_by_ms,
            Stage::Delivered => now > self.since_ms + self.terms.inspection_ms,
            Stage::Disputed => now > self.since_ms + self.terms.ruling_ms,
            _ => false,
        }
    }
}

/// What somebody tries.
#[derive(Clone)]
struct Deed {
    method: &'static str,
    key: Key,
    by: Address,
    version: u32,
    terms: Terms,
    to_supplier: u128,
}

fn call(orders: Contract, deed: &Deed) -> Call {
    let (by, (buyer, supplier, id)) = (deed.by, deed.key);
    let token = deed.terms.token;
    let method = deed.method;
    match method {
        "propose" | "accept" => {
            orders.call(by, method, (buyer, supplier, id, deed.version, deed.terms))
        }
        "cancel" => orders.call(by, method, (buyer, supplier, id)),
        "fund" => orders.call(by, method, (supplier, id, deed.version, token)),
        "deliver" => orders.call(by, method, (buyer, id)),
        "dispute" => orders.call(by, method, (supplier, id)),
        "approve" | "reclaim" => orders.call(by, method, (supplier, id, token)),
        "refund" | "claim" => orders.call(by, method, (buyer, id, token)),
        "rule" => orders.call(by, method, (buyer, supplier, id, token, deed.to_supplier)),
        _ => orders.call(by, method, (buyer, supplier, id, token)),
    }
}

/// What comes of a deed: nothing if it fails; else the order as it then is, and what it pays in, to
/// the supplier and to the buyer.
fn outcome(order: Option<&Order>, deed: &Deed, now: u64) -> Option<(Order, [u128; 3])> {
    let (buyer, supplier, _) = deed.key;
    if deed.method == "propose" && deed.terms.deliver_by_ms < now {
        return None;
    }
    let role = |arbiter: Address| match deed.by {
        by if by == buyer => Role::Buyer,
        by if by == supplier => Role::Supplier,
        by if by == arbiter => Role::Arbiter,
        _ => Role::Other,
    };
    let Some(order) = order else {
        let by = role(deed.terms.arbiter);
        let is_party = by == Role::Buyer || by == Role::Supplier;
        let is_first = deed.method == "propose" && deed.version == 1 && is_party;
        let terms = deed.terms;
        return is_first.then_some((
            Order {
                stage: Stage::Draft,
                version: 1,
                proposed_by: by,
                terms,
                since_ms: now,
                held: 0,
            },
            [0; 3],
        ));
    };
    let Order { stage, version, proposed_by, terms, held, .. } = order.clone();
    let by = role(terms.arbiter);
    let is_party = by == Role::Buyer || by == Role::Supplier;
    let is_late = order.is_late(now);
    let is_held = held > 0;
    let next = |stage: Stage, held: u128| Order { stage, since_ms: now, held, ..order.clone() };
    let closed =
        |to_supplier: u128| Some((next(Stage::Closed, 0), [0, to_supplier, held - to_supplier]));
    match (deed.method, by, stage) {
        ("propose", Role::Buyer | Role::Supplier, Stage::Draft) if deed.version == version + 1 => {
            let (version, terms) = (deed.version, deed.terms);
            Some((Order { version, proposed_by: by, terms, ..next(Stage::Draft, 0) }, [0; 3]))
        }
        ("accept", Role::Buyer | Role::Supplier, Stage::Draft)
            if deed.version == version && deed.terms == terms && by != proposed_by =>
        {
            Some((next(Stage::Agreed, 0), [0; 3]))
        }
        ("cancel", _, Stage::Draft | Stage::Agreed) if is_party => {
            Some((next(Stage::Closed, 0), [0; 3]))
        }
        ("fund", Role::Buyer, Stage::Agreed) if deed.version == version && !is_late => {
            Some((next(Stage::Funded, terms.amount), [terms.amount, 0, 0]))
        }
        ("deliver", Role::Supplier, Stage::Funded) if !is_late => {
            Some((next(Stage::Delivered, held), [0; 3]))
        }
        ("dispute", Role::Buyer, Stage::Delivered) if !is_late => {
            Some((next(Stage::Disputed, held), [0; 3]))
        }
        ("approve", Role::Buyer, _) if is_held => closed(held),
        ("refund", Role::Supplier, _) if is_held => closed(0),
        ("reclaim", Role::Buyer, Stage::Funded) if is_late => closed(0),
        ("claim", Role::Supplier, Stage::Delivered) if is_late => closed(held),
        ("rule", Role::Arbiter, Stage::Disputed) if !is_late && deed.to_supplier <= held => {
            closed(deed.to_supplier)
        }
        ("divide", _, Stage::Disputed) if is_late && is_party => {
            let share = BigRational::new(terms.fallback_bp.into(), 10_000.into());
            let exact = share * BigRational::from(BigInt::from(held));
            closed(u128::try_from(exact.floor().to_integer()).expect("at most what is held"))
        }
        _ => None,
    }
}

struct World {
    chain: TestChain,
    token: Contract,
    orders: Contract,
    buyers: [Address; 3],
    suppliers: [Address; 2],
    arbiter: Address,
    model: BTreeMap<Key, Order>,
    balances: BTreeMap<Address, u128>,
    first: u128,
    dice: Dice,
    random: RandomCalls,
}

impl World {
    fn new(seed: u64, threads: usize) -> Self {
        let mut chain = TestChain::with(Config { threads, ..Config::default() });
        let buyers = chain.accounts(["b0", "b1", "b2"]);
        let suppliers = chain.accounts(["s0", "s1"]);
        let arbiter = chain.account("arbiter");
        let token = chain.deploy(TOKEN, &arbiter);
        let orders = chain.deploy(PURCHASE_ORDER, &());
        chain.also_native(token, &tollway_contract_token::token::NATIVE);
        chain.also_native(orders, &tollway_contract_purchase_order::purchase_order::NATIVE);
        let mut balances = BTreeMap::new();
        for buyer in buyers {
            let mint = token.call(arbiter, "mint", (buyer, WEALTH));
            let approve = token.call(buyer, "approve", (orders.address, u128::MAX));
            chain.block([mint, approve]).succeeded();
            balances.insert(buyer, WEALTH);
        }
        let random = RandomCalls::new(&chain, seed, [orders]);
        let (model, dice) = (BTreeMap::new(), Dice::new(seed));
        let first = FIRST;
        Self {
            chain,
            token,
            orders,
            buyers,
            suppliers,
            arbiter,
            model,
            balances,
            first,
            dice,
            random,
        }
    }

    fn terms(&mut self) -> Terms {
        Terms {
            document: [self.dice.below(3) as u8; 32],
            token: TokenRef(self.token.address),
            amount: u128::from(self.dice.between(1, 500)),
            arbiter: self.arbiter,
            deliver_by_ms: self.chain.time_ms() + self.dice.between(1_000, 30_000),
            inspection_ms: self.dice.below(8_000),
            ruling_ms: self.dice.below(8_000),
            fallback_bp: self.dice.below(10_001) as u16,
        }
    }

    fn key(&mut self) -> Key {
        let buyer = *self.dice.pick(&self.buyers);
        let supplier = *self.dice.pick(&self.suppliers);
        (buyer, supplier, self.first + u128::from(self.dice.below(24)))
    }

    fn deed(&mut self) -> Deed {
        let mut key = self.key();
        // Seldom one that is closed.
        for _ in 0..3 {
            if self.model.get(&key).is_some_and(|order| order.stage == Stage::Closed) {
                key = self.key();
            }
        }
        let (buyer, supplier, _) = key;
        let order = self.model.get(&key).cloned();
        let terms = match &order {
            Some(order) if self.dice.percent(80) => order.terms,
            _ => self.terms(),
        };
        let version = order.as_ref().map_or(0, |order| order.version);
        let (method, by) = if self.dice.percent(20) {
            let people = [buyer, supplier, self.arbiter, self.buyers[0], self.suppliers[0]];
            (*self.dice.pick(&METHODS), *self.dice.pick(&people))
        } else {
            self.next_step(key, order.as_ref())
        };
        let version = version + u32::from(method == "propose");
        // Mostly no more than there is to divide.
        let held = order.map_or(0, |order| order.held);
        let most = if self.dice.percent(80) { held as u64 + 1 } else { 500 };
        let to_supplier = u128::from(self.dice.below(most));
        Deed { method, key, by, version, terms, to_supplier }
    }

    /// A step that fits to where an order is.
    fn next_step(&mut self, key: Key, order: Option<&Order>) -> (&'static str, Address) {
        let (buyer, supplier, _) = key;
        let Some(order) = order else {
            return ("propose", *self.dice.pick(&[buyer, supplier]));
        };
        let other = if order.proposed_by == Role::Buyer { supplier } else { buyer };
        let now = self.chain.time_ms() + 1_000;
        let is_late = order.is_late(now);
        let choices: &[(&'static str, Address)] = match order.stage {
            Stage::Draft => &[("accept", other), ("accept", other), ("propose", other)],
            Stage::Agreed => {
                &[("fund", buyer), ("fund", buyer), ("fund", buyer), ("cancel", supplier)]
            }
            Stage::Funded if is_late => &[("reclaim", buyer)],
            Stage::Funded => &[("deliver", supplier)],
            Stage::Delivered if is_late => &[("claim", supplier)],
            Stage::Delivered => &[("dispute", buyer), ("dispute", buyer), ("approve", buyer)],
            Stage::Disputed if is_late => &[("divide", buyer), ("divide", supplier)],
            // Most wait for the arbiter, and some until it is late.
            Stage::Disputed => &[
                ("rule", self.arbiter),
                ("refund", supplier),
                ("divide", buyer),
                ("divide", buyer),
            ],
            Stage::Closed => &[("approve", buyer)],
        };
        *self.dice.pick(choices)
    }

    /// Whether a deed is done, by the model, which is then as after it.
    fn expect(&mut self, deed: &Deed, now: u64) -> bool {
        // Some methods take the caller's role for granted: for another, it is another order.
        let is_buyers = ["fund", "dispute", "approve", "reclaim"].contains(&deed.method);
        let is_suppliers = ["deliver", "refund", "claim"].contains(&deed.method);
        let (buyer, supplier, id) = deed.key;
        let key = match () {
            () if is_buyers => (deed.by, supplier, id),
            () if is_suppliers => (buyer, deed.by, id),
            () => deed.key,
        };
        let deed = Deed { key, ..deed.clone() };
        let Some((order, [paid_in, to_supplier, to_buyer])) =
            outcome(self.model.get(&key), &deed, now)
        else {
            return false;
        };
        self.model.insert(key, order);
        let buyer = self.balances.entry(key.0).or_default();
        *buyer = *buyer + to_buyer - paid_in;
        *self.balances.entry(key.1).or_default() += to_supplier;
        true
    }

    fn check(&self) {
        for (owner, held) in &self.balances {
            assert_eq!(self.chain.query::<u128>(self.token, "balance_of", *owner), *held);
        }
        let held = self.chain.query::<u128>(self.token, "balance_of", self.orders.address);
        assert_eq!(held, self.model.values().map(|order| order.held).sum());
        for (key, order) in &self.model {
            let found: Option<(Terms, State)> = self.chain.query(self.orders, "order", *key);
            let (terms, state) = found.expect("it was proposed");
            assert_eq!((terms, state.stage), (order.terms, order.stage));
        }
    }
}

#[test]
fn every_call_comes_to_what_the_model_says() {
    let (mut calls, mut succeeded) = (0, 0);
    let mut done: BTreeMap<&str, u32> = BTreeMap::new();
    for (seed, threads) in [1, 2, 4, 8].into_iter().enumerate() {
        let mut world = World::new(seed as u64, threads);
        for _ in 0..BLOCKS {
            // A block's time is one second after the last one's.
            let now = world.chain.time_ms() + 1_000;
            let (mut block, mut expected) = (Vec::new(), Vec::new());
            for _ in 0..90 {
                let deed = world.deed();
                block.push(call(world.orders, &deed));
                let is_done = world.expect(&deed, now);
                *done.entry(deed.method).or_default() += u32::from(is_done);
                expected.push(is_done);
            }
            // These know no order.
            block.extend(world.random.take(10));
            let block = world.chain.block(block);
            block.assert_no_misses();
            for (ran, expected) in block.calls.iter().zip(expected) {
                assert_eq!(ran.receipt.is_success(), expected, "{ran} at {now}");
            }
            world.check();
            calls += block.calls.len();
            succeeded += block.calls.iter().filter(|call| call.receipt.is_success()).count();
            // An order is at hand for twelve blocks.
            world.first += 2;
        }
    }
    println!("{succeeded} of {calls} calls succeeded: {done:?}");
    assert!(calls >= 10_000);
    assert!(succeeded * 2 > calls, "{succeeded} of {calls} calls succeeded");
    for method in METHODS {
        let count = done.get(method).copied().unwrap_or(0);
        assert!(count >= 20, "{method} succeeded {count} times");
    }
}
