//! `tollway new`: writes a contract to begin with.

use crate::args::NewArgs;
use crate::new::{Source, Template};
use crate::output;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};

pub(crate) fn run(args: &NewArgs) -> Result<()> {
    let folder = args.dir.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    let source = Source::of(args.tollway.as_deref())?;
    let template = Template::new(&args.name, source)?;
    ensure_new(&folder)?;
    for (path, text) in template.files() {
        output::write_quietly(&folder.join(path), text.as_bytes())?;
    }
    let lock = template.lock(&folder);
    output::print(&format!(
        "wrote the contract {} to {}\n  Tollway's crates come from {}\n{}\nnext:\n  cd {}\n  \
         tollway build\n  tollway inspect target/{}.wasm\n  tollway test        the first time compiles the \
         test chain, which takes minutes",
        args.name,
        folder.display(),
        template.source,
        if lock { "  Cargo.lock has the versions that they were tested with\n" } else { "" },
        folder.display(),
        template.module,
    ))
}

/// Refuses a folder with anything in it: nothing of anybody's is overwritten.
fn ensure_new(folder: &Path) -> Result<()> {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => {
            let is_empty = entries.next().is_none();
            ensure!(is_empty, "{} is not empty: name another folder with --dir", folder.display());
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| folder.display().to_string()),
    }
}
