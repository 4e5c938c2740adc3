//! Whatever is called, the contract holds exactly what it owes, and invoices stand where amounts
//! and time put them.

use tollway_contracts_wasm::{INVOICE, TOKEN};
use tollway_interfaces::{Invoice, InvoiceStatus, InvoiceTerms, TokenRef};
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Contract, TestChain};

/// Calls go to so many numbers of each merchant, from the first that is in use on.
const NUMBERS: u64 = 24;

/// So many of these are left behind in each block.
const NUMBERS_A_BLOCK: u64 = 5;

const SUPPLY: u128 = 1_000_000;

/// An invoice of which not everything is over.
struct Known {
    merchant: Address,
    number: u128,
    invoice: Invoice,
    proceeds: u128,
    /// Payers who can have something back.
    owed_to: Vec<Address>,
}

struct World {
    chain: TestChain,
    tokens: [Contract; 2],
    invoices: Contract,
    merchants: [Address; 2],
    payers: [Address; 4],
    deployer: Address,
    /// The first number that is in use.
    first: u64,
    known: Vec<Known>,
    random: RandomCalls,
}

impl World {
    fn new(seed: u64, threads: usize) -> Self {
        let mut chain = TestChain::with(Config { threads, ..Config::default() });
        let merchants = chain.accounts(["ada", "ben"]);
        let payers = chain.accounts(["p0", "p1", "p2", "p3"]);
        let tokens = [chain.deploy(TOKEN, &merchants[0]), chain.deploy(TOKEN, &merchants[0])];
        let invoices = chain.deploy(INVOICE, &());
        for token in tokens {
            for account in merchants.into_iter().chain(payers) {
                let mint = token.call(merchants[0], "mint", (account, SUPPLY));
                let approve = token.call(account, "approve", (invoices.address, u128::MAX));
                chain.block([mint, approve]).succeeded();
            }
        }
        let deployer = chain.account("deployer");
        let random = RandomCalls::new(&chain, seed, [invoices]);
        Self {
            chain,
            tokens,
            invoices,
            merchants,
            payers,
            deployer,
            first: 0,
            known: Vec::new(),
            random,
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    /// The token that a merchant uses for an invoice; now and then the other one.
    fn token(&mut self, number: u128) -> Address {
        let wrong = self.below(40) == 0;
        self.tokens[(number % 2) as usize ^ usize::from(wrong)].address
    }

    /// A call that fits to what was there before the block, unless another comes before it.
    fn aimed(&mut self) -> Call {
        if self.known.is_empty() {
            return self.blind();
        }
        let at = self.below(self.known.len() as u64) as usize;
        let Known { merchant, number, invoice, proceeds, ref owed_to } = self.known[at];
        let owed_to = owed_to.clone();
        let (invoices, terms) = (self.invoices, invoice.terms);
        if !owed_to.is_empty() && self.below(2) == 0 {
            let payer = self.pick(&owed_to);
            return invoices.call(payer, "refund", (merchant, number, terms.token));
        }
        if proceeds > 0 {
            return invoices.call(invoice.holder, "collect", (merchant, number, terms.token));
        }
        let payer = match terms.payer {
            Address::ZERO => self.pick(&self.payers.clone()),
            payer => payer,
        };
        let amount = 1 + u128::from(self.below(60));
        let args = (merchant, number, terms.token, payer, amount);
        match self.below(8) {
            0 => invoices.call(invoice.holder, "credit", args),
            1 if self.below(3) == 0 => invoices.call(invoice.holder, "cancel", (merchant, number)),
            1 => invoices.call(invoice.holder, "assign", (merchant, number, payer)),
            2 => invoices.call(self.pick(&self.payers.clone()), "pay_for", args),
            _ if invoice.owed > 0 => {
                let args = (merchant, number, terms.token, amount);
                invoices.call(payer, "pay", args)
            }
            _ => self.blind(),
        }
    }

    /// A call that is right in its form.
    fn blind(&mut self) -> Call {
        let merchant = self.pick(&self.merchants.clone());
        let payer = self.pick(&self.payers.clone());
        let number = u128::from(self.first + self.below(NUMBERS));
        let token = self.token(number);
        let amount = u128::from(1 + self.below(60));
        let invoices = self.invoices;
        match self.below(9) {
            0..=3 => invoices.call(merchant, "issue", self.issue(number, token)),
            4 => invoices.call(payer, "pay", (merchant, number, token, amount)),
            5 => invoices.call(payer, "refund", (merchant, number, token)),
            6 => invoices.call(merchant, "credit", (merchant, number, token, payer, amount)),
            7 => invoices.call(merchant, "deposit", (token, amount)),
            _ => invoices.call(merchant, "withdraw", (token, amount)),
        }
    }

    fn issue(&mut self, number: u128, token: Address) -> (u128, InvoiceTerms, [u8; 32]) {
        let due_ms = self.chain.time_ms() + 1_000 * (1 + self.below(5));
        let payer = match self.below(6) {
            0 => self.pick(&self.payers.clone()),
            _ => Address::ZERO,
        };
        let terms = InvoiceTerms {
            token: TokenRef(token),
            payer,
            amount: 20 + u128::from(self.below(200)),
            late_fee: u128::from(self.below(10)),
            due_ms,
            expiry_ms: due_ms + 1_000 * self.below(4),
        };
        (number, terms, [0; 32])
    }

    /// All invoices that the test can know of, by merchant and number.
    fn invoices(&self) -> impl Iterator<Item = (Address, u128, Invoice)> {
        let everybody = self.merchants.into_iter().chain(self.payers);
        let numbers = u128::from(self.first + NUMBERS);
        let all = everybody.flat_map(move |merchant| (0..numbers).map(move |n| (merchant, n)));
        all.filter_map(|(merchant, number)| {
            let found: Option<Invoice> =
                self.chain.query(self.invoices, "invoice", (merchant, number));
            Some((merchant, number, found?))
        })
    }

    fn check(&mut self) -> Vec<InvoiceStatus> {
        let mut owing = [0u128; 2];
        let (mut seen, mut known) = (Vec::new(), Vec::new());
        let place = |token: TokenRef| self.tokens.iter().position(|known| known.address == token.0);
        for (merchant, number, invoice) in self.invoices() {
            let is_void =
                matches!(invoice.status, InvoiceStatus::Cancelled | InvoiceStatus::Expired);
            let (mut paid, mut refundable, mut owed_to) = (0, 0, Vec::new());
            for payer in self.payers.into_iter().chain(self.merchants) {
                let args = (merchant, number, payer);
                let account: (u128, u128) = self.chain.query(self.invoices, "account", args);
                paid += account.0;
                refundable += account.1;
                if account.1 > 0 || is_void && account.0 > 0 {
                    owed_to.push(payer);
                }
            }
            let terms = invoice.terms;
            seen.push(invoice.status);
            let net = terms.amount + invoice.late_fee - invoice.credited;
            // The status is what amounts and time say.
            match invoice.status {
                InvoiceStatus::Open | InvoiceStatus::PartlyPaid | InvoiceStatus::Late => {
                    assert_eq!(paid, invoice.paid);
                    assert_eq!(invoice.owed, net - paid);
                    assert!(invoice.owed > 0 && self.chain.time_ms() <= terms.expiry_ms);
                    let is_late = self.chain.time_ms() > terms.due_ms;
                    assert_eq!(is_late, invoice.status == InvoiceStatus::Late);
                    assert_eq!(invoice.late_fee, if is_late { terms.late_fee } else { 0 });
                }
                InvoiceStatus::Paid | InvoiceStatus::PaidLate => {
                    assert_eq!((paid, invoice.owed), (net, 0));
                    assert_eq!(invoice.paid, paid);
                }
                InvoiceStatus::Cancelled | InvoiceStatus::Expired => {
                    assert_eq!(invoice.owed, 0);
                    assert!(paid <= invoice.paid);
                }
            }
            let Some(token) = place(terms.token) else {
                continue;
            };
            let proceeds = self.chain.query::<u128>(self.invoices, "proceeds", (merchant, number));
            let is_settled =
                matches!(invoice.status, InvoiceStatus::Paid | InvoiceStatus::PaidLate);
            if !is_void || !owed_to.is_empty() {
                known.push(Known { merchant, number, invoice, proceeds, owed_to });
            }
            owing[token] += refundable + proceeds + if is_settled { 0 } else { paid };
        }
        for (token, owing) in self.tokens.into_iter().zip(owing) {
            let everybody = self.payers.into_iter().chain(self.merchants);
            let everybody = everybody.chain([self.deployer]);
            let takings = everybody.map(|merchant| {
                self.chain.query::<u128>(self.invoices, "takings", (merchant, token.address))
            });
            let held = self.chain.query::<u128>(token, "balance_of", self.invoices.address);
            assert_eq!(held, owing + takings.sum::<u128>());
        }
        self.known = known;
        seen
    }
}

#[test]
fn what_is_held_is_what_is_owed() {
    let (mut calls, mut succeeded, mut seen) = (0, 0, Vec::new());
    for (seed, threads) in [1, 2, 4, 8].into_iter().enumerate() {
        let mut world = World::new(seed as u64, threads);
        for _ in 0..26 {
            let mut block: Vec<Call> = (0..70).map(|_| world.aimed()).collect();
            block.extend((0..20).map(|_| world.blind()));
            for call in world.random.take(10) {
                let at = world.below(block.len() as u64) as usize;
                block.insert(at, call);
            }
            let block = world.chain.block(block);
            block.assert_no_misses();
            calls += block.calls.len();
            world.first += NUMBERS_A_BLOCK;
            succeeded += block.calls.iter().filter(|call| call.receipt.is_success()).count();
            seen.extend(world.check());
        }
    }
    println!("{succeeded} of {calls} calls succeeded");
    assert!(calls >= 10_000);
    assert!(succeeded * 2 > calls, "{succeeded} of {calls} calls succeeded");
    for status in [
        InvoiceStatus::Open,
        InvoiceStatus::PartlyPaid,
        InvoiceStatus::Late,
        InvoiceStatus::Paid,
        InvoiceStatus::PaidLate,
        InvoiceStatus::Cancelled,
        InvoiceStatus::Expired,
    ] {
        assert!(seen.contains(&status), "no invoice ever was {status:?}");
    }
}
