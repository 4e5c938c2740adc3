//! What contracts are compiled for. rustup reads `rust-toolchain.toml` and mostly has it already;
//! toolchains that came another way may not.

use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32v1-none";

/// Adds the target if it is missing.
///
/// # Errors
/// A message for people, if it is missing and cannot be added.
pub(crate) fn ensure() -> Result<(), String> {
    if is_installed()? {
        return Ok(());
    }
    eprintln!("xtask: the Rust target {TARGET} is missing; adding it");
    let added = Command::new("rustup").args(["target", "add", TARGET]).status();
    match added {
        Ok(status) if status.success() && is_installed()? => Ok(()),
        Ok(_) => Err(format!(
            "`rustup target add {TARGET}` failed; contracts cannot be built without it"
        )),
        Err(_) => Err(format!(
            "the Rust target {TARGET} is missing, and so is rustup, which could add it.\n\
             Install rustup from https://rustup.rs, or the target by your system's packages"
        )),
    }
}

/// Whether the compiler that cargo will use has the target's libraries.
fn is_installed() -> Result<bool, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(root())
        .output()
        .map_err(|error| format!("cannot run rustc: {error}"))?;
    let directory = String::from_utf8_lossy(&output.stdout);
    // A directory without libraries is what an interrupted installation leaves.
    let holds_libraries = |path: &Path| {
        path.read_dir().is_ok_and(|mut entries| {
            entries.any(|entry| {
                entry.is_ok_and(|entry| entry.path().extension().is_some_and(|e| e == "rlib"))
            })
        })
    };
    Ok(output.status.success() && holds_libraries(Path::new(directory.trim())))
}

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_workspace() {
        let manifest =
            std::fs::read_to_string(root().join("Cargo.toml")).expect("the root has a manifest");
        assert!(manifest.contains("[workspace]"));
    }
}
