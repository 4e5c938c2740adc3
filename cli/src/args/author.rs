//! What commands for authors of contracts take.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

pub(crate) const NEW_EXAMPLES: &str = "\
Examples:
  tollway new guestbook                       in the folder guestbook, on this Tollway's own crates
  tollway new jar --tollway ../tollway        on those of another checkout
  tollway new jar --tollway https://example.org/tollway.git";

/// What `tollway new` takes.
#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// The name of the contract's crate: lower-case letters, digits, `-` and `_`
    pub(crate) name: String,
    /// Where it goes; a folder that is empty or does not exist [default: the name]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Where Tollway's crates come from: a checkout, or the URL of a git repository [default: the
    /// checkout that this command was built from]
    #[arg(long, value_name = "DIR|URL")]
    pub(crate) tollway: Option<String>,
}

pub(crate) const BUILD_EXAMPLES: &str = "\
Examples:
  tollway build                               the contract in this folder
  tollway build jar --out jar.wasm
  tollway build --check 9f1c…                 is this the source of that code?";

/// What `tollway build` takes.
#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// The contract's folder, or that of a workspace of contracts
    #[arg(default_value = ".")]
    pub(crate) folder: PathBuf,
    /// Where the Wasm goes [default: NAME.wasm in the target folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Fail unless the code hash is this one
    #[arg(long, value_name = "HASH", value_parser = code_hash)]
    pub(crate) check: Option<String>,
    /// Print a line of JSON for each contract, for programs
    #[arg(long)]
    pub(crate) json: bool,
}

fn code_hash(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text).to_ascii_lowercase();
    let is_hash = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { Ok(digits) } else { Err("a code hash is 64 hexadecimal digits".to_owned()) }
}

/// What `tollway test` takes.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// The contract's folder
    #[arg(default_value = ".")]
    pub(crate) folder: PathBuf,
    /// What else `cargo test` gets
    #[arg(last = true)]
    pub(crate) cargo: Vec<String>,
}

pub(crate) const CHECK_UPGRADE_EXAMPLES: &str = "\
Examples:
  tollway check-upgrade deployed.wasm target/jar.wasm
  tollway check-upgrade deployed.wasm target/jar.wasm --strict   also what breaks callers is an error

Exit code 0: state and, with --strict, callers are safe; 1: they are not.";

/// What `tollway check-upgrade` takes.
#[derive(Debug, Args)]
pub(crate) struct CheckUpgradeArgs {
    /// The code that is there: a Wasm file, or the name of a sample contract
    pub(crate) old: String,
    /// The code that shall take its place
    pub(crate) new: String,
    /// Fail also if callers break
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print JSON for programs
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) const CLIENT_EXAMPLES: &str = "\
Examples:
  tollway client target/jar.wasm --lang typescript --out jar.ts
  tollway client token --lang rust --out token.rs";

/// What `tollway client` takes.
#[derive(Debug, Args)]
pub(crate) struct ClientArgs {
    /// A Wasm file, or the name of a sample contract
    pub(crate) contract: String,
    /// The client's language
    #[arg(long, value_enum)]
    pub(crate) lang: ClientLang,
    /// Where it goes [default: printed]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// A language of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClientLang {
    /// One file; needs the crate borsh
    Rust,
    /// One file; needs nothing
    Typescript,
}

/// What `tollway reference` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReferenceFormat {
    /// A page for people
    #[default]
    Markdown,
    /// A header for contracts in C
    CHeader,
}

pub(crate) const ABI_EXAMPLES: &str = "\
Examples:
  tollway abi counter.wasm --set counter.json --out counter.wasm    give a module its ABI section
  tollway abi token                                                 print a contract's ABI as JSON";

/// What `tollway abi` takes.
#[derive(Debug, Args)]
pub(crate) struct AbiArgs {
    /// A Wasm file, or the name of a sample contract
    pub(crate) contract: String,
    /// Give the module this ABI, described in JSON, in place of the one that it has
    #[arg(long, value_name = "FILE", requires = "out")]
    pub(crate) set: Option<PathBuf>,
    /// Where the module with its ABI goes
    #[arg(long, value_name = "FILE", requires = "set")]
    pub(crate) out: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_hashes_are_hexadecimal() {
        assert_eq!(code_hash(&format!("0x{}", "AB".repeat(32))), Ok("ab".repeat(32)));
        assert!(code_hash("ab").is_err());
        assert!(code_hash(&"zz".repeat(32)).is_err());
    }
}
