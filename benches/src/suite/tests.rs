//! Small runs of everything.

use super::*;
use crate::contracts::expect_success;
use crate::turns::TurnOptions;
use std::collections::BTreeSet;
use tollway::Compiler;
use tollway::oracle::Oracle;
use tollway::{Config, Runtime};
use tollway_contracts_wasm::{ALL, TOKEN};

fn options(only: &[&str], declared: Declared) -> SuiteOptions {
    SuiteOptions {
        turns: TurnOptions {
            threads: vec![1, 2, 4],
            blocks: 2,
            compiler: Compiler::default(),
            traced: false,
        },
        block_calls: 1_000,
        only: only.iter().map(|name| (*name).to_owned()).collect(),
        declared,
        users: 300,
    }
}

#[test]
fn everything_runs_together_on_any_number_of_threads() {
    let report = run(&options(&[], Declared::AsWritten), &|_, _| {}).unwrap();
    assert_eq!(report.records.len(), 3);
    // `run` compares states; a block that nobody could run beside others would show here.
    assert!(report.records[2].speedup_possible > 2.0, "{:?}", report.trace.hot_keys.first());
    assert_eq!(report.trace.plan.undeclared, 0);
}

#[test]
fn the_oracle_agrees_on_the_mixed_block() {
    let config = Config { threads: 4, ..Config::default() };
    let (mut world, blocks) = drawn(config, &[], 300, 2, 400).unwrap();
    for calls in blocks {
        let block = world.block(calls);
        let mut oracle = Oracle::new(world.runtime());
        let expected = oracle.execute(&block);
        let outcome = world.runtime_mut().execute(&block).unwrap();
        assert_eq!(outcome.receipts, expected);
        world.runtime_mut().commit(outcome.batch).unwrap();
        assert_eq!(world.runtime().state_root().unwrap(), oracle.state_root());
    }
}

#[test]
fn without_adds_payments_to_one_shop_wait_for_each_other() {
    let chain = |declared| {
        let report = run(&options(&["token"], declared), &|_, _| {}).unwrap();
        report.trace.plan.critical_path_calls
    };
    assert_eq!(chain(Declared::AsWritten), 1);
    assert!(chain(Declared::AddsAsWrites) > 50);
}

#[test]
fn without_immutables_swaps_run_one_after_another() {
    let undeclared = |name, declared| {
        run(&options(&[name], declared), &|_, _| {}).unwrap().trace.plan.undeclared
    };
    assert_eq!(undeclared("pair", Declared::AsWritten), 0);
    assert_eq!(undeclared("pair", Declared::WithoutImmutables), 1_000);
    assert_eq!(undeclared("token", Declared::WithoutImmutables), 0, "only its owner is one");
}

#[test]
fn weights_are_thousandths_and_names_are_of_contracts() {
    assert_eq!(KINDS.iter().map(|kind| kind.weight).sum::<u32>(), 1_000);
    let names: BTreeSet<_> = KINDS.iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), KINDS.len(), "each once");
    for name in &names {
        assert!(ALL.iter().any(|(contract, _)| contract == name), "there is no contract {name}");
    }
    for Ablation { kind, of, .. } in ABLATIONS {
        assert!(names.contains(of) && !names.contains(kind.name));
    }
}

/// Of every kind, also of those that use something up, there are as many calls as a block may have of
/// it, and more.
#[test]
fn every_kind_works_alone() {
    for kind in KINDS.iter().chain(ABLATIONS.iter().map(|ablation| &ablation.kind)) {
        let only = [kind.name.to_owned()];
        let config = Config { threads: 2, ..Config::default() };
        let (mut world, blocks) = drawn(config, &only, 300, 3, 1_500).unwrap();
        for calls in blocks {
            let block = world.block(calls);
            let outcome = world.runtime_mut().execute(&block).unwrap();
            expect_success(&block, &outcome.receipts)
                .unwrap_or_else(|error| panic!("{}: {error:#}", kind.name));
            world.runtime_mut().commit(outcome.batch).unwrap();
        }
    }
}

#[test]
fn one_shard_makes_swaps_wait_that_many_do_not() {
    let chain = |name| {
        let report = run(&options(&[name], Declared::AsWritten), &|_, _| {}).unwrap();
        report.trace.plan.critical_path_calls
    };
    let [Ablation { kind, of, .. }] = ABLATIONS else { panic!("there is one") };
    assert_eq!(chain(kind.name), 1_000);
    assert!(chain(of) < 150);
}

#[test]
fn a_name_that_nothing_has_is_told() {
    let error = run(&options(&["tokn"], Declared::AsWritten), &|_, _| {}).unwrap_err();
    assert!(error.to_string().contains("nothing of the suite is named tokn"), "{error}");
}

#[test]
fn access_sections_are_replaced_and_nothing_else() {
    let mut runtime = Runtime::new(Config::default()).unwrap();
    let changed = without_adds(TOKEN).unwrap();
    let [own, other] = [TOKEN, &changed].map(|wasm| runtime.upload(wasm).unwrap());
    let [own, other] = [own, other].map(|hash| runtime.code(&hash).unwrap().abi.clone());
    assert_eq!(own.methods.len(), other.methods.len());
    assert!(format!("{own:?}").contains("mode: Add"));
    assert!(!format!("{other:?}").contains("mode: Add"));
    assert_eq!(own.storage, other.storage);
    without_adds(b"no module").unwrap_err();
}
