//! Whatever is called: merchants get exactly what they quoted and invoiced, once and in time, payers
//! give at most their maximum, and nothing remains with the checkout.

mod world;

use std::collections::{BTreeMap, BTreeSet};
use tollway_interfaces::Path;
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Dice, Ran};
use world::World;

/// Orders are above what random calls make up.
const FIRST: u128 = 1 << 100;

struct Quote {
    amount: u128,
    payer: Address,
    expiry_ms: u64,
    is_paid: bool,
}

#[derive(Clone)]
enum Deed {
    Quote(u128, u128, Address, u64),
    Retract(u128),
    Pay(Address, u128),
    PayWith(Address, u128, u128),
    Issue(u128, u128),
    PayInvoice(u128, u128),
    /// Somebody trades beside.
    Other,
}

struct Test {
    world: World,
    payers: Vec<Address>,
    quotes: BTreeMap<u128, Quote>,
    retracted: BTreeSet<u128>,
    /// What is owed on invoices.
    invoices: BTreeMap<u128, u128>,
    /// What merchant and invoices have to have got.
    earned: [u128; 2],
    first: u128,
    dice: Dice,
    done: [u32; 3],
}

impl Test {
    fn deed(&mut self) -> (Deed, Call) {
        let payer = *self.dice.pick(&self.payers);
        let id = self.first + u128::from(self.dice.below(30));
        let amount = u128::from(self.dice.between(1, 5_000));
        let max_in = u128::from(self.dice.between(1, 16_000));
        let world = &self.world;
        let args = (world.merchant, id, world.tokens[0].address);
        match self.dice.below(20) {
            0..=5 => {
                let other = self.payers[0];
                let payer = if self.dice.percent(20) { other } else { Address::ZERO };
                let expiry_ms = self.world.chain.time_ms() + self.dice.between(1_000, 6_000);
                let deed = Deed::Quote(id, amount, payer, expiry_ms);
                (deed, self.world.quote_call(id, amount, payer, expiry_ms))
            }
            6 => (Deed::Retract(id), world.pay.call(world.merchant, "retract", id)),
            7 | 8 => (Deed::Pay(payer, id), world.pay.call(payer, "pay", args)),
            9..=13 => {
                let call = world.with("pay_with", payer, id, &self.path(), max_in);
                (Deed::PayWith(payer, id, max_in), call)
            }
            14 | 15 => {
                let terms = (args.2, Address::ZERO, amount, 0u128, u64::MAX, u64::MAX);
                let issue = (id, terms, [0u8; 32]);
                let call = world.invoices.call(world.merchant, "issue", issue);
                (Deed::Issue(id, amount), call)
            }
            16 | 17 => {
                let call = world.with("pay_invoice_with", payer, id, &self.path(), max_in);
                (Deed::PayInvoice(id, max_in), call)
            }
            _ => {
                let pair = self.world.pairs[self.dice.below(3) as usize];
                let method = *self.dice.pick(&["swap_0_for_1", "swap_1_for_0"]);
                (Deed::Other, pair.call(payer, method, (amount, 0u128, payer)))
            }
        }
    }

    fn path(&self) -> Path {
        let mut dice = self.dice.clone();
        let mut path = match dice.below(4) {
            0 => self.world.path(1, &[0]),
            1 => self.world.path(2, &[1]),
            2 => self.world.path(1, &[2, 1]),
            _ => self.world.path(2, &[2, 0]),
        };
        // Now and then one that leads elsewhere.
        if dice.percent(5) {
            path.first.to = self.payers[0];
        }
        path
    }

    /// Requires that a call came to what quotes and invoices allow; trading decides the rest.
    fn follow(&mut self, deed: &Deed, ran: &Ran) {
        let now = self.world.chain.time_ms();
        let is_done = ran.receipt.is_success();
        match *deed {
            Deed::Quote(id, amount, payer, expiry_ms) => {
                let is_new = !self.quotes.contains_key(&id) && !self.retracted.contains(&id);
                assert_eq!(is_done, is_new, "{ran}");
                if is_new {
                    self.quotes.insert(id, Quote { amount, payer, expiry_ms, is_paid: false });
                }
            }
            Deed::Retract(id) => {
                let is_paid = self.quotes.get(&id).is_some_and(|quote| quote.is_paid);
                assert_eq!(is_done, !is_paid && !self.retracted.contains(&id), "{ran}");
                if is_done {
                    self.retracted.insert(id);
                }
            }
            Deed::Pay(payer, id) | Deed::PayWith(payer, id, _) => {
                let is_retracted = self.retracted.contains(&id);
                let quote = self.quotes.get_mut(&id).filter(|quote| {
                    let is_his = quote.payer == Address::ZERO || quote.payer == payer;
                    !quote.is_paid && !is_retracted && is_his && now <= quote.expiry_ms
                });
                if let Deed::Pay(..) = deed {
                    assert_eq!(is_done, quote.is_some(), "{ran}");
                }
                if is_done {
                    let quote = quote.expect("only what is quoted is paid");
                    quote.is_paid = true;
                    self.earned[0] += quote.amount;
                    self.done[usize::from(matches!(deed, Deed::PayWith(..)))] += 1;
                }
            }
            Deed::Issue(id, amount) => {
                assert_eq!(is_done, !self.invoices.contains_key(&id), "{ran}");
                self.invoices.entry(id).or_insert(amount);
            }
            Deed::PayInvoice(id, _) => {
                if is_done {
                    let owed = self.invoices.get_mut(&id).expect("only what is issued is paid");
                    assert!(*owed > 0, "{ran}: paid twice");
                    self.earned[1] += std::mem::take(owed);
                    self.done[2] += 1;
                }
            }
            Deed::Other => {}
        }
        if let (Deed::PayWith(_, _, max_in) | Deed::PayInvoice(_, max_in), true) = (deed, is_done) {
            let taken: u128 = ran.returned();
            assert!(taken <= *max_in, "{ran} took {taken}");
            // The one transfer from the payer is of what it says that it took.
            let payer = ran.call.caller.to_string();
            let given = ran.events().into_iter().filter(|event| event.name == "Transfer");
            let given: Vec<String> = given
                .filter(|event| event["from"].to_string().contains(&payer))
                .map(|event| event["amount"].to_string())
                .collect();
            assert_eq!(given, [taken.to_string()], "{ran}");
        }
    }

    fn check(&self) {
        let world = &self.world;
        assert_eq!(world.balance(0, world.merchant), self.earned[0]);
        assert_eq!(world.balance(0, world.invoices.address), self.earned[1]);
        for token in 0..3 {
            assert_eq!(world.balance(token, world.pay.address), 0);
        }
    }
}

#[test]
fn merchants_get_what_they_quoted_and_payers_give_at_most_their_maximum() {
    let (mut calls, mut succeeded, mut done) = (0, 0, [0; 3]);
    for (seed, threads) in [1, 2, 4, 8].into_iter().enumerate() {
        let mut world = World::new(Config { threads, ..Config::default() });
        let payers: Vec<Address> = (0..4).map(|at| world.payer(&format!("p{at}"))).collect();
        for payer in &payers {
            for pair in world.pairs.clone() {
                for token in world.tokens.clone() {
                    let approve = token.call(*payer, "approve", (pair.address, u128::MAX));
                    world.chain.run(approve).succeeded();
                }
            }
        }
        let mut random = RandomCalls::new(&world.chain, seed as u64, [world.pay]);
        let mut test = Test {
            world,
            payers,
            quotes: BTreeMap::new(),
            retracted: BTreeSet::new(),
            invoices: BTreeMap::new(),
            earned: [0; 2],
            first: FIRST,
            dice: Dice::new(seed as u64),
            done: [0; 3],
        };
        for _ in 0..26 {
            let (deeds, mut block): (Vec<Deed>, Vec<Call>) = (0..90).map(|_| test.deed()).unzip();
            // These know no order.
            block.extend(random.take(10));
            let block = test.world.chain.block(block);
            block.assert_no_misses();
            deeds.iter().zip(&block.calls).for_each(|(deed, ran)| test.follow(deed, ran));
            test.check();
            calls += block.calls.len();
            succeeded += block.calls.iter().filter(|call| call.receipt.is_success()).count();
            test.first += 12;
        }
        done.iter_mut().zip(test.done).for_each(|(sum, count)| *sum += count);
    }
    println!("{succeeded} of {calls} calls succeeded; paid, converted, invoices: {done:?}");
    assert!(calls >= 10_000);
    assert!(succeeded * 3 > calls, "{succeeded} of {calls} calls succeeded");
    assert!(done.iter().all(|count| *count >= 50), "paid, converted, invoices: {done:?}");
}
