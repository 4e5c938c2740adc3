//! Payments.

use crate::TokenRef;
use tollway_sdk::{Address, contract_type, interface};

/// What a merchant and a payer agree on when an invoice is issued. It never changes.
#[contract_type]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvoiceTerms {
    /// What it is paid in.
    pub token: TokenRef,
    /// Who shall pay; [`Address::ZERO`] if anybody may.
    pub payer: Address,
    /// How much; not 0.
    pub amount: u128,
    /// How much more if it is not paid in whole by `due_ms`.
    pub late_fee: u128,
    /// The last block time at which payment is in time.
    pub due_ms: u64,
    /// The last block time at which it can be paid; [`u64::MAX`] if it never expires.
    pub expiry_ms: u64,
}

/// Where an invoice stands. Not stored: it follows from amounts and time.
#[contract_type]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvoiceStatus {
    /// Nothing is paid yet, and it is not late.
    Open,
    /// A part is paid, and it is not late.
    PartlyPaid,
    /// Not paid in whole, and due.
    Late,
    /// Paid in whole, in time.
    Paid,
    /// Paid in whole, late fee included, after it was due.
    PaidLate,
    /// Taken back by the merchant, or credited in whole.
    Cancelled,
    /// Not paid in whole, and it can no longer be.
    Expired,
}

/// An invoice as it stands at the time of the block.
#[contract_type]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// What was agreed.
    pub terms: InvoiceTerms,
    /// Whom the proceeds are due to: the merchant, or whom he assigned it to.
    pub holder: Address,
    /// How much was paid toward it and not given back by a credit note.
    pub paid: u128,
    /// How much the credit notes take off it.
    pub credited: u128,
    /// The late fee, as far as it is charged.
    pub late_fee: u128,
    /// What is still to be paid; 0 if it can no longer be.
    pub owed: u128,
    /// Where it stands.
    pub status: InvoiceStatus,
}

/// Invoices: what others need of them. The contract is in `contracts/payments/invoice`.
#[interface]
pub trait Invoice {
    /// Pays `amount` of the caller's tokens toward an invoice on behalf of `payer`, to whom all
    /// refunds go; returns how much of it counts toward the invoice. The rest is refundable.
    fn pay_for(
        merchant: Address,
        number: u128,
        token: TokenRef,
        payer: Address,
        amount: u128,
    ) -> u128;
    /// The same with tokens that the caller granted this contract in this call, so that it needs no
    /// allowance.
    fn pay_granted(
        merchant: Address,
        number: u128,
        token: TokenRef,
        payer: Address,
        amount: u128,
    ) -> u128;
    /// Pays the proceeds of a paid invoice to the caller, who must be its holder; returns how much.
    fn collect(merchant: Address, number: u128, token: TokenRef) -> u128;
    /// Makes `to` the holder of an invoice. Only the holder may.
    fn assign(merchant: Address, number: u128, to: Address);
    /// The invoice as it stands; `None` if there is none of that number.
    fn invoice(merchant: Address, number: u128) -> Option<Invoice>;
}
