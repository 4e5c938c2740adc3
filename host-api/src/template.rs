//! Access templates: which keys a call touches, as expressions over its arguments, its caller and
//! the contract's immutables. Data, not code: the host evaluates them, tools print them.
//!
//! ```text
//! transfer(to, amount)      add   balances[caller]     Key { Add,   balances, [Caller] }
//!                           add   balances[to]         Key { Add,   balances, [Arg to] }
//! pay_all(legs)             for leg in legs { add balances[leg.to] }
//! pair.swap(…)              call imm.token0.transfer(to, _)
//! ```
//!
//! A method's access set is the union of its templates: what any of its branches may touch.

use crate::schema::{List, Text};
use borsh::{BorshDeserialize, BorshSerialize};

/// How a call may touch a key. Modes of one key in one call merge: equal modes stay, different
/// ones become [`Mode::Write`].
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum Mode {
    /// Reads the value.
    Read,
    /// Adds to, or takes from, an integer that the call does not read. Adders and takers of one
    /// key do not wait for each other.
    Add,
    /// Writes the value, and may read and add to it too.
    Write,
}

impl Mode {
    /// The mode that allows what both allow.
    ///
    /// # Examples
    /// ```
    /// use tollway_host_api::Mode;
    /// assert_eq!(Mode::Read.union(Mode::Add), Mode::Write);
    /// assert_eq!(Mode::Add.union(Mode::Add), Mode::Add);
    /// ```
    pub fn union(self, other: Self) -> Self {
        if self == other { self } else { Self::Write }
    }

    /// The word for it in declarations and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Add => "add",
            Self::Write => "write",
        }
    }
}

/// What a method declares of its access.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum AccessTemplate {
    /// One key of this contract; of a field with prefixes, all keys that start with it: see
    /// [`StorageField::prefix_parts`](crate::StorageField::prefix_parts).
    Key {
        /// How it is touched.
        mode: Mode,
        /// The index of the storage field.
        field: u8,
        /// One expression for each part of the field's key, or of its prefix.
        parts: List<Expr>,
    },
    /// The body, once for each element of a list argument.
    ForEach {
        /// The list: a parameter, or a path into one, or into an outer loop's element.
        list: Expr,
        /// What each element adds. [`Expr::Element`] with depth 0 is the innermost loop's.
        body: List<AccessTemplate>,
    },
    /// Whatever another contract's method declares, called by this contract.
    Call {
        /// The address of the contract.
        contract: Expr,
        /// The method.
        method: Text,
        /// One expression for each of its parameters.
        args: List<Expr>,
    },
}

/// A value that is known before the call runs.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Expr {
    /// Who calls the method.
    Caller,
    /// The contract's own address.
    This,
    /// A parameter, or a path of field names (or tuple indices) into it.
    Arg {
        /// The index of the parameter.
        param: u16,
        /// The path into its value.
        path: List<Text>,
    },
    /// The element of an enclosing [`AccessTemplate::ForEach`], or a path into it.
    Element {
        /// 0 for the innermost loop, 1 for the one around it, …
        depth: u8,
        /// The path into the element.
        path: List<Text>,
    },
    /// An immutable, or a path into it.
    Immutable {
        /// The index of the immutable.
        index: u16,
        /// The path into its value.
        path: List<Text>,
    },
    /// An integer constant, of whatever integer type is expected (booleans are 0 and 1).
    Integer(u128),
    /// Constant bytes: text, bytes or an address, as expected.
    Bytes(List<u8>),
    /// Not known before the run. Only for arguments of a [`AccessTemplate::Call`] that its
    /// callee's templates do not use; where they do, the call counts as undeclared.
    Unknown,
    /// A `u128` that no other top-level call of any block has: the height (64 bits), the call's place
    /// in its block (32) and 0 (32). In a sub-call too, it is that of the top-level call.
    CallId,
    /// The [shard](crate::shard::shard_of) of a value, out of `count`: a `u8`.
    Shard {
        /// The value: exactly one expression, which has a type (no constant) and is no shard.
        of: List<Expr>,
        /// How many shards there are, from 1 to [`SHARD_COUNT_MAX`](crate::shard::SHARD_COUNT_MAX).
        count: u16,
    },
}

/// The value of [`Expr::CallId`].
///
/// # Examples
/// ```
/// use tollway_host_api::template::call_id;
/// assert_eq!(call_id(1, 2), (1 << 64) + (2 << 32));
/// ```
#[inline]
pub const fn call_id(height: u64, call_index: u32) -> u128 {
    (height as u128) << 64 | (call_index as u128) << 32
}
