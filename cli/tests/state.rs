//! The commands on a kept state, from outside.

mod support;

use serde_json::{Value, json};
use std::path::Path;
use support::chain::{
    Chain, GARBAGE_AT, HEAD, NOTHING_AT, OTHER_BLOCK_AT, OTHER_HEIGHT_AT, SECOND_CONTRACT_AT,
};
use support::{Scratch, fails, json_lines, prints, read, tollway};
use tollway_state_disk::{DiskBackend, DiskOptions};

fn chain(name: &str) -> (Scratch, Chain) {
    let scratch = Scratch::new(name);
    let chain = Chain::new(&scratch);
    (scratch, chain)
}

/// Runs a command that prints one JSON document.
fn json_of(args: &[&str]) -> Value {
    let mut documents = json_lines(&[args, &["--json"]].concat());
    assert_eq!(documents.len(), 1, "{args:?}");
    documents.remove(0)
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[test]
fn stats_say_where_the_state_stands() {
    let (_scratch, chain) = chain("stats");
    let stats = json_of(&["state", "stats", &chain.dir]);
    let heights = ["height", "durable_height", "oldest_height"].map(|field| stats[field].as_u64());
    assert_eq!(heights, [Some(HEAD), Some(HEAD), Some(0)]);
    assert_eq!(text(&stats["root"]), chain.root(HEAD));
    let counts = ["codes", "contracts"].map(|kind| stats["state"][kind]["entries"].as_u64());
    assert_eq!(counts, [Some(1), Some(2)]);
    let files = stats["file_bytes"].as_object().expect("files by name");
    assert!(files.contains_key("log.redb") && files.contains_key("state.redb"), "{stats}");
    let page = prints(&["state", "stats", &chain.dir]);
    for part in [&chain.root(HEAD)[..], "durable  up to height 9", "\ncontracts        2 "] {
        assert!(page.contains(part), "{part} is not in:\n{page}");
    }
}

#[test]
fn get_reads_any_height() {
    let (_scratch, chain) = chain("get");
    let (address, key) = (chain.token.to_string(), support::chain::hex(&chain.alice));
    for height in 0..=HEAD {
        let at = height.to_string();
        let by_contract = ["--contract", &address, "--key", &key];
        let head = ["state", "get", &chain.dir, "--at", &at];
        let found = json_of(&[&head[..], &by_contract].concat());
        assert_eq!(found["value"].as_str(), chain.balance(height).as_deref(), "height {height}");
        assert_eq!(text(&found["root"]), chain.root(height));
        let by_key = json_of(&[&head[..], &["--state-key", &chain.alice_state_key()]].concat());
        assert_eq!(by_key, found);
    }
    let get = ["state", "get", &chain.dir, "--state-key", &chain.alice_state_key()];
    // 100 × (1 + … + 9), less 1 at each height.
    let words = format!("\n4491\n{}\n", chain.balance(HEAD).expect("a balance"));
    let page = prints(&get);
    assert!(page.ends_with(&words) && page.contains("token.balances[0x"), "{page}");
    let absent = ["state", "get", &chain.dir, "--contract", &address, "--key", "ff"];
    assert!(prints(&absent).ends_with("\nnot in the state\n"));
    assert_eq!(json_of(&absent)["value"], Value::Null);
    let late = [&get[..], &["--at", "10"]].concat();
    fails(&late, 1, "height 10 is not kept, only 0 to 9");
}

#[test]
fn keys_of_a_wrong_length_are_refused_by_name() {
    let get = |more: &[&str], expected: &str| {
        fails(&[&["state", "get", "nowhere"], more].concat(), 2, expected);
    };
    let address = "ab".repeat(32);
    get(&["--contract", "abcd", "--key", "00"], "'--contract <ADDRESS>': an address is 64");
    get(&["--contract", &address, "--key", "0"], "1 hexadecimal digits are no whole bytes");
    get(&["--contract", &address, "--key", ""], "a contract's key is not empty");
    get(&["--contract", &address, "--key", &"00".repeat(129)], "at most 128 bytes, not 129");
    get(&["--contract", &address], "--key <HEX>");
    get(&["--state-key", &address], "starts with 00 for a code");
    get(&["--state-key", &format!("00{}", &address[2..])], "64 hexadecimal digits, these are 64");
    get(&["--state-key", "zz"], "'z' is no hexadecimal digit");
    get(&[], "--contract <ADDRESS>|--state-key <HEX>");
    let prove = ["state", "prove", "nowhere", "0042", "--out", "nowhere.json"];
    fails(&prove, 2, "the key of a code is 00 and 64 hexadecimal digits, these are 4");
    fails(
        &["state", "verify", "nowhere.json", "--root", "ab"],
        2,
        "a root is 64 hexadecimal digits",
    );
    fails(&["state", "history", "nowhere", "02"], 2, "the key of a stored value is 02");
    fails(&["state", "rollback", "nowhere", "-1"], 2, "-1");
    fails(&["state", "rollback", "nowhere", "x"], 2, "a height is a number from 0");
}

#[test]
fn proofs_hold_until_anything_is_changed() {
    let (scratch, chain) = chain("proofs");
    let file = scratch.path("proof.json");
    let (alice, absent) = (chain.alice_state_key(), format!("{}/ff", chain.token));
    let contract = format!("01{}", chain.token);
    let args = ["state", "prove", &chain.dir, &alice, &absent, &contract, &alice, "--out", &file];
    let made = json_of(&args);
    assert_eq!([&made["present"], &made["absent"]], [&json!(2), &json!(1)]);
    // The state is no longer needed.
    std::fs::remove_dir_all(&chain.dir).expect("it is ours");

    let root = chain.root(HEAD);
    let checked = json_of(&["state", "verify", &file, "--root", &root]);
    assert_eq!((&checked["holds"], &checked["root_given"]), (&json!(true), &json!(true)));
    let entries = checked["entries"].as_array().expect("a list");
    let states: Vec<_> = entries.iter().map(|entry| text(&entry["is"])).collect();
    assert_eq!(states, ["present", "absent", "present"]);
    assert_eq!(entries[0]["value"].as_str(), chain.balance(HEAD).as_deref());
    assert!(
        prints(&["state", "verify", &file, "--root", &root]).contains("the root that was given")
    );
    let alone = prints(&["state", "verify", &file]);
    assert!(alone.contains("Checked against the root in the file only"), "{alone}");
    fails(&["state", "verify", &file, "--root", &chain.root(1)], 1, "the proof is for root");

    let good = read(&file);
    let document: Value = serde_json::from_str(&good).expect("the file is JSON");
    let refused = |change: &dyn Fn(&mut Value), expected: &str| {
        let mut document = document.clone();
        change(&mut document);
        let wrong = scratch.write("wrong.json", &document.to_string());
        for args in
            [&["state", "verify", &wrong][..], &["state", "verify", &wrong, "--root", &root]]
        {
            fails(args, 1, expected);
        }
        let run = tollway(&["state", "verify", &wrong, "--json"]);
        assert_eq!(run.code, 1);
        let said: Value = serde_json::from_str(&run.stdout).expect("JSON also of a failure");
        assert_eq!(said["holds"], json!(false));
    };
    let value = chain.balance(HEAD - 1).expect("a balance");
    refused(&|file| file["entries"][0]["value"] = json!(value), "does not have this value");
    refused(&|file| file["entries"][0]["value"] = Value::Null, "is present");
    refused(&|file| file["entries"][1]["value"] = json!("00"), "does not have this value");
    let other = contract.replace("01", "02") + "fe";
    refused(&|file| file["entries"][0]["key"] = json!(other), "does not hold");
    refused(&|file| file["proof"] = json!(text(&document["proof"])[..100]), "ends within a field");
    let flipped = text(&document["proof"]).to_owned();
    let digit = if flipped.ends_with('0') { "1" } else { "0" };
    let flipped = flipped[..flipped.len() - 1].to_owned() + digit;
    refused(&|file| file["proof"] = json!(flipped), "does not hold");

    let cut = scratch.write("cut.json", &good[..good.len() / 2]);
    fails(&["state", "verify", &cut], 1, "cut.json is no proof");
    let missing =
        scratch.write("missing.json", &good.replace("null", "\"\"").replace("height", "h"));
    fails(&["state", "verify", &missing], 1, "unknown field `h`");
    fails(&["state", "verify", &scratch.path("absent.json")], 1, "absent.json: No such file");
}

#[test]
fn history_has_every_value() {
    let (_scratch, chain) = chain("history");
    let key = chain.alice_state_key();
    let history = json_of(&["state", "history", &chain.dir, &key]);
    let values = history["values"].as_array().expect("a list");
    let found: Vec<_> = values
        .iter()
        .map(|entry| (entry["height"].as_u64(), entry["value"].as_str().map(str::to_owned)))
        .collect();
    let expected: Vec<_> =
        (1..=HEAD).rev().map(|height| (Some(height), chain.balance(height))).collect();
    assert_eq!(found, expected);
    assert_eq!(history["more"], json!(false));
    let some = json_of(&["state", "history", &chain.dir, &key, "--limit", "2"]);
    assert_eq!((some["values"].as_array().map(Vec::len), &some["more"]), (Some(2), &json!(true)));
    let all = ["state", "history", &chain.dir, &key, "--limit", "9"];
    assert_eq!(json_of(&all)["more"], json!(false));
    let page = prints(&["state", "history", &chain.dir, &key, "--limit", "1"]);
    assert!(page.contains("\n     9  4491\nand older ones"), "{page}");
    let page = prints(&["state", "history", &chain.dir, &format!("{}/ff", chain.token)]);
    assert!(page.contains("never changed from height 0 to 9"), "{page}");
    assert!(page.contains("at height 0, the oldest that is kept: not in the state"), "{page}");
}

#[test]
fn blocks_run_again_as_they_ran() {
    let (_scratch, chain) = chain("replay");
    for height in (1..=SECOND_CONTRACT_AT).chain([HEAD]) {
        let number = height.to_string();
        let args = ["replay", "block", &chain.dir, &number, "--threads", "2"];
        let replay = json_of(&args);
        assert_eq!(text(&replay["root_before"]), chain.root(height - 1));
        assert_eq!(text(&replay["root_recorded"]), chain.root(height));
        let receipts = replay["receipts"].as_array().expect("a list");
        let outcomes: Vec<_> = receipts.iter().map(|receipt| text(&receipt["outcome"])).collect();
        assert_eq!(outcomes, ["ok", "ok", "reverted"]);
        let page = prints(&args);
        assert!(page.contains("transfer  reverted: InsufficientBalance"), "{page}");
        if height == SECOND_CONTRACT_AT {
            assert_eq!(
                (&replay["agrees"], &replay["added_after_block"]),
                (&Value::Null, &json!(1))
            );
            assert!(page.contains("with 1 code or contract added after the block"), "{page}");
        } else {
            assert_eq!(text(&replay["root_after"]), chain.root(height));
            assert_eq!(replay["agrees"], json!(true));
            assert!(page.contains("equal to the history's"), "{page}");
        }
    }
}

#[test]
fn a_block_runs_up_to_any_of_its_calls() {
    let (_scratch, chain) = chain("until");
    let until = |call: &str| json_of(&["replay", "block", &chain.dir, "3", "--until", call]);
    let [first, second, third] = ["0", "1", "2"].map(until);
    assert_eq!(text(&first["root_before_call"]), chain.root(2));
    assert_eq!(first["changed_before_call"], json!([]));
    let balance = |changes: &Value| {
        let changes = changes.as_array().expect("a list").clone();
        changes.into_iter().find(|change| text(&change["key"]) == chain.alice_state_key())
    };
    let minted = balance(&first["changed_by_call"]).expect("the call changes her balance");
    assert_eq!(minted["before"].as_str(), chain.balance(2).as_deref());
    assert_eq!(second["receipts"].as_array().map(Vec::len), Some(1));
    assert_eq!(second["changed_before_call"], first["changed_by_call"]);
    let paid = balance(&second["changed_by_call"]).expect("the call changes her balance");
    assert_eq!(paid["before"], minted["after"]);
    assert_eq!(paid["after"].as_str(), chain.balance(3).as_deref());
    // The last call reverts: it changes nothing, and the state before it is that after the block.
    assert_eq!(third["changed_by_call"], json!([]));
    assert_eq!(text(&third["root_before_call"]), chain.root(3));
    assert!(text(&third["call"]["status"]).starts_with("reverted: InsufficientBalance"));
    let page = prints(&["replay", "block", &chain.dir, "3", "--until", "1"]);
    for part in ["the first 1 call ", ".balances[0x…0001]", "changed by the call"] {
        assert!(page.contains(part), "{part} is not in:\n{page}");
    }
    fails(&["replay", "block", &chain.dir, "3", "--until", "3"], 1, "has 3 calls, no call 3");
}

#[test]
fn what_is_no_block_does_not_run() {
    let (_scratch, chain) = chain("noblock");
    let refused = |height: u64, expected: &str| {
        fails(&["replay", "block", &chain.dir, &height.to_string()], 1, expected);
    };
    refused(0, "there is no block of height 0");
    refused(GARBAGE_AT, "what was kept with height 5 is no block");
    refused(NOTHING_AT, "the host kept no block with height 6");
    refused(OTHER_HEIGHT_AT, "kept with height 7 says that it is of height 1");
    refused(HEAD + 1, "no block of height 10 yet, the head is at 9");
    let other = OTHER_BLOCK_AT.to_string();
    let run = tollway(&["replay", "block", &chain.dir, &other]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stdout.contains("DIFFERENT: the history has"), "{}", run.stdout);
    let run = tollway(&["replay", "block", &chain.dir, &other, "--json"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stdout.contains("\"agrees\":false"), "{}", run.stdout);
}

#[test]
fn going_back_and_forgetting_need_a_yes() {
    let (_scratch, chain) = chain("rollback");
    let dir = &chain.dir[..];
    let stats = || json_of(&["state", "stats", dir]);
    let before = stats();
    fails(
        &["state", "rollback", dir, "6"],
        1,
        "would forget the blocks of heights 7 to 9 for good",
    );
    fails(&["state", "prune", dir, "3"], 1, "would forget the states before height 3");
    fails(&["state", "rollback", dir, "10", "--yes"], 1, "height 10 is not kept, only 0 to 9");
    fails(&["state", "prune", dir, "10", "--yes"], 1, "height 10 is not there yet");
    assert_eq!(stats()["root"], before["root"]);
    assert_eq!(stats()["oldest_height"], json!(0));

    let gone = json_of(&["state", "rollback", dir, "6", "--yes"]);
    assert_eq!((&gone["height"], &gone["blocks_forgotten"]), (&json!(6), &json!(3)));
    assert_eq!(text(&stats()["root"]), chain.root(6));
    fails(&["state", "rollback", dir, "7", "--yes"], 1, "only 0 to 6");

    prints(&["state", "prune", dir, "3", "--yes"]);
    assert_eq!((&stats()["oldest_height"], &stats()["height"]), (&json!(3), &json!(6)));
    assert_eq!(text(&stats()["root"]), chain.root(6));
    fails(&["state", "rollback", dir, "2", "--yes"], 1, "only 3 to 6");
    fails(&["replay", "block", dir, "3"], 1, "states are kept from height 3 on");
    let key = chain.alice_state_key();
    let history = json_of(&["state", "history", dir, &key]);
    assert_eq!(history["values"].as_array().map(Vec::len), Some(3));
    assert_eq!(history["oldest"]["value"].as_str(), chain.balance(3).as_deref());
    assert_eq!(json_of(&["replay", "block", dir, "4"])["added_after_block"], json!(1));
}

#[test]
fn a_state_goes_through_a_file() {
    let (scratch, chain) = chain("export");
    let (file, copy) = (scratch.path("state.tollway"), scratch.path("copy"));
    let exported = json_of(&["export", &chain.dir, &file]);
    assert_eq!(text(&exported["root"]), chain.root(HEAD));
    fails(&["export", &chain.dir, &file], 1, "state.tollway is there already");
    assert!(!Path::new(&scratch.path("state.tollway.part")).exists());

    let root = chain.root(HEAD);
    let import = ["import", &file, &copy];
    fails(&[&import[..], &["--root", &root]].concat(), 2, "--height");
    fails(&[&import[..], &["--root", &root, "--height", "8"]].concat(), 1, "not of 8 with");
    let trusted = [&import[..], &["--root", &root, "--height", "9"]].concat();
    let imported = json_of(&trusted);
    assert_eq!((&imported["height"], &imported["root_given"]), (&json!(9), &json!(true)));
    let stats = json_of(&["state", "stats", &copy]);
    assert_eq!(text(&stats["root"]), root);
    assert_eq!(stats["oldest_height"], json!(HEAD));
    // Once more: it is there already.
    assert!(prints(&import).contains("It was there already."));
    fails(&["replay", "block", &copy, "9"], 1, "states are kept from height 9 on");
    let key = chain.alice_state_key();
    let found = json_of(&["state", "get", &copy, "--state-key", &key]);
    assert_eq!(found["value"].as_str(), chain.balance(HEAD).as_deref());
    // Into a state that has gone on.
    prints(&["state", "rollback", &chain.dir, "7", "--yes"]);
    fails(&["import", &file, &chain.dir], 1, "the store is at height 7");
}

#[test]
fn a_cut_import_goes_on_with_the_whole_file() {
    let scratch = Scratch::new("resume");
    let [dir, file, cut, copy] =
        ["store", "state.tollway", "cut.tollway", "copy"].map(|name| scratch.path(name));
    let bench = ["bench", "swaps", "--dist", "hot", "--variant", "monolith", "--blocks", "1"];
    // More than an import puts on disk at once.
    let large = ["--threads", "2", "--extra-accounts", "120000", "--store", &dir, "--json"];
    let records = json_lines(&[&bench[..], &large].concat());
    let exported = json_of(&["export", &dir, &file]);
    let chunks = exported["chunks"].as_u64().expect("a number");
    assert!(chunks > 10, "{exported}");

    let whole = std::fs::read(&file).expect("it was written");
    std::fs::write(&cut, &whole[..whole.len() / 100 * 95]).expect("a file can be written");
    let run = tollway(&["import", &cut, &copy]);
    assert_eq!(run.code, 1, "{}", run.stdout);
    let expected = format!("cut in chunk {} of {chunks}", chunks * 95 / 100);
    assert!(run.stderr.contains(&expected), "{expected} is not in:\n{}", run.stderr);
    assert!(run.stderr.contains("copy takes the whole file to go on"), "{}", run.stderr);
    let partial = json_of(&["state", "stats", &copy]);
    assert_eq!(partial["height"], json!(0));
    assert!(partial["state"]["values"]["entries"].as_u64() > Some(50_000), "{partial}");

    let imported = json_of(&["import", &file, &copy]);
    assert_eq!(imported["root"], records[1]["state_root"]);
    let state = |dir: &str| json_of(&["state", "stats", dir])["state"].clone();
    assert_eq!(state(&copy), state(&dir));
}

#[test]
fn damaged_files_are_not_imported() {
    let (scratch, chain) = chain("damaged");
    let (file, copy) = (scratch.path("state.tollway"), scratch.path("copy"));
    prints(&["export", &chain.dir, &file]);
    let good = std::fs::read(&file).expect("it was written");
    let wrong = scratch.path("wrong.tollway");
    let refused = |bytes: &[u8], expected: &str| {
        std::fs::write(&wrong, bytes).expect("a temporary file can be written");
        fails(&["import", &wrong, &copy], 1, expected);
        fails(&["import", &wrong, &copy], 1, "wrong.tollway");
        let stats = json_of(&["state", "stats", &copy]);
        assert_eq!(stats["height"], json!(0));
    };
    refused(b"not a snapshot", "not a snapshot");
    refused(&good[..good.len() - 1], "cut in chunk 0 of 1");
    let mut flipped = good.clone();
    *flipped.last_mut().expect("it is not empty") ^= 1;
    refused(&flipped, "chunk 0 of 1 is wrong");
    let mut head = good.clone();
    head[30] ^= 1;
    refused(&head, "checksum");
    fails(&["import", &scratch.path("absent"), &copy], 1, "absent: No such file");
    fails(&["import", &chain.dir, &copy], 1, "is not a file");
    // What was refused has left nothing in the way.
    prints(&["import", &file, &copy]);
    assert_eq!(text(&json_of(&["state", "stats", &copy])["root"]), chain.root(HEAD));
}

#[test]
fn what_is_no_store_is_named() {
    let (scratch, chain) = chain("nostore");
    let stats = |dir: &str, expected: &str| fails(&["state", "stats", dir], 1, expected);
    stats(&scratch.path("absent"), "absent");
    stats(&scratch.path(""), "no store at ");
    stats(&scratch.write("file", "text"), "file is not a directory");
    std::fs::create_dir(scratch.path("foreign")).expect("a temporary folder can be made");
    let log = scratch.write("foreign/log.redb", "not a database");
    scratch.write("foreign/state.redb", "not a database");
    stats(&scratch.path("foreign"), "foreign/log.redb is not part of a store");
    assert_eq!(read(&log), "not a database");

    let path = Path::new(&chain.dir);
    let holder = DiskBackend::open(path, DiskOptions::default()).expect("the store is free");
    stats(&chain.dir, "is in use by another process");
    fails(&["replay", "block", &chain.dir, "1"], 1, "is in use by another process");
    drop(holder);
    prints(&["state", "stats", &chain.dir]);
}

#[test]
fn bench_swaps_keeps_the_state_that_memory_ends_in() {
    let scratch = Scratch::new("bench-store");
    let dir = scratch.path("new/store");
    fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
        let bench = ["bench", "swaps", "--dist", "hot", "--variant", "monolith", "--blocks", "2"];
        [&bench[..], more].concat()
    }
    let kept = ["--threads", "2", "--extra-accounts", "12345", "--store", &dir];
    let records = json_lines(&with(&[&kept[..], &["--json"]].concat()));
    assert_eq!(records.len(), 2);
    assert_eq!((&records[0]["kept"], &records[1]["kept"]), (&json!(false), &json!(true)));
    assert_eq!(records[0]["state_root"], records[1]["state_root"]);
    assert_eq!(records[1]["durable_every"], json!(1));
    assert!(records[1]["swaps_per_s"].as_f64() > Some(0.0));
    let stats = json_of(&["state", "stats", &dir]);
    assert_eq!(stats["root"], records[1]["state_root"]);
    assert_eq!(stats["durable_height"], records[1]["height"]);
    // Pools, two balances a trader, one for each further account, and what contracts keep.
    assert!(stats["state"]["values"]["entries"].as_u64() > Some(20_000 + 12_345));
    // Without a store the same blocks lead to the same state.
    let alone = json_lines(&with(&["--threads", "1", "--extra-accounts", "12345", "--json"]));
    assert_eq!(alone[0]["state_root"], records[1]["state_root"]);
    // Its blocks are there to be replayed.
    let height = stats["height"].to_string();
    assert_eq!(json_of(&["replay", "block", &dir, &height])["agrees"], json!(true));

    fails(&with(&["--threads", "2", "--store", &dir]), 1, "is not empty");
    fails(&with(&["--threads", "1,2", "--store", "x"]), 2, "on one number of threads");
    fails(&with(&["--durable-every", "2"]), 2, "--store");
    let file = scratch.write("file", "text");
    fails(&with(&["--threads", "2", "--store", &file]), 1, "file: Not a directory");
    let other = scratch.path("other");
    let every = with(&["--threads", "2", "--store", &other, "--durable-every", "5"]);
    let page = prints(&every);
    assert!(page.contains("durable every 5 blocks"), "{page}");
    let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("the wait at the end is in the figure"), "{page}");
}
