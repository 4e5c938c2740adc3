//! Roots and proofs that must never change, and `docs/state-root.md` held to them.

use tollway_state_tree::{Hash, KeyDigest, LEAF_MAX, Pair, Path, Prefix, Root, Tree};

const SPECIFICATION: &str = include_str!("../../../docs/state-root.md");

/// Key i is i in 4 bytes, its value i² in 8, both little-endian.
fn key(i: u32) -> [u8; 4] {
    i.to_le_bytes()
}

fn value(i: u32) -> [u8; 8] {
    (u64::from(i) * u64::from(i)).to_le_bytes()
}

fn tree(keys: u32) -> Tree {
    Tree::from_entries((0..keys).map(|i| (key(i), value(i))).collect::<Vec<_>>())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Asserts that the specification has this line.
fn specified(line: &str) {
    assert!(SPECIFICATION.lines().any(|found| found == line), "not specified: {line}");
}

#[test]
fn roots() {
    for (keys, root) in [
        (0, "e106067656ac1b71c1f85cca15828d6df931b8e2a67c4d3b69133eb0531c70ea"),
        (1, "ec076c7fd6f3cbdbc1291b87174d12201b20ccf7f8514a4d741f7272b9688ac2"),
        (10, "ce8be003b81f6a869dfbb1b27a94bcfc3ddeb851684b208586adbd27b2538f96"),
        (1000, "c01f9b0a245a7aaf8826742bbbec709e69098124b7bb35e5b1d2c8fe1c02a646"),
    ] {
        assert_eq!(tree(keys).root().to_string(), root);
        specified(&format!("{:<21}{root}", format!("n = {keys}")));
    }
    assert_eq!(Root::empty(), tree(0).root());
}

/// Bytes of proofs, by their BLAKE3 hash where they are long.
#[test]
fn proofs() {
    assert_eq!(hex(&tree(0).prove(&[&key(3)]).to_bytes()), "01010000000000000000");
    let bytes = tree(1000).prove(&[&key(3), &key(500), &key(1000)]).to_bytes();
    assert_eq!(
        blake3::hash(&bytes).to_string(),
        "95d28a5b1756b2daf664d1dca003b0bf9d89e6e7508bd72233abcffc9e886d9f"
    );
}

#[test]
fn worked_example() {
    let digest = KeyDigest::of(&key(3));
    specified(&format!("key 3                {}", hex(&key(3))));
    specified(&format!("value                {}", hex(&value(3))));
    specified(&format!("digest(key)          {digest}"));
    specified(&format!("path(key)            {}", digest.path()));
    specified(&format!("entry(key, value)    {}", digest.entry(&value(3))));

    let tree = tree(10);
    let mut pairs: Vec<(Pair, u32)> = (0..10).map(|i| (Pair::of(&key(i), &value(i)), i)).collect();
    pairs.sort();
    pairs.iter().for_each(|(pair, i)| specified(&format!("{i}  {} {}", pair.path, pair.entry)));

    let prefix = |bit: u8| Prefix::new(Path([bit << 7; 16]), 1).expect("one bit");
    let sibling = |bit: u8| tree.chunk(prefix(bit)).expect("a node").proof.siblings[0];
    let (left, right): (Hash, Hash) = (sibling(1), sibling(0));
    specified(&format!("left leaf            {left}"));
    specified(&format!("right leaf           {right}"));
    specified(&format!("root                 {}", tree.root()));

    let proof = tree.prove(&[&key(3)]);
    assert_eq!(proof, tree.prove(&[&key(11)]));
    let six: Vec<u8> = pairs[..6].iter().flat_map(|(pair, _)| pair.to_bytes()).collect();
    let bytes = [&[1, 1, 0, 0, 0, 1, 6, 0, 0, 0], &six[..], &right.0].concat();
    assert_eq!(proof.to_bytes(), bytes);
    specified("01 01000000          version, one leaf");
    specified("01 06000000          depth 1, six pairs: the first six lines above, 288 bytes");
    specified(&right.to_string());

    let chunk = tree.chunk(prefix(1)).expect("a node");
    assert_eq!(chunk.len, 4);
    assert_eq!(hex(&chunk.proof.to_bytes()), format!("0180{}{left}", "00".repeat(15)));
    specified(&format!("01 80{}", "00".repeat(15)));
    specified(&left.to_string());
}

#[test]
fn numbers() {
    assert!(SPECIFICATION.contains(&format!("`LEAF_MAX` = {LEAF_MAX} pairs")));
    for name in ["key   ", "leaf  ", "branch"] {
        assert!(SPECIFICATION.contains(&format!("`tollway state root v1: {name}   `")));
    }
}
