//! Builds the book into out/book, by the one version of mdBook that it was written for.

use crate::target::root;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// The version. Its pages are plain Markdown, so a newer one needs a look at the output, no more.
const VERSION: &str = "0.5.4";

/// Builds the book, and mdBook before if it is not there.
pub(crate) fn build() -> Result<(), String> {
    let program = match installed() {
        Some(program) => program,
        None => install()?,
    };
    let mut command = Command::new(program);
    crate::steps::run(command.args(["build", "book"]), "mdbook build book")?;
    eprintln!("xtask: the book is in {}", root().join("out/book/index.html").display());
    Ok(())
}

/// The right mdBook, if it is in the path or was installed before.
fn installed() -> Option<OsString> {
    [OsString::from("mdbook"), own().into()].into_iter().find(|program| {
        let version = Command::new(program).arg("--version").output();
        let said = version.map(|output| output.stdout).unwrap_or_default();
        is_version(&String::from_utf8_lossy(&said))
    })
}

/// Whether this is what the right version says of itself.
fn is_version(said: &str) -> bool {
    let number = said.trim().strip_prefix("mdbook ").unwrap_or_default();
    number.strip_prefix('v').unwrap_or(number) == VERSION
}

fn own() -> PathBuf {
    let name = format!("mdbook{}", std::env::consts::EXE_SUFFIX);
    root().join("target/tools/bin").join(name)
}

/// Installs it beside what Cargo builds here; nothing of the machine's is touched. Without its own
/// web server, and without search, whose index needs more crates than all the rest.
fn install() -> Result<OsString, String> {
    let tools = root().join("target/tools");
    let tools = tools.to_str().ok_or("the path of this folder is not text")?;
    let line = ["install", "mdbook", "--version", VERSION, "--locked", "--no-default-features"];
    crate::steps::cargo(&[&line[..], &["--root", tools]].concat())?;
    Ok(own().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_whole() {
        assert!(is_version("mdbook v0.5.4\n") && is_version("mdbook 0.5.4"));
        assert!(!is_version("mdbook v0.5.40") && !is_version("mdbook v0.4.52") && !is_version(""));
    }
}
