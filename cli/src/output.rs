//! Writes what the command has to say.

use crate::format::harmless;
use anyhow::{Context, Result};
use serde::Serialize;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// Writes a text for people and a line end to stdout.
pub(crate) fn print(text: &str) -> Result<()> {
    print_raw(&harmless(text))
}

/// A reader that has seen enough, such as `head`, is no error.
fn print_raw(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        other => other.context("cannot write to stdout"),
    }
}

/// Writes one JSON document as one line, its fields in their own order.
pub(crate) fn print_json(document: &impl Serialize) -> Result<()> {
    print_raw(&serde_json::to_string(document)?)
}

/// Writes a file, with the folders on its way, and says so on stderr.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    write_quietly(path, bytes)?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

/// Writes a file, with the folders on its way.
pub(crate) fn write_quietly(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
    }
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
