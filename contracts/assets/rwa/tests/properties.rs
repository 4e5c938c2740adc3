//! Whatever is called: every call does what the rules say, told again by sums over all holders, and
//! fails for the reason that they give.

mod registry;

use borsh::BorshDeserialize;
use registry::{COUNTRIES, Registry};
use std::collections::BTreeMap;
use tollway_testkit::Dice;
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::{Address, Call};

const HOLDERS: usize = 10;
const BLOCKS: usize = 30;
const CALLS: usize = 90;
/// Times of release are multiples of this.
const STEP_MS: u64 = 5_000;

/// The names of errors, by their numbers, as far as views tell them.
const REASONS: [&str; 14] = [
    "ZeroAmount",
    "UnknownSender",
    "UnknownReceiver",
    "SenderExpired",
    "ReceiverExpired",
    "SenderFrozen",
    "ReceiverFrozen",
    "WrongCountry",
    "SenderCountryClosed",
    "ReceiverCountryClosed",
    "InsufficientBalance",
    "LockedUp",
    "CountryLimit",
    "HolderLimit",
];

type Outcome = Result<(), &'static str>;
type Pair = (u16, u16);

fn args<T: BorshDeserialize>(call: &Call) -> T {
    borsh::from_slice(&call.args).expect("it ran")
}

fn unless(is_wrong: bool, error: &'static str) -> Outcome {
    if is_wrong { Err(error) } else { Ok(()) }
}

#[derive(Clone, Default)]
struct Holder {
    country: u16,
    expires_ms: u64,
    limit: u128,
    frozen: bool,
    free: u128,
    locked: BTreeMap<u64, u128>,
}

impl Holder {
    fn locked(&self) -> u128 {
        self.locked.values().sum()
    }

    fn has(&self) -> u128 {
        self.free + self.locked()
    }
}

/// The asset, with limits as sums over holders.
struct Model {
    issuer: Address,
    registrar: Address,
    controller: Address,
    holders: BTreeMap<Address, Holder>,
    countries: BTreeMap<u16, (bool, u128)>,
}

impl Model {
    fn held_in(&self, country: u16) -> u128 {
        self.holders.values().filter(|holder| holder.country == country).map(Holder::has).sum()
    }

    fn rules(&self, country: u16) -> (bool, u128) {
        self.countries.get(&country).copied().unwrap_or_default()
    }

    fn would_exceed(&self, country: u16, amount: u128) -> bool {
        let most = self.rules(country).1;
        self.held_in(country).checked_add(amount).is_none_or(|held| held > most)
    }

    fn holder(&mut self, address: Address) -> &mut Holder {
        self.holders.get_mut(&address).expect("it was checked")
    }

    fn known(&self, address: Address, error: &'static str) -> Result<&Holder, &'static str> {
        self.holders.get(&address).ok_or(error)
    }

    /// That the limits take what moves, or comes from nobody.
    fn limits(&self, from: Option<Address>, to: Address, amount: u128, by: Pair) -> Outcome {
        let abroad = from.is_none() || by.0 != by.1;
        unless(abroad && self.would_exceed(by.1, amount), "CountryLimit")?;
        let receiver = &self.holders[&to];
        let has = receiver.has().checked_add(amount);
        unless(from != Some(to) && has.is_none_or(|has| has > receiver.limit), "HolderLimit")
    }

    fn covered(&self, from: Address, amount: u128) -> Outcome {
        let sender = &self.holders[&from];
        let error = if sender.locked() > 0 { "LockedUp" } else { "InsufficientBalance" };
        unless(sender.free < amount, error)
    }

    /// Why a transfer is refused.
    fn may_transfer(
        &self,
        from: Address,
        to: Address,
        amount: u128,
        by: Pair,
        now_ms: u64,
    ) -> Outcome {
        unless(amount == 0, "ZeroAmount")?;
        let sender = self.known(from, "UnknownSender")?;
        let receiver = self.known(to, "UnknownReceiver")?;
        unless(now_ms >= sender.expires_ms, "SenderExpired")?;
        unless(now_ms >= receiver.expires_ms, "ReceiverExpired")?;
        unless(sender.frozen, "SenderFrozen")?;
        unless(receiver.frozen, "ReceiverFrozen")?;
        unless((sender.country, receiver.country) != by, "WrongCountry")?;
        unless(!self.rules(by.0).0, "SenderCountryClosed")?;
        unless(!self.rules(by.1).0, "ReceiverCountryClosed")?;
        self.covered(from, amount)?;
        self.limits(Some(from), to, amount, by)
    }

    fn may_receive(&self, to: Address, amount: u128, country: u16, now_ms: u64) -> Outcome {
        unless(amount == 0, "ZeroAmount")?;
        let receiver = self.known(to, "UnknownReceiver")?;
        unless(now_ms >= receiver.expires_ms, "ReceiverExpired")?;
        unless(receiver.frozen, "ReceiverFrozen")?;
        unless(receiver.country != country, "WrongCountry")?;
        unless(!self.rules(country).0, "ReceiverCountryClosed")
    }

    fn may_force(&self, by: Address, from: Address, countries: Pair) -> Outcome {
        unless(by != self.controller, "NotAllowed")?;
        let sender = self.known(from, "UnknownSender")?;
        unless(sender.country != countries.0, "WrongCountry")
    }

    /// What comes of a call.
    fn run(&mut self, call: &Call, now_ms: u64) -> Outcome {
        let by = call.caller;
        match call.method.as_str() {
            "transfer" => {
                let (to, amount, countries) = args::<(Address, u128, Pair)>(call);
                self.may_transfer(by, to, amount, countries, now_ms)?;
                self.holder(by).free -= amount;
                self.holder(to).free += amount;
            }
            "issue" => {
                let (to, amount, country) = args::<(Address, u128, u16)>(call);
                unless(by != self.issuer, "NotAllowed")?;
                self.may_receive(to, amount, country, now_ms)?;
                self.limits(None, to, amount, (0, country))?;
                self.holder(to).free += amount;
            }
            "issue_locked" => {
                let (to, amount, country, until_ms) = args::<(Address, u128, u16, u64)>(call);
                unless(by != self.issuer, "NotAllowed")?;
                unless(until_ms <= now_ms, "ReleaseInPast")?;
                self.may_receive(to, amount, country, now_ms)?;
                self.limits(None, to, amount, (0, country))?;
                *self.holder(to).locked.entry(until_ms).or_default() += amount;
            }
            "release" => {
                let (holder, until_ms) = args::<(Address, u64)>(call);
                let locked =
                    self.holders.get(&holder).and_then(|holder| holder.locked.get(&until_ms));
                let amount = locked.copied().unwrap_or(0);
                unless(amount == 0 || now_ms < until_ms, "NothingToRelease")?;
                self.holder(holder).locked.remove(&until_ms);
                self.holder(holder).free += amount;
            }
            "redeem" => {
                let (amount, country) = args::<(u128, u16)>(call);
                unless(amount == 0, "ZeroAmount")?;
                let sender = self.known(by, "UnknownSender")?;
                unless(sender.frozen, "SenderFrozen")?;
                unless(sender.country != country, "WrongCountry")?;
                self.covered(by, amount)?;
                self.holder(by).free -= amount;
            }
            "force_transfer" => {
                let (from, to, amount, countries, _) =
                    args::<(Address, Address, u128, Pair, String)>(call);
                self.may_force(by, from, countries)?;
                self.may_receive(to, amount, countries.1, now_ms)?;
                self.covered(from, amount)?;
                self.limits(Some(from), to, amount, countries)?;
                self.holder(from).free -= amount;
                self.holder(to).free += amount;
            }
            "force_locked" => {
                let (from, to, amount, countries, until_ms, _) =
                    args::<(Address, Address, u128, Pair, u64, String)>(call);
                self.may_force(by, from, countries)?;
                self.may_receive(to, amount, countries.1, now_ms)?;
                let locked = self.holders[&from].locked.get(&until_ms).copied().unwrap_or(0);
                unless(locked < amount, "InsufficientBalance")?;
                self.limits(Some(from), to, amount, countries)?;
                *self.holder(from).locked.entry(until_ms).or_default() -= amount;
                *self.holder(to).locked.entry(until_ms).or_default() += amount;
            }
            "freeze" => {
                let (holder, frozen) = args::<(Address, bool)>(call);
                unless(by != self.controller, "NotAllowed")?;
                self.known(holder, "UnknownReceiver")?;
                self.holder(holder).frozen = frozen;
            }
            _ => {
                unless(by != self.registrar, "NotAllowed")?;
                self.register_or_change(call)?;
            }
        }
        Ok(())
    }

    fn register_or_change(&mut self, call: &Call) -> Outcome {
        match call.method.as_str() {
            "set_country" => {
                let (country, rules) = args::<(u16, (bool, u128))>(call);
                unless(self.held_in(country) > rules.1, "CountryLimit")?;
                self.countries.insert(country, rules);
            }
            "register" => {
                let (holder, country, expires_ms, limit) = args::<(Address, u16, u64, u128)>(call);
                unless(self.holders.contains_key(&holder), "AlreadyRegistered")?;
                let known = Holder { country, expires_ms, limit, ..Holder::default() };
                self.holders.insert(holder, known);
            }
            "renew" => {
                let (holder, expires_ms) = args::<(Address, u64)>(call);
                self.known(holder, "UnknownReceiver")?;
                self.holder(holder).expires_ms = expires_ms;
            }
            "set_limit" => {
                let (holder, limit) = args::<(Address, u128)>(call);
                let has = self.known(holder, "UnknownReceiver")?.has();
                unless(has > limit, "HolderLimit")?;
                self.holder(holder).limit = limit;
            }
            "relocate" => {
                let (holder, countries) = args::<(Address, Pair)>(call);
                let known = self.known(holder, "UnknownReceiver")?;
                unless(known.country != countries.0, "WrongCountry")?;
                let exceeds = self.would_exceed(countries.1, known.has());
                unless(countries.0 != countries.1 && exceeds, "CountryLimit")?;
                self.holder(holder).country = countries.1;
            }
            other => panic!("there is no {other}"),
        }
        Ok(())
    }

    fn check(&self, registry: &Registry) {
        for (address, holder) in &self.holders {
            assert_eq!(registry.balance(*address), holder.has());
            let locked = registry.chain.query::<u128>(registry.asset, "locked_of", *address);
            assert_eq!(locked, holder.locked());
        }
        for (country, rules) in &self.countries {
            let (stored, room) =
                registry.chain.query::<((bool, u128), u128)>(registry.asset, "country", *country);
            assert_eq!((stored, room), (*rules, rules.1 - self.held_in(*country)));
        }
        let all: u128 = self.holders.values().map(Holder::has).sum();
        assert_eq!(registry.chain.query::<u128>(registry.asset, "total_supply", ()), all);
    }
}

fn sensible(dice: &mut Dice, registry: &Registry, model: &Model, holders: &[Address]) -> Call {
    let asset = registry.asset;
    let (from, to) = (*dice.pick(holders), *dice.pick(holders));
    // Mostly where the holder is.
    let mut country = |holder: Address| match model.holders.get(&holder) {
        Some(holder) if !dice.percent(3) => holder.country,
        _ => *dice.pick(&COUNTRIES),
    };
    let countries = (country(from), country(to));
    let amount = u128::from(dice.between(1, 2_000));
    let now_ms = registry.chain.time_ms() + 1_000;
    let later_ms = (now_ms / STEP_MS + dice.between(1, 2)) * STEP_MS;
    let earlier_ms = now_ms / STEP_MS * STEP_MS - dice.below(2) * STEP_MS;
    let (issuer, registrar, controller) =
        (registry.issuer, registry.registrar, registry.controller);
    match dice.below(100) {
        0..10 => registry.issue(to, amount, countries.1),
        10..16 => asset.call(issuer, "issue_locked", (to, amount, countries.1, later_ms)),
        16..20 => asset.call(from, "redeem", (amount, countries.0)),
        20..24 => asset.call(from, "release", (to, earlier_ms)),
        24..28 => {
            let args = (from, to, amount, countries, "order");
            asset.call(controller, "force_transfer", args)
        }
        28..31 => {
            let args = (from, to, amount / 8 + 1, countries, later_ms, "order");
            asset.call(controller, "force_locked", args)
        }
        31..34 => asset.call(controller, "freeze", (to, dice.percent(12))),
        34..37 => {
            let soon = dice.percent(10);
            let expires_ms = if soon { now_ms + dice.below(20_000) } else { registry.expires_ms };
            asset.call(registrar, "renew", (to, expires_ms))
        }
        37..40 => asset.call(registrar, "set_limit", (to, amount * 8)),
        40..42 => {
            let rules = (dice.percent(92), u128::from(dice.between(10_000, 60_000)));
            asset.call(registrar, "set_country", (*dice.pick(&COUNTRIES), rules))
        }
        42..44 => asset.call(registrar, "relocate", (from, countries)),
        _ => registry.transfer(from, to, amount / 4 + 1, countries),
    }
}

fn check(threads: usize, seed: u64, met: &mut BTreeMap<&'static str, usize>) -> (usize, usize) {
    let mut registry = Registry::new(threads);
    let mut dice = Dice::new(seed);
    let holders = registry.holders(HOLDERS);
    let known = holders.iter().zip(COUNTRIES.into_iter().cycle()).map(|(holder, country)| {
        let (expires_ms, limit) = (registry.expires_ms, registry::HOLDER_LIMIT);
        (*holder, Holder { country, expires_ms, limit, ..Holder::default() })
    });
    let mut model = Model {
        issuer: registry.issuer,
        registrar: registry.registrar,
        controller: registry.controller,
        holders: known.collect(),
        countries: COUNTRIES.map(|country| (country, (true, registry::COUNTRY_LIMIT))).into(),
    };
    // Roles stay as they are here; who gives them is a matter of `rwa.rs`.
    let mut random = RandomCalls::new(&registry.chain, seed, [registry.asset])
        .without_views()
        .without("set_role");
    let (mut succeeded, mut all) = (0, 0);
    for _ in 0..BLOCKS {
        registry.chain.pass_ms(dice.below(3_000));
        let mut calls: Vec<Call> =
            (0..CALLS * 9 / 10).map(|_| sensible(&mut dice, &registry, &model, &holders)).collect();
        calls.extend(random.take(CALLS - calls.len()));
        let block = registry.chain.block(calls);
        block.assert_no_misses();
        let now_ms = registry.chain.time_ms();
        for ran in &block.calls {
            match model.run(&ran.call, now_ms) {
                Ok(()) => {
                    ran.succeeded();
                    succeeded += 1;
                }
                Err(error) => {
                    ran.reverted_with(error);
                    *met.entry(error).or_default() += 1;
                }
            }
        }
        all += block.calls.len();
        model.check(&registry);
        // What is told beforehand is what would come of it.
        for _ in 0..20 {
            let (from, to) = (*dice.pick(&holders), *dice.pick(&holders));
            let by = (model.holders[&from].country, model.holders[&to].country);
            let amount = u128::from(dice.below(5_000));
            let told = registry.why(from, to, amount, by).map(|code| REASONS[usize::from(code)]);
            assert_eq!(told, model.may_transfer(from, to, amount, by, now_ms).err());
        }
    }
    (succeeded, all)
}

#[test]
fn every_call_does_what_the_rules_say_or_fails_for_their_reason() {
    let mut met = BTreeMap::new();
    let runs =
        [(1, 1), (2, 2), (4, 3), (8, 4)].map(|(threads, seed)| check(threads, seed, &mut met));
    let (succeeded, all) = runs.iter().fold((0, 0), |sum, run| (sum.0 + run.0, sum.1 + run.1));
    assert!(all >= 10_000, "{all}");
    println!("{succeeded} of {all} calls succeeded, others met {met:?}");
    assert!(succeeded * 100 >= all * 40, "{succeeded} of {all}");
    for reason in REASONS {
        assert!(met.contains_key(reason), "no call met {reason}");
    }
}
