//! What is declared for roles and owners: a check reads one key, and it is that of the account.

#![allow(missing_docs, reason = "the sample is read by its tests alone")]

use tollway_sdk::host_api::{AccessTemplate, Expr, Mode, Type};

#[tollway_sdk::contract]
#[allow(dead_code, reason = "there for the macro, never run")]
pub mod sample {
    use tollway_sdk::env::caller;
    use tollway_sdk::{Address, Map, Owner, Role};

    const MINTER: u8 = 3;

    #[storage]
    pub struct Sample {
        owner: Owner,
        guards: Map<Address, Role>,
        roles: Map<(u8, Address), Role>,
        things: Map<u64, Owner>,
    }

    #[error]
    pub enum Error {
        Refused,
    }

    impl Sample {
        #[call]
        pub fn checks(&mut self, thing: u64) -> Result<bool, Error> {
            self.owner.require(caller(), Error::Refused)?;
            self.roles.at((MINTER, caller())).require(Error::Refused)?;
            self.things.at(thing).require(caller(), Error::Refused)?;
            Ok(self.guards.at(caller()).has())
        }

        #[call]
        pub fn changes(&mut self, to: Address, thing: u64) -> Result<(), Error> {
            self.guards.at(to).grant();
            self.roles.at((MINTER, to)).revoke();
            self.things.at(thing).offer(caller(), to, Error::Refused)?;
            self.owner.accept(caller(), Error::Refused)
        }

        #[view]
        #[access(read roles[(MINTER, who)])]
        pub fn declared(&self, who: Address) -> bool {
            self.roles.at((MINTER, who)).has()
        }
    }
}

/// Mode, field and key of each template.
fn keys(method: &str) -> Vec<(Mode, u8, Vec<Expr>)> {
    let method = sample::ABI.method(method).expect("the method exists");
    assert!(method.declared);
    let key = |template: &AccessTemplate| match template {
        AccessTemplate::Key { mode, field, parts } => (*mode, *field, parts.to_vec()),
        other => panic!("{other:?}"),
    };
    method.access.iter().map(key).collect()
}

fn arg(param: u16) -> Expr {
    Expr::Arg { param, path: vec![].into() }
}

#[test]
fn a_check_reads_the_key_of_its_account() {
    let minter = |account| vec![Expr::Integer(3), account];
    assert_eq!(
        keys("checks"),
        [
            (Mode::Read, 0, vec![]),
            (Mode::Read, 2, minter(Expr::Caller)),
            (Mode::Read, 3, vec![arg(0)]),
            (Mode::Read, 1, vec![Expr::Caller]),
        ]
    );
    assert_eq!(keys("declared"), [(Mode::Read, 2, minter(arg(0)))]);
}

#[test]
fn a_change_writes_the_key_that_it_names() {
    assert_eq!(
        keys("changes"),
        [
            (Mode::Write, 1, vec![arg(0)]),
            (Mode::Write, 2, vec![Expr::Integer(3), arg(0)]),
            (Mode::Write, 3, vec![arg(1)]),
            (Mode::Write, 0, vec![]),
        ]
    );
}

#[test]
fn values_have_a_fixed_size_so_that_they_fit_a_window() {
    for field in sample::ABI.storage.iter() {
        let size = field.value.fixed_size();
        assert!(matches!(size, Some(1 | 64)), "{}: {:?}", field.name, field.value);
        assert!(!field.counter);
    }
    assert_eq!(sample::ABI.storage[1].value, Type::Bool);
}
