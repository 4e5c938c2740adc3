//! Compiles the sample contracts to Wasm by a `cargo build` inside this one: every crate
//! `contracts/<family>/<name>`, whose package is `tollway-contract-<name>`. Each becomes a constant.
//!
//! The inner build has a target directory of its own, as this one holds the lock of the outer,
//! and none of the outer's flags and wrappers (a `cargo clippy` would lint the contracts instead
//! of building them). Its output is a function of the sources and the toolchain alone: paths of
//! this machine are mapped away.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const TARGET: &str = "wasm32v1-none";
const PROFILE: &str = "contract";

/// Folders of `contracts` that hold no family of contracts.
const NOT_FAMILIES: [&str; 2] = ["interfaces", "wasm"];

/// What decides the output besides the contracts themselves.
const SOURCES: [&str; 7] = [
    "contracts/interfaces",
    "sdk/src",
    "sdk/macros",
    "host-api",
    "state/verify",
    "Cargo.toml",
    "rust-toolchain.toml",
];

/// One page: the stack below, then constants, then the heap. The memory of a contract is rewound
/// after every call, so a small one is a fast one.
const LINK_ARGS: [&str; 3] = ["-zstack-size=16384", "--initial-memory=65536", "--max-memory=65536"];

/// Variables by which an outer cargo or a user would change the inner build.
const CLEARED: [&str; 9] = [
    "RUSTFLAGS",
    "RUSTDOCFLAGS",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_LINKER",
    "CLIPPY_ARGS",
    "OUT_DIR",
    "TARGET",
    "HOST",
];

/// Variables of cargo that say where it keeps things and how it reaches them, not how it builds.
const KEPT: [&str; 5] =
    ["CARGO_HOME", "CARGO_HTTP_", "CARGO_MAKEFLAGS", "CARGO_NET_", "CARGO_REGISTR"];

fn main() {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(2).expect("this crate is two folders below the workspace");
    let out = PathBuf::from(variable("OUT_DIR"));
    // <target>/<profile>/build/<package>/out
    let target = out.ancestors().nth(4).unwrap_or(&out).join("contracts");

    let contracts = find_contracts(&root.join("contracts"));
    let watched = contracts.iter().map(|contract| contract.folder.as_path());
    for path in watched.chain(SOURCES.map(Path::new)) {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
    }
    println!("cargo::rerun-if-changed={}", root.join("contracts").display());
    println!("cargo::rerun-if-changed=build.rs");

    ensure_target();
    build(root, &target, &contracts);
    for Contract { name, .. } in &contracts {
        let file = format!("tollway_contract_{}.wasm", name.replace('-', "_"));
        let built = target.join(TARGET).join(PROFILE).join(file);
        let copied = out.join(format!("{name}.wasm"));
        if let Err(error) = std::fs::copy(&built, &copied) {
            panic!("cannot copy {}: {error}", built.display());
        }
    }
    let constants = out.join("contracts.rs");
    if let Err(error) = std::fs::write(&constants, constants_of(&contracts)) {
        panic!("cannot write {}: {error}", constants.display());
    }
}

/// A sample contract.
struct Contract {
    name: String,
    /// Below the workspace.
    folder: PathBuf,
}

/// The contracts in all families, by name.
fn find_contracts(folder: &Path) -> Vec<Contract> {
    let mut found = Vec::new();
    for family in folders_in(folder) {
        if NOT_FAMILIES.contains(&family.as_str()) {
            continue;
        }
        for name in folders_in(&folder.join(&family)) {
            let below = Path::new("contracts").join(&family).join(&name);
            if folder.join(&family).join(&name).join("Cargo.toml").is_file() {
                found.push(Contract { name, folder: below });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn folders_in(folder: &Path) -> Vec<String> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => panic!("cannot list {}: {error}", folder.display()),
    };
    let folders = entries.flatten().filter(|entry| entry.path().is_dir());
    folders.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// A constant for each contract, and the list of all.
fn constants_of(contracts: &[Contract]) -> String {
    let mut text = String::new();
    let mut list = String::new();
    for Contract { name, folder } in contracts {
        let constant = name.replace('-', "_").to_uppercase();
        text += &format!(
            "/// The contract in `{}`.\n\
             pub const {constant}: &[u8] = \
             include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.wasm\"));\n\n",
            folder.display()
        );
        list += &format!("    (\"{name}\", {constant}),\n");
    }
    text + &format!(
        "/// All of them, with their names, in the order of those.\n\
         pub const ALL: &[(&str, &[u8])] = &[\n{list}];\n"
    )
}

fn build(root: &Path, target: &Path, contracts: &[Contract]) {
    let mut command = Command::new(variable("CARGO"));
    command
        .current_dir(root)
        .args(["build", "--quiet", "--target", TARGET, "--profile", PROFILE])
        .arg("--target-dir")
        .arg(target);
    for Contract { name, .. } in contracts {
        command.args(["--package", &format!("tollway-contract-{name}")]);
    }
    for (name, _) in env::vars_os() {
        let Some(text) = name.to_str() else {
            continue;
        };
        let cargo = text.starts_with("CARGO") && !KEPT.iter().any(|kept| text.starts_with(kept));
        if cargo || CLEARED.contains(&text) {
            command.env_remove(&name);
        }
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", rust_flags(root).join("\x1f"));
    let output = run(&mut command);
    assert!(
        output.status.success(),
        "the sample contracts do not build for {TARGET}:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn rust_flags(root: &Path) -> Vec<String> {
    let mut flags = vec![
        // Halves the work of 256-bit arithmetic. The compiler warns that it does not know the
        // feature by name; the code generator does.
        "-Ctarget-feature=+wide-arithmetic".into(),
        format!("--remap-path-prefix={}=/tollway", root.display()),
    ];
    if let Some(home) = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| {
        #[allow(deprecated, reason = "right on every platform since Rust 1.85")]
        env::home_dir().map(|home| home.join(".cargo"))
    }) {
        flags.push(format!("--remap-path-prefix={}=/cargo", home.display()));
    }
    flags.extend(LINK_ARGS.map(|arg| format!("-Clink-arg={arg}")));
    flags
}

/// Adds the Wasm target to the toolchain if it is not there.
fn ensure_target() {
    let mut query = Command::new(variable("RUSTC"));
    let output = run(query.args(["--print", "target-libdir", "--target", TARGET]));
    let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if output.status.success() && folder.is_dir() {
        return;
    }
    let mut add = Command::new("rustup");
    add.args(["target", "add", TARGET]);
    if let Ok(toolchain) = env::var("RUSTUP_TOOLCHAIN") {
        add.args(["--toolchain", &toolchain]);
    }
    let added = add.output();
    if !added.as_ref().is_ok_and(|output| output.status.success()) {
        let reason = match &added {
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        panic!(
            "the sample contracts need the target {TARGET}, and adding it failed; \
             run `rustup target add {TARGET}`\n{reason}"
        );
    }
}

fn run(command: &mut Command) -> Output {
    match command.output() {
        Ok(output) => output,
        Err(error) => panic!("cannot run {command:?}: {error}"),
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for build scripts"))
}
