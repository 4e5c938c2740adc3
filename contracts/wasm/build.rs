//! Compiles the sample contracts to Wasm by a `cargo build` inside this one: every crate
//! `contracts/<family>/<name>`, whose package is `tollway-contract-<name>`. Each becomes a constant.
//!
//! How they are compiled is [`tollway_build`]'s business, as for everybody's contracts.

use std::env;
use std::path::{Path, PathBuf};
use tollway_build::ContractBuild;

/// Folders of `contracts` that hold no family of contracts.
const NOT_FAMILIES: [&str; 2] = ["interfaces", "wasm"];

/// What decides the output besides the contracts themselves.
const SOURCES: [&str; 8] = [
    "contracts/interfaces",
    "sdk/src",
    "sdk/macros",
    "host-api",
    "state/verify",
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
];

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

    let packages = contracts.iter().map(|contract| package_of(&contract.name));
    let build = ContractBuild::new(root).packages(packages).target_dir(target);
    let built = build.run().unwrap_or_else(|error| panic!("the sample contracts: {error}"));
    for Contract { name, .. } in &contracts {
        let package = package_of(name);
        let found = built.iter().find(|built| built.package == package);
        let wasm = &found.unwrap_or_else(|| panic!("{package} gives no Wasm")).wasm;
        if let Err(error) = std::fs::copy(wasm, out.join(format!("{name}.wasm"))) {
            panic!("cannot copy {}: {error}", wasm.display());
        }
    }
    let constants = out.join("contracts.rs");
    if let Err(error) = std::fs::write(&constants, constants_of(&contracts)) {
        panic!("cannot write {}: {error}", constants.display());
    }
}

fn package_of(name: &str) -> String {
    format!("tollway-contract-{name}")
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

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for build scripts"))
}
