//! Whatever is called, what comes in is divided to the unit as rational arithmetic says, and the
//! contract holds what its financiers have there.

use num_bigint::BigInt;
use num_rational::BigRational;
use std::collections::BTreeMap;
use tollway_contract_receivable::receivable::{Offer, Receivable, Status};
use tollway_contracts_wasm::{INVOICE, RECEIVABLE, TOKEN};
use tollway_interfaces::{InvoiceTerms, TokenRef};
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Contract, Dice, Ran, TestChain};

const DAY_MS: u64 = 86_400_000;
const WEALTH: u128 = 1_000_000_000;

/// Ten-thousandths of the face value that may be advanced.
const RATE: u128 = 7_500;

/// Invoices are above what random calls make up.
const FIRST: u128 = 1 << 100;

/// What a deal came to, in exact arithmetic.
struct Model {
    offer: Offer,
    financier: Address,
    principal: u128,
    fee: u128,
    counted_ms: u64,
    due_ms: u64,
    paid: u128,
    is_foreclosed: bool,
}

impl Model {
    /// Adds the fee from the last count until `now`, rounded up.
    fn count(&mut self, now: u64) {
        let ratio = |a: u128, b: u128| BigRational::new(BigInt::from(a), BigInt::from(b));
        let default_ms = self.due_ms + self.offer.grace_ms;
        let until = now.min(default_ms);
        let mut fee = ratio(0, 1);
        let parts = [
            (self.counted_ms, until.min(self.due_ms), self.offer.fee_ppm),
            (self.counted_ms.max(self.due_ms), until, self.offer.late_ppm),
        ];
        for (from, to, ppm) in parts {
            let years = ratio(u128::from(to.saturating_sub(from)), 365 * u128::from(DAY_MS));
            fee += years * ratio(u128::from(ppm), 1_000_000) * ratio(self.principal, 1);
        }
        self.fee += u128::try_from(fee.ceil().to_integer()).expect("fees are small");
        self.counted_ms = until.max(self.counted_ms);
    }

    fn status(&self, now: u64) -> Status {
        match () {
            () if self.is_foreclosed => Status::Foreclosed,
            () if self.principal + self.fee == 0 => Status::Repaid,
            () if now > self.due_ms + self.offer.grace_ms => Status::Defaulted,
            () if now > self.due_ms => Status::Late,
            () => Status::Financed,
        }
    }
}

struct World {
    chain: TestChain,
    token: Contract,
    invoices: Contract,
    contract: Contract,
    merchants: [Address; 2],
    banks: [Address; 2],
    payer: Address,
    /// By merchant and number.
    issued: Vec<(Address, u128, InvoiceTerms, Offer)>,
    deals: BTreeMap<(Address, u128), Model>,
    funds: BTreeMap<Address, u128>,
    dice: Dice,
    random: RandomCalls,
    seen: [u32; 5],
}

impl World {
    fn new(seed: u64, threads: usize) -> Self {
        let mut chain = TestChain::with(Config { threads, ..Config::default() });
        let merchants = chain.accounts(["ada", "ben"]);
        let banks = chain.accounts(["bank", "fund"]);
        let payer = chain.account("payer");
        let token = chain.deploy(TOKEN, &payer);
        let invoices = chain.deploy(INVOICE, &());
        let contract = chain.deploy(RECEIVABLE, &(invoices.address, RATE));
        chain.also_native(token, &tollway_contract_token::token::NATIVE);
        chain.also_native(invoices, &tollway_contract_invoice::invoice::NATIVE);
        chain.also_native(contract, &tollway_contract_receivable::receivable::NATIVE);
        for account in merchants.into_iter().chain(banks).chain([payer]) {
            let mut calls = vec![token.call(payer, "mint", (account, WEALTH))];
            for spender in [invoices, contract] {
                calls.push(token.call(account, "approve", (spender.address, u128::MAX)));
            }
            chain.block(calls).succeeded();
        }
        let mut funds = BTreeMap::new();
        for bank in banks {
            chain.run(contract.call(bank, "deposit", (token.address, 600_000u128))).succeeded();
            funds.insert(bank, 600_000);
        }
        let random = RandomCalls::new(&chain, seed, [contract]);
        Self {
            chain,
            token,
            invoices,
            contract,
            merchants,
            banks,
            payer,
            issued: vec![],
            deals: BTreeMap::new(),
            funds,
            dice: Dice::new(seed),
            random,
            seen: [0; 5],
        }
    }

    /// Issue, assignment and offer of a new invoice.
    fn new_invoice(&mut self) -> [Call; 3] {
        let merchant = *self.dice.pick(&self.merchants);
        let number = FIRST + self.issued.len() as u128;
        let due_ms = self.chain.time_ms() + self.dice.between(1, 12) * DAY_MS / 4;
        let token = TokenRef(self.token.address);
        let amount = u128::from(self.dice.between(1_000, 100_000));
        let (payer, late_fee) = (Address::ZERO, u128::from(self.dice.below(50)));
        let terms = InvoiceTerms { token, payer, amount, late_fee, due_ms, expiry_ms: u64::MAX };
        // Now and then more than is allowed.
        let advance = amount * u128::from(self.dice.between(1, 80)) / 100;
        let offer = Offer {
            token,
            financier: if self.dice.percent(20) { self.banks[0] } else { Address::ZERO },
            advance,
            fee_ppm: self.dice.below(1_000_000) as u32,
            late_ppm: self.dice.below(3_000_000) as u32,
            grace_ms: self.dice.below(5) * DAY_MS / 4,
        };
        self.issued.push((merchant, number, terms, offer));
        let to = self.contract.address;
        [
            self.invoices.call(merchant, "issue", (number, terms, [0u8; 32])),
            self.invoices.call(merchant, "assign", (merchant, number, to)),
            self.contract.call(merchant, "offer", (number, offer)),
        ]
    }

    fn call(&mut self) -> Call {
        let bank = *self.dice.pick(&self.banks);
        if self.issued.is_empty() || self.dice.percent(10) {
            let amount = u128::from(self.dice.below(2_000));
            let method = *self.dice.pick(&["deposit", "withdraw"]);
            return self.contract.call(bank, method, (self.token.address, amount));
        }
        // Mostly the latest ones.
        let back = self.dice.between(1, self.issued.len().min(100) as u64) as usize;
        let (merchant, number, terms, offer) = self.issued[self.issued.len() - back];
        let financier = self.deals.get(&(merchant, number)).map(|deal| deal.financier);
        let (contract, token) = (self.contract, self.token.address);
        let Some(financier) = financier else {
            return match self.dice.below(12) {
                0 => contract.call(merchant, "release", number),
                1 => contract.call(bank, "collect", (merchant, number, token, Address::ZERO)),
                _ => contract.call(bank, "finance", (merchant, number, offer)),
            };
        };
        let is_defaulted = self
            .deals
            .get(&(merchant, number))
            .is_some_and(|deal| deal.status(self.chain.time_ms()) == Status::Defaulted);
        if is_defaulted && self.dice.percent(50) {
            return contract.call(financier, "foreclose", (merchant, number));
        }
        match self.dice.below(10) {
            0 | 1 => {
                let amount = u128::from(self.dice.below(2 * terms.amount as u64 / 3));
                let args = (merchant, number, token, financier, amount);
                contract.call(*self.dice.pick(&[merchant, self.payer]), "repay", args)
            }
            2..=4 => {
                let amount = u128::from(self.dice.between(terms.amount as u64 / 2, 100_000));
                self.invoices.call(self.payer, "pay", (merchant, number, token, amount))
            }
            5..=7 => contract.call(self.payer, "collect", (merchant, number, token, financier)),
            8 => contract.call(financier, "foreclose", (merchant, number)),
            _ => contract.call(merchant, "release", number),
        }
    }

    /// Follows what the contract says that it did, and requires that it is right.
    fn follow(&mut self, ran: &Ran) {
        let now = self.chain.time_ms();
        for event in ran.events() {
            if event.contract != self.contract.address {
                continue;
            }
            let number =
                |name: &str| -> u128 { event[name].to_string().parse().expect("it is a number") };
            match &event.name[..] {
                "Deposited" => *self.funds.entry(ran.call.caller).or_default() += number("amount"),
                "Withdrawn" => {
                    *self.funds.get_mut(&ran.call.caller).expect("it has funds") -= number("amount")
                }
                "Financed" => self.financed(ran, number("number")),
                "Received" => {
                    let parts = ["principal", "fee", "rest"].map(number);
                    self.received(ran, number("number"), parts, now);
                }
                "Released" if ran.call.method == "foreclose" => {
                    let deal = self.deal(number("number"));
                    deal.count(now);
                    assert_eq!(deal.status(now), Status::Defaulted, "{ran}");
                    deal.is_foreclosed = true;
                    self.seen[3] += 1;
                }
                "Released" => {
                    let deal = self.deals.values().zip(self.deals.keys());
                    let mut deal = deal.filter(|(_, key)| key.1 == number("number"));
                    let is_free = deal.all(|(deal, _)| deal.principal + deal.fee == 0);
                    assert!(is_free, "{ran}");
                    self.seen[4] += 1;
                }
                _ => {}
            }
        }
    }

    fn deal(&mut self, number: u128) -> &mut Model {
        let mut deals = self.deals.iter_mut().filter(|(key, _)| key.1 == number);
        deals.next().expect("it was financed").1
    }

    fn financed(&mut self, ran: &Ran, number: u128) {
        let issued = self.issued[(number - FIRST) as usize];
        let (merchant, _, terms, offer) = issued;
        let financier = ran.call.caller;
        assert!(offer.advance * 10_000 <= terms.amount * RATE, "{ran}");
        let deal = Model {
            offer,
            financier,
            principal: offer.advance,
            fee: 0,
            counted_ms: self.chain.time_ms(),
            due_ms: terms.due_ms,
            paid: 0,
            is_foreclosed: false,
        };
        *self.funds.get_mut(&financier).expect("it has funds") -= offer.advance;
        assert!(self.deals.insert((merchant, number), deal).is_none(), "{ran}: financed twice");
        self.seen[0] += 1;
    }

    fn received(&mut self, ran: &Ran, number: u128, parts: [u128; 3], now: u64) {
        let amount: u128 = parts.iter().sum();
        assert_eq!(ran.returned::<u128>(), amount, "{ran}");
        if !self.deals.keys().any(|key| key.1 == number) {
            assert_eq!(parts, [0, 0, amount], "{ran}");
            return;
        }
        let deal = self.deal(number);
        deal.count(now);
        let principal = amount.min(deal.principal);
        let fee = (amount - principal).min(deal.fee);
        assert_eq!(parts, [principal, fee, amount - principal - fee], "{ran}");
        deal.principal -= principal;
        deal.fee -= fee;
        deal.paid += principal + fee;
        let (financier, is_late) = (deal.financier, now > deal.due_ms);
        *self.funds.get_mut(&financier).expect("it has funds") += principal + fee;
        self.seen[if is_late { 2 } else { 1 }] += 1;
    }

    fn check(&mut self) {
        for (bank, funds) in &self.funds {
            let args = (*bank, self.token.address);
            assert_eq!(self.chain.query::<u128>(self.contract, "funds", args), *funds);
        }
        let held = self.chain.query::<u128>(self.token, "balance_of", self.contract.address);
        assert_eq!(held, self.funds.values().sum());
        let now = self.chain.time_ms();
        for (key, deal) in &mut self.deals {
            let found: Option<Receivable> = self.chain.query(self.contract, "receivable", *key);
            let found = found.expect("it was offered");
            assert_eq!(found.status, deal.status(now));
            if deal.is_foreclosed {
                continue;
            }
            // What is shown is what would be owed now; it is not counted yet.
            let (fee, counted_ms) = (deal.fee, deal.counted_ms);
            deal.count(now);
            assert_eq!((found.principal, found.fee), (deal.principal, deal.fee));
            (deal.fee, deal.counted_ms) = (fee, counted_ms);
        }
    }
}

#[test]
fn what_comes_in_is_divided_as_rational_arithmetic_says() {
    let (mut calls, mut succeeded, mut seen) = (0, 0, [0; 5]);
    for (seed, threads) in [1, 2, 4, 8].into_iter().enumerate() {
        let mut world = World::new(seed as u64, threads);
        for _ in 0..26 {
            let mut block: Vec<Call> = (0..60).map(|_| world.call()).collect();
            block.extend((0..10).flat_map(|_| world.new_invoice()));
            // These know no invoice.
            block.extend(world.random.take(10));
            let time_ms = world.dice.below(DAY_MS);
            world.chain.pass_ms(time_ms);
            let block = world.chain.block(block);
            block.assert_no_misses();
            block.calls.iter().for_each(|ran| world.follow(ran));
            world.check();
            calls += block.calls.len();
            succeeded += block.calls.iter().filter(|call| call.receipt.is_success()).count();
        }
        seen.iter_mut().zip(world.seen).for_each(|(sum, count)| *sum += count);
    }
    println!("{succeeded} of {calls} calls succeeded; of each kind {seen:?}");
    assert!(calls >= 10_000);
    assert!(succeeded * 2 > calls, "{succeeded} of {calls} calls succeeded");
    assert!(seen.iter().all(|count| *count >= 20), "of each kind {seen:?}");
}
