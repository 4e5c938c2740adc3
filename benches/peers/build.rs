//! Compiles the guests to Wasm by a `cargo build` inside this one, and reads the versions of the
//! peers from the lock file.
//!
//! As for the sample contracts of Tollway, the inner build has a target directory of its own, since
//! this one holds the lock of the outer, and none of the outer's flags and wrappers.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A guest: its package, the features of this crate that need it, and how it is built.
struct Guest {
    package: &'static str,
    features: &'static [&'static str],
    target: &'static str,
    rust_flags: &'static [&'static str],
}

/// One page of memory, most of it for nothing: as for Tollway's contracts, a small memory is a fast
/// one where it is made anew for every call.
const ONE_PAGE: [&str; 3] = [
    "-Clink-arg=-zstack-size=16384",
    "-Clink-arg=--initial-memory=65536",
    "-Clink-arg=--max-memory=65536",
];

const GUESTS: [Guest; 3] = [
    Guest {
        package: "guest-plain",
        features: &["WASMI", "WASMTIME"],
        target: "wasm32v1-none",
        rust_flags: &["-Ctarget-feature=+wide-arithmetic", ONE_PAGE[0], ONE_PAGE[1], ONE_PAGE[2]],
    },
    Guest {
        package: "guest-soroban",
        features: &["SOROBAN"],
        target: "wasm32v1-none",
        rust_flags: &[ONE_PAGE[0]],
    },
    // The VM sets the end of the memory, and refuses another.
    Guest {
        package: "guest-cosmwasm",
        features: &["COSMWASM"],
        target: "wasm32v1-none",
        rust_flags: &[ONE_PAGE[0]],
    },
];

/// The crates whose version is in the table. Where there are several, the highest.
const VERSIONS: [&str; 7] =
    ["cosmwasm-vm", "hashbrown", "revm", "soroban-env-host", "tollway", "wasmi", "wasmtime"];

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
    let out = PathBuf::from(variable("OUT_DIR"));
    // <target>/<profile>/build/<package>/out
    let target_dir = out.ancestors().nth(4).unwrap_or(&out).join("guests");
    for path in ["build.rs", "Cargo.lock", "guests"] {
        println!("cargo::rerun-if-changed={path}");
    }
    for guest in GUESTS {
        let is_on = |feature: &&str| env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
        if guest.features.iter().any(|feature| is_on(feature)) {
            ensure_target(guest.target);
            build(&here.join("guests"), &target_dir, &guest);
            copy(&target_dir, &out, &guest);
        }
    }
    versions(&here.join("Cargo.lock"));
}

fn build(workspace: &Path, target_dir: &Path, guest: &Guest) {
    let mut command = Command::new(variable("CARGO"));
    command
        .current_dir(workspace)
        .args(["build", "--quiet", "--release", "--locked", "--target", guest.target])
        .args(["--package", guest.package])
        .arg("--target-dir")
        .arg(target_dir);
    for (name, _) in env::vars_os() {
        let Some(text) = name.to_str() else {
            continue;
        };
        let cargo = text.starts_with("CARGO") && !KEPT.iter().any(|kept| text.starts_with(kept));
        if cargo || CLEARED.contains(&text) {
            command.env_remove(&name);
        }
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", guest.rust_flags.join("\x1f"));
    let output = run(&mut command);
    assert!(
        output.status.success(),
        "{} does not build for {}:\n{}",
        guest.package,
        guest.target,
        String::from_utf8_lossy(&output.stderr)
    );
}

fn copy(target_dir: &Path, out: &Path, guest: &Guest) {
    let name = format!("{}.wasm", guest.package.replace('-', "_"));
    let built = target_dir.join(guest.target).join("release").join(&name);
    if let Err(error) = std::fs::copy(&built, out.join(&name)) {
        panic!("cannot copy {}: {error}", built.display());
    }
}

/// Adds a target to the toolchain if it is not there.
fn ensure_target(target: &str) {
    let mut query = Command::new(variable("RUSTC"));
    let output = run(query.args(["--print", "target-libdir", "--target", target]));
    let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if output.status.success() && folder.is_dir() {
        return;
    }
    let mut add = Command::new("rustup");
    add.args(["target", "add", target]);
    if let Ok(toolchain) = env::var("RUSTUP_TOOLCHAIN") {
        add.args(["--toolchain", &toolchain]);
    }
    let output = run(&mut add);
    assert!(
        output.status.success(),
        "the guests need the target {target}; run `rustup target add {target}`\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Passes the versions to the crate, as `VERSION_` and the name.
fn versions(lock: &Path) {
    let text = match std::fs::read_to_string(lock) {
        Ok(text) => text,
        Err(error) => panic!("cannot read {}: {error}", lock.display()),
    };
    for name in VERSIONS {
        let heading = format!("name = \"{name}\"\nversion = \"");
        let found = text.split(heading.as_str()).skip(1).filter_map(|rest| rest.split('"').next());
        let parts = |version: &&str| -> Vec<u64> {
            version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
        };
        let version = found.max_by_key(parts).unwrap_or("?");
        let variable = name.to_uppercase().replace('-', "_");
        println!("cargo::rustc-env=VERSION_{variable}={version}");
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
