//! A DAO: whoever locks tokens votes on proposals, and what is decided is done: calls of other
//! contracts.
//!
//! ```text
//!  propose      voting opens         closes            ready             expired
//!     ├──────────────┼──────────────────┼─────────────────┼──────────────────┼──▶ time
//!     │ voting_delay │      voting      │     timelock    │      grace       │
//!   snapshot              vote                               execute
//!
//! lock(amount)          write stakes[caller]   add staked   call token.transfer_from(caller, this, amount)
//! propose(number, ..)   read  stakes[caller]   read staked
//!                       write proposals[caller, number]     write actions[caller, number]
//! vote(proposal, choice)  read proposals[proposal]          read  stakes[caller]
//!                       write ballots[proposal, caller]     add   tallies[proposal, choice]
//! execute(proposal)     not known before: whatever the actions touch
//! pay(proposal, list)   write proposals[proposal]           read  actions, tallies
//!                       for each of the list: call token.transfer(to, amount)
//! ```
//!
//! # Votes
//! A vote weighs what its voter had locked when the block of the proposal began: tokens that come
//! later, in the same block even, count for nothing. Each stake is one key with its own history, so
//! a vote reads one key for it, and votes write their own ballots and add to tallies: all votes on a
//! proposal run side by side. Tokens come out `unlock_ms` after they are unlocked.
//!
//! A proposal passes if what voted for it or abstained is at least `quorum_bp` ten-thousandths of
//! what all had locked when it was made, and what voted for it is more than `threshold_bp` of what
//! voted for or against it. Both are compared as products, exactly.
//!
//! # What executing costs
//! An action is any method of any contract with any arguments, as bytes in storage: what it touches
//! can't be known before. So `execute` declares nothing. It runs alone, in the repair of its block,
//! after what can be run side by side; calls after it in the block that read what it wrote run again,
//! all others keep their results. One such call costs its block a walk over its calls; so it is for
//! decisions, not for traffic. Where all actions are payments, `pay` does the same with the payments
//! as arguments, checked against the actions: all that it touches is known, and it runs in its lane.
//!
//! Nothing but `execute` declares its access by hand.
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

extern crate alloc;

mod stake;

/// The contract.
#[tollway_sdk::contract]
pub mod dao {
    pub use crate::stake::{CHECKPOINTS_MAX, Checkpoint};
    use crate::stake::{before, latest, set};
    use alloc::string::String;
    use alloc::vec::Vec;
    use tollway_interfaces::TokenRef;
    use tollway_sdk::entry::NoError;
    use tollway_sdk::env::{caller, this, time_ms};
    use tollway_sdk::math::mul_wide;
    use tollway_sdk::typed::Typed;
    use tollway_sdk::{Address, Bytes, Counter, Item, Map, call, contract_type};

    /// Shares are in ten-thousandths.
    pub const BP_SCALE: u128 = 10_000;

    /// The most actions of a proposal.
    pub const ACTIONS_MAX: usize = 16;

    /// The choice against a proposal.
    pub const AGAINST: u8 = 0;
    /// The choice for it.
    pub const FOR: u8 = 1;
    /// The choice to be counted for the quorum only.
    pub const ABSTAIN: u8 = 2;

    /// How decisions are made.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Rules {
        /// From a proposal to its votes.
        pub voting_delay_ms: u64,
        /// How long votes are taken.
        pub voting_ms: u64,
        /// From the last vote to execution.
        pub timelock_ms: u64,
        /// How long it can be executed.
        pub grace_ms: u64,
        /// From unlocking tokens to getting them.
        pub unlock_ms: u64,
        /// The least share of all stakes that votes for or abstains, in ten-thousandths.
        pub quorum_bp: u16,
        /// The share of votes for or against that must be exceeded by those for it, likewise;
        /// below 10 000.
        pub threshold_bp: u16,
        /// The stake that a proposer needs.
        pub proposer_min: u128,
    }

    /// What is fixed when the DAO is created.
    #[immutables]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Immutables {
        /// What is locked.
        pub token: TokenRef,
        /// Who may cancel any proposal.
        pub guardian: Address,
        /// How decisions are made.
        pub rules: Rules,
    }

    /// The name of a proposal: nobody can take another's.
    #[contract_type(key)]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct ProposalId {
        /// Who made it.
        pub proposer: Address,
        /// The proposer's number for it.
        pub number: u64,
    }

    /// A call of another contract.
    #[contract_type]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Action {
        /// The contract.
        pub target: Address,
        /// The method.
        pub method: String,
        /// Its arguments, encoded.
        pub args: Bytes,
    }

    /// A payment out of what the DAO has.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Payment {
        /// In which token.
        pub token: TokenRef,
        /// To whom.
        pub to: Address,
        /// How much.
        pub amount: u128,
    }

    /// What became of a proposal by somebody's call.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Status {
        /// Nothing yet.
        Open,
        /// It was canceled.
        Canceled,
        /// It was executed.
        Executed,
    }

    /// A proposal.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Proposal {
        /// The time of the block that it was made in.
        pub snapshot_ms: u64,
        /// What all had locked then: what the quorum is a share of.
        pub staked: u128,
        /// What became of it.
        pub status: Status,
    }

    /// Where a proposal is on its way.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Stage {
        /// There is no such proposal.
        Unknown,
        /// Votes are not yet taken.
        Pending,
        /// Votes are taken.
        Voting,
        /// It did not reach the quorum.
        QuorumMissed,
        /// Too few voted for it.
        Defeated,
        /// It passed and has to wait.
        Timelocked,
        /// It can be executed.
        Ready,
        /// It can't be executed any more.
        Expired,
        /// It was canceled.
        Canceled,
        /// It was executed.
        Executed,
    }

    /// Tokens on their way out.
    #[contract_type]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Unlocking {
        /// How many.
        pub amount: u128,
        /// The block time from which on they can be withdrawn.
        pub ready_ms: u64,
    }

    /// The state.
    #[storage]
    pub struct Dao {
        /// What each had locked, and when.
        stakes: Map<Address, Item<Vec<Checkpoint>>>,
        unlocking: Map<Address, Item<Unlocking>>,
        /// The sum of all stakes.
        staked: Counter,
        /// By proposer and number, as both are known apart before `propose` runs.
        proposals: Map<(Address, u64), Item<Proposal>>,
        actions: Map<(Address, u64), Item<Vec<Action>>>,
        /// What each voter chose.
        ballots: Map<(ProposalId, Address), Item<u8>>,
        /// The weight behind each choice.
        tallies: Map<(ProposalId, u8), Counter>,
    }

    /// A stake changed.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct StakeSet {
        /// Whose.
        pub holder: Address,
        /// What they have locked now.
        pub amount: u128,
    }

    /// Unlocked tokens were paid out.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Withdrawn {
        /// To whom.
        pub holder: Address,
        /// How many.
        pub amount: u128,
    }

    /// A proposal was made.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Proposed {
        /// The proposal.
        pub proposal: ProposalId,
        /// What all had locked.
        pub staked: u128,
        /// What it is for: a text, or where one is.
        pub description: String,
    }

    /// A vote was counted.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Voted {
        /// The proposal.
        pub proposal: ProposalId,
        /// Who voted.
        pub voter: Address,
        /// For what.
        pub choice: u8,
        /// With what weight.
        pub weight: u128,
    }

    /// A proposal was canceled.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Canceled {
        /// The proposal.
        pub proposal: ProposalId,
        /// By whom.
        pub by: Address,
    }

    /// A proposal was executed.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Executed {
        /// The proposal.
        pub proposal: ProposalId,
        /// How many actions.
        pub actions: u32,
    }

    /// Why a call reverts. Failures of actions and of the token come through as they are.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// The rules can't be kept.
        BadRules,
        /// An amount of 0.
        ZeroAmount,
        /// The amount is more than can be counted.
        AmountTooLarge,
        /// The stake changed too often within the time that votes may look back.
        TooManyChanges,
        /// The caller has less locked.
        NotEnoughStake,
        /// Nothing was unlocked, or not long enough ago.
        NothingUnlocked,
        /// The caller used the number before.
        AlreadyProposed,
        /// No actions, or more than 16.
        BadActions,
        /// There is no such proposal.
        UnknownProposal,
        /// Votes are not taken now.
        NotVoting,
        /// There is no such choice.
        UnknownChoice,
        /// The caller had nothing locked when the proposal was made.
        NoWeight,
        /// The caller voted on this before.
        AlreadyVoted,
        /// Only the proposer and the guardian may do this.
        NotAllowed,
        /// The proposal was canceled or executed.
        Closed,
        /// Votes are still taken, or the time to wait after them is not over.
        TooEarly,
        /// Too few voted for the proposal or abstained.
        QuorumMissed,
        /// Too few voted for it.
        Defeated,
        /// The time to execute it is over.
        Expired,
        /// The payments are not the proposal's actions.
        OtherPayments,
    }

    impl Dao {
        /// Checks the rules.
        #[init]
        pub fn init(&mut self) -> Result<(), Error> {
            let Rules { voting_ms, grace_ms, quorum_bp, threshold_bp, .. } = self.imm.rules;
            let can_be_kept = voting_ms > 0
                && grace_ms > 0
                && u128::from(quorum_bp) <= BP_SCALE
                && u128::from(threshold_bp) < BP_SCALE;
            if can_be_kept { Ok(()) } else { Err(Error::BadRules) }
        }

        /// Locks tokens of the caller's. The DAO must be approved to take them.
        #[call]
        pub fn lock(&mut self, amount: u128) -> Result<(), Error> {
            must_be_some(amount)?;
            let holder = caller();
            let mut history = self.history_of(holder);
            let total = latest(&history).checked_add(amount).ok_or(Error::AmountTooLarge)?;
            let needed_ms = self.needed_ms();
            set(&mut history, time_ms(), needed_ms, total).ok_or(Error::TooManyChanges)?;
            self.stakes.at(holder).set(&history);
            self.staked.add(amount);
            StakeSet { holder, amount: total }.emit();
            self.imm.token.transfer_from(holder, this(), amount);
            Ok(())
        }

        /// Takes tokens out of the caller's stake. They can be withdrawn after `unlock_ms`, with
        /// those that were unlocked before and not withdrawn.
        #[call]
        pub fn unlock(&mut self, amount: u128) -> Result<(), Error> {
            must_be_some(amount)?;
            let holder = caller();
            let mut history = self.history_of(holder);
            let rest = latest(&history).checked_sub(amount).ok_or(Error::NotEnoughStake)?;
            let needed_ms = self.needed_ms();
            set(&mut history, time_ms(), needed_ms, rest).ok_or(Error::TooManyChanges)?;
            self.stakes.at(holder).set(&history);
            // The sum holds at least each stake.
            self.staked.sub(amount).map_err(|_| Error::NotEnoughStake)?;
            let unlocking = self.unlocking.at(holder);
            let before = unlocking.get_or_default();
            let ready_ms = time_ms().saturating_add(self.imm.rules.unlock_ms);
            // Both were locked, and are in one token's supply.
            unlocking.set(&Unlocking { amount: before.amount + amount, ready_ms });
            StakeSet { holder, amount: rest }.emit();
            Ok(())
        }

        /// Pays the caller what they unlocked, and returns how much.
        #[call]
        pub fn withdraw(&mut self) -> Result<u128, Error> {
            let holder = caller();
            let unlocking = self.unlocking.at(holder);
            let Unlocking { amount, ready_ms } = unlocking.get_or_default();
            if amount == 0 || time_ms() < ready_ms {
                return Err(Error::NothingUnlocked);
            }
            unlocking.remove();
            Withdrawn { holder, amount }.emit();
            self.imm.token.transfer(holder, amount);
            Ok(amount)
        }

        /// Proposes actions under a number that the caller has not used before.
        #[call]
        pub fn propose(
            &mut self,
            number: u64,
            actions: Vec<Action>,
            description: String,
        ) -> Result<(), Error> {
            if actions.is_empty() || actions.len() > ACTIONS_MAX {
                return Err(Error::BadActions);
            }
            let proposer = caller();
            let history = self.history_of(proposer);
            if before(&history, time_ms()) < self.imm.rules.proposer_min {
                return Err(Error::NotEnoughStake);
            }
            let place = self.proposals.at((proposer, number));
            if place.exists() {
                return Err(Error::AlreadyProposed);
            }
            let staked = self.staked.get();
            let (snapshot_ms, status) = (time_ms(), Status::Open);
            place.set(&Proposal { snapshot_ms, staked, status });
            self.actions.at((proposer, number)).set(&actions);
            Proposed { proposal: ProposalId { proposer, number }, staked, description }.emit();
            Ok(())
        }

        /// Puts the caller's stake, as it was when the proposal was made, behind a choice:
        /// [`AGAINST`], [`FOR`] or [`ABSTAIN`].
        #[call]
        pub fn vote(&mut self, proposal: ProposalId, choice: u8) -> Result<(), Error> {
            let voter = caller();
            let Some(made) = self.made(proposal) else {
                return Err(Error::UnknownProposal);
            };
            if self.stage_by_time(&made) != Some(Stage::Voting) {
                return Err(Error::NotVoting);
            }
            if choice > ABSTAIN {
                return Err(Error::UnknownChoice);
            }
            let weight = before(&self.history_of(voter), made.snapshot_ms);
            if weight == 0 {
                return Err(Error::NoWeight);
            }
            let ballot = self.ballots.at((proposal, voter));
            if ballot.exists() {
                return Err(Error::AlreadyVoted);
            }
            ballot.set(&choice);
            self.tallies.at((proposal, choice)).add(weight);
            Voted { proposal, voter, choice, weight }.emit();
            Ok(())
        }

        /// Cancels a proposal that was not executed. Its proposer may, and the guardian.
        #[call]
        pub fn cancel(&mut self, proposal: ProposalId) -> Result<(), Error> {
            let by = caller();
            if by != proposal.proposer && by != self.imm.guardian {
                return Err(Error::NotAllowed);
            }
            let made = self.made(proposal).ok_or(Error::UnknownProposal)?;
            if made.status != Status::Open {
                return Err(Error::Closed);
            }
            self.set_status(proposal, made, Status::Canceled);
            Canceled { proposal, by }.emit();
            Ok(())
        }

        /// Carries out a proposal that passed: all of its actions in their order, or none. Anybody
        /// may.
        // What the actions touch is in storage, as bytes: nobody can know it before.
        #[call]
        #[access(undeclared)]
        pub fn execute(&mut self, proposal: ProposalId) -> Result<(), Error> {
            let actions = self.close(proposal)?;
            for Action { target, method, args } in &actions {
                if let Err(failure) = call::try_raw::<NoError>(target, method, &args.0, 0) {
                    failure.forward();
                }
            }
            Ok(())
        }

        /// The same for a proposal whose actions are all payments, which are given again: so it is
        /// known before what they touch.
        #[call]
        pub fn pay(&mut self, proposal: ProposalId, payments: Vec<Payment>) -> Result<(), Error> {
            let actions = self.close(proposal)?;
            let are_same = actions.len() == payments.len()
                && actions.iter().zip(&payments).all(|(action, payment)| is_for(action, payment));
            if !are_same {
                return Err(Error::OtherPayments);
            }
            for payment in &payments {
                payment.token.transfer(payment.to, payment.amount);
            }
            Ok(())
        }

        /// What a holder has locked now.
        #[view]
        pub fn stake_of(&self, holder: Address) -> u128 {
            latest(&self.history_of(holder))
        }

        /// What a holder unlocked and has not withdrawn.
        #[view]
        pub fn unlocking_of(&self, holder: Address) -> Unlocking {
            self.unlocking.at(holder).get_or_default()
        }

        /// What all have locked together.
        #[view]
        pub fn staked(&self) -> u128 {
            self.staked.get()
        }

        /// What a holder's vote on a proposal weighs.
        #[view]
        pub fn weight_of(&self, proposal: ProposalId, holder: Address) -> u128 {
            let made = self.made(proposal);
            made.map_or(0, |made| before(&self.history_of(holder), made.snapshot_ms))
        }

        /// The weight behind a choice.
        #[view]
        pub fn tally(&self, proposal: ProposalId, choice: u8) -> u128 {
            self.tally_of(proposal, choice)
        }

        /// What a voter chose, if they voted.
        #[view]
        pub fn choice_of(&self, proposal: ProposalId, voter: Address) -> Option<u8> {
            self.ballots.at((proposal, voter)).get()
        }

        /// What a proposal would do.
        #[view]
        pub fn actions_of(&self, proposal: ProposalId) -> Vec<Action> {
            self.actions.at((proposal.proposer, proposal.number)).get_or_default()
        }

        /// Where a proposal is on its way.
        #[view]
        pub fn stage(&self, proposal: ProposalId) -> Stage {
            match self.made(proposal) {
                None => Stage::Unknown,
                Some(made) => match self.stage_by_time(&made) {
                    Some(stage) => stage,
                    None => self.stage_by_votes(proposal, &made),
                },
            }
        }

        // Functions of their own, since each copy of what a cell does is some hundred bytes of Wasm.

        #[inline(never)]
        fn made(&self, proposal: ProposalId) -> Option<Proposal> {
            self.proposals.at((proposal.proposer, proposal.number)).get()
        }

        #[inline(never)]
        fn set_status(&mut self, proposal: ProposalId, made: Proposal, status: Status) {
            let place = self.proposals.at((proposal.proposer, proposal.number));
            place.set(&Proposal { status, ..made });
        }

        #[inline(never)]
        fn tally_of(&self, proposal: ProposalId, choice: u8) -> u128 {
            self.tallies.at((proposal, choice)).get()
        }

        #[inline(never)]
        fn history_of(&self, holder: Address) -> Vec<Checkpoint> {
            self.stakes.at(holder).get_or_default()
        }

        /// Marks a proposal that may be executed now as executed, and gives its actions.
        fn close(&mut self, proposal: ProposalId) -> Result<Vec<Action>, Error> {
            let made = self.made(proposal).ok_or(Error::UnknownProposal)?;
            match self.stage_by_time(&made) {
                None => {}
                Some(Stage::Canceled | Stage::Executed) => return Err(Error::Closed),
                Some(_) => return Err(Error::TooEarly),
            }
            match self.stage_by_votes(proposal, &made) {
                Stage::Ready => {}
                Stage::QuorumMissed => return Err(Error::QuorumMissed),
                Stage::Defeated => return Err(Error::Defeated),
                Stage::Expired => return Err(Error::Expired),
                _ => return Err(Error::TooEarly),
            }
            // Before the actions, so that none of them finds it open.
            self.set_status(proposal, made, Status::Executed);
            let actions = self.actions.at((proposal.proposer, proposal.number)).get_or_default();
            Executed { proposal, actions: actions.len() as u32 }.emit();
            Ok(actions)
        }

        /// The stage, while it does not depend on votes.
        #[inline(never)]
        fn stage_by_time(&self, made: &Proposal) -> Option<Stage> {
            let rules = self.imm.rules;
            let opens_ms = made.snapshot_ms.saturating_add(rules.voting_delay_ms);
            let now_ms = time_ms();
            match made.status {
                Status::Canceled => Some(Stage::Canceled),
                Status::Executed => Some(Stage::Executed),
                Status::Open if now_ms < opens_ms => Some(Stage::Pending),
                Status::Open if now_ms < opens_ms.saturating_add(rules.voting_ms) => {
                    Some(Stage::Voting)
                }
                Status::Open => None,
            }
        }

        /// The stage after the last vote.
        #[inline(never)]
        fn stage_by_votes(&self, proposal: ProposalId, made: &Proposal) -> Stage {
            let against = self.tally_of(proposal, AGAINST);
            let approving = self.tally_of(proposal, FOR);
            let abstaining = self.tally_of(proposal, ABSTAIN);
            let rules = self.imm.rules;
            // Sums of stakes, which are in one token's supply.
            let quorum = mul_wide(made.staked, rules.quorum_bp.into());
            if mul_wide(approving + abstaining, BP_SCALE) < quorum {
                return Stage::QuorumMissed;
            }
            let threshold = mul_wide(approving + against, rules.threshold_bp.into());
            if mul_wide(approving, BP_SCALE) <= threshold {
                return Stage::Defeated;
            }
            let ready_ms = (made.snapshot_ms)
                .saturating_add(rules.voting_delay_ms)
                .saturating_add(rules.voting_ms)
                .saturating_add(rules.timelock_ms);
            let now_ms = time_ms();
            if now_ms < ready_ms {
                Stage::Timelocked
            } else if now_ms < ready_ms.saturating_add(rules.grace_ms) {
                Stage::Ready
            } else {
                Stage::Expired
            }
        }

        /// The earliest snapshot that a vote from now on may need.
        fn needed_ms(&self) -> u64 {
            let rules = self.imm.rules;
            let longest_ms = rules.voting_delay_ms.saturating_add(rules.voting_ms);
            time_ms().saturating_sub(longest_ms)
        }
    }

    /// Whether an action is this payment.
    fn is_for(action: &Action, payment: &Payment) -> bool {
        let mut args = Vec::new();
        (payment.to, payment.amount).encode(&mut args);
        action.target == payment.token.0 && action.method == "transfer" && action.args.0 == args
    }

    fn must_be_some(amount: u128) -> Result<(), Error> {
        if amount > 0 { Ok(()) } else { Err(Error::ZeroAmount) }
    }
}
