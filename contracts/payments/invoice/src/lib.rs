//! Invoices: issued by merchants, paid in whole, in part, too much or late, credited, refunded.
//!
//! ```text
//! issue(number, terms, reference)          write terms[caller, number]   write references[..]
//! pay(merchant, number, token, amount)     read  terms[merchant, number]
//!                                          write ledgers[merchant, number]
//!                                          write accounts[merchant, number, caller]
//!                                          add   takings[merchant, token]
//!                                          call  token.transfer_from(caller, this, amount)
//! credit(merchant, number, token, ..)      the same keys, without the call
//! refund(merchant, number, token)          read  terms, ledgers[merchant, number]
//!                                          write accounts[merchant, number, caller]
//!                                          call  token.transfer(caller, _)
//! withdraw(token, amount)                  add   takings[caller, token]
//!                                          call  token.transfer(caller, amount)
//! ```
//!
//! Numbers are the merchant's own, under his address: nobody has to agree on them, and one that he
//! uses twice is refused. Payments of two invoices touch no common key but the merchant's takings,
//! a counter, and so never wait for each other.
//!
//! # Where the money is
//! What is paid stays with the contract until the invoice is paid in whole; only then it becomes
//! the merchant's takings, or his assignee's proceeds. So whoever paid a part of an invoice that
//! expires or is cancelled can always have it back. At any time
//!
//! ```text
//! held of a token  =  takings  +  proceeds not collected  +  refundable
//!                     +  what was paid toward invoices that are not paid in whole
//! ```
//!
//! and nobody's call can take out more than is his (`tests/random.rs`).
//!
//! | status | the payer's way back |
//! | --- | --- |
//! | open, partly paid, late | what was too much, and what a credit note gives back |
//! | paid, paid late | the same; the credit note is paid from the merchant's takings |
//! | cancelled, expired | all that he paid |
//!
//! A late fee is owed in whole once the due time has passed without full payment, and becomes part
//! of what is owed. There are no fractions, so nothing is rounded.
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

/// The contract.
#[tollway_sdk::contract]
pub mod invoice {
    use tollway_interfaces::{Invoice, InvoiceStatus, InvoiceTerms, TokenRef};
    use tollway_sdk::env::{caller, this, time_ms};
    use tollway_sdk::math::above;
    use tollway_sdk::{Address, Counter, Item, Map, contract_type};

    /// How far an invoice is, as far as amounts and time do not say it.
    #[contract_type]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum Stage {
        /// Takes payments, unless it expired.
        #[default]
        Unpaid,
        /// Paid in whole: takes none.
        Settled,
        /// Taken back before it was paid in whole.
        Cancelled,
    }

    /// What happened to an invoice since it was issued.
    #[contract_type]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Ledger {
        /// How far it is.
        pub stage: Stage,
        /// Paid toward it, and not given back by a credit note.
        pub paid: u128,
        /// Taken off it by credit notes.
        pub credited: u128,
        /// Proceeds that its holder has not collected, if that is not the merchant.
        pub uncollected: u128,
        /// When it was settled.
        pub settled_ms: u64,
        /// To whom the proceeds are due; [`Address::ZERO`] for the merchant.
        pub assignee: Address,
    }

    /// What one payer has in one invoice.
    #[contract_type]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Account {
        /// Paid toward it.
        pub paid: u128,
        /// Refundable at once.
        pub refundable: u128,
    }

    /// The state.
    #[storage]
    pub struct Invoices {
        /// What was agreed, by merchant and number.
        terms: Map<(Address, u128), Item<InvoiceTerms>>,
        /// What happened since, by merchant and number.
        ledgers: Map<(Address, u128), Item<Ledger>>,
        /// By merchant, number and payer.
        accounts: Map<(Address, u128, Address), Item<Account>>,
        /// What merchants may withdraw.
        takings: Map<(Address, TokenRef), Counter>,
        /// A text, or the hash of a document, by merchant and number.
        references: Map<(Address, u128), Item<[u8; 32]>>,
    }

    /// An invoice was issued.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Issued {
        /// By whom.
        pub merchant: Address,
        /// Its number among the merchant's.
        pub number: u128,
        /// What was agreed.
        pub terms: InvoiceTerms,
        /// What it is for.
        pub reference: [u8; 32],
    }

    /// A payment was taken.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Paid {
        /// Whose invoice.
        pub merchant: Address,
        /// Which one.
        pub number: u128,
        /// For whom.
        pub payer: Address,
        /// What counts toward the invoice.
        pub applied: u128,
        /// What is too much, and refundable.
        pub excess: u128,
    }

    /// An invoice is paid in whole.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Settled {
        /// Whose invoice.
        pub merchant: Address,
        /// Which one.
        pub number: u128,
        /// What it brings.
        pub proceeds: u128,
    }

    /// A credit note was issued.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Credited {
        /// On whose invoice.
        pub merchant: Address,
        /// Which one.
        pub number: u128,
        /// What it takes off.
        pub amount: u128,
        /// Who may have back what is now paid too much.
        pub payer: Address,
        /// How much that is.
        pub given_back: u128,
    }

    /// An invoice was taken back: all that was paid is refundable.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Cancelled {
        /// Whose invoice.
        pub merchant: Address,
        /// Which one.
        pub number: u128,
    }

    /// An invoice's proceeds are due to somebody else from now on.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Assigned {
        /// Whose invoice.
        pub merchant: Address,
        /// Which one.
        pub number: u128,
        /// To whom.
        pub holder: Address,
    }

    /// A payer got something back.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Refunded {
        /// From whose invoice.
        pub merchant: Address,
        /// Which one.
        pub number: u128,
        /// Who.
        pub payer: Address,
        /// How much.
        pub amount: u128,
    }

    /// A holder got an invoice's proceeds.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Collected {
        /// Of whose invoice.
        pub merchant: Address,
        /// Which one.
        pub number: u128,
        /// Who.
        pub holder: Address,
        /// How much.
        pub amount: u128,
    }

    /// A merchant took tokens out.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Withdrawn {
        /// Who.
        pub merchant: Address,
        /// Which.
        pub token: TokenRef,
        /// How many.
        pub amount: u128,
    }

    /// A merchant put tokens in, for credit notes.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Deposited {
        /// Who.
        pub merchant: Address,
        /// Which.
        pub token: TokenRef,
        /// How many.
        pub amount: u128,
    }

    /// Why a call reverts. Failures of the tokens come through as they are.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// The merchant has no invoice of that number.
        UnknownInvoice,
        /// The merchant has an invoice of that number already.
        NumberTaken,
        /// An invoice needs an amount, a due time not after its expiry, and an expiry to come.
        BadTerms,
        /// The sum of these amounts is too large.
        AmountTooLarge,
        /// An amount of 0 changes nothing.
        ZeroAmount,
        /// The invoice is in another token.
        WrongToken,
        /// The invoice names somebody else as its payer.
        WrongPayer,
        /// The invoice is paid in whole, or credited.
        AlreadyPaid,
        /// The invoice was cancelled.
        InvoiceCancelled,
        /// The invoice can no longer be paid.
        Expired,
        /// Only the invoice's holder may do this.
        NotHolder,
        /// The invoice is for less than that, as far as it is not credited already.
        CreditTooLarge,
        /// This payer paid less than the credit note gives back.
        PayerPaidLess,
        /// The merchant's takings are less than that.
        InsufficientTakings,
        /// There is nothing that the caller could have back.
        NothingToRefund,
        /// There are no proceeds to collect.
        NothingToCollect,
    }

    impl Invoices {
        /// Issues an invoice under a number of the caller's choice that he has not used.
        /// `reference` is a short text or the hash of a document: what the invoice is for.
        #[call]
        pub fn issue(
            &mut self,
            number: u128,
            terms: InvoiceTerms,
            reference: [u8; 32],
        ) -> Result<(), Error> {
            let merchant = caller();
            let cell = self.terms.at((merchant, number));
            if cell.exists() {
                return Err(Error::NumberTaken);
            }
            let in_order = terms.due_ms <= terms.expiry_ms && time_ms() <= terms.expiry_ms;
            if terms.amount == 0 || !in_order {
                return Err(Error::BadTerms);
            }
            sum(terms.amount, terms.late_fee)?;
            cell.set(&terms);
            self.references.at((merchant, number)).set(&reference);
            Issued { merchant, number, terms, reference }.emit();
            Ok(())
        }

        /// Pays `amount` toward an invoice and returns how much of it counts; what is more than
        /// what is owed is refundable to the caller at once.
        #[call]
        pub fn pay(
            &mut self,
            merchant: Address,
            number: u128,
            token: TokenRef,
            amount: u128,
        ) -> Result<u128, Error> {
            let payer = caller();
            let applied = self.take(merchant, number, token, payer, amount)?;
            pull(token, payer, amount);
            Ok(applied)
        }

        /// The same with the caller's tokens on behalf of `payer`, to whom all refunds go.
        #[call]
        pub fn pay_for(
            &mut self,
            merchant: Address,
            number: u128,
            token: TokenRef,
            payer: Address,
            amount: u128,
        ) -> Result<u128, Error> {
            let applied = self.take(merchant, number, token, payer, amount)?;
            pull(token, caller(), amount);
            Ok(applied)
        }

        /// The same with tokens that the caller granted this contract in this call: for contracts
        /// that pay for many, whose calls would wait for each other at one allowance.
        #[call]
        pub fn pay_granted(
            &mut self,
            merchant: Address,
            number: u128,
            token: TokenRef,
            payer: Address,
            amount: u128,
        ) -> Result<u128, Error> {
            let applied = self.take(merchant, number, token, payer, amount)?;
            token.transfer_granted(caller(), this(), amount);
            Ok(applied)
        }

        /// Takes `amount` off an invoice, which may settle it, and gives what is now paid too much
        /// back to `payer`, who must have paid as much toward it. What a paid invoice gives back
        /// comes from the takings. Only the holder may.
        #[call]
        pub fn credit(
            &mut self,
            merchant: Address,
            number: u128,
            token: TokenRef,
            payer: Address,
            amount: u128,
        ) -> Result<(), Error> {
            let terms = self.terms_of(merchant, number, token)?;
            let mut ledger = self.ledger_of(merchant, number);
            if holder(merchant, &ledger) != caller() {
                return Err(Error::NotHolder);
            }
            let was_settled = ledger.stage == Stage::Settled;
            if !was_settled {
                takes_payments(&terms, &ledger)?;
            }
            if amount == 0 {
                return Err(Error::ZeroAmount);
            }
            let Some(due) = net(&terms, &ledger).checked_sub(amount) else {
                return Err(Error::CreditTooLarge);
            };
            ledger.credited += amount;
            let given_back = above(ledger.paid, due);
            if given_back > 0 {
                let mut account = self.account_of(merchant, number, payer);
                account.paid = account.paid.checked_sub(given_back).ok_or(Error::PayerPaidLess)?;
                account.refundable = sum(account.refundable, given_back)?;
                self.keep_account(merchant, number, payer, &account);
                ledger.paid -= given_back;
            }
            let takings = self.takings.at((merchant, token));
            if was_settled {
                if given_back <= ledger.uncollected {
                    ledger.uncollected -= given_back;
                } else if holder(merchant, &ledger) == merchant {
                    takings.sub(given_back).map_err(|_| Error::InsufficientTakings)?;
                } else {
                    return Err(Error::InsufficientTakings);
                }
            } else if ledger.paid == due {
                takings.add(settle(merchant, number, &mut ledger));
            }
            self.keep_ledger(merchant, number, &ledger);
            Credited { merchant, number, amount, payer, given_back }.emit();
            Ok(())
        }

        /// Takes back an invoice that is not paid in whole: all that was paid is refundable. Only
        /// the holder may.
        #[call]
        pub fn cancel(&mut self, merchant: Address, number: u128) -> Result<(), Error> {
            let terms = self.terms.at((merchant, number)).get().ok_or(Error::UnknownInvoice)?;
            let mut ledger = self.ledger_of(merchant, number);
            if holder(merchant, &ledger) != caller() {
                return Err(Error::NotHolder);
            }
            takes_payments(&terms, &ledger)?;
            ledger.stage = Stage::Cancelled;
            self.keep_ledger(merchant, number, &ledger);
            Cancelled { merchant, number }.emit();
            Ok(())
        }

        /// Makes `to` the holder: whom the proceeds are due to, and who may credit and cancel.
        /// Only the holder may.
        #[call]
        pub fn assign(
            &mut self,
            merchant: Address,
            number: u128,
            to: Address,
        ) -> Result<(), Error> {
            if !self.terms.at((merchant, number)).exists() {
                return Err(Error::UnknownInvoice);
            }
            let mut ledger = self.ledger_of(merchant, number);
            if holder(merchant, &ledger) != caller() {
                return Err(Error::NotHolder);
            }
            // The merchant is written as ZERO, so that each holder has one form.
            ledger.assignee = if to == merchant { Address::ZERO } else { to };
            self.keep_ledger(merchant, number, &ledger);
            Assigned { merchant, number, holder: holder(merchant, &ledger) }.emit();
            Ok(())
        }

        /// Pays the proceeds of an invoice that was assigned to the caller, and returns how much.
        #[call]
        pub fn collect(
            &mut self,
            merchant: Address,
            number: u128,
            token: TokenRef,
        ) -> Result<u128, Error> {
            self.terms_of(merchant, number, token)?;
            let mut ledger = self.ledger_of(merchant, number);
            let holder = holder(merchant, &ledger);
            if holder != caller() {
                return Err(Error::NotHolder);
            }
            let amount = ledger.uncollected;
            if amount == 0 {
                return Err(Error::NothingToCollect);
            }
            ledger.uncollected = 0;
            self.keep_ledger(merchant, number, &ledger);
            Collected { merchant, number, holder, amount }.emit();
            give(token, caller(), amount);
            Ok(amount)
        }

        /// Pays the caller what he can have back of what he paid, and returns how much.
        #[call]
        pub fn refund(
            &mut self,
            merchant: Address,
            number: u128,
            token: TokenRef,
        ) -> Result<u128, Error> {
            let payer = caller();
            let terms = self.terms_of(merchant, number, token)?;
            let ledger = self.ledger_of(merchant, number);
            let mut account = self.account_of(merchant, number, payer);
            let mut amount = account.refundable;
            account.refundable = 0;
            if is_void(&terms, &ledger) {
                amount = sum(amount, account.paid)?;
                account.paid = 0;
            }
            if amount == 0 {
                return Err(Error::NothingToRefund);
            }
            self.keep_account(merchant, number, payer, &account);
            Refunded { merchant, number, payer, amount }.emit();
            give(token, payer, amount);
            Ok(amount)
        }

        /// Pays `amount` of the caller's takings to him.
        #[call]
        pub fn withdraw(&mut self, token: TokenRef, amount: u128) -> Result<(), Error> {
            let merchant = caller();
            let takings = self.takings.at((merchant, token));
            takings.sub(amount).map_err(|_| Error::InsufficientTakings)?;
            Withdrawn { merchant, token, amount }.emit();
            give(token, merchant, amount);
            Ok(())
        }

        /// Adds `amount` of the caller's tokens to his takings, for credit notes on what he has
        /// withdrawn.
        #[call]
        pub fn deposit(&mut self, token: TokenRef, amount: u128) {
            let merchant = caller();
            self.takings.at((merchant, token)).add(amount);
            Deposited { merchant, token, amount }.emit();
            pull(token, merchant, amount);
        }

        /// The invoice as it stands; `None` if there is none of that number.
        #[view]
        pub fn invoice(&self, merchant: Address, number: u128) -> Option<Invoice> {
            let terms = self.terms.at((merchant, number)).get()?;
            let ledger = self.ledger_of(merchant, number);
            Some(Invoice {
                terms,
                holder: holder(merchant, &ledger),
                paid: ledger.paid,
                credited: ledger.credited,
                late_fee: late_fee(&terms, &ledger),
                owed: match takes_payments(&terms, &ledger) {
                    Ok(()) => owed(&terms, &ledger),
                    Err(_) => 0,
                },
                status: status(&terms, &ledger),
            })
        }

        /// What `payer` has in an invoice.
        #[view]
        pub fn account(&self, merchant: Address, number: u128, payer: Address) -> Account {
            self.account_of(merchant, number, payer)
        }

        /// What an invoice is for; `None` if there is none of that number.
        #[view]
        pub fn reference(&self, merchant: Address, number: u128) -> Option<[u8; 32]> {
            self.references.at((merchant, number)).get()
        }

        /// What the holder of an invoice, if that is not the merchant, can collect.
        #[view]
        pub fn proceeds(&self, merchant: Address, number: u128) -> u128 {
            self.ledger_of(merchant, number).uncollected
        }

        /// What `merchant` can withdraw.
        #[view]
        pub fn takings(&self, merchant: Address, token: TokenRef) -> u128 {
            self.takings.at((merchant, token)).get()
        }

        /// Books a payment; whoever calls this pulls the tokens.
        #[inline(never)]
        fn take(
            &mut self,
            merchant: Address,
            number: u128,
            token: TokenRef,
            payer: Address,
            amount: u128,
        ) -> Result<u128, Error> {
            let terms = self.terms_of(merchant, number, token)?;
            let mut ledger = self.ledger_of(merchant, number);
            takes_payments(&terms, &ledger)?;
            if terms.payer != Address::ZERO && terms.payer != payer {
                return Err(Error::WrongPayer);
            }
            if amount == 0 {
                return Err(Error::ZeroAmount);
            }
            let owed = owed(&terms, &ledger);
            let applied = amount.min(owed);
            let excess = amount - applied;
            ledger.paid += applied;
            let mut account = self.account_of(merchant, number, payer);
            // What all paid toward an invoice is at most what it is for.
            account.paid += applied;
            account.refundable = sum(account.refundable, excess)?;
            self.keep_account(merchant, number, payer, &account);
            Paid { merchant, number, payer, applied, excess }.emit();
            if applied == owed {
                let takings = self.takings.at((merchant, token));
                takings.add(settle(merchant, number, &mut ledger));
            }
            self.keep_ledger(merchant, number, &ledger);
            Ok(applied)
        }

        // Each of these is one piece of code for all methods: written out in each of them, they
        // would make the contract twice as large.

        /// The terms of an invoice that must be in `token`.
        #[inline(never)]
        fn terms_of(
            &self,
            merchant: Address,
            number: u128,
            token: TokenRef,
        ) -> Result<InvoiceTerms, Error> {
            let terms = self.terms.at((merchant, number)).get().ok_or(Error::UnknownInvoice)?;
            if terms.token != token {
                return Err(Error::WrongToken);
            }
            Ok(terms)
        }

        #[inline(never)]
        fn ledger_of(&self, merchant: Address, number: u128) -> Ledger {
            self.ledgers.at((merchant, number)).get_or_default()
        }

        #[inline(never)]
        fn keep_ledger(&mut self, merchant: Address, number: u128, ledger: &Ledger) {
            self.ledgers.at((merchant, number)).set(ledger);
        }

        #[inline(never)]
        fn account_of(&self, merchant: Address, number: u128, payer: Address) -> Account {
            self.accounts.at((merchant, number, payer)).get_or_default()
        }

        #[inline(never)]
        fn keep_account(
            &mut self,
            merchant: Address,
            number: u128,
            payer: Address,
            account: &Account,
        ) {
            self.accounts.at((merchant, number, payer)).set(account);
        }
    }

    #[inline(never)]
    fn pull(token: TokenRef, from: Address, amount: u128) {
        token.transfer_from(from, this(), amount);
    }

    #[inline(never)]
    fn give(token: TokenRef, to: Address, amount: u128) {
        token.transfer(to, amount);
    }

    // Not `saturating_add`: see "128-bit sums" in the SDK.
    fn sum(a: u128, b: u128) -> Result<u128, Error> {
        a.checked_add(b).ok_or(Error::AmountTooLarge)
    }

    fn holder(merchant: Address, ledger: &Ledger) -> Address {
        if ledger.assignee == Address::ZERO { merchant } else { ledger.assignee }
    }

    /// Marks the invoice as paid in whole. Returns what the merchant's takings grow by: nothing if
    /// somebody else collects it.
    fn settle(merchant: Address, number: u128, ledger: &mut Ledger) -> u128 {
        ledger.stage = Stage::Settled;
        ledger.settled_ms = time_ms();
        let proceeds = ledger.paid;
        Settled { merchant, number, proceeds }.emit();
        if holder(merchant, ledger) == merchant {
            return proceeds;
        }
        ledger.uncollected = proceeds;
        0
    }

    /// The late fee as far as it is charged: in whole, unless the invoice was settled in time or
    /// still can be.
    fn late_fee(terms: &InvoiceTerms, ledger: &Ledger) -> u128 {
        let is_late = match ledger.stage {
            Stage::Unpaid => time_ms() > terms.due_ms,
            Stage::Settled => ledger.settled_ms > terms.due_ms,
            Stage::Cancelled => false,
        };
        if is_late { terms.late_fee } else { 0 }
    }

    /// What the invoice is for: amount and late fee without what was credited. Credit notes never
    /// exceed what it was for, and the fee only comes to it, so no difference is negative.
    fn net(terms: &InvoiceTerms, ledger: &Ledger) -> u128 {
        terms.amount + late_fee(terms, ledger) - ledger.credited
    }

    /// What is still to be paid. Payments are cut at that, and credit notes give back what is more.
    fn owed(terms: &InvoiceTerms, ledger: &Ledger) -> u128 {
        net(terms, ledger) - ledger.paid
    }

    /// Whether all that was paid goes back to those who paid.
    fn is_void(terms: &InvoiceTerms, ledger: &Ledger) -> bool {
        match ledger.stage {
            Stage::Unpaid => time_ms() > terms.expiry_ms,
            Stage::Settled => false,
            Stage::Cancelled => true,
        }
    }

    fn takes_payments(terms: &InvoiceTerms, ledger: &Ledger) -> Result<(), Error> {
        match ledger.stage {
            Stage::Settled => Err(Error::AlreadyPaid),
            Stage::Cancelled => Err(Error::InvoiceCancelled),
            Stage::Unpaid if time_ms() > terms.expiry_ms => Err(Error::Expired),
            Stage::Unpaid => Ok(()),
        }
    }

    fn status(terms: &InvoiceTerms, ledger: &Ledger) -> InvoiceStatus {
        let now = time_ms();
        match ledger.stage {
            Stage::Cancelled => InvoiceStatus::Cancelled,
            Stage::Settled if net(terms, ledger) == 0 => InvoiceStatus::Cancelled,
            Stage::Settled if ledger.settled_ms > terms.due_ms => InvoiceStatus::PaidLate,
            Stage::Settled => InvoiceStatus::Paid,
            Stage::Unpaid if now > terms.expiry_ms => InvoiceStatus::Expired,
            Stage::Unpaid if now > terms.due_ms => InvoiceStatus::Late,
            Stage::Unpaid if ledger.paid > 0 => InvoiceStatus::PartlyPaid,
            Stage::Unpaid => InvoiceStatus::Open,
        }
    }
}
