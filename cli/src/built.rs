//! A contract that was compiled, checked as an upload checks it.

use crate::format::{count, thousands};
use crate::table::{indented, table};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use tollway::engine::validate::validate;
use tollway::{Config, Limits, Runtime};
use tollway_build::ContractBuild;
use tollway_display::notation::{marks, signature, templates};
use tollway_host_api::window::WINDOW_VALUE_BYTES_MAX;
use tollway_host_api::{Abi, Method};

/// A compiled contract that an upload takes.
pub(crate) struct BuiltContract {
    pub(crate) package: String,
    pub(crate) wasm: Vec<u8>,
    pub(crate) code_hash: String,
    /// The compiler, by name and version.
    pub(crate) compiler: String,
    /// Where it was built.
    file: PathBuf,
    abi: Abi,
    has_window: bool,
    memory_pages: u64,
}

/// Compiles the contracts in a folder, and checks each.
pub(crate) fn built(folder: &Path) -> Result<Vec<BuiltContract>> {
    let compiler = tollway_build::rustc_version(folder)?;
    let mut runtime = Runtime::new(Config { threads: 1, ..Config::default() })?;
    let contracts = ContractBuild::new(folder).run()?.into_iter().map(|built| {
        let wasm = std::fs::read(&built.wasm)
            .with_context(|| format!("cannot read {}", built.wasm.display()))?;
        let refused = || format!("{} can't be uploaded ({})", built.package, built.wasm.display());
        let hash = runtime.upload(&wasm).with_context(refused)?;
        let checked = validate(&wasm, &Limits::default()).with_context(refused)?;
        Ok(BuiltContract {
            package: built.package,
            code_hash: hash.to_string(),
            compiler: compiler.clone(),
            file: built.wasm,
            abi: checked.abi,
            has_window: checked.window.is_some(),
            memory_pages: checked.memory_pages_min,
            wasm,
        })
    });
    contracts.collect()
}

impl BuiltContract {
    /// `<target>/contracts/wasm32v1-none/contract/<name>.wasm` is too deep for people.
    pub(crate) fn default_file(&self) -> PathBuf {
        let target = self.file.ancestors().nth(4).unwrap_or(Path::new("target"));
        target.join(self.file.file_name().unwrap_or_default())
    }

    /// The contract in a line.
    pub(crate) fn line(&self) -> String {
        let size = thousands(self.wasm.len() as u64);
        format!("built {}: {size} bytes, code hash {}", self.package, self.code_hash)
    }

    /// For programs.
    pub(crate) fn json(&self, file: &Path) -> Value {
        let method = |method: &Method| {
            json!({
                "name": method.name,
                "signature": signature(method),
                "declared": method.declared,
                "access": templates(&self.abi, method),
            })
        };
        json!({
            "package": self.package,
            "contract": self.abi.name,
            "file": file.display().to_string(),
            "bytes": self.wasm.len(),
            "code_hash": self.code_hash,
            "compiler": self.compiler,
            "methods": self.abi.methods.iter().map(method).collect::<Vec<_>>(),
            "notes": self.notes(),
        })
    }

    /// For people.
    pub(crate) fn text(&self, file: &Path) -> String {
        let mut text = format!(
            "{}  {}\n  {} bytes, {} of memory\n  code hash {}\n  {}\n\nmethods\n{}",
            self.abi.name,
            file.display(),
            thousands(self.wasm.len() as u64),
            count(self.memory_pages, "page"),
            self.code_hash,
            self.compiler,
            indented(&self.methods())
        );
        for note in self.notes() {
            write!(text, "\n\nnote: {note}").expect("writing to a string cannot fail");
        }
        text
    }

    fn methods(&self) -> String {
        let row = |method: &Method| {
            let access = match templates(&self.abi, method) {
                none if none.is_empty() && method.declared => "nothing".to_owned(),
                none if none.is_empty() => "undeclared".to_owned(),
                lines => lines.join("; "),
            };
            [signature(method), marks(method).join(", "), access]
        };
        table(["method", "", "touches"], self.abi.methods.iter().map(row))
    }

    /// What makes calls dearer or slower than they could be.
    fn notes(&self) -> Vec<String> {
        let methods = self.abi.methods.iter().filter(|method| !method.declared);
        let undeclared = methods.map(|method| {
            format!(
                "`{}` declares no access: it runs alone, after the other calls of its block, and pays \
                 more for each key",
                method.name
            )
        });
        let fits = |size: Option<usize>| size.is_some_and(|size| size <= WINDOW_VALUE_BYTES_MAX);
        let large = self.abi.storage.iter().filter(|field| !fits(field.value.fixed_size()));
        let large = large.map(|field| {
            format!(
                "values of `{}` have no fixed size of at most {WINDOW_VALUE_BYTES_MAX} bytes: each use is a \
                 host function, where others lie in the contract's memory",
                field.name
            )
        });
        let mut notes: Vec<_> = undeclared.chain(large).collect();
        if !self.has_window {
            notes.push("it has no window: each use of a value is a host function".to_owned());
        }
        if self.memory_pages > 1 {
            notes.push(format!(
                "it starts with {} pages of memory: what a call writes of them is rewound after it",
                self.memory_pages
            ));
        }
        notes
    }
}
