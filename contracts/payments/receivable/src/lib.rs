//! Receivables: a financier advances a part of an invoice to the merchant, and is paid first when
//! the invoice is.
//!
//! ```text
//! invoices.assign(merchant, number, this)            the claim comes here
//! offer(number, offer)                               merchant
//! finance(merchant, number, offer)                   financier ──advance──▶ merchant
//! collect(merchant, number, token, financier)        invoice ──▶ principal ─▶ financier
//!                                                            ──▶ fee ───────▶ financier
//!                                                            ──▶ the rest ──▶ merchant
//! ```
//!
//! ```text
//! deposit, withdraw(token, amount)    add   funds[caller, token]
//! offer(number, offer)                write offers[caller, number]   read deals[caller, number]
//!                                     call  imm.invoices.invoice(caller, number)
//! finance(merchant, number, offer)    read  offers[merchant, number] write deals[merchant, number]
//!                                     add   funds[caller, offer.token]
//!                                     call  imm.invoices.invoice(..), offer.token.transfer(..)
//! collect(merchant, number, ..)       write deals[merchant, number]  add funds[financier, token]
//! repay(merchant, number, ..)         the same
//! ```
//!
//! Financiers pay from and are paid into *funds*, counters: whoever finances many invoices in one
//! block waits for none of them. Everything else is a key of the invoice.
//!
//! # The fee
//! ```text
//! fee = ⌈principal · (rate · time until due + late rate · time from then until default)⌉
//! ```
//! with rates in millionths a year of [`YEAR_MS`](receivable::YEAR_MS). It runs on what is left of
//! the principal, from the advance until that is paid, and stops where the deal is in default: by
//! then the financier can take the claim itself. Each time that money comes in, what has run up is
//! rounded up, against who owes it.
//!
//! # Invariants
//! 1. An invoice is financed once, for at most the rate of its face value (`tests/receivable.rs`).
//! 2. Whatever comes in goes out: principal, then fee, then the rest, to the unit; what the contract
//!    holds is the sum of all funds (`tests/random.rs`, against rational arithmetic).
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

/// The contract.
#[tollway_sdk::contract]
pub mod receivable {
    use tollway_interfaces::{Invoice, InvoiceRef, InvoiceStatus, TokenRef};
    use tollway_sdk::env::{caller, this, time_ms};
    use tollway_sdk::math::{BasisPoints, Rounding, mul_div_up};
    use tollway_sdk::{Address, Counter, Item, Map, contract_type};

    /// The year of rates: 365 days.
    pub const YEAR_MS: u64 = 365 * 86_400_000;

    /// The most that can be advanced. With this, [`RATE_PPM_MAX`] and [`TERM_MS_MAX`], no fee comes
    /// near 2¹²⁸.
    pub const ADVANCE_MAX: u128 = 1 << 112;

    /// The greatest rate, in millionths a year: tenfold.
    pub const RATE_PPM_MAX: u32 = 10_000_000;

    /// The longest time from an offer until its default: ten years.
    pub const TERM_MS_MAX: u64 = 10 * YEAR_MS;

    /// Rates are in millionths.
    const PPM: u128 = 1_000_000;

    /// What is fixed when the contract is created.
    #[immutables]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Immutables {
        /// Where the invoices are.
        pub invoices: InvoiceRef,
        /// The most that may be advanced of an invoice's face value.
        pub advance_rate: BasisPoints,
    }

    /// On which terms a merchant wants an invoice financed.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Offer {
        /// The invoice's token.
        pub token: TokenRef,
        /// Who may finance it; [`Address::ZERO`] if anybody may.
        pub financier: Address,
        /// How much the merchant gets at once.
        pub advance: u128,
        /// The fee until the invoice is due, in millionths a year.
        pub fee_ppm: u32,
        /// The fee from then on, in millionths a year.
        pub late_ppm: u32,
        /// How long after the invoice is due the deal is in default.
        pub grace_ms: u64,
    }

    /// A financed invoice.
    #[contract_type]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Deal {
        /// Who financed it.
        pub financier: Address,
        /// What is left of the advance.
        pub principal: u128,
        /// What is left of the fee that ran up until `accrued_ms`.
        pub fee: u128,
        /// Until when the fee is counted.
        pub accrued_ms: u64,
        /// When the invoice is due.
        pub due_ms: u64,
        /// Whether the financier took the claim.
        pub is_foreclosed: bool,
    }

    /// Where a deal stands. Not stored: it follows from amounts and time.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Status {
        /// Not financed yet.
        Offered,
        /// Financed, and the invoice not due.
        Financed,
        /// The invoice is due, and the financier is not paid.
        Late,
        /// The same after the grace time: the financier may take the claim.
        Defaulted,
        /// The financier has principal and fee.
        Repaid,
        /// The financier took the claim.
        Foreclosed,
    }

    /// A receivable as it stands at the time of the block.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Receivable {
        /// The terms.
        pub offer: Offer,
        /// The financier; [`Address::ZERO`] if there is none.
        pub financier: Address,
        /// What is left of the advance.
        pub principal: u128,
        /// What is left of the fee, with what ran up until now.
        pub fee: u128,
        /// Where it stands.
        pub status: Status,
    }

    /// The state. Invoices are keyed by merchant and number.
    #[storage]
    pub struct Receivables {
        offers: Map<(Address, u128), Item<Offer>>,
        deals: Map<(Address, u128), Item<Deal>>,
        /// What financiers have here.
        funds: Map<(Address, TokenRef), Counter>,
    }

    /// A merchant wants an invoice financed.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Offered {
        /// Who.
        pub merchant: Address,
        /// Which invoice.
        pub number: u128,
        /// On which terms.
        pub offer: Offer,
    }

    /// An invoice was financed.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Financed {
        /// Whose invoice.
        pub merchant: Address,
        /// Which one.
        pub number: u128,
        /// By whom.
        pub financier: Address,
        /// With how much.
        pub advance: u128,
    }

    /// Money came in.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Received {
        /// For whose invoice.
        pub merchant: Address,
        /// Which one.
        pub number: u128,
        /// To the financier, of the advance.
        pub principal: u128,
        /// To the financier, of the fee.
        pub fee: u128,
        /// To the merchant.
        pub rest: u128,
    }

    /// A claim left the contract.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Released {
        /// Whose invoice.
        pub merchant: Address,
        /// Which one.
        pub number: u128,
        /// To whom: the merchant, or after a default the financier.
        pub to: Address,
    }

    /// A financier put tokens in.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Deposited {
        /// Who.
        pub financier: Address,
        /// Which.
        pub token: TokenRef,
        /// How many.
        pub amount: u128,
    }

    /// A financier took tokens out.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Withdrawn {
        /// Who.
        pub financier: Address,
        /// Which.
        pub token: TokenRef,
        /// How many.
        pub amount: u128,
    }

    /// Why a call reverts. Failures of tokens and invoices come through as they are.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// The merchant has no invoice of that number.
        UnknownInvoice,
        /// The invoice is not assigned to this contract.
        NotAssigned,
        /// The invoice is late, paid, cancelled or expired.
        NotFinanceable,
        /// The advance is 0, a rate is too great, or default would be too far away.
        BadOffer,
        /// More than the rate allows of the invoice's face value, or at all.
        AdvanceTooLarge,
        /// There is an offer for this invoice already.
        OfferExists,
        /// There is no such offer.
        UnknownOffer,
        /// These are not the terms of the offer.
        OfferChanged,
        /// The offer is for another financier.
        WrongFinancier,
        /// The invoice was financed already, and never is again.
        AlreadyFinanced,
        /// The financier has less than that here.
        InsufficientFunds,
        /// The receivable is in another token.
        WrongToken,
        /// The invoice is not financed.
        NotFinanced,
        /// Nothing is owed to the financier.
        NothingOwed,
        /// The financier is not paid, and keeps the claim.
        StillOwed,
        /// Only the financier may do this.
        NotFinancier,
        /// The grace time is not over.
        NotDefaulted,
        /// The financier took the claim.
        WasForeclosed,
        /// The invoice is paid: what it brought is to be collected.
        InvoicePaid,
    }

    impl Receivables {
        /// Adds `amount` of the caller's tokens to his funds.
        #[call]
        pub fn deposit(&mut self, token: TokenRef, amount: u128) {
            let financier = caller();
            self.funds.at((financier, token)).add(amount);
            Deposited { financier, token, amount }.emit();
            token.transfer_from(financier, this(), amount);
        }

        /// Pays `amount` of the caller's funds to him.
        #[call]
        pub fn withdraw(&mut self, token: TokenRef, amount: u128) -> Result<(), Error> {
            let financier = caller();
            self.spend(financier, token, amount)?;
            Withdrawn { financier, token, amount }.emit();
            token.transfer(financier, amount);
            Ok(())
        }

        /// Offers one of the caller's invoices, which must be assigned to this contract.
        #[call]
        pub fn offer(&mut self, number: u128, offer: Offer) -> Result<(), Error> {
            let merchant = caller();
            if self.deals.at((merchant, number)).exists() {
                return Err(Error::AlreadyFinanced);
            }
            let cell = self.offers.at((merchant, number));
            if cell.exists() {
                return Err(Error::OfferExists);
            }
            let invoice = self.imm.invoices.invoice(merchant, number);
            let invoice = financeable(invoice)?;
            if invoice.terms.token != offer.token {
                return Err(Error::WrongToken);
            }
            check_terms(&offer, invoice.terms.due_ms)?;
            // Rounded down: what is above would be too much.
            let face = invoice.terms.amount - invoice.credited;
            let most = self.imm.advance_rate.of(face, Rounding::Down);
            if most.is_some_and(|most| offer.advance > most) || offer.advance > ADVANCE_MAX {
                return Err(Error::AdvanceTooLarge);
            }
            cell.set(&offer);
            Offered { merchant, number, offer }.emit();
            Ok(())
        }

        /// Advances what an offer asks for, from the caller's funds. `offer` is what he saw: a
        /// changed one is refused.
        #[call]
        pub fn finance(
            &mut self,
            merchant: Address,
            number: u128,
            offer: Offer,
        ) -> Result<(), Error> {
            let financier = caller();
            let deal = self.deals.at((merchant, number));
            if deal.exists() {
                return Err(Error::AlreadyFinanced);
            }
            let offered = self.offers.at((merchant, number)).get().ok_or(Error::UnknownOffer)?;
            if offered != offer {
                return Err(Error::OfferChanged);
            }
            if offer.financier != Address::ZERO && offer.financier != financier {
                return Err(Error::WrongFinancier);
            }
            // Only the holder credits and assigns invoices, and that is this contract: all that
            // can have changed since the offer is time, and what was paid.
            let invoice = self.imm.invoices.invoice(merchant, number);
            let invoice = financeable(invoice)?;
            let advance = offer.advance;
            self.spend(financier, offer.token, advance)?;
            deal.set(&Deal {
                financier,
                principal: advance,
                accrued_ms: time_ms(),
                due_ms: invoice.terms.due_ms,
                ..Deal::default()
            });
            Financed { merchant, number, financier, advance }.emit();
            offer.token.transfer(merchant, advance);
            Ok(())
        }

        /// Collects what a paid invoice brought, and divides it: principal and fee to the
        /// financier, as far as he is owed them, and the rest to the merchant. Anybody may call
        /// this; `financier` is [`Address::ZERO`] if there is none. Returns what came in.
        #[call]
        pub fn collect(
            &mut self,
            merchant: Address,
            number: u128,
            token: TokenRef,
            financier: Address,
        ) -> Result<u128, Error> {
            let amount = self.imm.invoices.collect(merchant, number, token);
            let (principal, fee) = match self.receive(merchant, number, token, financier, amount) {
                // Nobody else has a claim: all of it is the merchant's.
                Err(Error::NotFinanced | Error::NothingOwed) => (0, 0),
                divided => divided?,
            };
            let rest = amount - principal - fee;
            Received { merchant, number, principal, fee, rest }.emit();
            if rest > 0 {
                token.transfer(merchant, rest);
            }
            Ok(amount)
        }

        /// Pays up to `amount` of the caller's tokens of what the financier is owed, and returns
        /// how much it was. So the merchant gets an unpaid invoice back.
        #[call]
        pub fn repay(
            &mut self,
            merchant: Address,
            number: u128,
            token: TokenRef,
            financier: Address,
            amount: u128,
        ) -> Result<u128, Error> {
            let (principal, fee) = self.receive(merchant, number, token, financier, amount)?;
            Received { merchant, number, principal, fee, rest: 0 }.emit();
            token.transfer_from(caller(), this(), principal + fee);
            Ok(principal + fee)
        }

        /// Assigns an invoice back to the caller: one that was never financed, with its offer, or
        /// one whose financier is paid.
        #[call]
        pub fn release(&mut self, number: u128) -> Result<(), Error> {
            let merchant = caller();
            match self.deals.at((merchant, number)).get() {
                None => self.offers.at((merchant, number)).remove(),
                Some(deal) if deal.is_foreclosed => return Err(Error::WasForeclosed),
                Some(deal) if deal.principal > 0 || deal.fee > 0 => return Err(Error::StillOwed),
                Some(_) => {}
            }
            Released { merchant, number, to: merchant }.emit();
            self.imm.invoices.assign(merchant, number, merchant);
            Ok(())
        }

        /// Assigns the invoice of a deal in default to its financier, the caller, who gets
        /// whatever it still brings; he is owed nothing more.
        #[call]
        pub fn foreclose(&mut self, merchant: Address, number: u128) -> Result<(), Error> {
            let financier = caller();
            let offer = self.offers.at((merchant, number)).get().ok_or(Error::NotFinanced)?;
            let cell = self.deals.at((merchant, number));
            let mut deal = cell.get().ok_or(Error::NotFinanced)?;
            if deal.financier != financier {
                return Err(Error::NotFinancier);
            }
            match status(&offer, &deal) {
                Status::Defaulted => {}
                Status::Repaid => return Err(Error::NothingOwed),
                Status::Foreclosed => return Err(Error::WasForeclosed),
                _ => return Err(Error::NotDefaulted),
            }
            // What was paid already is divided by `collect`, however late that is called.
            let invoice = self.imm.invoices.invoice(merchant, number);
            let is_paid = |invoice: &Invoice| {
                matches!(invoice.status, InvoiceStatus::Paid | InvoiceStatus::PaidLate)
            };
            if invoice.as_ref().is_some_and(is_paid) {
                return Err(Error::InvoicePaid);
            }
            deal.is_foreclosed = true;
            deal.principal = 0;
            deal.fee = 0;
            cell.set(&deal);
            Released { merchant, number, to: financier }.emit();
            self.imm.invoices.assign(merchant, number, financier);
            Ok(())
        }

        /// The receivable as it stands; `None` if it was never offered.
        #[view]
        pub fn receivable(&self, merchant: Address, number: u128) -> Option<Receivable> {
            let offer = self.offers.at((merchant, number)).get()?;
            let Some(mut deal) = self.deals.at((merchant, number)).get() else {
                let (financier, status) = (Address::ZERO, Status::Offered);
                return Some(Receivable { offer, financier, principal: 0, fee: 0, status });
            };
            accrue(&offer, &mut deal);
            Some(Receivable {
                offer,
                financier: deal.financier,
                principal: deal.principal,
                fee: deal.fee,
                status: status(&offer, &deal),
            })
        }

        /// What `financier` has here.
        #[view]
        pub fn funds(&self, financier: Address, token: TokenRef) -> u128 {
            self.funds.at((financier, token)).get()
        }

        #[inline(never)]
        fn spend(
            &mut self,
            financier: Address,
            token: TokenRef,
            amount: u128,
        ) -> Result<(), Error> {
            self.funds.at((financier, token)).sub(amount).map_err(|_| Error::InsufficientFunds)
        }

        /// Returns how much of `amount` the financier gets for principal and fee, and adds it to
        /// his funds. Where nothing is owed to one, nothing is changed.
        #[inline(never)]
        fn receive(
            &mut self,
            merchant: Address,
            number: u128,
            token: TokenRef,
            financier: Address,
            amount: u128,
        ) -> Result<(u128, u128), Error> {
            let cell = self.deals.at((merchant, number));
            let mut deal = cell.get().ok_or(Error::NotFinanced)?;
            let offer = self.offers.at((merchant, number)).get().ok_or(Error::NotFinanced)?;
            if offer.token != token {
                return Err(Error::WrongToken);
            }
            accrue(&offer, &mut deal);
            if deal.principal == 0 && deal.fee == 0 {
                return Err(Error::NothingOwed);
            }
            if deal.financier != financier {
                return Err(Error::WrongFinancier);
            }
            let principal = amount.min(deal.principal);
            let fee = (amount - principal).min(deal.fee);
            deal.principal -= principal;
            deal.fee -= fee;
            cell.set(&deal);
            // Neither is more than there was of it, so the sum is at most `amount`.
            self.funds.at((financier, token)).add(principal + fee);
            Ok((principal, fee))
        }
    }

    /// The invoice, if it is here and can be financed now.
    fn financeable(invoice: Option<Invoice>) -> Result<Invoice, Error> {
        let invoice = invoice.ok_or(Error::UnknownInvoice)?;
        if invoice.holder != this() {
            return Err(Error::NotAssigned);
        }
        match invoice.status {
            InvoiceStatus::Open | InvoiceStatus::PartlyPaid => Ok(invoice),
            _ => Err(Error::NotFinanceable),
        }
    }

    fn check_terms(offer: &Offer, due_ms: u64) -> Result<(), Error> {
        let default_ms = due_ms.checked_add(offer.grace_ms).ok_or(Error::BadOffer)?;
        let is_far = default_ms.saturating_sub(time_ms()) > TERM_MS_MAX;
        let is_dear = offer.fee_ppm > RATE_PPM_MAX || offer.late_ppm > RATE_PPM_MAX;
        if offer.advance == 0 || is_far || is_dear {
            return Err(Error::BadOffer);
        }
        Ok(())
    }

    /// Adds the fee that ran up since it was last counted.
    #[inline(never)]
    fn accrue(offer: &Offer, deal: &mut Deal) {
        let since = deal.accrued_ms;
        let default_ms = default_ms(offer, deal);
        let now = time_ms().min(default_ms).max(since);
        let in_time = now.min(deal.due_ms) - since.min(deal.due_ms);
        let late = now.max(deal.due_ms) - since.max(deal.due_ms);
        let units = u128::from(in_time) * u128::from(offer.fee_ppm)
            + u128::from(late) * u128::from(offer.late_ppm);
        // Rounded up, against who owes it.
        let fee = mul_div_up(deal.principal, units, PPM * u128::from(YEAR_MS));
        deal.fee += fee.expect("advance, rate and term are bounded");
        deal.accrued_ms = now;
    }

    /// When the deal is in default. The sum was checked with the offer.
    fn default_ms(offer: &Offer, deal: &Deal) -> u64 {
        deal.due_ms + offer.grace_ms
    }

    fn status(offer: &Offer, deal: &Deal) -> Status {
        let now = time_ms();
        if deal.is_foreclosed {
            Status::Foreclosed
        } else if deal.principal == 0 && deal.fee == 0 {
            Status::Repaid
        } else if now > default_ms(offer, deal) {
            Status::Defaulted
        } else if now > deal.due_ms {
            Status::Late
        } else {
            Status::Financed
        }
    }
}
