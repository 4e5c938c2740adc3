//! `tollway state prove` and `verify`: proofs for whoever has a root and no state.

use super::ABSENT;
use crate::format::{count, fit, thousands, wrapped};
use crate::output;
use crate::store::{Checked, Key, ProofFile, hex, open};
use crate::table::table;
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;
use tollway_state::{Backend, Found};
use tollway_state_verify::Root;

/// The most characters of a value in a table.
const VALUE_CHARS_MAX: usize = 64;

pub(super) fn prove(dir: &Path, keys: &[Key], out: &Path, json: bool) -> Result<()> {
    let backend = open(dir)?;
    let mut once: Vec<&Key> = Vec::new();
    for key in keys {
        if !once.contains(&key) {
            once.push(key);
        }
    }
    let bytes: Vec<&[u8]> = once.iter().map(|key| key.bytes()).collect();
    let head = backend.head();
    let proof = backend.proofs().context("this state makes no proofs")?.prove(&bytes)?;
    let mut found = Found::new();
    backend.read_many(&bytes, &mut found)?;
    let entries: Vec<(Key, Option<Vec<u8>>)> = (once.iter().zip(found.iter()))
        .map(|(key, value)| ((*key).clone(), value.map(<[u8]>::to_vec)))
        .collect();
    let file = ProofFile::new(head.height.0, &head.root, &entries, &proof);
    // A proof that does not convince is of no use, whoever is to blame.
    file.check(&head.root).context("the proof does not hold: please report this")?;
    output::write_file(out, (serde_json::to_string_pretty(&file)? + "\n").as_bytes())?;
    let (present, size) =
        (entries.iter().filter(|entry| entry.1.is_some()).count(), proof.to_bytes().len());
    if json {
        return output::print_json(&json!({
            "height": head.height,
            "root": head.root.to_string(),
            "present": present,
            "absent": entries.len() - present,
            "proof_bytes": size,
        }));
    }
    output::print(&format!(
        "height  {}\nroot    {}\n\n{} in a proof of {} bytes: {present} present, {} absent",
        head.height,
        head.root,
        count(entries.len() as u64, "key"),
        thousands(size as u64),
        entries.len() - present
    ))
}

pub(super) fn verify(path: &Path, root: Option<&Root>, json: bool) -> Result<ExitCode> {
    let file = ProofFile::read(path)?;
    let trusted = root.is_some();
    let named = || file.root().with_context(|| path.display().to_string());
    let root = root.copied().map_or_else(named, Ok)?;
    let checked = file.check(&root);
    if json {
        output::print_json(&match &checked {
            Ok(entries) => json!({
                "holds": true,
                "root": root.to_string(),
                "root_given": trusted,
                "height": file.height,
                "entries": entries.iter().map(entry_json).collect::<Vec<_>>(),
            }),
            Err(error) => json!({
                "holds": false,
                "root": root.to_string(),
                "root_given": trusted,
                "reason": format!("{error:#}"),
            }),
        })?;
        return Ok(if checked.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let entries = checked.with_context(|| format!("{} does not hold", path.display()))?;
    ensure!(!entries.is_empty(), "{} proves nothing", path.display());
    output::print(&text(&file, &root, trusted, &entries))?;
    Ok(ExitCode::SUCCESS)
}

fn entry_json(entry: &Checked) -> serde_json::Value {
    json!({
        "key": hex(&entry.key),
        "is": if entry.value.is_some() { "present" } else { "absent" },
        "value": entry.value.as_deref().map(hex),
    })
}

fn text(file: &ProofFile, root: &Root, trusted: bool, entries: &[Checked]) -> String {
    let rows = entries.iter().map(|entry| {
        let value = entry.value.as_deref();
        [
            hex(&entry.key),
            if value.is_some() { "present" } else { "absent" }.to_owned(),
            value.map_or_else(|| ABSENT.to_owned(), |value| fit(&hex(value), VALUE_CHARS_MAX)),
        ]
    });
    let against = match trusted {
        true => "Proven against the root that was given.".to_owned(),
        false => wrapped(
            "Checked against the root in the file only, which shows that the file agrees with \
             itself and nothing more. Give the root of a header that you trust with --root.",
        ),
    };
    format!(
        "root    {root}\nheight  {}, as the file says\n\n{}\n\n{against}",
        file.height,
        table(["key", "", "value"], rows)
    )
}
