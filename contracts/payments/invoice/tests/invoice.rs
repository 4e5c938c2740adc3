//! What an invoice promises, who waits for whom, and what it costs.

use std::path::Path;
use tollway_contracts_wasm::{INVOICE, TOKEN};
use tollway_interfaces::{Invoice, InvoiceStatus, InvoiceTerms, TokenRef};
use tollway_testkit::tollway::{Address, Call};
use tollway_testkit::{Contract, Ran, TestChain, budget};

const DAY_MS: u64 = 86_400_000;
const REFERENCE: [u8; 32] = *b"12 chairs, order of 3 March\0\0\0\0\0";

/// A merchant, two payers with 1,000 tokens each, and a contract for invoices.
struct Shop {
    chain: TestChain,
    token: Contract,
    invoices: Contract,
    merchant: Address,
    alice: Address,
    bob: Address,
}

fn shop() -> Shop {
    let mut chain = TestChain::new();
    let [merchant, alice, bob] = chain.accounts(["merchant", "alice", "bob"]);
    let token = chain.deploy(TOKEN, &merchant);
    let invoices = chain.deploy(INVOICE, &());
    chain.also_native(token, &tollway_contract_token::token::NATIVE);
    chain.also_native(invoices, &tollway_contract_invoice::invoice::NATIVE);
    for payer in [alice, bob] {
        fund(&mut chain, token, invoices, merchant, payer);
    }
    Shop { chain, token, invoices, merchant, alice, bob }
}

fn fund(chain: &mut TestChain, token: Contract, spender: Contract, owner: Address, to: Address) {
    chain.run(token.call(owner, "mint", (to, 1_000u128))).succeeded();
    chain.run(token.call(to, "approve", (spender.address, u128::MAX))).succeeded();
}

impl Shop {
    /// Terms of an invoice for 100 that is due in a day, costs 7 more from then on, and expires the
    /// day after.
    fn terms(&self) -> InvoiceTerms {
        let now = self.chain.time_ms();
        InvoiceTerms {
            token: TokenRef(self.token.address),
            payer: Address::ZERO,
            amount: 100,
            late_fee: 7,
            due_ms: now + DAY_MS,
            expiry_ms: now + 2 * DAY_MS,
        }
    }

    fn issue(&mut self, number: u128, terms: InvoiceTerms) -> Ran {
        self.chain.run(self.invoices.call(self.merchant, "issue", (number, terms, REFERENCE)))
    }

    fn pay_call(&self, payer: Address, number: u128, amount: u128) -> Call {
        self.invoices.call(payer, "pay", (self.merchant, number, self.token.address, amount))
    }

    fn pay(&mut self, payer: Address, number: u128, amount: u128) -> Ran {
        self.chain.run(self.pay_call(payer, number, amount))
    }

    fn refund(&mut self, payer: Address, number: u128) -> Ran {
        let args = (self.merchant, number, self.token.address);
        self.chain.run(self.invoices.call(payer, "refund", args))
    }

    fn credit(&mut self, by: Address, number: u128, payer: Address, amount: u128) -> Ran {
        let args = (self.merchant, number, self.token.address, payer, amount);
        self.chain.run(self.invoices.call(by, "credit", args))
    }

    fn withdraw(&mut self, amount: u128) -> Ran {
        let args = (self.token.address, amount);
        self.chain.run(self.invoices.call(self.merchant, "withdraw", args))
    }

    fn invoice(&self, number: u128) -> Invoice {
        let found: Option<Invoice> =
            self.chain.query(self.invoices, "invoice", (self.merchant, number));
        found.expect("it was issued")
    }

    fn takings(&self) -> u128 {
        self.chain.query(self.invoices, "takings", (self.merchant, self.token.address))
    }

    fn balance(&self, owner: Address) -> u128 {
        self.chain.query(self.token, "balance_of", owner)
    }

    #[track_caller]
    fn assert_stands(&self, number: u128, status: InvoiceStatus, owed: u128) {
        let invoice = self.invoice(number);
        assert_eq!((invoice.status, invoice.owed), (status, owed));
    }
}

#[test]
fn an_invoice_is_paid_and_the_merchant_gets_it() {
    let mut shop = shop();
    let terms = shop.terms();
    shop.issue(1, terms).succeeded().event("Issued");
    shop.assert_stands(1, InvoiceStatus::Open, 100);
    let reference =
        shop.chain.query::<Option<[u8; 32]>>(shop.invoices, "reference", (shop.merchant, 1u128));
    assert_eq!(reference, Some(REFERENCE));
    let paid = shop.pay(shop.alice, 1, 100);
    assert_eq!(paid.returned::<u128>(), 100);
    assert_eq!(paid.event("Settled")["proceeds"].to_string(), "100");
    shop.assert_stands(1, InvoiceStatus::Paid, 0);
    shop.withdraw(101).reverted_with("InsufficientTakings");
    shop.withdraw(100).succeeded();
    assert_eq!((shop.balance(shop.merchant), shop.balance(shop.alice)), (100, 900));
    // Paid twice is refused.
    shop.pay(shop.alice, 1, 100).reverted_with("AlreadyPaid");
    shop.pay(shop.bob, 1, 1).reverted_with("AlreadyPaid");
    shop.refund(shop.alice, 1).reverted_with("NothingToRefund");
}

#[test]
fn numbers_are_unique_and_terms_make_sense() {
    let mut shop = shop();
    let terms = shop.terms();
    shop.issue(1, terms).succeeded();
    shop.issue(1, terms).reverted_with("NumberTaken");
    // Under another merchant, the number is another one.
    let issue = shop.invoices.call(shop.alice, "issue", (1u128, terms, REFERENCE));
    shop.chain.run(issue).succeeded();
    shop.issue(2, InvoiceTerms { amount: 0, ..terms }).reverted_with("BadTerms");
    shop.issue(2, InvoiceTerms { expiry_ms: terms.due_ms - 1, ..terms }).reverted_with("BadTerms");
    shop.issue(2, InvoiceTerms { due_ms: 5, expiry_ms: 5, ..terms }).reverted_with("BadTerms");
    shop.issue(2, InvoiceTerms { late_fee: u128::MAX, ..terms }).reverted_with("AmountTooLarge");
    shop.pay(shop.alice, 2, 1).reverted_with("UnknownInvoice");
}

#[test]
fn parts_add_up_and_what_is_too_much_comes_back() {
    let mut shop = shop();
    let terms = shop.terms();
    shop.issue(1, terms).succeeded();
    shop.pay(shop.alice, 1, 0).reverted_with("ZeroAmount");
    shop.pay(shop.alice, 1, 30).succeeded();
    shop.assert_stands(1, InvoiceStatus::PartlyPaid, 70);
    // A part is not the merchant's yet.
    assert_eq!(shop.takings(), 0);
    shop.refund(shop.alice, 1).reverted_with("NothingToRefund");
    let paid = shop.pay(shop.bob, 1, 90);
    let event = paid.event("Paid");
    assert_eq!(
        (event["applied"].to_string(), event["excess"].to_string()),
        ("70".into(), "20".into())
    );
    shop.assert_stands(1, InvoiceStatus::Paid, 0);
    assert_eq!(shop.takings(), 100);
    assert_eq!(shop.refund(shop.bob, 1).returned::<u128>(), 20);
    shop.refund(shop.bob, 1).reverted_with("NothingToRefund");
    assert_eq!((shop.balance(shop.alice), shop.balance(shop.bob)), (970, 930));
}

#[test]
fn who_must_pay_in_what_is_kept() {
    let mut shop = shop();
    let terms = shop.terms();
    shop.issue(1, InvoiceTerms { payer: shop.alice, ..terms }).succeeded();
    shop.pay(shop.bob, 1, 100).reverted_with("WrongPayer");
    let other = shop.chain.deploy(TOKEN, &shop.merchant);
    shop.chain.also_native(other, &tollway_contract_token::token::NATIVE);
    fund(&mut shop.chain, other, shop.invoices, shop.merchant, shop.alice);
    let wrong = (shop.merchant, 1u128, other.address, 100u128);
    shop.chain.run(shop.invoices.call(shop.alice, "pay", wrong)).reverted_with("WrongToken");
    // Others may pay for her with their tokens; what was too much is hers.
    let args = (shop.merchant, 1u128, shop.token.address, shop.alice, 110u128);
    shop.chain.run(shop.invoices.call(shop.bob, "pay_for", args)).succeeded();
    assert_eq!(shop.balance(shop.bob), 890);
    shop.refund(shop.bob, 1).reverted_with("NothingToRefund");
    shop.refund(shop.alice, 1).succeeded();
    assert_eq!(shop.balance(shop.alice), 1_010);
    // Who does not have it does not pay, and nothing of the call remains.
    shop.issue(2, InvoiceTerms { amount: 5_000, ..terms }).succeeded();
    shop.pay(shop.bob, 2, 5_000).reverted_with("InsufficientBalance");
    shop.assert_stands(2, InvoiceStatus::Open, 5_000);
}

#[test]
fn late_payment_costs_the_fee_from_the_first_moment_after_the_due_time() {
    let mut shop = shop();
    let start = shop.chain.time_ms();
    let due = |after_ms| InvoiceTerms { due_ms: start + after_ms, ..shop.terms() };
    let (in_time, late) = (due(3_000), due(3_999));
    shop.issue(1, in_time).succeeded();
    shop.issue(2, late).succeeded();
    // The third block has the due time of the first invoice, the fourth that of none.
    shop.pay(shop.alice, 1, 100).succeeded();
    shop.assert_stands(1, InvoiceStatus::Paid, 0);
    shop.pay(shop.alice, 2, 100).succeeded();
    shop.assert_stands(2, InvoiceStatus::Late, 7);
    assert_eq!((shop.invoice(1).late_fee, shop.invoice(2).late_fee), (0, 7));
    shop.pay(shop.alice, 2, 7).succeeded();
    shop.assert_stands(2, InvoiceStatus::PaidLate, 0);
    // The fee of what was paid in time stays 0, whenever somebody looks.
    shop.chain.pass_ms(9 * DAY_MS);
    shop.chain.block([]);
    shop.assert_stands(1, InvoiceStatus::Paid, 0);
    assert_eq!((shop.invoice(1).late_fee, shop.takings()), (0, 207));
}

#[test]
fn an_expired_invoice_takes_nothing_and_gives_parts_back() {
    let mut shop = shop();
    let terms = shop.terms();
    shop.issue(1, terms).succeeded();
    shop.pay(shop.alice, 1, 30).succeeded();
    shop.pay(shop.bob, 1, 20).succeeded();
    shop.chain.pass_ms(terms.expiry_ms - shop.chain.time_ms() - 1_000);
    // The last moment at which it can be paid.
    shop.pay(shop.bob, 1, 5).succeeded();
    shop.assert_stands(1, InvoiceStatus::Late, 52);
    shop.refund(shop.alice, 1).succeeded();
    shop.assert_stands(1, InvoiceStatus::Expired, 0);
    shop.pay(shop.bob, 1, 52).reverted_with("Expired");
    shop.credit(shop.merchant, 1, shop.bob, 1).reverted_with("Expired");
    shop.refund(shop.bob, 1).succeeded();
    shop.refund(shop.bob, 1).reverted_with("NothingToRefund");
    assert_eq!(
        (shop.balance(shop.alice), shop.balance(shop.bob), shop.takings()),
        (1_000, 1_000, 0)
    );
}

#[test]
fn a_cancelled_invoice_gives_all_back() {
    let mut shop = shop();
    let terms = shop.terms();
    shop.issue(1, terms).succeeded();
    shop.pay(shop.alice, 1, 60).succeeded();
    let cancel = |by| shop.invoices.call(by, "cancel", (shop.merchant, 1u128));
    let (by_other, by_merchant) = (cancel(shop.alice), cancel(shop.merchant));
    shop.chain.run(by_other).reverted_with("NotHolder");
    shop.chain.run(by_merchant.clone()).succeeded().event("Cancelled");
    shop.assert_stands(1, InvoiceStatus::Cancelled, 0);
    shop.chain.run(by_merchant).reverted_with("InvoiceCancelled");
    shop.pay(shop.alice, 1, 40).reverted_with("InvoiceCancelled");
    assert_eq!(shop.refund(shop.alice, 1).returned::<u128>(), 60);
    assert_eq!((shop.balance(shop.alice), shop.takings()), (1_000, 0));
}

#[test]
fn credit_notes_reduce_settle_and_give_back() {
    let mut shop = shop();
    let terms = shop.terms();
    shop.issue(1, terms).succeeded();
    shop.credit(shop.alice, 1, shop.alice, 10).reverted_with("NotHolder");
    shop.credit(shop.merchant, 1, shop.alice, 0).reverted_with("ZeroAmount");
    shop.credit(shop.merchant, 1, shop.alice, 101).reverted_with("CreditTooLarge");
    shop.credit(shop.merchant, 1, shop.alice, 10).succeeded();
    shop.assert_stands(1, InvoiceStatus::Open, 90);
    // Less than what was paid: the difference comes back, and the invoice is settled.
    shop.pay(shop.alice, 1, 50).succeeded();
    shop.credit(shop.merchant, 1, shop.bob, 60).reverted_with("PayerPaidLess");
    let credited = shop.credit(shop.merchant, 1, shop.alice, 60);
    assert_eq!(credited.event("Credited")["given_back"].to_string(), "20");
    assert_eq!(credited.event("Settled")["proceeds"].to_string(), "30");
    shop.assert_stands(1, InvoiceStatus::Paid, 0);
    assert_eq!((shop.refund(shop.alice, 1).returned::<u128>(), shop.takings()), (20, 30));
    // A paid invoice gives back from the takings: not what was withdrawn.
    shop.withdraw(25).succeeded();
    shop.credit(shop.merchant, 1, shop.alice, 6).reverted_with("InsufficientTakings");
    shop.credit(shop.merchant, 1, shop.alice, 5).succeeded();
    let args = (shop.token.address, 25u128);
    let approve = shop.token.call(shop.merchant, "approve", (shop.invoices.address, 25u128));
    shop.chain.run(approve).succeeded();
    shop.chain.run(shop.invoices.call(shop.merchant, "deposit", args)).succeeded();
    shop.credit(shop.merchant, 1, shop.alice, 26).reverted_with("CreditTooLarge");
    shop.credit(shop.merchant, 1, shop.alice, 25).succeeded();
    shop.assert_stands(1, InvoiceStatus::Cancelled, 0);
    shop.pay(shop.alice, 1, 1).reverted_with("AlreadyPaid");
    assert_eq!(shop.refund(shop.alice, 1).returned::<u128>(), 30);
    assert_eq!((shop.balance(shop.alice), shop.takings()), (1_000, 0));
}

#[test]
fn a_credit_note_over_all_of_it_cancels() {
    let mut shop = shop();
    let terms = shop.terms();
    shop.issue(1, terms).succeeded();
    shop.credit(shop.merchant, 1, shop.alice, 100).succeeded();
    shop.assert_stands(1, InvoiceStatus::Cancelled, 0);
    // Also the late fee can be credited.
    shop.issue(2, terms).succeeded();
    shop.chain.pass_ms(DAY_MS + DAY_MS / 2);
    shop.pay(shop.alice, 2, 100).succeeded();
    shop.assert_stands(2, InvoiceStatus::Late, 7);
    shop.credit(shop.merchant, 2, shop.alice, 7).succeeded();
    shop.assert_stands(2, InvoiceStatus::PaidLate, 0);
    assert_eq!(shop.takings(), 100);
}

#[test]
fn an_assigned_invoice_pays_its_holder() {
    let mut shop = shop();
    let bank = shop.chain.account("bank");
    let terms = shop.terms();
    shop.issue(1, terms).succeeded();
    let assign = |by, to| shop.invoices.call(by, "assign", (shop.merchant, 1u128, to));
    let collect =
        |by| shop.invoices.call(by, "collect", (shop.merchant, 1u128, shop.token.address));
    let calls = [assign(shop.alice, shop.alice), assign(shop.merchant, bank)];
    let (collect_bank, collect_merchant) = (collect(bank), collect(shop.merchant));
    let back = assign(bank, shop.merchant);
    let [by_other, by_merchant] = calls;
    shop.chain.run(by_other).reverted_with("NotHolder");
    shop.chain.run(by_merchant.clone()).succeeded().event("Assigned");
    shop.chain.run(by_merchant).reverted_with("NotHolder");
    // The merchant can no longer take from it.
    shop.credit(shop.merchant, 1, shop.alice, 10).reverted_with("NotHolder");
    shop.chain.run(collect_bank.clone()).reverted_with("NothingToCollect");
    shop.pay(shop.alice, 1, 100).succeeded();
    assert_eq!(shop.takings(), 0);
    // The holder's credit notes come from the proceeds.
    shop.credit(bank, 1, shop.alice, 10).succeeded();
    shop.chain.run(collect_merchant).reverted_with("NotHolder");
    assert_eq!(shop.chain.run(collect_bank.clone()).returned::<u128>(), 90);
    assert_eq!(shop.balance(bank), 90);
    shop.chain.run(collect_bank).reverted_with("NothingToCollect");
    shop.credit(bank, 1, shop.alice, 10).reverted_with("InsufficientTakings");
    shop.chain.run(back).succeeded();
    assert_eq!(shop.invoice(1).holder, shop.merchant);
    assert_eq!(shop.refund(shop.alice, 1).returned::<u128>(), 10);
}

#[test]
fn a_thousand_payments_to_one_merchant_run_side_by_side() {
    let mut shop = shop();
    let payers: Vec<Address> =
        (0..1_000).map(|number| shop.chain.account(&format!("payer {number}"))).collect();
    let mint = |payer: &Address| shop.token.call(shop.merchant, "mint", (*payer, 1_000u128));
    let approve =
        |payer: &Address| shop.token.call(*payer, "approve", (shop.invoices.address, u128::MAX));
    let terms = shop.terms();
    let issue = |number: usize| {
        shop.invoices.call(shop.merchant, "issue", (number as u128, terms, REFERENCE))
    };
    let calls: Vec<Call> = payers.iter().flat_map(|payer| [mint(payer), approve(payer)]).collect();
    shop.chain.block(calls).succeeded();
    let issues: Vec<Call> = (0..1_000).map(issue).collect();
    shop.chain.block(issues).succeeded().assert_critical_path(1).assert_no_misses();
    let pay = |(number, payer): (usize, &Address)| shop.pay_call(*payer, number as u128, 100);
    let calls: Vec<Call> = payers.iter().enumerate().map(pay).collect();
    shop.chain.block(calls).succeeded().assert_critical_path(1).assert_no_misses();
    assert_eq!(shop.takings(), 100_000);
}

#[test]
fn only_what_concerns_one_invoice_waits() {
    let mut shop = shop();
    let terms = shop.terms();
    for number in 1..=2 {
        shop.issue(number, terms).succeeded();
    }
    let pay = |payer, number| shop.pay_call(payer, number, 1);
    let refund = |payer, number: u128| {
        shop.invoices.call(payer, "refund", (shop.merchant, number, shop.token.address))
    };
    let withdraw = shop.invoices.call(shop.merchant, "withdraw", (shop.token.address, 1u128));
    let issue = shop.invoices.call(shop.merchant, "issue", (3u128, terms, REFERENCE));
    // Two payments of one invoice share what is owed.
    shop.chain.assert_conflicting(&pay(shop.alice, 1), &pay(shop.bob, 1));
    shop.chain.assert_independent(&pay(shop.alice, 1), &pay(shop.bob, 2));
    // The merchant takes out and issues while he is paid, and takes out twice at once.
    shop.chain.assert_independent(&pay(shop.alice, 1), &withdraw);
    shop.chain.assert_independent(&pay(shop.alice, 1), &issue);
    shop.chain.assert_independent(&withdraw, &withdraw);
    // Refunds of one invoice do not wait for each other, but a refund waits for a payment.
    shop.chain.assert_independent(&refund(shop.alice, 1), &refund(shop.bob, 1));
    shop.chain.assert_conflicting(&refund(shop.alice, 1), &pay(shop.bob, 1));
}

#[test]
fn methods_keep_their_budget_and_declare_what_they_use() {
    let mut shop = shop();
    let terms = shop.terms();
    shop.issue(1, terms).succeeded();
    shop.pay(shop.alice, 1, 30).succeeded();
    shop.pay(shop.bob, 1, 80).succeeded();
    shop.refund(shop.bob, 1).succeeded();
    shop.credit(shop.merchant, 1, shop.alice, 10).succeeded();
    shop.withdraw(50).succeeded();
    shop.chain.run(shop.token.call(shop.merchant, "approve", (shop.invoices.address, u128::MAX)));
    let calls = [
        shop.invoices.call(shop.merchant, "deposit", (shop.token.address, 10u128)),
        shop.invoices.call(shop.merchant, "issue", (2u128, terms, REFERENCE)),
        shop.invoices.call(shop.merchant, "assign", (shop.merchant, 2u128, shop.bob)),
        shop.invoices.call(
            shop.bob,
            "pay_for",
            (shop.merchant, 2u128, shop.token.address, shop.alice, 120u128),
        ),
        shop.invoices.call(shop.bob, "collect", (shop.merchant, 2u128, shop.token.address)),
        shop.invoices.call(shop.merchant, "issue", (3u128, terms, REFERENCE)),
        shop.invoices.call(shop.merchant, "cancel", (shop.merchant, 3u128)),
    ];
    shop.chain.block(calls).succeeded();
    for method in [
        "issue", "pay", "pay_for", "credit", "cancel", "assign", "collect", "refund", "withdraw",
        "deposit",
    ] {
        shop.chain.assert_declares_only_used(shop.invoices, method);
    }
    println!("{}", shop.chain.figures());
    budget::check(shop.chain.figures(), &Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml"));
}
