//! `tollway export` and `import`: a whole state as one file, of which each chunk is checked against
//! the root before it is applied.

use crate::args::{ExportArgs, ImportArgs};
use crate::format::{count, thousands, wrapped};
use crate::output;
use crate::progress::with_bar;
use crate::store::open;
use anyhow::{Context, Result, anyhow, ensure};
use serde_json::json;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use tollway_state::Head;
use tollway_state::snapshot::{Export, Progress, SnapshotError, import};
use tollway_state_disk::{DiskBackend, DiskOptions};

/// Writes the state at the head. Under its name the file is whole: until then it has another one.
pub(crate) fn export(args: &ExportArgs) -> Result<()> {
    let ExportArgs { dir, file, json } = args;
    ensure!(!file.exists(), "{} is there already", file.display());
    let backend = open(&dir.path)?;
    let export = Export::of(&backend)?;
    let part = part_of(file);
    let write = |progress: tollway_benches::Progress<'_>| -> Result<u64> {
        let mut bytes = 0;
        let mut out = BufWriter::new(File::create(&part)?);
        export.write(&mut out, 0, &mut |done| {
            bytes = done.bytes;
            tell(progress, done);
        })?;
        let out = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        out.sync_all()?;
        std::fs::rename(&part, file)?;
        Ok(bytes)
    };
    let written = with_bar("exporting", write);
    if written.is_err() {
        // What matters is why it failed.
        let _ = std::fs::remove_file(&part);
    }
    let bytes = written.with_context(|| format!("cannot write {}", file.display()))?;
    let Head { height, root } = export.head();
    if json.json {
        return output::print_json(&json!({
            "height": height,
            "root": root.to_string(),
            "chunks": export.chunks(),
            "bytes": bytes,
        }));
    }
    output::print(&format!(
        "height  {height}\nroot    {root}\n\n{} bytes in {}",
        thousands(bytes),
        count(export.chunks().into(), "chunk")
    ))
}

/// Makes a store of a file, or goes on with one that was broken off.
pub(crate) fn import_file(args: &ImportArgs) -> Result<()> {
    let ImportArgs { file, dir, .. } = args;
    let name = || file.display().to_string();
    // Before a store is made for it.
    let stream = File::open(file).with_context(name)?;
    ensure!(stream.metadata().with_context(name)?.is_file(), "{} is not a file", name());
    let mut backend = DiskBackend::create(dir, DiskOptions::default())
        .with_context(|| format!("cannot make a store in {}", dir.display()))?;
    let trusted = args.head();
    let mut chunks = 0;
    let imported = with_bar("importing", |progress| {
        import(&mut BufReader::new(stream), &mut backend, trusted, &mut |done| {
            chunks = done.chunks;
            tell(progress, done);
        })
    });
    let Head { height, root } = imported.map_err(|error| {
        let broke_off = matches!(error, SnapshotError::Cut { .. } | SnapshotError::Wrong { .. });
        let error = anyhow::Error::new(error).context(name());
        match broke_off {
            true => anyhow!("{error:#}; {} takes the whole file to go on", dir.display()),
            false => error,
        }
    })?;
    backend.close()?;
    if args.json.json {
        return output::print_json(&json!({
            "height": height,
            "root": root.to_string(),
            "root_given": trusted.is_some(),
            "chunks": chunks,
        }));
    }
    let what = match chunks {
        0 => "It was there already.".to_owned(),
        _ => format!("{}, each checked before it was applied.", count(chunks.into(), "chunk")),
    };
    let against = match trusted {
        Some(_) => "The root is the one that was given.",
        None => {
            "The root is the one in the file, whoever made it. Compare it with a header that you \
             trust, or give that with --height and --root."
        }
    };
    output::print(&format!(
        "height  {height}\nroot    {root}\n\n{}",
        wrapped(&format!("{what} {against}"))
    ))
}

fn tell(progress: tollway_benches::Progress<'_>, done: Progress) {
    progress(done.chunks_done.into(), done.chunks.into());
}

/// The name of a file that is not whole yet, beside it.
fn part_of(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    file.with_file_name(name)
}
