use super::*;
use crate::schedule::{Graph, naive};
use crate::table::tests::Scratch;

const TXS: &str = "\
block,tx,type,status,gas_limit,gas_used,from,to,value_wei,nonce,calldata_bytes,selector,logs,transfers,v2_swaps,v3_swaps
7,0,0,1,90000,21000,0xa,0xb,0,0,0,,0,0,0,0
7,1,0,1,90000,30000,0xa,0xb,0,1,0,,0,0,0,0
9,0,0,1,90000,40000,0xa,0xb,0,2,0,,0,0,0,0
";
const KEYS: &str = "block,key,kind,address,slot\n7,0,B,0xa,\n7,1,S,0xb,5\n9,0,F,0xc,\n";
const ACCESS: &str =
    "block,tx,key,mode,changed,own\n7,0,1,r,0,0\n7,0,0,i,1,0\n7,1,0,x,1,1\n9,0,0,f,1,0\n";

fn read_texts(txs: &str, keys: &str, access: &str) -> Result<Vec<RecordedBlock>, String> {
    let scratch = Scratch::new();
    scratch.write("txs.csv.gz", txs.as_bytes());
    scratch.write("keys.csv.gz", keys.as_bytes());
    scratch.write("access.csv.gz", access.as_bytes());
    let directory = format!("{}/", scratch.0.display());
    read(&scratch.0, &|_, _| {}).map_err(|error| error.to_string().replace(&directory, ""))
}

/// Reads the three files with one piece of one of them replaced, and expects this error.
fn check(file: &str, from: &str, to: &str, expected: &str) {
    let text = |name: &str, text: &str| match name == file {
        true => {
            assert!(text.contains(from), "{from:?} is in {name}");
            text.replacen(from, to, 1)
        }
        false => text.to_string(),
    };
    let found = read_texts(&text("txs", TXS), &text("keys", KEYS), &text("access", ACCESS));
    assert_eq!(found, Err(expected.to_string()));
}

#[test]
fn three_files_make_blocks() {
    let blocks = read_texts(TXS, KEYS, ACCESS).unwrap();
    let first = RecordedBlock {
        block: 7,
        keys: 2,
        calls: vec![
            RecordedCall {
                gas_used: 21_000,
                touches: vec![(1, Touch::Read), (0, Touch::Increment)],
            },
            RecordedCall { gas_used: 30_000, touches: vec![(0, Touch::Update)] },
        ],
    };
    assert_eq!(blocks.len(), 2);
    assert_eq!(blocks[0], first);
    assert_eq!((blocks[1].block, blocks[1].gas_total()), (9, 40_000));
}

#[test]
fn rules_give_modes() {
    let blocks = read_texts(TXS, KEYS, ACCESS).unwrap();
    let modes = |block: usize, rule| blocks[block].tasks(rule).swap_remove(0).accesses;
    assert_eq!(modes(0, Rule::All), [(0, Mode::Write), (1, Mode::Read)]);
    assert_eq!(modes(0, Rule::Credit), [(0, Mode::Add), (1, Mode::Read)]);
    assert_eq!(modes(1, Rule::All), [(0, Mode::Write)]);
    assert_eq!(modes(1, Rule::Nofee), []);
    assert_eq!(modes(1, Rule::Credit), [(0, Mode::Add)]);
}

#[test]
fn wrong_lines_are_named() {
    check("txs", "7,1,", "7,2,", "txs.csv.gz:3: tx is 2, expected 1");
    check("txs", "7,1,", "6,0,", "txs.csv.gz:3: block is 6, expected 7 or more");
    check(
        "txs",
        "30000",
        "-3",
        "txs.csv.gz:3: gas_used is \"-3\", expected a decimal number that fits u64",
    );
    check("txs", "9,0,0,1,", "9,0,0,", "txs.csv.gz:4: expected 16 columns, found 15");
    check("keys", "7,1,S", "7,3,S", "keys.csv.gz:3: key is 3, expected 1");
    check("keys", "7,1,S", "7,1,Q", "keys.csv.gz:3: kind is \"Q\", expected one of S, B, N, C, F");
    check("keys", "9,0,F", "8,0,F", "keys.csv.gz:4: block 8 is not in txs.csv.gz");
    check("access", "7,1,0,x", "7,1,2,x", "access.csv.gz:4: key 2 is not in keys.csv.gz");
    check("access", "7,1,0,x", "7,2,0,x", "access.csv.gz:4: tx 2 is not in txs.csv.gz");
    check(
        "access",
        "7,1,0,x",
        "7,1,0,q",
        "access.csv.gz:4: mode is \"q\", expected one of r, w, x, i, g, d, f",
    );
    check("access", "7,0,1,r", "7,1,1,r", "access.csv.gz:3: tx is 0, expected 1 or more");
    check("access", "7,0,1,r", "9,0,0,r", "access.csv.gz:3: block is 7, expected 9 or more");
    check("access", "9,0,0,f", "9,0,f", "access.csv.gz:5: expected 6 columns, found 5");
}

/// The real files, if this checkout has them beside it.
fn real_files() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mainnet");
    if path.join("access.csv.gz").is_file() {
        return Some(path);
    }
    println!("skipped: no recorded blocks at {}", path.display());
    None
}

/// Chains of the real blocks, against the quadratic recomputation.
#[test]
fn real_chains_equal_the_naive_ones() {
    let Some(directory) = real_files() else {
        return;
    };
    for recorded in read(&directory, &|_, _| {}).unwrap() {
        for rule in Rule::ALL {
            let tasks = recorded.tasks(rule);
            let graph = Graph::new(&tasks);
            let waits = naive::waits(&tasks);
            let gas: Vec<u64> = recorded.calls.iter().map(|call| call.gas_used).collect();
            let name = format!("block {} rule {rule}", recorded.block);
            assert_eq!(graph.critical_path_cost(), naive::chains(&waits, &gas).0, "{name}");
            let calls = naive::chains(&waits, &vec![1; gas.len()]).0;
            assert_eq!(u64::from(graph.critical_path_calls()), calls, "{name}");
            assert_eq!(graph.cost_total(), recorded.gas_total(), "{name}");
        }
    }
}

/// Our edges lie between those of two published models, and so do our chains: under `mvcc`, writes
/// wait for nobody unless they read; under `lock`, writes also wait for readers, and so do adds.
#[test]
fn real_chains_lie_between_the_published_ones() {
    let Some(directory) = real_files() else {
        return;
    };
    let columns = &[
        "block",
        "fork",
        "txs",
        "gas",
        "rule",
        "model",
        "largest_component_share",
        "edges",
        "cp_txs",
        "cp_gas",
        "unit_inf",
        "unit_2",
        "unit_8",
        "unit_32",
        "gas_inf",
        "gas_2",
        "gas_8",
        "gas_32",
    ];
    let recorded = read(&directory, &|_, _| {}).unwrap();
    let mut table = Table::open(&directory.join("block_stats.csv"), columns).unwrap();
    let mut compared = 0;
    while let Some(row) = table.next_row().unwrap() {
        let rule = match row.text("rule") {
            "all" => Rule::All,
            "nofee" => Rule::Nofee,
            "nofee_credit" => Rule::Credit,
            _ => continue,
        };
        let number: u64 = row.number("block").unwrap();
        let block = recorded.iter().find(|recorded| recorded.block == number).unwrap();
        let graph = Graph::new(&block.tasks(rule));
        let ours = (graph.critical_path_calls(), graph.critical_path_cost());
        let theirs = (row.number("cp_txs").unwrap(), row.number("cp_gas").unwrap());
        let name = format!("block {number} rule {rule} {}", row.text("model"));
        assert_eq!(graph.cost_total(), row.number::<u64>("gas").unwrap(), "{name}");
        match row.text("model") {
            "mvcc" => assert!(ours.0 >= theirs.0 && ours.1 >= theirs.1, "{name}"),
            "lock" => assert!(ours.0 <= theirs.0 && ours.1 <= theirs.1, "{name}"),
            _ => continue,
        }
        if rule == Rule::All {
            assert_eq!(ours.0 as usize, block.calls.len(), "{name}");
        }
        compared += 1;
    }
    assert_eq!(compared, 3 * 2 * recorded.len());
}
