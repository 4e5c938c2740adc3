//! What financing an invoice promises, who waits for whom, and what it costs.

use std::path::Path;
use tollway_contract_receivable::receivable::{Offer, Receivable, Status, YEAR_MS};
use tollway_contracts_wasm::{INVOICE, RECEIVABLE, TOKEN};
use tollway_interfaces::{InvoiceTerms, TokenRef};
use tollway_testkit::tollway::{Address, Call};
use tollway_testkit::{Contract, Ran, TestChain, budget};

const DAY_MS: u64 = 86_400_000;
/// Ten-thousandths of the face value that may be advanced.
const RATE: u128 = 8_000;

struct World {
    chain: TestChain,
    token: Contract,
    invoices: Contract,
    contract: Contract,
    merchant: Address,
    bank: Address,
    payer: Address,
    due_ms: u64,
}

/// Invoice 1 of the merchant is for 10,000 and due in 100 days; the bank has 100,000 in funds, the
/// payer as much with approval of both contracts.
fn world() -> World {
    let mut chain = TestChain::new();
    let [merchant, bank, payer] = chain.accounts(["merchant", "bank", "payer"]);
    let token = chain.deploy(TOKEN, &merchant);
    let invoices = chain.deploy(INVOICE, &());
    let contract = chain.deploy(RECEIVABLE, &(invoices.address, RATE));
    chain.also_native(token, &tollway_contract_token::token::NATIVE);
    chain.also_native(invoices, &tollway_contract_invoice::invoice::NATIVE);
    chain.also_native(contract, &tollway_contract_receivable::receivable::NATIVE);
    for (account, spender) in [(bank, contract), (payer, contract), (payer, invoices)] {
        let mint = token.call(merchant, "mint", (account, 100_000u128));
        let approve = token.call(account, "approve", (spender.address, u128::MAX));
        chain.block([mint, approve]).succeeded();
    }
    chain.run(contract.call(bank, "deposit", (token.address, 100_000u128))).succeeded();
    let due_ms = chain.time_ms() + 100 * DAY_MS;
    let mut world = World { chain, token, invoices, contract, merchant, bank, payer, due_ms };
    world.issue(1, 10_000);
    world
}

impl World {
    fn issue(&mut self, number: u128, amount: u128) {
        let terms = InvoiceTerms {
            token: TokenRef(self.token.address),
            payer: Address::ZERO,
            amount,
            late_fee: 0,
            due_ms: self.due_ms,
            expiry_ms: u64::MAX,
        };
        let issue = self.invoices.call(self.merchant, "issue", (number, terms, [0u8; 32]));
        let to = self.contract.address;
        let assign = self.invoices.call(self.merchant, "assign", (self.merchant, number, to));
        self.chain.block([issue, assign]).succeeded();
    }

    /// An advance of 8,000 for 10 % a year, late 20 %, in default ten days after the due time.
    fn terms(&self) -> Offer {
        Offer {
            token: TokenRef(self.token.address),
            financier: Address::ZERO,
            advance: 8_000,
            fee_ppm: 100_000,
            late_ppm: 200_000,
            grace_ms: 10 * DAY_MS,
        }
    }

    fn offer(&mut self, number: u128, offer: Offer) -> Ran {
        self.chain.run(self.contract.call(self.merchant, "offer", (number, offer)))
    }

    fn finance(&mut self, by: Address, number: u128, offer: Offer) -> Ran {
        self.chain.run(self.contract.call(by, "finance", (self.merchant, number, offer)))
    }

    fn pay(&mut self, number: u128, amount: u128) {
        let args = (self.merchant, number, self.token.address, amount);
        self.chain.run(self.invoices.call(self.payer, "pay", args)).succeeded();
    }

    fn collect_call(&self, number: u128, financier: Address) -> Call {
        let args = (self.merchant, number, self.token.address, financier);
        self.contract.call(self.payer, "collect", args)
    }

    fn collect(&mut self, number: u128, financier: Address) -> Ran {
        self.chain.run(self.collect_call(number, financier))
    }

    fn repay(&mut self, number: u128, amount: u128) -> Ran {
        let args = (self.merchant, number, self.token.address, self.bank, amount);
        self.chain.run(self.contract.call(self.payer, "repay", args))
    }

    fn release(&mut self, number: u128) -> Ran {
        self.chain.run(self.contract.call(self.merchant, "release", number))
    }

    fn foreclose(&mut self, by: Address, number: u128) -> Ran {
        self.chain.run(self.contract.call(by, "foreclose", (self.merchant, number)))
    }

    fn receivable(&self, number: u128) -> Receivable {
        let args = (self.merchant, number);
        let found: Option<Receivable> = self.chain.query(self.contract, "receivable", args);
        found.expect("it was offered")
    }

    fn funds(&self) -> u128 {
        self.chain.query(self.contract, "funds", (self.bank, self.token.address))
    }

    fn balance(&self, owner: Address) -> u128 {
        self.chain.query(self.token, "balance_of", owner)
    }

    fn next_block_at(&mut self, time_ms: u64) {
        self.chain.pass_ms(time_ms - 1_000 - self.chain.time_ms());
    }
}

#[track_caller]
fn assert_divided(ran: &Ran, principal: u128, fee: u128, rest: u128) {
    let event = ran.succeeded().event("Received");
    let found = ["principal", "fee", "rest"].map(|part| event[part].to_string());
    assert_eq!(found, [principal, fee, rest].map(|part| part.to_string()));
}

#[test]
fn what_comes_in_is_principal_then_fee_then_the_merchants() {
    let mut world = world();
    let terms = world.terms();
    world.offer(1, terms).succeeded();
    assert_eq!(world.receivable(1).status, Status::Offered);
    world.finance(world.bank, 1, terms).succeeded().event("Financed");
    assert_eq!((world.balance(world.merchant), world.funds()), (8_000, 92_000));
    let start = world.chain.time_ms();
    world.pay(1, 10_000);
    world.next_block_at(start + 73 * DAY_MS);
    // A fifth of a year: 8,000 · 10 % / 5.
    let collected = world.collect(1, world.bank);
    assert_divided(&collected, 8_000, 160, 1_840);
    assert_eq!((world.balance(world.merchant), world.funds()), (9_840, 100_160));
    assert_eq!(world.receivable(1).status, Status::Repaid);
    world.collect(1, world.bank).reverted_with("NothingToCollect");
    let withdraw =
        |amount: u128| world.contract.call(world.bank, "withdraw", (world.token.address, amount));
    let (most, more) = (withdraw(100_160), withdraw(100_161));
    world.chain.run(more).reverted_with("InsufficientFunds");
    world.chain.run(most).succeeded();
}

#[test]
fn fees_round_against_who_owes_them() {
    let mut world = world();
    let terms = Offer { advance: 1, fee_ppm: 1, ..world.terms() };
    world.offer(1, terms).succeeded();
    world.finance(world.bank, 1, terms).succeeded();
    // A thousandth of a millionth of nearly nothing.
    assert_eq!(world.receivable(1).fee, 0);
    world.chain.pass_ms(1);
    assert_eq!(world.receivable(1).fee, 1);
    world.next_block_at(world.chain.time_ms() + YEAR_MS / 4);
    assert_divided(&world.repay(1, 5), 1, 1, 0);
}

#[test]
fn an_invoice_is_financed_once() {
    let mut world = world();
    let terms = world.terms();
    world.finance(world.bank, 1, terms).reverted_with("UnknownOffer");
    world.offer(1, terms).succeeded();
    world.offer(1, terms).reverted_with("OfferExists");
    let finance = |by| world.contract.call(by, "finance", (world.merchant, 1u128, terms));
    // Twice in one block: the first one has it.
    let block = [finance(world.bank), finance(world.bank), finance(world.payer)];
    let block = world.chain.block(block);
    block.calls[0].succeeded();
    block.calls[1].reverted_with("AlreadyFinanced");
    block.calls[2].reverted_with("AlreadyFinanced");
    world.offer(1, terms).reverted_with("AlreadyFinanced");
    world.release(1).reverted_with("StillOwed");
    // Not even after it was repaid.
    world.repay(1, 9_000).succeeded();
    world.release(1).succeeded();
    world.finance(world.bank, 1, terms).reverted_with("AlreadyFinanced");
    let to = world.contract.address;
    let assign = world.invoices.call(world.merchant, "assign", (world.merchant, 1u128, to));
    world.chain.run(assign).succeeded();
    world.offer(1, terms).reverted_with("AlreadyFinanced");
}

#[test]
fn offers_are_bounded() {
    let mut world = world();
    let terms = world.terms();
    world.offer(2, terms).reverted_with("UnknownInvoice");
    let wrong = TokenRef(world.invoices.address);
    world.offer(1, Offer { token: wrong, ..terms }).reverted_with("WrongToken");
    world.offer(1, Offer { advance: 8_001, ..terms }).reverted_with("AdvanceTooLarge");
    for bad in [
        Offer { advance: 0, ..terms },
        Offer { fee_ppm: 10_000_001, ..terms },
        Offer { late_ppm: u32::MAX, ..terms },
        Offer { grace_ms: 10 * YEAR_MS, ..terms },
        Offer { grace_ms: u64::MAX, ..terms },
    ] {
        world.offer(1, bad).reverted_with("BadOffer");
    }
    // Four fifths of 9,999 are 7,999.2.
    world.issue(2, 9_999);
    world.offer(2, terms).reverted_with("AdvanceTooLarge");
    world.offer(2, Offer { advance: 7_999, ..terms }).succeeded();
    // However much is written on an invoice, the advance stays where fees can be counted.
    world.issue(3, u128::MAX);
    let most = 1u128 << 112;
    world.offer(3, Offer { advance: most + 1, ..terms }).reverted_with("AdvanceTooLarge");
    world.offer(3, Offer { advance: most, ..terms }).succeeded();
    world
        .finance(world.bank, 3, Offer { advance: most, ..terms })
        .reverted_with("InsufficientFunds");
    // Only what is assigned here, and only before it is due.
    world.release(2).succeeded();
    world.offer(2, terms).reverted_with("NotAssigned");
    world.offer(1, terms).succeeded();
    world.next_block_at(world.due_ms + 1);
    world.finance(world.bank, 1, terms).reverted_with("NotFinanceable");
}

#[test]
fn the_financier_gets_the_offer_that_he_saw() {
    let mut world = world();
    let seen = Offer { financier: world.bank, ..world.terms() };
    world.offer(1, Offer { fee_ppm: 1, ..seen }).succeeded();
    world.finance(world.bank, 1, seen).reverted_with("OfferChanged");
    world.release(1).succeeded();
    let to = world.contract.address;
    let assign = world.invoices.call(world.merchant, "assign", (world.merchant, 1u128, to));
    world.chain.run(assign).succeeded();
    world.offer(1, seen).succeeded();
    world.finance(world.payer, 1, seen).reverted_with("WrongFinancier");
    world.finance(world.bank, 1, seen).succeeded();
    // From now on the merchant cannot take anything off the invoice.
    let args = (world.merchant, 1u128, world.token.address, world.payer, 5_000u128);
    world.chain.run(world.invoices.call(world.merchant, "credit", args)).reverted_with("NotHolder");
    let cancel = world.invoices.call(world.merchant, "cancel", (world.merchant, 1u128));
    world.chain.run(cancel).reverted_with("NotHolder");
    world.collect(1, world.payer).reverted_with("NothingToCollect");
    world.pay(1, 10_000);
    world.collect(1, world.payer).reverted_with("WrongFinancier");
}

#[test]
fn late_and_default_come_by_time() {
    let mut world = world();
    let terms = world.terms();
    world.offer(1, terms).succeeded();
    world.finance(world.bank, 1, terms).succeeded();
    let start = world.chain.time_ms();
    let at = |world: &mut World, time_ms: u64| {
        world.chain.pass_ms(time_ms - world.chain.time_ms());
        let found = world.receivable(1);
        (found.status, found.fee)
    };
    let in_time = 8_000 * u128::from(world.due_ms - start);
    let fee = |days_late: u128| {
        // Both rates in tenths a year.
        let exact = in_time + 8_000 * 2 * days_late * u128::from(DAY_MS);
        exact.div_ceil(10 * u128::from(YEAR_MS))
    };
    let due_ms = world.due_ms;
    assert_eq!(at(&mut world, due_ms), (Status::Financed, fee(0)));
    assert_eq!(at(&mut world, due_ms + 1).0, Status::Late);
    assert_eq!(at(&mut world, due_ms + 5 * DAY_MS), (Status::Late, fee(5)));
    world.foreclose(world.bank, 1).reverted_with("NotDefaulted");
    assert_eq!(at(&mut world, due_ms + 10 * DAY_MS), (Status::Late, fee(10)));
    // From the default on, nothing more runs up.
    assert_eq!(at(&mut world, due_ms + 10 * DAY_MS + 1), (Status::Defaulted, fee(10)));
    assert_eq!(at(&mut world, due_ms + 90 * DAY_MS), (Status::Defaulted, fee(10)));
    // A part repaid late lowers what is owed, and the claim stays with the financier.
    assert_divided(&world.repay(1, 1_000), 1_000, 0, 0);
    world.foreclose(world.merchant, 1).reverted_with("NotFinancier");
    world.foreclose(world.bank, 1).succeeded().event("Released");
    assert_eq!(world.receivable(1).status, Status::Foreclosed);
    world.foreclose(world.bank, 1).reverted_with("WasForeclosed");
    world.repay(1, 1).reverted_with("NothingOwed");
    world.release(1).reverted_with("WasForeclosed");
    // What it still brings is the financier's.
    world.pay(1, 10_000);
    world.collect(1, world.bank).reverted_with("NotHolder");
    let args = (world.merchant, 1u128, world.token.address);
    world.chain.run(world.invoices.call(world.bank, "collect", args)).succeeded();
    assert_eq!(world.balance(world.bank), 10_000);
}

#[test]
fn a_paid_invoice_is_divided_however_late_somebody_asks() {
    let mut world = world();
    let terms = world.terms();
    world.offer(1, terms).succeeded();
    world.finance(world.bank, 1, terms).succeeded();
    world.pay(1, 10_000);
    world.next_block_at(world.due_ms + 99 * DAY_MS);
    world.foreclose(world.bank, 1).reverted_with("InvoicePaid");
    world.collect(1, world.bank).succeeded();
    world.foreclose(world.bank, 1).reverted_with("NothingOwed");
    world.foreclose(world.bank, 2).reverted_with("NotFinanced");
}

#[test]
fn without_a_financier_all_of_it_is_the_merchants() {
    let mut world = world();
    let terms = world.terms();
    world.offer(1, terms).succeeded();
    world.pay(1, 10_000);
    world.repay(1, 1).reverted_with("NotFinanced");
    world.finance(world.bank, 1, terms).reverted_with("NotFinanceable");
    assert_divided(&world.collect(1, Address::ZERO), 0, 0, 10_000);
    // The same if the financier has been repaid before.
    world.issue(2, 10_000);
    world.offer(2, terms).succeeded();
    world.finance(world.bank, 2, terms).succeeded();
    let wrong = (world.merchant, 2u128, world.invoices.address, world.bank, 1u128);
    world.chain.run(world.contract.call(world.payer, "repay", wrong)).reverted_with("WrongToken");
    assert_eq!(world.repay(2, 20_000).returned::<u128>(), 8_001);
    world.repay(2, 1).reverted_with("NothingOwed");
    world.pay(2, 10_000);
    assert_divided(&world.collect(2, world.bank), 0, 0, 10_000);
    assert_eq!(world.balance(world.merchant), 28_000);
}

#[test]
fn deals_of_one_financier_and_one_merchant_run_side_by_side() {
    let mut world = world();
    let terms = Offer { advance: 80, ..world.terms() };
    let numbers: Vec<u128> = (10..210).collect();
    for number in &numbers {
        world.issue(*number, 100);
    }
    let (contract, merchant, bank) = (world.contract, world.merchant, world.bank);
    let offer = |number: &u128| contract.call(merchant, "offer", (*number, terms));
    world.chain.block(numbers.iter().map(offer)).succeeded().assert_critical_path(1);
    let finance = |number: &u128| contract.call(bank, "finance", (merchant, *number, terms));
    let block = world.chain.block(numbers.iter().map(finance));
    block.succeeded().assert_critical_path(1).assert_no_misses();
    for number in &numbers {
        world.pay(*number, 100);
    }
    let collects: Vec<Call> =
        numbers.iter().map(|number| world.collect_call(*number, bank)).collect();
    world.chain.assert_conflicting(&collects[0], &collects[0]);
    let block = world.chain.block(collects);
    block.succeeded().assert_critical_path(1).assert_no_misses();
    // 20 seconds to 4 minutes at 10 % a year of 80: a unit each, where the time is not 0.
    assert!(world.funds() > 100_000 && world.funds() <= 100_000 + 200);
}

#[test]
fn methods_keep_their_budget_and_declare_what_they_use() {
    let mut world = world();
    let terms = world.terms();
    world.offer(1, terms).succeeded();
    world.finance(world.bank, 1, terms).succeeded();
    world.repay(1, 1_000).succeeded();
    world.pay(1, 10_000);
    world.collect(1, world.bank).succeeded();
    world.release(1).succeeded();
    world.issue(2, 10_000);
    world.offer(2, terms).succeeded();
    world.release(2).succeeded();
    world.issue(3, 10_000);
    world.offer(3, terms).succeeded();
    world.finance(world.bank, 3, terms).succeeded();
    world.next_block_at(world.due_ms + 11 * DAY_MS);
    world.foreclose(world.bank, 3).succeeded();
    let withdraw = world.contract.call(world.bank, "withdraw", (world.token.address, 1u128));
    world.chain.run(withdraw).succeeded();
    for method in
        ["deposit", "withdraw", "offer", "finance", "collect", "repay", "release", "foreclose"]
    {
        world.chain.assert_declares_only_used(world.contract, method);
    }
    println!("{}", world.chain.figures());
    budget::check(
        world.chain.figures(),
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml"),
    );
}
