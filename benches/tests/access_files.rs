//! Chains of the recorded blocks, recomputed from the files by a few lines that share nothing with
//! the library: what a script would do.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use flate2::read::GzDecoder;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use tollway_benches::access::{self, Rule};
use tollway_benches::schedule::Graph;

fn columns(path: &Path) -> Vec<Vec<String>> {
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text.lines().skip(1).map(|line| line.split(',').map(String::from).collect()).collect()
}

/// For each block: calls of the longest chain, and gas of the costliest.
fn chains(directory: &Path, rule: Rule) -> BTreeMap<u64, [u64; 2]> {
    let mut accesses: BTreeMap<(u64, u64), Vec<(u64, char)>> = BTreeMap::new();
    for row in columns(&directory.join("access.csv.gz")) {
        let [block, tx, key] = [0, 1, 2].map(|column| row[column].parse().unwrap());
        let mode = match (rule, row[3].as_str()) {
            (_, "r") => 'r',
            (Rule::Nofee, "f") => continue,
            (Rule::Credit, "i" | "g" | "f") => 'a',
            _ => 'w',
        };
        accesses.entry((block, tx)).or_default().push((key, mode));
    }
    let mut longest: BTreeMap<u64, [u64; 2]> = BTreeMap::new();
    // Chains that end in the value of each key: by its last write, or by an add since.
    let mut ends: BTreeMap<(u64, u64), [u64; 2]> = BTreeMap::new();
    for row in columns(&directory.join("txs.csv.gz")) {
        let [block, tx, gas] = [0, 1, 5].map(|column| row[column].parse().unwrap());
        let touched = accesses.remove(&(block, tx)).unwrap_or_default();
        let mut chain = [0, 0];
        for (key, mode) in &touched {
            let end = ends.get(&(block, *key)).copied().unwrap_or_default();
            if *mode != 'a' {
                chain = [chain[0].max(end[0]), chain[1].max(end[1])];
            }
        }
        chain = [chain[0] + 1, chain[1] + gas];
        for (key, mode) in touched {
            let end = ends.entry((block, key)).or_default();
            match mode {
                'w' => *end = chain,
                'a' => *end = [end[0].max(chain[0]), end[1].max(chain[1])],
                _ => {}
            }
        }
        let most = longest.entry(block).or_default();
        *most = [most[0].max(chain[0]), most[1].max(chain[1])];
    }
    longest
}

#[test]
fn chains_are_those_of_a_script() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mainnet");
    if !directory.is_dir() {
        println!("skipped: no recorded blocks at {}", directory.display());
        return;
    }
    let blocks = access::read(&directory, &|_, _| {}).unwrap();
    for rule in Rule::ALL {
        let expected = chains(&directory, rule);
        let found: BTreeMap<u64, [u64; 2]> = blocks
            .iter()
            .map(|recorded| {
                let graph = Graph::new(&recorded.tasks(rule));
                let calls = graph.critical_path_calls().into();
                (recorded.block, [calls, graph.critical_path_cost()])
            })
            .collect();
        assert_eq!(found, expected, "rule {rule}");
    }
}
