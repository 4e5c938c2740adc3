//! The toolchain: what contracts are compiled for, and where its library's sources lie.

use crate::{BuildError, cargo};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What contracts are compiled for.
pub const TARGET: &str = "wasm32v1-none";

fn rustc(folder: &Path, args: &[&str]) -> Result<Option<String>, BuildError> {
    let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    cargo::clear(&mut command);
    let output = cargo::run(command.current_dir(folder).args(args))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(output.status.success().then_some(text))
}

/// Which compiler builds what is in a folder: the first line of `rustc -V`.
///
/// # Errors
/// [`BuildError::Start`] if there is none.
pub fn rustc_version(folder: &Path) -> Result<String, BuildError> {
    Ok(rustc(folder, &["-V"])?.unwrap_or_default())
}

/// Adds the Wasm target to the toolchain of a folder, if it is not there.
///
/// # Errors
/// [`BuildError::Target`] if it can't be added.
pub fn ensure_target(folder: &Path) -> Result<(), BuildError> {
    let libraries = || rustc(folder, &["--print", "target-libdir", "--target", TARGET]);
    // A directory without libraries is what an interrupted installation leaves.
    let holds_libraries = |path: &Path| {
        path.read_dir().is_ok_and(|mut entries| {
            entries.any(|entry| {
                entry.is_ok_and(|entry| entry.path().extension() == Some("rlib".as_ref()))
            })
        })
    };
    if libraries()?.is_some_and(|path| holds_libraries(Path::new(&path))) {
        return Ok(());
    }
    let mut add = Command::new("rustup");
    add.current_dir(folder).args(["target", "add", TARGET]);
    if let Ok(toolchain) = std::env::var("RUSTUP_TOOLCHAIN") {
        add.args(["--toolchain", &toolchain]);
    }
    let message = match add.output() {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    Err(BuildError::Target { target: TARGET, message })
}

/// The sources of the standard library, if they are installed, and what stands for them where they
/// are not.
pub(crate) fn library_sources(folder: &Path) -> Result<Option<(PathBuf, String)>, BuildError> {
    let Some(sysroot) = rustc(folder, &["--print", "sysroot"])? else {
        return Ok(None);
    };
    let version = rustc(folder, &["-vV"])?.unwrap_or_default();
    let hash = version.lines().find_map(|line| line.strip_prefix("commit-hash: "));
    let sources = Path::new(&sysroot).join("lib/rustlib/src/rust");
    Ok(hash.map(|hash| (sources, format!("/rustc/{hash}"))))
}
