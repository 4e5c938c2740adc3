//! Why there is no Wasm.

use std::path::PathBuf;

/// Why a contract could not be compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The folder holds no crate.
    #[error("{} has no Cargo.toml", .folder.display())]
    NoManifest {
        /// The folder.
        folder: PathBuf,
    },
    /// A program could not be started.
    #[error("cannot run {program}: {source}")]
    Start {
        /// What it is called.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Cargo could not say what the crate is made of.
    #[error("cargo can't read the crate in {}:\n{}", .folder.display(), with_hint(.message))]
    Metadata {
        /// The crate's folder.
        folder: PathBuf,
        /// What Cargo said.
        message: String,
    },
    /// Cargo or the compiler refused.
    #[error("the contract in {} does not build for {}:\n{message}", .folder.display(), crate::TARGET)]
    Cargo {
        /// The crate's folder.
        folder: PathBuf,
        /// What they said.
        message: String,
    },
    /// The crate gives no Wasm.
    #[error(
        "the crate in {} is no contract: its [lib] needs crate-type = [\"cdylib\", \"rlib\"]",
        .folder.display()
    )]
    NoContract {
        /// The crate's folder.
        folder: PathBuf,
    },
    /// There is more than one contract where one was asked for.
    #[error("{} holds several contracts, name the folder of one: {}", .folder.display(), .packages.join(", "))]
    Several {
        /// The folder.
        folder: PathBuf,
        /// Their packages.
        packages: Vec<String>,
    },
    /// The toolchain lacks the Wasm target, and it could not be added.
    #[error(
        "contracts need the Rust target {target}, and adding it failed; \
         run `rustup target add {target}`\n{message}"
    )]
    Target {
        /// The target.
        target: &'static str,
        /// What rustup said.
        message: String,
    },
    /// What was built could not be read.
    #[error("cannot read {}: {source}", .file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Cargo's advice is for who passed `--locked`, which was not the user.
fn with_hint(message: &str) -> String {
    let hint = "\nThe lock file is taken as it is; `cargo check` brings it up to date.";
    if message.contains("--locked") { format!("{message}{hint}") } else { message.to_owned() }
}
