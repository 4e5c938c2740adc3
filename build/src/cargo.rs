//! Cargo, started inside of whatever else may be running it.

use crate::{BuildError, Built};
use serde_json::Value;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Variables by which an outer Cargo or a user would change the build.
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

/// Variables of Cargo that say where it keeps things and how it reaches them, not how it builds.
const KEPT: [&str; 7] = [
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_HOME",
    "CARGO_HTTP_",
    "CARGO_MAKEFLAGS",
    "CARGO_NET_",
    "CARGO_REGISTR",
    "CARGO_TARGET_DIR",
];

/// Cargo in a folder, with nothing in its environment that changes what it makes: a `cargo clippy`
/// would lint the contracts instead of building them.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder);
    clear(&mut command);
    command.arg("--quiet");
    command
}

/// Takes the variables out that change what Cargo makes.
pub(crate) fn clear(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let Some(text) = name.to_str() else {
            continue;
        };
        let cargo = text.starts_with("CARGO") && !KEPT.iter().any(|kept| text.starts_with(kept));
        if cargo || CLEARED.contains(&text) {
            command.env_remove(&name);
        }
    }
}

/// Runs it to its end.
pub(crate) fn run(command: &mut Command) -> Result<Output, BuildError> {
    command.output().map_err(|source| BuildError::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    })
}

/// The Wasm files that a build's messages name.
pub(crate) fn wasm_files(messages: &[u8]) -> Vec<Built> {
    let messages = messages.split(|byte| *byte == b'\n');
    let message = |line| serde_json::from_slice::<Value>(line).ok();
    let files = messages.filter_map(message).filter_map(|message| {
        let is_library = message["target"]["crate_types"].as_array()?.contains(&"cdylib".into());
        let is_built = is_library && message["reason"] == "compiler-artifact";
        let manifest = Path::new(message["manifest_path"].as_str().filter(|_| is_built)?);
        let files = message["filenames"].as_array()?.iter().filter_map(Value::as_str);
        let wasm =
            files.map(PathBuf::from).find(|file| file.extension() == Some("wasm".as_ref()))?;
        let package = package_name(message["package_id"].as_str()?, manifest);
        Some(Built { package, wasm })
    });
    files.collect()
}

/// `path+file:///…/token#tollway-contract-token@0.1.0`, or `path+file:///…/token#0.1.0` where the
/// folder has the package's name.
fn package_name(id: &str, manifest: &Path) -> String {
    let fragment = id.rsplit_once('#').map_or(id, |(_, fragment)| fragment);
    let folder = || manifest.parent().and_then(Path::file_name).unwrap_or_default();
    match fragment.split_once('@') {
        Some((name, _)) => name.to_owned(),
        None => folder().to_string_lossy().into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_in_messages() {
        let messages = br#"{"reason":"compiler-artifact","package_id":"path+file:///a/tip#0.1.0","manifest_path":"/a/tip/Cargo.toml","target":{"crate_types":["cdylib","rlib"]},"filenames":["/t/libtip.rlib","/t/tip.wasm"]}
{"reason":"compiler-artifact","package_id":"path+file:///a/x#jar@0.1.0","manifest_path":"/a/x/Cargo.toml","target":{"crate_types":["cdylib"]},"filenames":["/t/jar.wasm"]}
{"reason":"compiler-artifact","package_id":"registry#borsh@1.0.0","manifest_path":"/b/Cargo.toml","target":{"crate_types":["lib"]},"filenames":["/t/libborsh.rlib"]}
no json
{"reason":"build-finished","success":true}"#;
        let built =
            |package: &str, wasm: &str| Built { package: package.into(), wasm: wasm.into() };
        assert_eq!(
            wasm_files(messages),
            [built("tip", "/t/tip.wasm"), built("jar", "/t/jar.wasm")]
        );
    }
}
