//! What methods are found, or declared, to touch.

#![allow(missing_docs, reason = "the sample is read by its tests alone")]

use std::borrow::Cow;
use tollway_sdk::host_api::{AccessTemplate, Expr, Mode};

#[tollway_sdk::interface]
pub trait Vault {
    fn put(who: tollway_sdk::Address, amount: u128);
    fn peek(who: tollway_sdk::Address) -> u128;
}

#[tollway_sdk::contract]
#[allow(
    dead_code,
    irrefutable_let_patterns,
    clippy::clone_on_copy,
    reason = "there for the macro, never run"
)]
pub mod sample {
    use super::VaultRef;
    use tollway_sdk::env::{call_id, caller, this};
    use tollway_sdk::{Address, Counter, Group, Item, Map, OrderedMap, Queue, Set, Transient};
    use tollway_sdk::{Vector, contract_type, env, shard_of};

    const TREASURY: Address = Address::from_u64(7);
    const SLOT: u32 = 3;

    #[immutables]
    pub struct Immutables {
        pub vault: VaultRef,
        pub other: VaultRef,
        pub group: u32,
        pub owner: Address,
    }

    #[contract_type]
    #[derive(Clone)]
    pub struct Leg {
        pub to: Address,
        pub amount: u128,
        pub route: Route,
    }

    #[contract_type]
    #[derive(Clone)]
    pub struct Route {
        pub slots: Vec<u32>,
        pub vault: VaultRef,
    }

    #[storage]
    pub struct Sample {
        total: Counter,
        locked: Transient<bool>,
        name: Item<String>,
        passing: Map<(Address, u32), Transient<u128>>,
        balances: Map<Address, Counter>,
        grid: Map<(u32, u32), Item<u64>>,
        owners: Map<u32, Item<Address>>,
        orders: Map<u128, Item<u64>>,
        pools: Map<u8, Item<u64>>,
        books: Group<(Address, u32), OrderedMap<u64, u64>>,
        tallies: Group<u32, Map<u64, Counter>>,
        sums: Group<u32, Counter>,
        members: Set<(u32, Address)>,
        teams: Group<u32, Set<Address>>,
        list: Vector<u64>,
        queue: Queue<u64>,
    }

    const SHARDS: u16 = 8;

    impl Sample {
        #[init]
        pub fn init(&mut self, slot: u32) {
            self.owners.at(slot + 1).set(&caller());
        }

        #[call]
        pub fn identifiers(&mut self, leg: Leg) {
            let id = call_id();
            self.orders.at(id).set(&1);
            self.orders.at(env::call_id()).get();
            let shard = shard_of(&leg.to, SHARDS);
            self.pools.at(shard).get();
            self.pools.at(shard_of(&caller(), 2)).set(&2);
            self.pools.at(tollway_sdk::shard_of(&self.imm.owner, 256)).set(&2);
            self.pools.at(shard_of(&id, 3)).set(&3);
        }

        #[call]
        #[access(
            write orders[call_id],
            read pools[shard_of(leg.to, SHARDS)],
            write pools[shard_of(&caller, 2)],
            write pools[shard_of(imm.owner, 256)],
            write pools[shard_of(call_id(), 3)],
        )]
        pub fn identifiers_declared(&mut self, leg: Leg) {
            let _ = leg;
        }

        #[call]
        pub fn kinds(&mut self, market: u32, leg: Leg) {
            // Not known before the call runs, and need not be.
            let next = self.queue.pop_front().unwrap_or(0);
            let book = self.books.of((leg.to, market));
            book.set(next, self.list.len().into());
            book.remove(&next);
            let tallies = self.tallies.of(market);
            tallies.at(next).add(1);
            for id in 0..next {
                tallies.at(id).add(1);
            }
            self.sums.of(7).add(1);
            self.members.insert((market, leg.to));
            if self.members.contains((market, caller())) {
                self.teams.of(market).insert(caller());
            }
        }

        #[view]
        pub fn kinds_read(&self, market: u32, who: Address) -> u128 {
            let book = self.books.of((who, market));
            let _ = book.first().or_else(|| book.last());
            self.teams.of(market).contains(who);
            let _ = self.queue.peek();
            let _ = self.list.get(book.get(&1).unwrap_or(0) as u32);
            self.tallies.of(market).at(7).get()
        }

        #[call]
        #[access(
            write books[(leg.to, market)], write sums[market], write tallies[market], read queue,
            write list, write members[market, caller], read teams[market],
        )]
        pub fn kinds_declared(&mut self, market: u32, leg: Leg) {
            let _ = (market, leg);
        }

        #[view]
        pub fn all_reads(&self, who: Address) -> u128 {
            if self.name.exists() && self.name.get().is_some() {
                return self.balances.at(who).get();
            }
            self.total.get()
        }

        #[call]
        pub fn modes(&mut self, who: Address) {
            self.total.add(1);
            self.name.remove();
            self.balances.at(who).add(1);
            let _ = self.balances.at(caller()).sub(1);
            self.balances.at(this()).set(1);
            self.grid.at((1, SLOT)).set(&5);
            self.owners.at(self.imm.group).set(&TREASURY);
        }

        #[call]
        pub fn debits(&mut self, who: Address, to: Address) {
            let _ = self.total.sub(1);
            let _ = self.balances.at(who).sub(1);
            self.balances.at(who).add(1);
            let _ = self.balances.at(to).sub(self.balances.at(to).get());
        }

        #[call]
        pub fn transient(&mut self, who: Address) {
            if self.locked.get_or(false) {
                return;
            }
            self.locked.set(&true);
            // Not known before the call runs, and need not be.
            let slot = self.passing.at((who, 0)).get_or_default() as u32;
            let passing = self.passing.at((who, slot));
            passing.set(&passing.get_or(5));
            self.total.add(1);
        }

        #[call]
        pub fn merged(&mut self, who: Address) {
            self.balances.at(who).add(self.balances.at(who).get());
        }

        #[call]
        pub fn aliases(&mut self, who: Address, at: (u32, u32), leg: Leg) {
            let me = env::caller();
            let who2 = &who;
            let balances = &self.balances;
            let cell = balances.at(*who2);
            cell.add(1);
            balances.at(me).add(1);
            self.grid.at(at).get();
            let (row, column) = at;
            self.grid.at((column, row)).get();
            let Leg { to, .. } = leg;
            let to = to.clone();
            {
                let to = me;
                self.balances.at(to).add(2);
            }
            self.balances.at(to).add(3);
            self.balances.at(TREASURY).add(4);
            self.balances.at(Address::ZERO).add(5);
        }

        #[call]
        pub fn branches(&mut self, flag: bool, a: Address, b: Address) {
            let (from, to) = if flag { (a, b) } else { (b, a) };
            let _ = self.balances.at(from).sub(1);
            let vault = match flag {
                true => self.imm.vault,
                false => self.imm.other,
            };
            vault.put(to, 1);
        }

        #[call]
        pub fn loops(&mut self, legs: Vec<Leg>, slots: Vec<u32>, pairs: Vec<(u32, Address)>) {
            for leg in &legs {
                self.balances.at(leg.to).add(leg.amount);
                for slot in leg.route.slots.iter() {
                    self.grid.at((*slot, self.imm.group)).get();
                    leg.route.vault.put(leg.to, 1);
                }
            }
            for slot in slots {
                self.owners.at(slot).get();
            }
            for &(slot, who) in pairs.iter() {
                self.owners.at(slot).set(&who);
            }
            for index in 0..3 {
                self.total.add(index);
            }
        }

        #[call]
        pub fn helpers(&mut self, who: Address, legs: Vec<Leg>) -> u128 {
            self.pay(who, 1);
            self.pay_all(&legs);
            let cell = self.cell_of(caller());
            let before = cell.get();
            self.touch(&self.total);
            before
        }

        #[call]
        pub fn calls(&mut self, who: Address, vault: VaultRef, amount: u128) -> u128 {
            self.imm.vault.put(who, amount - 1);
            let _ = vault.try_put(caller(), amount);
            VaultRef(who).put(this(), 5);
            let held = self.imm.vault.peek(self.imm.owner);
            if held > 3 { held.min(amount) } else { held }
        }

        #[call]
        pub fn functions(&mut self, who: Address, leg: Leg) {
            free(&self.total, who);
            Self::associated(self, who);
            pay(self.imm.vault, who);
            let Immutables { other, owner, .. } = &*self.imm;
            other.put(*owner, 1);
            if let Leg { to, .. } = &leg {
                other.put(*to, 2);
            }
            let _ = twice(leg.amount);
        }

        #[call]
        #[access(
            read grid[at],
            write grid[(1, SLOT)],
            write balances[caller],
            add balances[leg.to],
            add balances[TREASURY],
            write total,
            for slot in leg.route.slots { read grid[slot, imm.group] },
            call imm.vault.put(this, _),
            call leg.route.vault.peek(self.imm.owner),
        )]
        pub fn declared(&mut self, at: (u32, u32), leg: Leg) {
            let _ = (at, leg);
        }

        #[call]
        #[access(none)]
        pub fn nothing(&mut self) {}

        #[call(reentrant)]
        #[access(undeclared)]
        pub fn anything(&mut self, slot: u32) {
            self.owners.at(slot * 2).remove();
        }

        fn pay(&mut self, to: Address, amount: u128) {
            self.balances.at(to).add(amount);
        }

        fn pay_all(&mut self, legs: &[Leg]) {
            for leg in legs {
                self.pay(leg.to, leg.amount);
            }
        }

        fn cell_of(&self, who: Address) -> Counter<Address> {
            self.balances.at(who)
        }

        fn touch(&self, counter: &Counter) {
            counter.add(1);
        }

        fn associated(this: &Self, who: Address) {
            this.balances.at(who).add(1);
        }
    }

    fn free(counter: &Counter, _who: Address) {
        counter.add(1);
    }

    fn pay(vault: VaultRef, who: Address) {
        vault.put(who, 1);
    }

    fn twice(amount: u128) -> u128 {
        if amount == 0 { 0 } else { twice(amount - 1) + 2 }
    }
}

/// Declarations as the author would write them.
fn text(list: &[AccessTemplate]) -> String {
    let abi = &sample::ABI;
    let clauses: Vec<String> = list
        .iter()
        .map(|template| match template {
            AccessTemplate::Key { mode, field, parts } => {
                let name = &abi.storage[*field as usize].name;
                let mode = match mode {
                    Mode::Read => "read",
                    Mode::Add => "add",
                    Mode::Write => "write",
                };
                match parts.len() {
                    0 => format!("{mode} {name}"),
                    _ => format!("{mode} {name}[{}]", exprs(parts)),
                }
            }
            AccessTemplate::ForEach { list, body } => {
                format!("for {} {{ {} }}", expr(list), text(body))
            }
            AccessTemplate::Call { contract, method, args } => {
                format!("call {}.{method}({})", expr(contract), exprs(args))
            }
        })
        .collect();
    clauses.join(", ")
}

fn exprs(list: &[Expr]) -> String {
    let list: Vec<String> = list.iter().map(expr).collect();
    list.join(", ")
}

fn expr(known: &Expr) -> String {
    let with_path = |root: String, path: &[Cow<'static, str>]| {
        path.iter().fold(root, |text, name| format!("{text}.{name}"))
    };
    match known {
        Expr::Caller => "caller".into(),
        Expr::This => "this".into(),
        Expr::Arg { param, path } => with_path(format!("arg{param}"), path),
        Expr::Element { depth, path } => with_path(format!("element{depth}"), path),
        Expr::Immutable { index, path } => with_path(format!("imm{index}"), path),
        Expr::Integer(value) => value.to_string(),
        Expr::Bytes(bytes) => format!("bytes({})", bytes[bytes.len() - 1]),
        Expr::Unknown => "_".into(),
        Expr::CallId => "id".into(),
        Expr::Shard { of, count } => format!("{} % {count}", expr(&of[0])),
    }
}

fn check(method: &str, expected: &str) {
    let method = sample::ABI.method(method).expect("the method exists");
    assert!(method.declared, "{} declares", method.name);
    let words: Vec<&str> = expected.split_whitespace().collect();
    assert_eq!(text(&method.access), words.join(" "), "{}", method.name);
}

#[test]
fn methods_of_cells_have_modes() {
    check("all_reads", "read name, read balances[arg0], read total");
    check(
        "modes",
        "add total, write name, add balances[arg0], add balances[caller], write balances[this],
         write grid[1, 3], write owners[imm2]",
    );
    check("merged", "write balances[arg0]");
    check("debits", "add total, add balances[arg0], write balances[arg1]");
}

#[test]
fn identifiers_and_shards_are_known() {
    let expected = "write orders[id], read pools[arg0.to % 8], write pools[caller % 2],
         write pools[imm3 % 256], write pools[id % 3]";
    check("identifiers", expected);
    check("identifiers_declared", expected);
}

#[test]
fn what_lies_below_a_prefix_need_not_be_known() {
    check(
        "kinds",
        "write queue, read list, write books[arg1.to, arg0], write tallies[arg0], write sums[7],
         write members[arg0, arg1.to], read members[arg0, caller], write teams[arg0]",
    );
    check(
        "kinds_read",
        "read books[arg1, arg0], read teams[arg0], read queue, read list, read tallies[arg0]",
    );
    check(
        "kinds_declared",
        "write books[arg1.to, arg0], write sums[arg0], write tallies[arg0], read queue, write list,
         write members[arg0, caller], read teams[arg0]",
    );
    let parts = |name: &str| {
        let index = sample::ABI.field_index(name).expect("the field exists");
        sample::ABI.storage[usize::from(index)].prefix_parts
    };
    assert_eq!(
        ["books", "tallies", "sums", "teams"].map(parts),
        [Some(2), Some(1), Some(1), Some(1)]
    );
    assert_eq!(["list", "queue"].map(parts), [Some(0); 2]);
    assert_eq!(["members", "balances", "total"].map(parts), [None; 3]);
}

#[test]
fn transient_storage_is_in_no_access_and_in_no_abi() {
    check("transient", "add total");
    let names: Vec<&str> = sample::ABI.storage.iter().map(|field| &*field.name).collect();
    assert_eq!(
        names,
        [
            "total", "name", "balances", "grid", "owners", "orders", "pools", "books", "tallies",
            "sums", "members", "teams", "list", "queue"
        ]
    );
}

#[test]
fn variables_are_followed() {
    check(
        "aliases",
        "add balances[arg0], add balances[caller], read grid[arg1.0, arg1.1],
         read grid[arg1.1, arg1.0], add balances[arg2.to], add balances[bytes(7)],
         add balances[bytes(0)]",
    );
}

#[test]
fn branches_are_united() {
    check(
        "branches",
        "add balances[arg1], add balances[arg2],
         call imm0.put(arg2, 1), call imm0.put(arg1, 1),
         call imm1.put(arg2, 1), call imm1.put(arg1, 1)",
    );
}

#[test]
fn loops_over_arguments_become_loops() {
    check(
        "loops",
        "for arg0 { add balances[element0.to],
            for element0.route.slots { read grid[element0, imm2],
                call element1.route.vault.put(element1.to, 1) } },
         for arg1 { read owners[element0] },
         for arg2 { write owners[element0.0] },
         add total",
    );
}

#[test]
fn private_methods_are_followed() {
    check(
        "helpers",
        "add balances[arg0], for arg1 { add balances[element0.to] }, read balances[caller],
         add total",
    );
}

#[test]
fn functions_that_are_given_storage_are_followed() {
    check(
        "functions",
        "add total, add balances[arg0], call imm0.put(arg0, 1), call imm1.put(imm3, 1),
         call imm1.put(_, 2)",
    );
}

#[test]
fn calls_to_clients_are_found() {
    check(
        "calls",
        "call imm0.put(arg0, _), call arg1.put(caller, arg2), call arg0.put(this, 5),
         call imm0.peek(imm3)",
    );
}

#[test]
fn declarations_say_what_is_written() {
    check(
        "declared",
        "read grid[arg0.0, arg0.1], write grid[1, 3], write balances[caller],
         add balances[arg1.to], add balances[bytes(7)], write total,
         for arg1.route.slots { read grid[element0, imm2] },
         call imm0.put(this, _), call arg1.route.vault.peek(imm3)",
    );
    check("nothing", "");
}

#[test]
fn what_is_undeclared_says_so() {
    for name in ["anything", "init"] {
        let method = sample::ABI.method(name).expect("the method exists");
        assert!(!method.declared && method.access.is_empty());
    }
    assert!(sample::ABI.method("anything").is_some_and(|method| method.reentrant));
}
