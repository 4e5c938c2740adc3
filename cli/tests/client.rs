//! Generated clients, compiled and run against what a chain takes and gives. The contract is `echo`,
//! which has every type.

mod support;

#[rustfmt::skip] // As it was generated: see `the_client_in_rust_is_fresh`.
#[path = "client/echo.rs"]
mod echo;

use echo::calls::{Emit, Fail, Init, Last, Nested as NestedCall, Numbers as NumbersCall};
use echo::{Choice, ContractEvent, ContractMethod, Error, Immutables, Nested, Numbers, events};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{prints, read};
use tollway_contracts_wasm::ECHO;
use tollway_testkit::tollway::{Address, Outcome};
use tollway_testkit::{Contract, Ran, TestChain};

const OWNER: [u8; 32] = [0xab; 32];

fn most() -> Numbers {
    Numbers {
        tiny: u8::MAX,
        small: u16::MAX,
        medium: u32::MAX,
        large: u64::MAX,
        huge: u128::MAX,
        signed: i64::MIN,
        signed_huge: i128::MIN,
        flag: true,
    }
}

fn least() -> Numbers {
    Numbers {
        tiny: 0,
        small: 0,
        medium: 0,
        large: 0,
        huge: 0,
        signed: i64::MAX,
        signed_huge: i128::MAX,
        flag: false,
    }
}

fn two() -> Choice {
    Choice::Two(OWNER, vec![most(), least()])
}

fn full() -> Nested {
    let named = |name: &str, new| Choice::Named { r#type: name.to_owned(), new };
    Nested {
        maybe: Some(None),
        lists: vec![vec![], vec![1, u16::MAX]],
        pair: (7, "grüße 🦀\0\u{feff}".to_owned()),
        raw: vec![0, 255],
        fixed: [3; 20],
        choices: vec![
            Choice::Nothing,
            Choice::One(u64::MAX),
            two(),
            named("", None),
            named("x", Some(true)),
        ],
    }
}

fn empty() -> Nested {
    Nested {
        maybe: None,
        lists: vec![],
        pair: (0, String::new()),
        raw: vec![],
        fixed: [0; 20],
        choices: vec![],
    }
}

fn immutables() -> Immutables {
    Immutables { owner: OWNER, label: "étiquette".to_owned() }
}

struct World {
    chain: TestChain,
    contract: Contract,
    alice: Address,
}

impl World {
    fn new() -> Self {
        let mut chain = TestChain::new();
        let alice = chain.account("alice");
        let contract = chain.deploy_by(alice, ECHO, &immutables(), Init { first: u64::MAX });
        Self { chain, contract, alice }
    }

    fn run<M: ContractMethod>(&mut self, method: &M) -> Ran {
        let mut call = self.contract.call(self.alice, M::NAME, ());
        call.args = method.args();
        self.chain.run(call)
    }
}

/// The data of a receipt: what was returned, or what it reverted with.
fn data(ran: &Ran) -> &[u8] {
    match &ran.receipt.outcome {
        Outcome::Returned(data) | Outcome::Reverted { error: data, .. } => data,
        outcome => panic!("{outcome:?}"),
    }
}

#[test]
fn the_client_in_rust_is_fresh() {
    let generated = prints(&["client", "echo", "--lang", "rust"]);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/client/echo.rs");
    assert!(
        read(path) == generated,
        "cli/tests/client/echo.rs is stale; write it anew with\n    cargo run --release -p tollway-cli -- \
         client echo --lang rust > cli/tests/client/echo.rs"
    );
}

#[test]
fn the_client_in_rust_speaks_with_a_chain() {
    let mut world = World::new();
    for numbers in [most(), least()] {
        let ran = world.run(&NumbersCall { numbers: numbers.clone() });
        assert_eq!(NumbersCall::returned(data(ran.succeeded())).expect("it decodes"), numbers);
    }
    let some = Nested { maybe: Some(Some(u32::MAX)), ..empty() };
    for nested in [full(), empty(), some] {
        let ran = world.run(&NestedCall { nested: nested.clone(), by: OWNER });
        let returned = NestedCall::returned(data(ran.succeeded())).expect("it decodes");
        assert_eq!(returned, (nested, OWNER));
    }
    let ran = world.run(&Last {});
    assert_eq!(Last::returned(data(ran.succeeded())).expect("it decodes"), Some(u64::MAX));

    let ran = world.run(&Emit { numbers: most(), nested: full() });
    let decode = |event: &tollway_testkit::tollway::Event| {
        ContractEvent::decode(event.event, &event.data).expect("it decodes")
    };
    let found: Vec<_> = ran.succeeded().receipt.events.iter().map(decode).collect();
    let echoed = events::Echoed { numbers: most(), nested: full() };
    assert_eq!(found, [ContractEvent::Silence(events::Silence {}), ContractEvent::Echoed(echoed)]);

    for (because, error) in [(None, Error::Asked), (Some(two()), Error::Because(two()))] {
        let ran = world.run(&Fail { because });
        assert_eq!(
            echo::decode_error(data(ran.reverted_with(match &error {
                Error::Asked => "Asked",
                Error::Because(_) => "Because",
            })))
            .expect("it decodes"),
            error
        );
    }
    assert_eq!([Last::IS_VIEW, Emit::IS_VIEW], [true, false]);
}

#[test]
fn the_client_in_rust_refuses_what_is_not_the_contracts() {
    assert!(echo::decode_error(&[2]).is_err(), "there are two variants");
    assert!(Last::returned(&[1, 0]).is_err(), "it ends too early");
    assert!(Last::returned(&[0, 0]).is_err(), "it goes on");
    let error = ContractEvent::decode(2, &[]).expect_err("there are two events");
    assert_eq!(error.to_string(), "the contract has no event 2");
    let error = ContractEvent::decode(0, &[]).expect_err("it has fields");
    assert!(error.to_string().starts_with("data of event 0: "), "{error}");
}

/// What the client in TypeScript has to come to, from a chain and from the client in Rust.
fn vectors() -> Value {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut world = World::new();
    let mut args = serde_json::Map::new();
    let mut returned = serde_json::Map::new();
    let mut step = |name: &str, ran: &Ran| {
        args.insert(name.into(), hex(&ran.call.args).into());
        returned.insert(name.into(), hex(data(ran)).into());
    };
    let some = Nested { maybe: Some(Some(u32::MAX)), ..empty() };
    step("most", &world.run(&NumbersCall { numbers: most() }));
    step("least", &world.run(&NumbersCall { numbers: least() }));
    for (name, nested) in [("full", full()), ("empty", empty()), ("some", some)] {
        step(name, &world.run(&NestedCall { nested, by: OWNER }));
    }
    step("last", &world.run(&Last {}));
    let emitted = world.run(&Emit { numbers: most(), nested: full() });
    step("emit", &emitted);
    let event = |event: &tollway_testkit::tollway::Event| json!({ "event": event.event, "data": hex(&event.data) });
    let events: Vec<_> = emitted.receipt.events.iter().map(event).collect();
    let failed = [world.run(&Fail { because: None }), world.run(&Fail { because: Some(two()) })];
    step("asked", &failed[0]);
    step("because", &failed[1]);
    let errors: Vec<_> = failed.iter().map(|ran| hex(data(ran))).collect();
    let encoded = |bytes: Result<Vec<u8>, _>| hex(&bytes.expect("it encodes"));
    args.insert("immutables".into(), encoded(borsh::to_vec(&immutables())).into());
    args.insert("init".into(), hex(&Init { first: u64::MAX }.args()).into());
    args.insert("transfer".into(), encoded(borsh::to_vec(&(OWNER, u128::MAX))).into());
    json!({ "args": args, "returned": returned, "events": events, "errors": errors })
}

/// Says that a test did less than it could, also where output of tests is not shown.
fn skip(what: &str) {
    // Not by `eprintln`, which is captured.
    let line = format!("SKIPPED in cli/tests/client.rs: {what}\n");
    std::io::stderr().write_all(line.as_bytes()).expect("stderr can be written to");
}

/// A program's output, if it could be started and succeeded; else why not.
fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let all = text(&output.stdout) + &text(&output.stderr);
    if output.status.success() { Ok(all) } else { Err(all) }
}

/// A folder with the TypeScript compiler, as the lock file has it; `None` if there is none to be had.
fn typescript() -> Option<PathBuf> {
    if output(Command::new("node").arg("--version")).is_err() {
        skip("there is no node: the client in TypeScript was generated, but not compiled or run");
        return None;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("client");
    std::fs::create_dir_all(&folder).expect("the folder is ours");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/client");
    let lock = "package-lock.json";
    let compiler = folder.join("node_modules/typescript/bin/tsc");
    let is_fresh = std::fs::read(folder.join(lock)).ok() == std::fs::read(source.join(lock)).ok();
    for file in ["package.json", lock, "tsconfig.json", "usage.ts", "check.mjs"] {
        std::fs::copy(source.join(file), folder.join(file)).expect("the file can be copied");
    }
    if !(is_fresh && compiler.is_file()) {
        let mut install = Command::new("npm");
        install.args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder);
        if let Err(reason) = output(&mut install) {
            let _ = std::fs::remove_file(folder.join(lock));
            skip(&format!("npm can't fetch the TypeScript compiler: {}", reason.trim()));
            return None;
        }
    }
    Some(folder)
}

#[test]
fn the_client_in_typescript_compiles_and_speaks_with_a_chain() {
    let generate = |contract| prints(&["client", contract, "--lang", "typescript"]);
    let clients = ["echo", "token"].map(|contract| (contract, generate(contract)));
    let vectors = vectors();
    let Some(folder) = typescript() else { return };
    for (contract, client) in clients {
        std::fs::write(folder.join(format!("{contract}.ts")), client).expect("the folder is ours");
    }
    std::fs::write(folder.join("vectors.json"), vectors.to_string()).expect("the folder is ours");
    let mut compile = Command::new("node");
    compile.arg("node_modules/typescript/bin/tsc").current_dir(&folder);
    output(&mut compile).unwrap_or_else(|errors| panic!("the client does not compile:\n{errors}"));
    let mut check = Command::new("node");
    let checked = output(check.arg("check.mjs").current_dir(&folder));
    let checked = checked.unwrap_or_else(|errors| panic!("the client is wrong:\n{errors}"));
    let count: usize = checked.trim().strip_suffix(" checks").and_then(|n| n.parse().ok()).unwrap();
    assert!(count > 300, "{checked}");
}
