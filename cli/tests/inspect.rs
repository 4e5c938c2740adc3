//! What `tollway inspect --conflicts` shows of two contracts, letter by letter.
//!
//! After a change of a contract or of the picture, run with `TOLLWAY_GOLDEN=update` and look at what
//! became of the files.

mod support;

use std::path::Path;
use support::{json_lines, prints};

fn check(file: &str, args: &[&str]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    let found = prints(args);
    if std::env::var_os("TOLLWAY_GOLDEN").is_some_and(|what| what == "update") {
        return std::fs::write(&path, found).expect("the folder is there");
    }
    let expected = std::fs::read_to_string(&path).expect("the file is there");
    assert!(found == expected, "{file} is not what is printed now:\n{found}");
}

#[test]
fn token_is_shown_as_it_was() {
    check("conflicts-token.txt", &["inspect", "token", "--conflicts"]);
}

#[test]
fn pair_is_shown_as_it_was() {
    check("conflicts-pair.txt", &["inspect", "pair", "--with", "token", "--conflicts"]);
}

#[test]
fn programs_get_the_same() {
    let documents = json_lines(&["inspect", "pair", "--conflicts", "--json"]);
    let pairs = documents[0]["pairs"].as_array().expect("a list");
    let signs = |a: &str, b: &str| {
        let pair = pairs.iter().find(|pair| pair["a"] == a && pair["b"] == b);
        pair.expect("every pair is there once")["signs"].to_string()
    };
    assert_eq!(signs("add_liquidity", "swap"), "[\"■\"]");
    assert_eq!(signs("swap", "shares_of"), "[]");
    assert_eq!(documents[0]["lints"][0]["at"], "pair.total_shares");
}
