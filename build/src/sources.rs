//! Where the sources of a contract lie, so that no path of theirs gets into the Wasm.

use crate::{BuildError, cargo, target};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What Cargo says of a contract's workspace.
pub(crate) struct Sources {
    pub(crate) target_dir: PathBuf,
    /// Whether there is a lock file.
    pub(crate) is_locked: bool,
    root: PathBuf,
    /// Packages that come from this machine's folders: names, and where they are.
    local: Vec<(String, PathBuf)>,
}

impl Sources {
    /// Asks Cargo.
    pub(crate) fn of(folder: &Path) -> Result<Self, BuildError> {
        let refused = |message: &[u8]| BuildError::Metadata {
            folder: folder.into(),
            message: String::from_utf8_lossy(message).trim_end().to_owned(),
        };
        let mut locate = cargo::command(folder);
        locate.args(["locate-project", "--workspace", "--message-format", "plain"]);
        let located = cargo::run(&mut locate)?;
        if !located.status.success() {
            return Err(refused(&located.stderr));
        }
        let manifest = PathBuf::from(String::from_utf8_lossy(&located.stdout).trim());
        let root = manifest.parent().unwrap_or(folder).to_path_buf();
        let is_locked = root.join("Cargo.lock").is_file();

        let mut metadata = cargo::command(folder);
        metadata.args(["metadata", "--format-version", "1"]);
        if is_locked {
            metadata.arg("--locked");
        }
        let output = cargo::run(&mut metadata)?;
        if !output.status.success() {
            return Err(refused(&output.stderr));
        }
        let metadata: Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| refused(error.to_string().as_bytes()))?;
        let packages = metadata["packages"].as_array().into_iter().flatten();
        let local = packages.filter(|package| package["source"].is_null()).filter_map(|package| {
            let manifest = Path::new(package["manifest_path"].as_str()?);
            Some((package["name"].as_str()?.to_owned(), manifest.parent()?.to_path_buf()))
        });
        let target_dir = metadata["target_directory"].as_str();
        Ok(Self {
            target_dir: target_dir.map_or_else(|| root.join("target"), PathBuf::from),
            is_locked,
            local: local.collect(),
            root,
        })
    }

    /// Folders, and what stands for them in the Wasm. Where several hold a path, the last one counts.
    pub(crate) fn mapped(&self, folder: &Path) -> Result<Vec<(PathBuf, String)>, BuildError> {
        let mut mapped = vec![(self.root.clone(), "/workspace".to_owned())];
        mapped.extend(cargo_home().map(|home| (home, "/cargo".to_owned())));
        mapped.extend(target::library_sources(folder)?);
        // A package inside another's folder counts for what is in it.
        let mut local: Vec<_> = self.local.iter().collect();
        local.sort_by_key(|(_, folder)| folder.components().count());
        mapped.extend(local.into_iter().map(|(name, folder)| (folder.clone(), format!("/{name}"))));
        Ok(mapped)
    }
}

fn cargo_home() -> Option<PathBuf> {
    std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| {
        #[allow(deprecated, reason = "right on every platform since Rust 1.85")]
        std::env::home_dir().map(|home| home.join(".cargo"))
    })
}
