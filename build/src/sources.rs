//! Where the sources of a contract lie, so that no path of theirs gets into the Wasm.
//!
//! Cargo is asked about manifests alone: nothing is resolved, downloaded or locked for it.

use crate::{BuildError, cargo, target};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What Cargo says of a contract's workspace.
pub(crate) struct Sources {
    pub(crate) target_dir: PathBuf,
    /// Whether there is a lock file.
    pub(crate) is_locked: bool,
    /// The contracts that are meant where none is named: the folder's own, else those of its workspace.
    pub(crate) contracts: Vec<String>,
    root: PathBuf,
    /// Packages in other folders of this machine that it depends on, with their names.
    elsewhere: BTreeMap<PathBuf, String>,
}

impl Sources {
    /// Asks Cargo.
    pub(crate) fn of(folder: &Path) -> Result<Self, BuildError> {
        let metadata = metadata(folder)?;
        let path = |key: &str| metadata[key].as_str().map(PathBuf::from);
        let root = path("workspace_root").unwrap_or_else(|| folder.to_path_buf());
        Ok(Self {
            target_dir: path("target_directory").unwrap_or_else(|| root.join("target")),
            is_locked: root.join("Cargo.lock").is_file(),
            contracts: contracts(folder, &metadata),
            elsewhere: elsewhere(&root, metadata)?,
            root,
        })
    }

    /// Folders, and what stands for them in the Wasm. Where several hold a path, the last one counts.
    pub(crate) fn mapped(&self, folder: &Path) -> Result<Vec<(PathBuf, String)>, BuildError> {
        let mut mapped = vec![(self.root.clone(), "/workspace".to_owned())];
        mapped.extend(cargo_home().map(|home| (home, "/cargo".to_owned())));
        mapped.extend(target::library_sources(folder)?);
        // In the order of paths, a package inside another's folder comes after it.
        let elsewhere = self.elsewhere.iter();
        mapped.extend(elsewhere.map(|(folder, name)| (folder.clone(), format!("/{name}"))));
        Ok(mapped)
    }
}

/// What Cargo says of the workspace that a folder belongs to.
fn metadata(folder: &Path) -> Result<Value, BuildError> {
    let refused = |message: &[u8]| BuildError::Metadata {
        folder: folder.into(),
        message: String::from_utf8_lossy(message).trim_end().to_owned(),
    };
    let mut command = cargo::command(folder);
    let output = cargo::run(command.args(["metadata", "--no-deps", "--format-version", "1"]))?;
    if !output.status.success() {
        return Err(refused(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| refused(error.to_string().as_bytes()))
}

/// The identifiers of the packages that give Wasm: that of the folder or, in the folder of a workspace
/// without a package of its own, those that Cargo builds there.
fn contracts(folder: &Path, metadata: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let manifest = folder.join("Cargo.toml");
    let manifest = manifest.canonicalize().unwrap_or(manifest);
    let is_here = |package: &Value| {
        let path = package["manifest_path"].as_str().map(Path::new);
        path.is_some_and(|path| path.canonicalize().is_ok_and(|path| path == manifest))
    };
    let is_contract = |package: &Value| {
        let mut targets = list(&package["targets"]).into_iter();
        targets.any(|target| list(&target["crate_types"]).contains(&"cdylib".into()))
    };
    let id = |package: &Value| package["id"].as_str().map(str::to_owned);
    let packages = list(&metadata["packages"]);
    if let Some(own) = packages.iter().find(|package| is_here(package)) {
        return id(own).into_iter().filter(|_| is_contract(own)).collect();
    }
    let default = list(&metadata["workspace_default_members"]);
    let built = packages.iter().filter(|package| default.contains(&package["id"]));
    built.filter(|package| is_contract(package)).filter_map(id).collect()
}

/// The packages outside of a workspace that its packages depend on by path, and those that these do.
fn elsewhere(root: &Path, metadata: Value) -> Result<BTreeMap<PathBuf, String>, BuildError> {
    let mut found = BTreeMap::new();
    let mut read: BTreeMap<PathBuf, Vec<(String, PathBuf)>> = packages(&metadata).collect();
    let mut next: Vec<PathBuf> = read.keys().cloned().collect();
    while let Some(folder) = next.pop() {
        if !read.contains_key(&folder) {
            read.extend(packages(&self::metadata(&folder)?));
        }
        for (name, path) in read.get(&folder).into_iter().flatten() {
            if !path.starts_with(root) && !found.contains_key(path) {
                found.insert(path.clone(), name.clone());
                next.push(path.clone());
            }
        }
    }
    Ok(found)
}

/// Packages by folder, with what they depend on by path, but for their tests.
fn packages(metadata: &Value) -> impl Iterator<Item = (PathBuf, Vec<(String, PathBuf)>)> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages.filter_map(|package| {
        let folder = Path::new(package["manifest_path"].as_str()?).parent()?.to_path_buf();
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        let by_path = dependencies.filter(|dependency| dependency["kind"] != "dev").filter_map(
            |dependency| {
                Some((dependency["name"].as_str()?.to_owned(), dependency["path"].as_str()?.into()))
            },
        );
        Some((folder, by_path.collect()))
    })
}

fn cargo_home() -> Option<PathBuf> {
    std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| {
        #[allow(deprecated, reason = "right on every platform since Rust 1.85")]
        std::env::home_dir().map(|home| home.join(".cargo"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn packages_elsewhere_are_found_through_others() {
        let dependency =
            |name: &str, path: &str| json!({ "name": name, "path": path, "kind": null });
        let metadata = json!({ "packages": [
            { "manifest_path": "/own/jar/Cargo.toml", "dependencies": [
                dependency("sdk", "/other/sdk"), dependency("mine", "/own/mine"),
                { "name": "kit", "path": "/other/kit", "kind": "dev" },
                { "name": "borsh", "kind": null } ] },
            { "manifest_path": "/own/mine/Cargo.toml", "dependencies": [] },
            { "manifest_path": "/other/sdk/Cargo.toml", "dependencies": [dependency("api", "/other/api")] },
            { "manifest_path": "/other/api/Cargo.toml", "dependencies": [dependency("sdk", "/other/sdk")] },
        ] });
        let found = elsewhere(Path::new("/own"), metadata).expect("nothing has to be asked");
        let found: Vec<_> =
            found.iter().map(|(path, name)| (path.to_str().unwrap(), &**name)).collect();
        assert_eq!(found, [("/other/api", "api"), ("/other/sdk", "sdk")]);
    }
}
