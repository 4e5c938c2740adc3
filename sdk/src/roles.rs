//! Who may do what: kinds of cells for roles and owners.
//!
//! ```text
//! #[storage]
//! struct Vault {
//!     owner: Owner,                          self.owner.require(caller(), Error::NotOwner)?
//!     guards: Map<Address, Role>,            self.guards.at(caller()).require(Error::NotGuard)?
//!     roles: Map<(u8, Address), Role>,       self.roles.at((MINTER, to)).grant()
//! }
//! ```
//!
//! A check reads the one key of the account that it is about, so calls of different accounts never
//! meet, nor do any two that only check. Who may grant is for the contract to say: it checks before
//! it grants.

use crate::key::KeyPart;
use crate::storage::{Cell, Item, Storage};
use tollway_host_api::{Address, Type};

/// Whether somebody has a role: nobody has at first.
///
/// `K` is the type of the key that leads here from a [`Map`](crate::Map); storage fields leave it
/// out.
pub struct Role<K = ()>(Item<bool, K>);

impl<K: KeyPart> Role<K> {
    /// Whether it was granted. Reads.
    #[inline(always)]
    pub fn has(&self) -> bool {
        self.0.exists()
    }

    /// Goes on only if it was granted. Reads.
    ///
    /// # Errors
    /// `error` if it was not.
    #[inline(always)]
    pub fn require<E>(&self, error: E) -> Result<(), E> {
        if self.has() { Ok(()) } else { Err(error) }
    }

    /// Grants it; again changes nothing. Writes.
    #[inline(always)]
    pub fn grant(&self) {
        self.0.set(&true);
    }

    /// Takes it away, whether it was granted or not. Writes.
    #[inline(always)]
    pub fn revoke(&self) {
        self.0.remove();
    }
}

/// One owner, or none, who can hand over to another that accepts: a mistyped address owns nothing.
///
/// `K` is the type of the key that leads here from a [`Map`](crate::Map); storage fields leave it
/// out.
pub struct Owner<K = ()>(Item<(Address, Address), K>);

/// In the place of somebody that it is offered to.
const NOBODY: Address = Address::ZERO;

impl<K: KeyPart> Owner<K> {
    /// The owner, if one was set. Reads.
    #[inline(always)]
    pub fn get(&self) -> Option<Address> {
        self.0.get().map(|(owner, _)| owner)
    }

    /// Goes on only if `account` is the owner. Reads.
    ///
    /// # Errors
    /// `error` if it is not, or there is none.
    #[inline(always)]
    pub fn require<E>(&self, account: Address, error: E) -> Result<(), E> {
        if self.get() == Some(account) { Ok(()) } else { Err(error) }
    }

    /// Makes `account` the owner, in one step and without a check: for `init`. Writes.
    #[inline(always)]
    pub fn set(&self, account: Address) {
        self.0.set(&(account, NOBODY));
    }

    /// The first of two steps: the owner offers to hand over to `to`, in place of any offer before.
    /// The zero address takes the offer back. Writes.
    ///
    /// # Errors
    /// `error` if `by` is not the owner; nothing is changed then.
    #[inline]
    pub fn offer<E>(&self, by: Address, to: Address, error: E) -> Result<(), E> {
        self.require(by, error)?;
        self.0.set(&(by, to));
        Ok(())
    }

    /// The second step: `by` takes what was offered, and the owner before owns no more. Writes.
    ///
    /// # Errors
    /// `error` if nothing is offered to `by`; nothing is changed then.
    #[inline]
    pub fn accept<E>(&self, by: Address, error: E) -> Result<(), E> {
        match self.0.get() {
            Some((_, offered)) if offered == by && by != NOBODY => {
                self.set(by);
                Ok(())
            }
            _ => Err(error),
        }
    }
}

macro_rules! cell {
    ($name:ident, $value:ty) => {
        impl Cell for $name {
            type At<K: KeyPart> = $name<K>;
            const VALUE: Type = <Item<$value> as Cell>::VALUE;
            const COUNTER: bool = false;
            const TRANSIENT: bool = false;

            #[inline(always)]
            fn at<K: KeyPart>(field: u8, key: K) -> $name<K> {
                $name(<Item<$value> as Cell>::at(field, key))
            }
        }

        impl Storage for $name {
            const KEY: &'static [Type] = &[];
            const VALUE: Type = <Self as Cell>::VALUE;
            const COUNTER: bool = false;
            const TRANSIENT: bool = false;

            #[inline(always)]
            fn field(index: u8) -> Self {
                <Self as Cell>::at(index, ())
            }
        }
    };
}
cell!(Role, bool);
cell!(Owner, (Address, Address));
