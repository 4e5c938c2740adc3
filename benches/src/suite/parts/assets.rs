//! Assets: payments in tokens.

use super::{Kind, any_user};
use crate::contracts::call;
use crate::suite::world::{At, Part, user};
use crate::swaps::random::Random;
use tollway::{Address, Call};

pub(super) const TOKEN_KIND: Kind = Kind {
    name: "token",
    weight: 180,
    about: "payments of one user to another, one in ten to a shop that everybody pays",
    make: |world| Ok(Box::new(Payments { token: world.tokens[0] })),
};

/// The shop.
const SHOP: Address = Address([0x5e; 32]);

struct Payments {
    token: Address,
}

impl Part for Payments {
    fn call(&mut self, random: &mut Random, at: At) -> Call {
        let from = any_user(random, at);
        let to = match random.below(10) {
            0 => SHOP,
            _ => user(any_user(random, at)),
        };
        call(user(from), self.token, "transfer", (to, u128::from(1 + random.below(1_000_000))))
    }
}
