//! Checkout: the merchant quotes an exact amount in his currency, the payer pays in any asset.
//!
//! ```text
//! payer ──token_in──▶ first pair ──▶ … ──token──▶ this ──token, exactly──▶ merchant or invoice
//!        at most max_in            router
//!
//! quote(order, quote)                    write quotes[caller, order]   read  paid[caller, order]
//! quote_signed(merchant, order, ..)      the same for the merchant     read  keys[merchant]
//! pay(merchant, order, token)            read  quotes[merchant, order] write paid[merchant, order]
//!                                        call  token.transfer_from(caller, merchant, _)
//! pay_with(merchant, order, token, path, max_in)
//!                                        the same, and what the path's pairs touch
//! pay_invoice_with(merchant, number, token, path, max_in)
//!                                        what the path's pairs and the invoice touch
//! ```
//!
//! The payer's tokens go straight from him to the first pair. What the last pair gives comes here and
//! is passed on at once: the contract holds nothing between calls, so that it can pass on the exact
//! amount only if it came. A pair that lies about what it paid makes the call fail, and nobody has
//! to trust the path that a payer brings.
//!
//! A merchant's key can sign quotes off the chain; whoever pays brings them. A number that is
//! retracted is used up, whether its quote was brought or not.
//!
//! Payments of different orders wait for each other only where they share a pair.
//!
//! # Invariants
//! 1. The merchant gets exactly what he quoted, once, before it expires; the payer gives at most his
//!    maximum; nothing remains here (`tests/random.rs`).
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

extern crate alloc;

/// The contract.
#[tollway_sdk::contract]
pub mod pay {
    use alloc::vec::Vec;
    use tollway_interfaces::{InvoiceRef, Path, RouterRef, TokenRef};
    use tollway_sdk::call::Client;
    use tollway_sdk::crypto::PublicKey;
    use tollway_sdk::env::{caller, this, time_ms};
    use tollway_sdk::{Address, Item, Map, Typed, contract_type};

    /// What a signed quote starts with, so that the signature is good for nothing else. The
    /// contract, the merchant, the order and the quote follow.
    pub const QUOTE_DOMAIN: [u8; 18] = *b"tollway pay: quote";

    /// What is fixed when the contract is created.
    #[immutables]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Immutables {
        /// Who trades.
        pub router: RouterRef,
        /// Where invoices are.
        pub invoices: InvoiceRef,
    }

    /// What a merchant wants for an order.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Quote {
        /// His currency.
        pub token: TokenRef,
        /// Exactly how much; not 0.
        pub amount: u128,
        /// Who shall pay; [`Address::ZERO`] if anybody may.
        pub payer: Address,
        /// The last block time at which it can be paid.
        pub expiry_ms: u64,
    }

    /// Where an order stands.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Status {
        /// Can be paid.
        Quoted,
        /// Was not paid in time.
        Expired,
        /// Was taken back.
        Retracted,
        /// Is paid.
        Paid {
            /// By whom.
            payer: Address,
        },
    }

    /// The state. Orders are keyed by merchant and a number of his choice.
    #[storage]
    pub struct Checkout {
        quotes: Map<(Address, u128), Item<Quote>>,
        /// Who paid; [`Address::ZERO`] for what was retracted.
        paid: Map<(Address, u128), Item<Address>>,
        /// With what merchants sign quotes.
        keys: Map<Address, Item<PublicKey>>,
    }

    /// A merchant said with what he signs quotes.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct KeySet {
        /// Who.
        pub merchant: Address,
        /// With what; nothing if he signs none.
        pub key: Option<PublicKey>,
    }

    /// A merchant quoted an amount.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Quoted {
        /// Who.
        pub merchant: Address,
        /// For which of his orders.
        pub order: u128,
        /// What he wants.
        pub quote: Quote,
    }

    /// An order was taken back.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Retracted {
        /// By whom.
        pub merchant: Address,
        /// For which of his orders.
        pub order: u128,
    }

    /// An order was paid.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct OrderPaid {
        /// Whose.
        pub merchant: Address,
        /// Which.
        pub order: u128,
        /// By whom.
        pub payer: Address,
        /// How much the merchant got.
        pub amount: u128,
    }

    /// Tokens of a payer were changed into those of a merchant.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Converted {
        /// Whose tokens went in.
        pub payer: Address,
        /// Which.
        pub token_in: TokenRef,
        /// How many.
        pub amount_in: u128,
        /// What came out for the merchant.
        pub token: TokenRef,
        /// Exactly how much.
        pub amount: u128,
    }

    /// Why a call reverts. Failures of tokens, pairs, the router and invoices come through.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// A quote needs an amount, and an expiry to come.
        BadQuote,
        /// The merchant has quoted or retracted this order already.
        OrderTaken,
        /// The merchant has no key, or did not sign this quote with it.
        BadSignature,
        /// The merchant has quoted no such order.
        UnknownOrder,
        /// The order, or the invoice, is in another token.
        WrongToken,
        /// The quote names somebody else as its payer.
        WrongPayer,
        /// The quote can no longer be paid.
        Expired,
        /// The order is paid.
        AlreadyPaid,
        /// The merchant took the order back.
        OrderRetracted,
        /// It would take more than the payer's maximum.
        AboveMaximum,
        /// The merchant has no invoice of that number.
        UnknownInvoice,
        /// Nothing is owed on the invoice: it is paid, cancelled or expired.
        NothingOwed,
    }

    impl Checkout {
        /// Quotes what the caller wants for one of his orders, under a number that he has not
        /// used.
        #[call]
        pub fn quote(&mut self, order: u128, quote: Quote) -> Result<(), Error> {
            self.open(caller(), order, quote)
        }

        /// Quotes what a merchant signed. Anybody may bring it.
        #[call]
        pub fn quote_signed(
            &mut self,
            merchant: Address,
            order: u128,
            quote: Quote,
            signature: [u8; 64],
        ) -> Result<(), Error> {
            let key = self.keys.at(merchant).get().ok_or(Error::BadSignature)?;
            let mut message = Vec::new();
            (QUOTE_DOMAIN, this(), merchant, order, quote).encode(&mut message);
            if !key.verify(&message, &signature) {
                return Err(Error::BadSignature);
            }
            self.open(merchant, order, quote)
        }

        /// Says with what the caller signs quotes. What another key signed and nobody brought is
        /// void.
        #[call]
        pub fn set_key(&mut self, key: Option<PublicKey>) {
            let merchant = caller();
            match &key {
                Some(key) => self.keys.at(merchant).set(key),
                None => self.keys.at(merchant).remove(),
            }
            KeySet { merchant, key }.emit();
        }

        /// Takes back one of the caller's orders, whether it was quoted or only signed. Its number
        /// is used up.
        #[call]
        pub fn retract(&mut self, order: u128) -> Result<(), Error> {
            let merchant = caller();
            let paid = self.paid.at((merchant, order));
            not_paid(paid.get())?;
            paid.set(&Address::ZERO);
            Retracted { merchant, order }.emit();
            Ok(())
        }

        /// Pays an order in the merchant's own currency.
        #[call]
        pub fn pay(
            &mut self,
            merchant: Address,
            order: u128,
            token: TokenRef,
        ) -> Result<(), Error> {
            let amount = self.close(merchant, order, token)?;
            token.transfer_from(caller(), merchant, amount);
            Ok(())
        }

        /// Pays an order with at most `max_in` of the caller's first token of `path`, which has to
        /// end with this contract; returns how much it took.
        #[call]
        pub fn pay_with(
            &mut self,
            merchant: Address,
            order: u128,
            token: TokenRef,
            path: Path,
            max_in: u128,
        ) -> Result<u128, Error> {
            let amount = self.close(merchant, order, token)?;
            let amount_in = self.convert(&path, token, amount, max_in)?;
            // Nothing else is here: this fails unless the path brought all of it.
            token.transfer(merchant, amount);
            Ok(amount_in)
        }

        /// Pays all that is owed on an invoice with at most `max_in` of the caller's first token of
        /// `path`, which has to end with this contract; returns how much it took. Refunds go to the
        /// caller.
        #[call]
        pub fn pay_invoice_with(
            &mut self,
            merchant: Address,
            number: u128,
            token: TokenRef,
            path: Path,
            max_in: u128,
        ) -> Result<u128, Error> {
            let invoice = self.imm.invoices.invoice(merchant, number);
            let invoice = invoice.ok_or(Error::UnknownInvoice)?;
            if invoice.terms.token != token {
                return Err(Error::WrongToken);
            }
            if invoice.owed == 0 {
                return Err(Error::NothingOwed);
            }
            let amount_in = self.convert(&path, token, invoice.owed, max_in)?;
            let payer = caller();
            token.grant(self.imm.invoices.address(), invoice.owed);
            self.imm.invoices.pay_granted(merchant, number, token, payer, invoice.owed);
            Ok(amount_in)
        }

        /// What a merchant wants for an order, and where it stands; `None` if he quoted none.
        #[view]
        pub fn order(&self, merchant: Address, order: u128) -> Option<(Quote, Status)> {
            let quote = self.quotes.at((merchant, order)).get()?;
            let status = match self.paid.at((merchant, order)).get() {
                Some(Address::ZERO) => Status::Retracted,
                Some(payer) => Status::Paid { payer },
                None if time_ms() > quote.expiry_ms => Status::Expired,
                None => Status::Quoted,
            };
            Some((quote, status))
        }

        #[inline(never)]
        fn open(&mut self, merchant: Address, order: u128, quote: Quote) -> Result<(), Error> {
            let cell = self.quotes.at((merchant, order));
            if cell.exists() || self.paid.at((merchant, order)).exists() {
                return Err(Error::OrderTaken);
            }
            if quote.amount == 0 || quote.expiry_ms < time_ms() {
                return Err(Error::BadQuote);
            }
            cell.set(&quote);
            Quoted { merchant, order, quote }.emit();
            Ok(())
        }

        /// Marks an order as paid by the caller. Returns what the merchant has to get.
        #[inline(never)]
        fn close(
            &mut self,
            merchant: Address,
            order: u128,
            token: TokenRef,
        ) -> Result<u128, Error> {
            let payer = caller();
            let quote = self.quotes.at((merchant, order)).get().ok_or(Error::UnknownOrder)?;
            if quote.token != token {
                return Err(Error::WrongToken);
            }
            if quote.payer != Address::ZERO && quote.payer != payer {
                return Err(Error::WrongPayer);
            }
            let paid = self.paid.at((merchant, order));
            not_paid(paid.get())?;
            if time_ms() > quote.expiry_ms {
                return Err(Error::Expired);
            }
            paid.set(&payer);
            let amount = quote.amount;
            OrderPaid { merchant, order, payer, amount }.emit();
            Ok(amount)
        }

        /// Brings `amount` of `token` here for at most `max_in` of the caller's.
        #[inline(never)]
        fn convert(
            &mut self,
            path: &Path,
            token: TokenRef,
            amount: u128,
            max_in: u128,
        ) -> Result<u128, Error> {
            let payer = caller();
            let token_in = path.first.token_in;
            let amount_in = self.imm.router.quote_exact_out(path.clone(), amount);
            if amount_in > max_in {
                return Err(Error::AboveMaximum);
            }
            token_in.transfer_from(payer, path.first.pair.address(), amount_in);
            self.imm.router.swap_sent_exact_out(path.clone(), amount, this());
            Converted { payer, token_in, amount_in, token, amount }.emit();
            Ok(amount_in)
        }
    }

    fn not_paid(paid: Option<Address>) -> Result<(), Error> {
        match paid {
            None => Ok(()),
            Some(Address::ZERO) => Err(Error::OrderRetracted),
            Some(_) => Err(Error::AlreadyPaid),
        }
    }
}
