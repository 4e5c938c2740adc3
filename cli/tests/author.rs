//! What an author of a contract types, from an empty folder on.

mod support;

use serde_json::Value;
use std::path::Path;
use std::process::Command;
use support::{Run, Scratch, fails, prints, read};
use tollway_testkit::TestChain;

/// Runs the command; what Cargo makes of contracts lies in one folder for all tests, and stays for the
/// next time.
fn author(args: &[&str]) -> Run {
    let command = Command::new(env!("CARGO_BIN_EXE_tollway"))
        .args(args)
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("author"))
        .env("CARGO_NET_OFFLINE", "true")
        .output();
    let output = command.expect("the command starts");
    Run {
        code: output.status.code().expect("the command was not killed"),
        stdout: String::from_utf8(output.stdout).expect("stdout is text"),
        stderr: String::from_utf8(output.stderr).expect("stderr is text"),
    }
}

fn works(args: &[&str]) -> String {
    let run = author(args);
    assert_eq!(run.code, 0, "{args:?} failed:\n{}{}", run.stdout, run.stderr);
    run.stdout
}

/// It fails, and says all of this.
fn refuses(args: &[&str], expected: &[&str]) {
    let run = author(args);
    assert_eq!(run.code, 1, "{args:?}:\n{}{}", run.stdout, run.stderr);
    for expected in expected {
        assert!(run.stderr.contains(expected), "{expected:?} is not in:\n{}", run.stderr);
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the folder can be made");
    for entry in std::fs::read_dir(from).expect("the folder is there").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("the file can be copied");
        }
    }
}

/// Replaces a text in a file, which has it.
fn edit(file: &str, from: &str, to: &str) {
    let text = read(file);
    assert!(text.contains(from), "{from:?} is not in {file}");
    std::fs::write(file, text.replace(from, to)).expect("the file can be written");
}

#[test]
fn a_new_contract_builds_to_the_same_code_anywhere() {
    let scratch = Scratch::new("new");
    let (here, there) = (scratch.path("here"), scratch.path("a/longer/way/to/there"));
    let said = works(&["new", "tip-jar", "--dir", &here]);
    for part in
        ["wrote the contract tip-jar", "Tollway's crates come from the checkout", "tollway test"]
    {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
    copy(Path::new(&here), Path::new(&there));

    let (wasm, other) = (scratch.path("jar.wasm"), scratch.path("other.wasm"));
    let built: Value = serde_json::from_str(&works(&["build", &here, "--json", "--out", &wasm]))
        .expect("it is JSON");
    assert_eq!(
        (built["package"].as_str(), built["contract"].as_str()),
        (Some("tip-jar"), Some("tip_jar"))
    );
    assert_eq!(built["methods"][0]["access"][0], "write entries[caller]");
    assert!(built["notes"][0].as_str().is_some_and(|note| note.contains("`entries`")), "{built}");
    let hash = built["code_hash"].as_str().expect("it is text");
    let page = works(&["build", &there, "--out", &other, "--check", hash]);
    assert!(
        page.contains(hash) && page.contains("write entries[caller]; add signatures"),
        "{page}"
    );
    let bytes = std::fs::read(&wasm).expect("it was written");
    assert_eq!(bytes, std::fs::read(&other).expect("it was written"));
    for folder in [&here, &there] {
        let is_inside = bytes.windows(folder.len()).any(|part| part == folder.as_bytes());
        assert!(!is_inside, "the folder is in the Wasm");
    }
    // And it is a contract.
    assert!(prints(&["inspect", &wasm]).contains("like(guest: Address)"));

    let zeros = "0".repeat(64);
    refuses(
        &["build", &there, "--out", &other, "--check", &zeros],
        &["tip-jar has code hash", hash, &zeros],
    );
    // A change that shows in the code.
    edit(
        &format!("{there}/src/lib.rs"),
        "TEXT_BYTES_MAX: usize = 280",
        "TEXT_BYTES_MAX: usize = 281",
    );
    refuses(&["build", &there, "--out", &other, "--check", hash], &["tip-jar has code hash"]);

    // `tollway test` builds first, then has Cargo run what tests there are; these need no test chain.
    std::fs::remove_file(format!("{there}/tests/guestbook.rs")).expect("it was written");
    let manifest = format!("{there}/Cargo.toml");
    let lines = read(&manifest);
    let lines: Vec<_> = lines.lines().filter(|line| !line.starts_with("tollway-testkit")).collect();
    std::fs::write(&manifest, lines.join("\n")).expect("the file can be written");
    std::fs::remove_file(format!("{there}/Cargo.lock")).expect("it was written");
    let test = |expected: &str| {
        let body = format!(
            "#[test]\nfn it() {{ assert_eq!(tip_jar::tip_jar::TEXT_BYTES_MAX, {expected}) }}\n"
        );
        std::fs::write(format!("{there}/tests/size.rs"), body).expect("the file can be written");
    };
    test("281");
    let run = author(&["test", &there, "--", "--quiet"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("built tip-jar: "), "{}", run.stderr);
    test("280");
    assert_eq!(author(&["test", &there, "--", "--quiet"]).code, 1);
}

#[test]
fn what_is_no_contract_is_told_by_file_and_name() {
    let scratch = Scratch::new("broken");
    refuses(&["build", &scratch.path("nowhere")], &["nowhere has no Cargo.toml"]);
    let folder = scratch.path("jar");
    works(&["new", "jar", "--dir", &folder]);
    let lib = format!("{folder}/src/lib.rs");
    let original = read(&lib);
    edit(&lib, "self.signatures.add(1)", "self.signature.add(1)");
    refuses(&["build", &folder], &["does not build for wasm32v1-none", "src/lib.rs", "signature"]);
    std::fs::write(
        &lib,
        "#![no_std]\n#[panic_handler]\nfn panic(_: &core::panic::PanicInfo<'_>) -> ! { loop {} }\n",
    )
    .expect("the file can be written");
    refuses(&["build", &folder], &["jar can't be uploaded", "jar.wasm", "tollway.abi"]);
    std::fs::write(&lib, original).expect("the file can be written");
    edit(&format!("{folder}/Cargo.toml"), "[\"cdylib\", \"rlib\"]", "[\"rlib\"]");
    refuses(
        &["build", &folder],
        &["is no contract: its [lib] needs crate-type = [\"cdylib\", \"rlib\"]"],
    );
}

#[test]
fn new_overwrites_nothing() {
    let scratch = Scratch::new("taken");
    scratch.write("notes.txt", "mine");
    refuses(&["new", "jar", "--dir", &scratch.path("")], &["is not empty", "--dir"]);
    assert_eq!(read(&scratch.path("notes.txt")), "mine");
    let free = scratch.path("free");
    refuses(&["new", "Jar", "--dir", &free], &["\"Jar\" is no name for a contract"]);
    refuses(
        &["new", "jar", "--dir", &free, "--tollway", "/nowhere"],
        &["/nowhere is no checkout of Tollway"],
    );
    assert!(!Path::new(&free).exists());
}

/// A sample with another ABI, which its code still fits.
fn changed(scratch: &Scratch, name: &str, change: impl FnOnce(&mut Value)) -> String {
    let wasm = scratch.path(&format!("{name}.wasm"));
    let mut abi = serde_json::from_str(&prints(&["abi", "token"])).expect("it is JSON");
    change(&mut abi);
    let description = scratch.write(&format!("{name}.json"), &abi.to_string());
    assert_eq!(prints(&["abi", "token", "--set", &description, "--out", &wasm]), "");
    wasm
}

#[test]
fn upgrades_are_checked() {
    let scratch = Scratch::new("upgrades");
    let same = changed(&scratch, "same", |_| ());
    let said = prints(&["check-upgrade", "token", &same, "--strict"]);
    assert!(said.contains("keeps stored state, and callers go on as before"), "{said}");

    let narrow = changed(&scratch, "narrow", |abi| {
        abi["storage"][1]["value"] = "u64".into();
    });
    let run = support::tollway(&["check-upgrade", "token", &narrow]);
    assert_eq!(run.code, 1);
    for part in [
        "breaks state",
        "storage field allowances",
        "value was u128, is u64",
        "refuses this upgrade",
    ] {
        assert!(run.stdout.contains(part), "{part:?} is not in:\n{}", run.stdout);
    }

    let renamed = changed(&scratch, "renamed", |abi| {
        abi["events"][0]["fields"][2]["type"] = "u64".into();
        abi["immutables"][0]["name"] = "minter".into();
    });
    let said = prints(&["check-upgrade", "token", &renamed]);
    assert!(said.contains("event Transfer") && said.contains(".amount was u128, is u64"), "{said}");
    assert_eq!(support::tollway(&["check-upgrade", "token", &renamed, "--strict"]).code, 1);
    let run = support::tollway(&["check-upgrade", "token", &renamed, "--strict", "--json"]);
    let found: Value = serde_json::from_str(&run.stdout).expect("it is JSON");
    assert_eq!(
        (found["is_safe"].as_bool(), found["findings"].as_array().map(Vec::len)),
        (Some(false), Some(2))
    );
    assert_eq!(found["findings"][0]["effect"], "fine");
    assert_eq!(found["findings"][1]["effect"], "breaks callers");
    fails(&["check-upgrade", "token", "nothing.wasm"], 1, "cannot read nothing.wasm");
}

#[test]
fn test_chains_upgrade_contracts() {
    let scratch = Scratch::new("upgrade");
    let wasm = |path: &str| std::fs::read(path).expect("it was written");
    let mut chain = TestChain::new();
    let [alice, bob] = chain.accounts(["alice", "bob"]);
    let token = chain.deploy(tollway_contracts_wasm::TOKEN, &alice);
    chain.run(token.call(alice, "mint", (bob, 7u128))).succeeded().event("Transfer");
    let more = changed(&scratch, "more", |abi| {
        abi["events"][0]["name"] = "Moved".into();
        let fee = serde_json::json!({ "name": "fee", "value": "u64" });
        abi["storage"].as_array_mut().expect("it is a list").push(fee);
    });
    chain.upgrade(token, &wasm(&more));
    chain.run(token.call(bob, "transfer", (alice, 3u128))).succeeded().event("Moved");
    assert_eq!(chain.query::<u128>(token, "balance_of", bob), 4);
    let less = changed(&scratch, "less", |_| ());
    let error = chain.try_upgrade(token, &wasm(&less)).expect_err("a field is gone");
    assert!(error.to_string().contains("storage field fee: removed"), "{error}");
}

#[test]
fn an_abi_that_is_not_true_is_refused() {
    let scratch = Scratch::new("abi");
    let out = scratch.path("out.wasm");
    let set = |text: &str, expected: &str| {
        let description = scratch.write("abi.json", text);
        fails(&["abi", "token", "--set", &description, "--out", &out], 1, expected);
        assert!(!Path::new(&out).exists(), "nothing is written");
    };
    set("{", "abi.json");
    set("{\"name\": \"c\", \"methods\": [{\"name\": \"none\"}]}", "method none is not exported");
    set(
        "{\"name\": \"c\", \"storage\": [{\"name\": \"s\", \"value\": \"u7\"}]}",
        "storage.s: \"u7\" is no type",
    );
    let module = scratch.write("text.wasm", "no module");
    let description = scratch.write("abi.json", "{\"name\": \"c\"}");
    fails(&["abi", &module, "--set", &description, "--out", &out], 1, "it is no Wasm module");
    fails(&["abi", &module], 1, "text.wasm is no contract");
}
