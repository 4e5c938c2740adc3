use super::access::{AccessOptions, AccessPoint, AccessRecord, AccessSummary};
use super::swaps::{SwapsOptions, SwapsReport};
use crate::access::{self, RecordedBlock, RecordedCall, Rule, Touch};
use crate::contracts::{OPERATOR, call, instantiate, next_block};
use crate::scaling::{Check, WORKERS};
use crate::schedule::Graph;
use crate::table::tests::Scratch;
use crate::v2;
use crate::v2::tests::{HEADER, line};
use std::path::{Path, PathBuf};
use tollway::oracle::Oracle;
use tollway::{Config, Receipt, Runtime};
use tollway_contracts_wasm::SYNTHETIC;

/// The real files, if this checkout has them beside it.
fn real_files() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mainnet");
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: no recorded blocks at {}", path.display());
    None
}

fn replay_lines(lines: &[String]) -> SwapsReport {
    let scratch = Scratch::new();
    let text = format!("{HEADER}\n{}\n", lines.join("\n"));
    let swaps = v2::read(&scratch.write("s.csv", text.as_bytes())).unwrap();
    let options = SwapsOptions { threads: 2, ..SwapsOptions::default() };
    super::swaps::run(&swaps, &options, &|_, _| {}).unwrap()
}

/// Replays lines, expects so many exact and explained ones, and these reasons for the others.
fn check_swaps(lines: &[String], exact: usize, explained: usize, reasons: &[(u64, &str)]) {
    let report = replay_lines(lines);
    let found: Vec<_> = report.mismatches.iter().map(|m| (m.line, m.reason.as_str())).collect();
    assert_eq!(found, reasons);
    assert_eq!((report.rows, report.exact, report.explained), (lines.len(), exact, explained));
    assert_eq!(report.mismatched, reasons.len());
    assert_eq!(report.state_root, report.oracle_root);
    assert_eq!(report.is_success(), reasons.is_empty());
}

const IN: [u128; 4] = [1_000, 0, 0, 1_992];
const AFTER: [u128; 2] = [1_001_000, 1_998_008];

#[test]
fn swaps_of_every_fit_are_as_recorded() {
    let swap =
        |log, out, fit: &str| line(log, [1_000, 0, 0, out], [1_001_000, 2_000_000 - out], fit);
    check_swaps(
        &[
            swap(1, 1_992, "30,both,1"),
            swap(2, 1_989, ",slack,1"),
            swap(3, 1_998, ",below_30bp,0"),
            swap(4, 1_998, "0,both,0"),
            line(5, [1_000, 5, 0, 1_992], [1_001_000, 1_998_013], ",two_sided,1"),
            swap(6, 1_991, "30,in,1"),
        ],
        3,
        3,
        &[],
    );
}

#[test]
fn successive_swaps_go_on_from_each_other() {
    let first = line(1, IN, AFTER, "30,both,1");
    let second = line(2, [0, 500, 249, 0], [1_000_751, 1_998_508], "30,out,1")
        .replace("1000000,2000000", "1001000,1998008");
    check_swaps(&[first, second], 2, 0, &[]);
}

#[test]
fn swaps_that_are_not_as_recorded_are_found() {
    check_swaps(
        &[
            line(1, IN, AFTER, "30,both,1"),
            line(2, IN, [1_001_000, 1_998_009], "30,both,1"),
            line(3, IN, AFTER, "30,both,0"),
            line(4, IN, AFTER, "100,both,1"),
        ],
        1,
        0,
        &[
            (3, "reserve 1 before + in - out is not the one after"),
            (4, "k_holds_30bp should be 1"),
            (5, "Both does not fit with fee_bp Some(100)"),
        ],
    );
}

#[test]
fn real_swaps_are_as_recorded() {
    let Some(directory) = real_files() else { return };
    let swaps = v2::read(&directory.join("v2_swaps.csv")).unwrap();
    for threads in [1, 2, 4] {
        let options = SwapsOptions { threads, ..SwapsOptions::default() };
        let report = super::swaps::run(&swaps, &options, &|_, _| {}).unwrap();
        println!("{report:?}");
        assert!(report.is_success());
        assert_eq!((report.rows, report.exact, report.explained), (410, 375, 35));
    }
}

fn recorded() -> RecordedBlock {
    let call = |gas_used, touches| RecordedCall { gas_used, touches };
    let calls = vec![
        call(21_000, vec![(0, Touch::Update), (9, Touch::Fee)]),
        call(50_000, vec![(1, Touch::Write), (9, Touch::Fee)]),
        call(30_000, vec![(0, Touch::Read), (2, Touch::Increment), (9, Touch::Fee)]),
        call(40_000, vec![(2, Touch::Grow), (9, Touch::Fee)]),
        call(60_000, vec![(2, Touch::Read), (1, Touch::Debit), (9, Touch::Fee)]),
    ];
    RecordedBlock { block: 7, keys: 10, calls }
}

fn replay_blocks(blocks: &[RecordedBlock], rule: Rule, threads: usize) -> Vec<AccessRecord> {
    let options = AccessOptions { threads, rule, repeats: 1, ..AccessOptions::default() };
    let mut handed_out = Vec::new();
    let mut take = |record: &AccessRecord| {
        handed_out.push(record.clone());
        Ok(())
    };
    let records = super::access::run(blocks, &options, &mut take, &|_, _| {}).unwrap();
    assert_eq!(handed_out, records);
    records
}

#[test]
fn recorded_patterns_run_as_the_oracle_says() {
    for (rule, calls, gas) in
        [(Rule::All, 5, 201_000), (Rule::Nofee, 4, 151_000), (Rule::Credit, 3, 111_000)]
    {
        for threads in [1, 2, 4] {
            let records = replay_blocks(&[recorded(), recorded()], rule, threads);
            assert_eq!(records.len(), 2);
            for record in records {
                assert_eq!((record.block, record.calls, record.gas_total), (7, 5, 201_000));
                assert_eq!(record.critical_path_calls, calls, "{rule}");
                assert_eq!(record.critical_path_gas, gas, "{rule}");
                assert!(record.serial_ms > 0.0 && record.parallel_ms > 0.0);
                let ideal = Graph::new(&recorded().tasks(rule)).speedup(threads);
                let reached = record.serial_ms / record.parallel_ms / ideal;
                assert_eq!(record.reached_of_ideal, reached);
                let points = record.simulated.iter().map(|point| point.workers);
                let expected = if threads == 1 { &[][..] } else { &WORKERS };
                assert_eq!(points.collect::<Vec<_>>(), expected);
                let checked = record.checks.iter().map(|check| check.threads);
                let expected = if threads == 1 { vec![] } else { vec![1, threads] };
                assert_eq!(checked.collect::<Vec<_>>(), expected);
            }
        }
    }
}

fn record(gas_total: u64, reached_of_ideal: f64, quiet: bool) -> AccessRecord {
    let mut record = replay_blocks(&[recorded()], Rule::Credit, 1).remove(0);
    let point = |workers| AccessPoint { workers, speedup: reached_of_ideal, ideal_speedup: 9.0 };
    let check = Check::new(2, vec![(1.0, quiet)], 1.0 - reached_of_ideal / 10.0);
    record.simulated = vec![point(2), point(32)];
    record.checks = vec![check.clone(), check];
    AccessRecord { gas_total, reached_of_ideal, quiet, ..record }
}

#[test]
fn summaries_are_weighted_by_gas() {
    let options = AccessOptions { rule: Rule::Credit, ..AccessOptions::default() };
    assert_eq!(AccessSummary::new(&[], &options), None);
    // Up to 0.8, which comes third, blocks have half of the gas.
    let records =
        [record(6, 0.9, false), record(2, 0.5, true), record(3, 0.7, true), record(1, 0.8, true)];
    let summary = AccessSummary::new(&records, &options).unwrap();
    assert_eq!((summary.blocks, summary.quiet_blocks, summary.threads), (4, 3, 2));
    assert_eq!(summary.reached_of_ideal, 0.8);
    assert_eq!(summary.reached_of_ideal_quiet, Some(0.7));
    assert_eq!(summary.simulated[1], AccessPoint { workers: 32, speedup: 0.8, ideal_speedup: 9.0 });
    assert!(summary.simulation_errors.iter().all(|error| (error - 0.07).abs() < 1e-9));
    let noisy = [record(6, 0.9, false)];
    let summary = AccessSummary::new(&noisy, &options).unwrap();
    assert_eq!((summary.reached_of_ideal, summary.reached_of_ideal_quiet), (0.9, None));
}

#[test]
fn receipts_that_differ_from_the_oracles_are_an_error() {
    let mut runtime = Runtime::new(Config { threads: 1, ..Config::default() }).unwrap();
    let code = runtime.upload(SYNTHETIC).unwrap();
    let contract = instantiate(&mut runtime, code, 0, ()).unwrap();
    let args = (vec![1u32], vec![2u32], Vec::<u32>::new(), 5u64);
    let block = next_block(&runtime, vec![call(OPERATOR, contract, "run", args)]);
    let receipts = runtime.execute(&block).unwrap().receipts;
    let check = |receipts: &[Receipt]| {
        super::expect_equal(&mut Oracle::new(&runtime), &block, receipts).is_ok()
    };
    assert!(check(&receipts));
    assert!(!check(&[]));
    let mut tampered = receipts.clone();
    tampered[0].gas_used.0 += 1;
    assert!(!check(&tampered));
}

#[test]
fn real_patterns_run_as_the_oracle_says() {
    let Some(directory) = real_files() else { return };
    let blocks = access::read(&directory, &|_, _| {}).unwrap();
    // An old block of transfers, one of many swaps, a recent one.
    let picked = [4_370_000, 15_274_915, 22_615_247];
    let blocks: Vec<_> =
        blocks.into_iter().filter(|recorded| picked.contains(&recorded.block)).collect();
    assert_eq!(blocks.len(), picked.len());
    for rule in Rule::ALL {
        println!("{:?}", replay_blocks(&blocks, rule, 2));
    }
}

#[test]
fn records_are_json_with_the_promised_names() {
    let records = replay_blocks(&[recorded()], Rule::Credit, 2);
    let json = serde_json::to_value(&records[0]).unwrap();
    let names: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let mut promised = [
        "block",
        "calls",
        "gas_total",
        "critical_path_calls",
        "critical_path_gas",
        "ideal_speedup",
        "serial_ms",
        "parallel_ms",
        "quiet",
        "reached_of_ideal",
        "checks",
        "simulated",
    ];
    promised.sort_unstable();
    assert_eq!(names, promised);
    let ideal = json["ideal_speedup"].as_object().unwrap();
    assert_eq!(ideal.keys().collect::<Vec<_>>(), ["2", "32", "8", "inf"]);
}
