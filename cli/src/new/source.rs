//! Where a contract gets Tollway's crates from, as long as they are not in a registry.

use anyhow::{Context, Result, bail};
use std::fmt;
use std::path::{Path, PathBuf};

/// Where Tollway's crates come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A folder of this machine, absolute.
    Checkout(PathBuf),
    /// A git repository.
    Git(String),
}

impl Source {
    /// What the user named, or else the checkout that this command was built from.
    pub(crate) fn of(named: Option<&str>) -> Result<Self> {
        let Some(named) = named else {
            let own = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
            return own.and_then(|path| Self::checkout(path).ok()).context(
                "the checkout that this command was built from is gone: name another, or the URL of a \
                 git repository, with --tollway",
            );
        };
        let is_url = named.contains("://") || named.starts_with("git@");
        let is_plain = |text: &str| !text.contains(['"', '\\']) && !text.contains(char::is_control);
        if is_url && is_plain(named) {
            return Ok(Self::Git(named.to_owned()));
        }
        Self::checkout(Path::new(named))
    }

    fn checkout(path: &Path) -> Result<Self> {
        for part in ["sdk/Cargo.toml", "testkit/Cargo.toml"] {
            if !path.join(part).is_file() {
                bail!("{} is no checkout of Tollway: it has no {part}", path.display());
            }
        }
        let absolute = path.canonicalize().with_context(|| path.display().to_string())?;
        Ok(Self::Checkout(absolute))
    }

    /// The dependency on the crate in a folder of the repository, as `Cargo.toml` has it.
    pub(crate) fn dependency(&self, folder: &str) -> String {
        match self {
            // A TOML literal and a Rust one quote the same characters in the same way, in a path.
            Self::Checkout(path) => format!("{{ path = {:?} }}", path.join(folder)),
            Self::Git(url) => format!("{{ git = \"{url}\" }}"),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkout(path) => write!(f, "the checkout {}", path.display()),
            Self::Git(url) => f.write_str(url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_checkouts_or_urls() {
        let own = Source::of(None).expect("the tests run in the checkout");
        assert!(own.dependency("sdk").ends_with("/sdk\" }"), "{}", own.dependency("sdk"));
        let git = Source::of(Some("git@example.org:tollway.git")).expect("it is a URL");
        assert_eq!(git.dependency("sdk"), "{ git = \"git@example.org:tollway.git\" }");
        let error = Source::of(Some("/nowhere")).expect_err("there is nothing").to_string();
        assert_eq!(error, "/nowhere is no checkout of Tollway: it has no sdk/Cargo.toml");
        assert!(Source::of(Some("https://a\"b")).is_err());
    }
}
