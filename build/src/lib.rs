//! Compiles contracts to Wasm: for `tollway build`, for tests of contracts, and for the build script
//! of the sample contracts. There is no other way, so what was tested is what is uploaded.
//!
//! ```text
//! crate ─▶ cargo metadata: where sources lie ─▶ cargo rustc, with fixed flags ─▶ <name>.wasm
//! ```
//!
//! The bytes are a function of the sources, the lock file and the toolchain. What a user's
//! environment or manifest says of flags, profiles, wrappers and target folders is left out, and
//! paths of the machine are mapped away. What stays is where Cargo finds dependencies by path that
//! lie outside of the contract's workspace: it is part of the names by which the compiler orders
//! things. A dependency by version or git revision has none.
//!
//! Tests of a contract link to its library, so that it is a `cdylib` and an `rlib`; and Cargo leaves
//! link-time optimization out where a library is of several kinds. So each contract is compiled by
//! itself, as a `cdylib` alone. That takes 1 to 27 % off the Wasm: above all what would format the
//! messages of panics, which nobody sees.
//!
//! There is no `wasm-opt`: it took 11 to 28 % off the sample contracts when those had no link-time
//! optimization (token: 10,492 bytes to 9,107; with it, and without `wasm-opt`, 10,234), which nobody pays
//! for, and would make the code hash depend on the version of a second compiler. Whoever wants it runs
//! it on the file that was built; the ABI stays.
//!
//! # Examples
//! ```no_run
//! let contracts = tollway_build::ContractBuild::new("guestbook").run()?;
//! println!("{} is in {}", contracts[0].package, contracts[0].wasm.display());
//! # Ok::<(), tollway_build::BuildError>(())
//! ```
#![forbid(unsafe_code)]

mod cargo;
mod error;
mod flags;
mod sources;
mod target;

pub use error::BuildError;
pub use target::{TARGET, ensure_target, rustc_version};

use sources::Sources;
use std::path::{Path, PathBuf};

/// What to compile, and where to.
#[derive(Clone, Debug)]
pub struct ContractBuild {
    folder: PathBuf,
    packages: Vec<String>,
    target_dir: Option<PathBuf>,
}

/// A compiled contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Its package.
    pub package: String,
    /// The file with its Wasm.
    pub wasm: PathBuf,
}

impl ContractBuild {
    /// The contract whose `Cargo.toml` is in this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), packages: Vec::new(), target_dir: None }
    }

    /// These packages of the folder's workspace, in place of the folder's own.
    pub fn packages(mut self, packages: impl IntoIterator<Item = String>) -> Self {
        self.packages = packages.into_iter().collect();
        self
    }

    /// Puts what Cargo makes into this folder; default `contracts` in the target folder of the workspace.
    /// One of its own, as Cargo locks it, and contracts are also built while Cargo builds.
    pub fn target_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.target_dir = Some(folder.into());
        self
    }

    /// Compiles, or finds that nothing changed since it was compiled. Adds the Wasm target to the
    /// toolchain if it is missing. If there is a lock file, it is taken as it is.
    ///
    /// # Errors
    /// [`BuildError`] with what Cargo or the compiler said.
    pub fn run(&self) -> Result<Vec<Built>, BuildError> {
        if !self.folder.join("Cargo.toml").is_file() {
            return Err(BuildError::NoManifest { folder: self.folder.clone() });
        }
        ensure_target(&self.folder)?;
        let sources = Sources::of(&self.folder)?;
        let target_dir = match &self.target_dir {
            Some(folder) => folder.clone(),
            None => sources.target_dir.join("contracts"),
        };
        let flags = flags::rustc(&sources.mapped(&self.folder)?).join("\x1f");
        let packages = if self.packages.is_empty() { &sources.contracts } else { &self.packages };
        let mut built = Vec::new();
        for package in packages {
            let mut command = cargo::command(&self.folder);
            command.args(["rustc", "--lib", "--crate-type", "cdylib", "--target", TARGET]);
            command.args(["--profile", flags::PROFILE, "--package", package]);
            command.args(["--message-format", "json-render-diagnostics"]);
            command.arg("--target-dir").arg(&target_dir);
            for setting in flags::profile() {
                command.args(["--config", &setting]);
            }
            if sources.is_locked {
                command.arg("--locked");
            }
            command.env("CARGO_ENCODED_RUSTFLAGS", &flags);
            let output = cargo::run(&mut command)?;
            if !output.status.success() {
                let message = String::from_utf8_lossy(&output.stderr).into_owned();
                return Err(BuildError::Cargo { folder: self.folder.clone(), message });
            }
            built.extend(cargo::wasm_files(&output.stdout));
        }
        if built.is_empty() {
            return Err(BuildError::NoContract { folder: self.folder.clone() });
        }
        Ok(built)
    }
}

/// Variables by which `tollway test` tells tests of a contract what it compiled just before: the
/// contract's folder, and the file with its Wasm. [`wasm_of`] then need not ask Cargo again.
pub const BUILT_VARIABLES: [&str; 2] = ["TOLLWAY_BUILT_FOLDER", "TOLLWAY_BUILT_WASM"];

/// Compiles the contract whose `Cargo.toml` is in a folder, and reads its Wasm.
///
/// # Errors
/// [`BuildError`] as [`ContractBuild::run`]; [`BuildError::Read`] if the file can't be read, and
/// [`BuildError::Several`] if the folder is that of a workspace with more than one contract.
pub fn wasm_of(folder: &Path) -> Result<Vec<u8>, BuildError> {
    let read = |file: &Path| {
        std::fs::read(file).map_err(|error| BuildError::Read { file: file.into(), error })
    };
    if let [Some(built), Some(wasm)] = BUILT_VARIABLES.map(std::env::var_os)
        && folder.canonicalize().is_ok_and(|folder| folder == Path::new(&built))
    {
        return read(Path::new(&wasm));
    }
    let built = ContractBuild::new(folder).run()?;
    match &built[..] {
        [one] => read(&one.wasm),
        several => Err(BuildError::Several {
            folder: folder.into(),
            packages: several.iter().map(|one| one.package.clone()).collect(),
        }),
    }
}
