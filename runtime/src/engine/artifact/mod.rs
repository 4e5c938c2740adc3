//! Keeps compiled modules on disk, so that a node that starts again loads its codes in
//! microseconds instead of compiling them again.
//!
//! ```text
//! instrumented wasm ─▶ key ─▶ file? ── no ────────────────▶ compile ─▶ seal ─▶ temp ─▶ rename
//!                              │ yes                           ▲
//!                              ▼                               │ refused
//!                     size, header, key, MAC ──────────────────┘
//!                              │ as written here
//!                              ▼
//!                     the bytes that were checked ─▶ deserialize
//! ```
//!
//! # Who is trusted
//! An artifact is native code: whoever chooses its bytes runs code as this process. So bytes are
//! loaded only if this host made them, which a MAC shows: BLAKE3 keyed with 32 random bytes that
//! [`ArtifactCache::open`] puts into the directory for its owner alone.
//!
//! - **Refused and built again**: bit rot, half-written files, files of another version, and files
//!   that were copied here from another host, another directory, or another key's name, also by
//!   someone who can write single files but not read the secret (a restored backup, a shared
//!   download).
//! - **Not kept out**: who can both read the secret and write the directory, for they can make
//!   files that pass. That is the account the node runs as, and root; either could replace the
//!   node's own binary as well. So on Unix a directory that others may write, a secret that others
//!   may read or write, and either of a foreign owner, are errors when the cache is opened.
//!   Elsewhere nothing is checked: the directory has to be private by other means.
//! - **No race between check and use**: a file is read once into memory, and that memory is checked
//!   and loaded. What happens to the file meanwhile does not matter. Nor does it matter if someone
//!   exchanges the whole directory later: the secret was read when the cache was opened.
//!
//! # Invariants
//! 1. A file is loaded only if its MAC, key and length are right
//!    (`file::tests::every_change_is_refused`, `tests/artifacts.rs`).
//! 2. The key covers all that decides the native code: the engine's configuration and version, the
//!    target, and the instrumented module itself, so also every limit that the passes depend on,
//!    known today or not (`tests::every_part_of_a_key_counts`).
//! 3. Nothing that the disk does fails an upload, or changes a receipt (`tests/artifacts.rs`).
//! 4. Under a final name there is never half a file: temporary file, fsync, rename
//!    (`directory::tests::what_fails_half_way_leaves_nothing`).
//! 5. Files in the directory take at most so many bytes as asked for, for each process that writes
//!    at one moment one file more (`directory::tests::the_oldest_make_room`).
//!
//! Validation is not cached: it is what the ABI comes from, the instrumented module is part of the
//! key, and a contract of 25 KB takes 0.6 ms, against 11 ms to compile and 0.1 to load.

mod directory;
mod file;

pub use directory::DirectoryError;
pub use file::Refusal;

use crate::engine::code::CodeHash;
use crate::engine::config::{Compiler, fingerprint};
use directory::Directory;
use std::hash::{Hash, Hasher};
use std::path::Path;
use wasmtime::{Engine, Module};

/// Bytes of all artifacts together, where nothing else is asked for: some ten thousand contracts.
pub const ARTIFACT_BYTES_MAX: u64 = 1 << 30;

/// What names an artifact: a hash over all that decides its native code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ArtifactKey([u8; 32]);

/// What a cache did so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArtifactStats {
    /// Modules loaded from disk.
    pub hits: u64,
    /// Modules compiled because there was no file.
    pub misses: u64,
    /// Modules compiled because the file was damaged, foreign, or could not be read.
    pub refused: u64,
    /// Files written.
    pub written: u64,
    /// Files that could not be written.
    pub unwritten: u64,
    /// Files removed to make room.
    pub removed: u64,
    /// Why a file was refused or not written, the last time it happened.
    pub last_error: Option<String>,
}

/// The compiled modules of one engine configuration, in one directory.
///
/// Any number of caches, in any number of processes, may use one directory at once.
#[derive(Debug)]
pub struct ArtifactCache {
    directory: Directory,
    engine: Engine,
    /// The part of every key that the engine decides.
    engine_key: [u8; 32],
    stats: ArtifactStats,
}

impl ArtifactCache {
    /// Opens a cache for `engine`, which was made with
    /// [`engine_config`](crate::engine::config::engine_config) for `compiler`. The directory and
    /// its secret are made if they are missing.
    ///
    /// # Errors
    /// [`DirectoryError`] if the directory can't be written, or others could have put code in it.
    pub fn open(
        directory: &Path,
        bytes_max: u64,
        engine: &Engine,
        compiler: Compiler,
    ) -> Result<Self, DirectoryError> {
        Ok(Self {
            directory: Directory::open(directory, bytes_max)?,
            engine: engine.clone(),
            engine_key: engine_key(engine, compiler),
            stats: ArtifactStats::default(),
        })
    }

    /// What this cache did so far.
    pub fn stats(&self) -> &ArtifactStats {
        &self.stats
    }

    /// The native code of an instrumented module: from its file, or compiled and then written for
    /// the next time. `code` is the hash of the module as it was uploaded.
    ///
    /// # Errors
    /// What the compiler says. Trouble with the disk is no error; see [`Self::stats`].
    pub fn module(&mut self, code: CodeHash, wasm: &[u8]) -> wasmtime::Result<Module> {
        let key = ArtifactKey::of(&self.engine_key, code, wasm);
        match self.load(&key) {
            Ok(Some(module)) => {
                self.stats.hits += 1;
                return Ok(module);
            }
            Ok(None) => self.stats.misses += 1,
            Err(refusal) => {
                self.stats.refused += 1;
                self.stats.last_error = Some(format!("artifact {}: {refusal}", key.file_name()));
            }
        }
        let module = Module::new(&self.engine, wasm)?;
        match self.store(&key, &module) {
            Ok(removed) => {
                self.stats.written += 1;
                self.stats.removed += removed;
            }
            Err(reason) => {
                self.stats.unwritten += 1;
                self.stats.last_error = Some(format!("artifact {}: {reason}", key.file_name()));
            }
        }
        Ok(module)
    }

    fn load(&self, key: &ArtifactKey) -> Result<Option<Module>, Refusal> {
        let Some(bytes) = self.directory.read(&key.file_name())? else {
            return Ok(None);
        };
        let verified = file::verify(&bytes, &key.0, self.directory.secret())?;
        let module = deserialize(&self.engine, &verified)
            .map_err(|error| Refusal::Engine { reason: format!("{error:#}") })?;
        Ok(Some(module))
    }

    /// Writes an artifact. Returns how many others made room.
    fn store(&self, key: &ArtifactKey, module: &Module) -> Result<u64, String> {
        let native = module.serialize().map_err(|error| format!("{error:#}"))?;
        let sealed = file::seal(&native, &key.0, self.directory.secret());
        self.directory.write(&key.file_name(), &sealed).map_err(|error| error.to_string())
    }
}

/// Makes a module of what was verified.
#[allow(unsafe_code, reason = "the one place where native code comes from outside the process")]
fn deserialize(engine: &Engine, verified: &file::Verified<'_>) -> wasmtime::Result<Module> {
    // SAFETY: `deserialize` asks for unmodified output of `Module::serialize`. A `Verified` comes
    // from `file::verify` alone, whose MAC is right only for what `file::seal` made under the same
    // secret. `ArtifactCache::store` is the only caller of `seal` and hands it such output, and
    // `Directory::open` lets nobody but this account have the secret. The bytes are borrowed since
    // they were checked, and copied by the engine. Output of other engines is refused by the
    // engine itself.
    //
    // Neither Miri nor loom can help here: what matters runs as native code.
    unsafe { Module::deserialize(engine, verified.native()) }
}

impl ArtifactKey {
    /// The name of the native code of `wasm` under an engine. The code's own hash would follow from
    /// the runtime's rules, but is cheap to hold against the file too.
    fn of(engine_key: &[u8; 32], code: CodeHash, wasm: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("tollway 2026 artifact key v1");
        hasher.update(engine_key).update(&code.0).update(blake3::hash(wasm).as_bytes());
        Self(*hasher.finalize().as_bytes())
    }

    fn file_name(&self) -> String {
        let digits: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        digits + directory::FILE_SUFFIX
    }
}

/// What an engine adds to keys: our own fingerprint, and what Wasmtime knows beyond it, above all
/// the target and the processor's features.
fn engine_key(engine: &Engine, compiler: Compiler) -> [u8; 32] {
    let mut hasher =
        KeyHasher(blake3::Hasher::new_derive_key("tollway 2026 artifact engine key v1"));
    hasher.write(&fingerprint(compiler));
    engine.precompile_compatibility_hash().hash(&mut hasher);
    *hasher.0.finalize().as_bytes()
}

/// Feeds what can be hashed into BLAKE3: 64 bits, as hashers of the standard library give, are few
/// for a name.
struct KeyHasher(blake3::Hasher);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0.finalize().as_bytes()[..8]);
        u64::from_le_bytes(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::engine_config;

    fn engine(compiler: Compiler) -> Engine {
        let config = engine_config(compiler).expect("the compiler is built in");
        Engine::new(&config).expect("the configuration is sound")
    }

    #[test]
    fn every_part_of_a_key_counts() {
        let [cranelift, winch, pulley] =
            Compiler::ALL.map(|compiler| engine_key(&engine(compiler), compiler));
        assert!(cranelift != winch && winch != pulley && pulley != cranelift);
        // Another engine of the same configuration has the same keys, or nothing was ever found.
        assert_eq!(engine_key(&engine(Compiler::Winch), Compiler::Winch), winch);
        // What Wasmtime knows and our fingerprint does not.
        let mut config = engine_config(Compiler::Cranelift).expect("the compiler is built in");
        config.cranelift_opt_level(wasmtime::OptLevel::None);
        let other = Engine::new(&config).expect("the configuration is sound");
        assert_ne!(engine_key(&other, Compiler::Cranelift), cranelift);

        let (code, wasm) = (CodeHash([1; 32]), b"wasm");
        let key = ArtifactKey::of(&winch, code, wasm);
        assert_eq!(ArtifactKey::of(&winch, code, wasm), key);
        for other in [
            ArtifactKey::of(&pulley, code, wasm),
            ArtifactKey::of(&winch, CodeHash([2; 32]), wasm),
            ArtifactKey::of(&winch, code, b"wasn"),
        ] {
            assert_ne!(other, key);
        }
        assert!(directory::is_file_name(&key.file_name()));
    }
}
