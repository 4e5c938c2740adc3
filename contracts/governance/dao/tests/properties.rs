//! Whatever is called: the DAO holds what was locked, votes weigh what was locked before their
//! proposal, and what is executed had passed.

mod chamber;

use borsh::BorshDeserialize;
use chamber::{
    ABSTAIN, AGAINST, Chamber, DELAY_MS, FOR, GRACE_MS, Id, PROPOSER_MIN, QUORUM_BP, THRESHOLD_BP,
    TIMELOCK_MS, VOTING_MS,
};
use num_bigint::BigUint;
use std::collections::{BTreeMap, BTreeSet};
use tollway_testkit::Dice;
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::{Address, Call};

const MEMBERS: usize = 8;
const BLOCKS: usize = 40;
const CALLS: usize = 65;

fn args<T: BorshDeserialize>(call: &Call) -> T {
    borsh::from_slice(&call.args).expect("it ran")
}

#[derive(Default)]
struct Made {
    snapshot_ms: u64,
    staked: u128,
    is_closed: bool,
    ballots: BTreeMap<Address, u8>,
    tallies: [u128; 3],
}

/// The DAO, told again with all of its past.
#[derive(Default)]
struct Model {
    /// Every change of every stake.
    stakes: BTreeMap<Address, Vec<(u64, u128)>>,
    unlocking: BTreeMap<Address, u128>,
    made: BTreeMap<Id, Made>,
    /// What was executed, and what for.
    executed: BTreeSet<Id>,
    voted: usize,
    late: usize,
}

impl Model {
    fn stake(&self, holder: Address, before_ms: u64) -> u128 {
        let past = self.stakes.get(&holder).into_iter().flatten();
        let mut earlier = past.filter(|(at_ms, _)| *at_ms < before_ms);
        earlier.next_back().map_or(0, |(_, amount)| *amount)
    }

    fn set_stake(&mut self, holder: Address, now_ms: u64, amount: u128) {
        self.stakes.entry(holder).or_default().push((now_ms, amount));
    }

    fn staked(&self) -> u128 {
        self.stakes.keys().map(|holder| self.stake(*holder, u64::MAX)).sum()
    }

    fn may_vote(&self, voter: Address, id: Id, choice: u8, now_ms: u64) -> bool {
        let Some(made) = self.made.get(&id) else { return false };
        let opens_ms = made.snapshot_ms + DELAY_MS;
        !made.is_closed
            && (opens_ms..opens_ms + VOTING_MS).contains(&now_ms)
            && choice < 3
            && !made.ballots.contains_key(&voter)
            && self.stake(voter, made.snapshot_ms) > 0
    }

    fn may_execute(&self, id: Id, now_ms: u64) -> bool {
        let Some(made) = self.made.get(&id) else { return false };
        let ready_ms = made.snapshot_ms + DELAY_MS + VOTING_MS + TIMELOCK_MS;
        let [against, approving, abstaining] = made.tallies.map(BigUint::from);
        let quorum = BigUint::from(made.staked) * QUORUM_BP;
        let decisive = (&against + &approving) * THRESHOLD_BP;
        !made.is_closed
            && (ready_ms..ready_ms + GRACE_MS).contains(&now_ms)
            && (&approving + abstaining) * 10_000u32 >= quorum
            && approving * 10_000u32 > decisive
    }

    /// Whether the call may succeed at all, if that depends on the DAO alone.
    fn expected(&self, chamber: &Chamber, call: &Call, now_ms: u64) -> Option<bool> {
        match call.method.as_str() {
            "vote" => {
                let (id, choice) = args::<(Id, u8)>(call);
                Some(self.may_vote(call.caller, id, choice, now_ms))
            }
            "execute" => Some(self.may_execute(args(call), now_ms)),
            // Even numbers are payments.
            "pay" => {
                let (id, list) = args::<(Id, Vec<(Address, Address, u128)>)>(call);
                let is_right = id.1 % 2 == 0 && list == [(chamber.cash.address, id.0, 1)];
                Some(is_right && self.may_execute(id, now_ms))
            }
            "cancel" => {
                let id = args::<Id>(call);
                let may = call.caller == id.0 || call.caller == chamber.guardian;
                Some(may && self.made.get(&id).is_some_and(|made| !made.is_closed))
            }
            "propose" => {
                let (number, ..) = args::<(u64, Vec<chamber::Action>, String)>(call);
                let is_new = !self.made.contains_key(&(call.caller, number));
                Some(is_new && self.stake(call.caller, now_ms) >= PROPOSER_MIN)
            }
            _ => None,
        }
    }

    fn apply(&mut self, call: &Call, now_ms: u64) {
        let by = call.caller;
        match call.method.as_str() {
            "lock" => {
                let stake = self.stake(by, u64::MAX) + args::<u128>(call);
                self.set_stake(by, now_ms, stake);
            }
            "unlock" => {
                let amount = args::<u128>(call);
                let rest = self.stake(by, u64::MAX).checked_sub(amount).expect("it had as much");
                self.set_stake(by, now_ms, rest);
                *self.unlocking.entry(by).or_default() += amount;
            }
            "withdraw" => {
                let amount = self.unlocking.remove(&by);
                assert!(amount.is_some_and(|amount| amount > 0));
            }
            "propose" => {
                let (number, ..) = args::<(u64, Vec<chamber::Action>, String)>(call);
                let (snapshot_ms, staked) = (now_ms, self.staked());
                self.made.insert((by, number), Made { snapshot_ms, staked, ..Made::default() });
            }
            "vote" => {
                let (id, choice) = args::<(Id, u8)>(call);
                let snapshot_ms = self.made[&id].snapshot_ms;
                let weight = self.stake(by, snapshot_ms);
                self.late += usize::from(self.stake(by, u64::MAX) != weight);
                let made = self.made.get_mut(&id).expect("it was made");
                made.ballots.insert(by, choice);
                made.tallies[usize::from(choice)] += weight;
                self.voted += 1;
            }
            "cancel" => {
                self.made.get_mut(&args::<Id>(call)).expect("it was made").is_closed = true;
            }
            "execute" => self.close(args(call)),
            "pay" => self.close(args::<(Id, Vec<(Address, Address, u128)>)>(call).0),
            _ => {}
        }
    }

    fn close(&mut self, id: Id) {
        self.made.get_mut(&id).expect("it was made").is_closed = true;
        assert!(self.executed.insert(id), "executed twice");
    }

    fn check(&self, chamber: &Chamber) {
        let staked = self.staked();
        let unlocking: u128 = self.unlocking.values().sum();
        assert_eq!(chamber.chain.query::<u128>(chamber.dao, "staked", ()), staked);
        assert_eq!(chamber.held(chamber.token, chamber.dao.address), staked + unlocking);
        for (id, made) in &self.made {
            for (choice, expected) in (0u8..).zip(made.tallies) {
                let tally = chamber.chain.query::<u128>(chamber.dao, "tally", (*id, choice));
                assert_eq!(tally, expected, "{id:?} {choice}");
            }
        }
        // Each executed proposal did one thing, once.
        let (payments, mints): (Vec<Id>, Vec<Id>) =
            self.executed.iter().partition(|(_, number)| number % 2 == 0);
        let gold = chamber.chain.query::<u128>(chamber.gold, "total_supply", ());
        assert_eq!(gold, mints.len() as u128);
        let cash = chamber.held(chamber.cash, chamber.dao.address);
        assert_eq!(cash, 1_000_000 - payments.len() as u128);
    }
}

fn sensible(dice: &mut Dice, chamber: &Chamber, model: &Model, members: &[Address]) -> Call {
    let by = *dice.pick(members);
    let dao = chamber.dao;
    let amount = u128::from(dice.between(1, 400));
    // Of some that are not too old.
    let recent: Vec<Id> = (model.made.iter())
        .filter(|(_, made)| made.snapshot_ms + 200_000 > chamber.chain.time_ms() && !made.is_closed)
        .map(|(id, _)| *id)
        .collect();
    let now_ms = chamber.chain.time_ms() + 1_000;
    let roll = dice.below(100);
    if recent.is_empty() || roll < 25 {
        return match dice.below(10) {
            0..5 => chamber.lock(by, amount),
            5..8 => dao.call(by, "unlock", amount / 2 + 1),
            8 => dao.call(by, "withdraw", ()),
            _ => {
                let number = dice.below(200);
                let action = match number % 2 {
                    0 => chamber.paying(by, 1),
                    _ => chamber.minting(by, 1),
                };
                chamber.propose(by, number, &[action])
            }
        };
    }
    let id = *dice.pick(&recent);
    let age_ms = now_ms - model.made[&id].snapshot_ms;
    if age_ms < DELAY_MS + VOTING_MS {
        let choice = if dice.percent(70) { FOR } else { *dice.pick(&[AGAINST, ABSTAIN]) };
        return match dice.below(300) {
            0 => dao.call(*dice.pick(&[id.0, chamber.guardian, by]), "cancel", (id,)),
            _ => chamber.vote(by, id, choice),
        };
    }
    match id.1 % 2 {
        0 if dice.percent(70) => {
            dao.call(by, "pay", (id, vec![(chamber.cash.address, id.0, 1u128)]))
        }
        _ => chamber.execute(by, id),
    }
}

fn check(threads: usize, seed: u64) -> (usize, usize) {
    let mut chamber = Chamber::new(threads);
    let mut dice = Dice::new(seed);
    let members = chamber.holders(&[1 << 40; MEMBERS]);
    let mut model = Model::default();
    let first: Vec<Call> = members.iter().map(|member| chamber.lock(*member, 2_000)).collect();
    chamber.chain.block(first.clone()).succeeded();
    first.iter().for_each(|call| model.apply(call, chamber.chain.time_ms()));
    // Proposals of the model each do one thing.
    let mut random =
        RandomCalls::new(&chamber.chain, seed, [chamber.dao]).without_views().without("propose");
    let (mut succeeded, mut all) = (0, 0);
    for _ in 0..BLOCKS {
        chamber.chain.pass_ms(dice.below(12_000));
        let mut calls: Vec<Call> =
            (0..CALLS * 9 / 10).map(|_| sensible(&mut dice, &chamber, &model, &members)).collect();
        calls.extend(random.take(CALLS - calls.len()));
        let block = chamber.chain.block(calls);
        let now_ms = chamber.chain.time_ms();
        // What is executed declares nothing.
        let declared = block.calls.iter().filter(|ran| ran.call.method != "execute");
        declared.for_each(|ran| assert_eq!(ran.receipt.misses, 0, "{ran}"));
        for ran in &block.calls {
            let is_success = ran.receipt.is_success();
            if let Some(expected) = model.expected(&chamber, &ran.call, now_ms) {
                assert_eq!(is_success, expected, "{ran} at {now_ms}");
            }
            if is_success {
                model.apply(&ran.call, now_ms);
                succeeded += 1;
            }
        }
        all += block.calls.len();
        model.check(&chamber);
    }
    println!(
        "{} of {} proposals executed, {} votes, {} with a stake that had changed",
        model.executed.len(),
        model.made.len(),
        model.voted,
        model.late
    );
    assert!(model.executed.len() >= 5 && model.voted >= 100 && model.late >= 20);
    (succeeded, all)
}

#[test]
fn what_is_executed_had_passed_and_what_is_held_was_locked() {
    let runs = [(1, 1), (2, 2), (4, 3), (8, 4)].map(|(threads, seed)| check(threads, seed));
    let (succeeded, all) = runs.iter().fold((0, 0), |sum, run| (sum.0 + run.0, sum.1 + run.1));
    assert!(all >= 10_000, "{all}");
    // Nine in ten calls make sense; of those, most that fail are second votes of one member.
    println!("{succeeded} of {all} calls succeeded");
    assert!(succeeded * 100 >= all * 30, "{succeeded} of {all}");
}
