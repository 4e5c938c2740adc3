//! Assets: payments in tokens.

use super::{Kind, any_user};
use crate::contracts::{OPERATOR, call};
use crate::suite::world::{At, Part, user};
use crate::swaps::random::Random;
use tollway::{Address, Call};
use tollway_contracts_wasm::RWA;

pub(super) const TOKEN_KIND: Kind = Kind {
    name: "token",
    weight: 408,
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

/// Where holders are, by the numbers of ISO 3166-1: every eighth user in one country.
const COUNTRIES: [u16; 8] = [36, 124, 276, 392, 578, 756, 826, 840];

/// What every holder has at the start; may have, at most; and a country's holders together.
const ISSUED: u128 = 1 << 60;
const HOLDER_LIMIT: u128 = 1 << 70;
const COUNTRY_LIMIT: u128 = 1 << 100;

pub(super) const RWA_KIND: Kind = Kind {
    name: "rwa",
    weight: 30,
    about: "transfers between any two identified holders of 8 countries, within the limits of both",
    make: |world| {
        let asset = world.deploy(RWA, (OPERATOR,), ())?;
        // Issuer and registrar.
        let roles = [0u8, 1].map(|role| call(OPERATOR, asset, "set_role", (role, OPERATOR, true)));
        world.set_up(roles.into())?;
        let open = |country| call(OPERATOR, asset, "set_country", (country, (true, COUNTRY_LIMIT)));
        world.set_up(COUNTRIES.map(open).into())?;
        let register = |number| {
            let args = (user(number), country(number), u64::MAX, HOLDER_LIMIT);
            call(OPERATOR, asset, "register", args)
        };
        world.set_up((0..world.users).map(register).collect())?;
        let issue =
            |number| call(OPERATOR, asset, "issue", (user(number), ISSUED, country(number)));
        world.set_up((0..world.users).map(issue).collect())?;
        Ok(Box::new(Holdings { asset }))
    },
};

fn country(number: usize) -> u16 {
    COUNTRIES[number % COUNTRIES.len()]
}

struct Holdings {
    asset: Address,
}

impl Part for Holdings {
    fn call(&mut self, random: &mut Random, at: At) -> Call {
        let (from, to) = (any_user(random, at), any_user(random, at));
        let amount = u128::from(1 + random.below(1_000_000));
        let args = (user(to), amount, (country(from), country(to)));
        call(user(from), self.asset, "transfer", args)
    }
}
