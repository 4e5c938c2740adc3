//! The contract that `tollway new` writes: `contracts/start/guestbook`, which the tests of this
//! repository run, under another name and in a workspace of its own.

mod source;

pub(crate) use source::Source;

use anyhow::{Result, ensure};
use std::path::Path;
use std::process::Command;

/// The name of the contract that others are made from.
const ORIGIN: &str = "guestbook";

const LIB: &str = include_str!("../../../contracts/start/guestbook/src/lib.rs");
const TESTS: &str = include_str!("../../../contracts/start/guestbook/tests/guestbook.rs");
const BUDGET: &str = include_str!("../../../contracts/start/guestbook/budget.toml");
const CARGO: &str = include_str!("template/Cargo.toml.in");
const README: &str = include_str!("template/README.md.in");
const TOOLCHAIN: &str = include_str!("../../../rust-toolchain.toml");

/// Names that Rust or Cargo keep for themselves.
const RESERVED: [&str; 62] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "tollway_sdk",
    "tollway_testkit",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// A contract to begin with.
pub(crate) struct Template {
    name: String,
    /// The crate's name as Rust has it; also the contract's.
    pub(crate) module: String,
    pub(crate) source: Source,
}

impl Template {
    /// One of this name.
    pub(crate) fn new(name: &str, source: Source) -> Result<Self> {
        let starts = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        let is_letter =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        ensure!(
            starts && name.len() <= 64 && name.bytes().all(is_letter),
            "{name:?} is no name for a contract: it starts with a lower-case letter, and has up to 64 \
             lower-case letters, digits, - and _"
        );
        let module = name.replace('-', "_");
        ensure!(
            !RESERVED.contains(&module.as_str()),
            "{name:?} is no name for a contract: Rust keeps it for itself"
        );
        Ok(Self { name: name.to_owned(), module, source })
    }

    /// The files, by their paths in the contract's folder.
    pub(crate) fn files(&self) -> Vec<(&'static str, String)> {
        let filled = |text: &str| {
            text.replace("{name}", &self.name)
                .replace("{module}", &self.module)
                .replace("{sdk}", &self.source.dependency("sdk"))
                .replace("{testkit}", &self.source.dependency("testkit"))
                .replace("{source}", &self.source.to_string())
        };
        let module = &self.module;
        vec![
            ("Cargo.toml", filled(CARGO)),
            ("README.md", filled(README)),
            ("rust-toolchain.toml", toolchain()),
            (".gitignore", "/target\n".to_owned()),
            ("budget.toml", BUDGET.replace(&format!("[{ORIGIN}."), &format!("[{module}."))),
            ("src/lib.rs", LIB.replace(&format!("mod {ORIGIN}"), &format!("mod {module}"))),
            ("tests/guestbook.rs", TESTS.to_owned()),
        ]
    }

    /// Gives a contract on a checkout the versions of that checkout's lock file. Whether it worked:
    /// without, Cargo finds versions by itself.
    pub(crate) fn lock(&self, folder: &Path) -> bool {
        let Source::Checkout(checkout) = &self.source else { return false };
        let lock = folder.join("Cargo.lock");
        if std::fs::copy(checkout.join("Cargo.lock"), &lock).is_err() {
            return false;
        }
        // Cargo drops from it what this contract does not need.
        let mut cargo = Command::new("cargo");
        cargo.args(["update", "--workspace", "--offline", "--quiet"]).current_dir(folder);
        let is_kept = cargo.output().is_ok_and(|output| output.status.success());
        if !is_kept {
            // What Cargo can't take is worse than nothing, and was copied a moment ago.
            let _ = std::fs::remove_file(&lock);
        }
        is_kept
    }
}

/// The toolchain that this repository is built with.
fn toolchain() -> String {
    let channel = TOOLCHAIN.lines().find(|line| line.starts_with("channel = "));
    format!(
        "# The compiler is part of what the code hash of a contract depends on.\n\
         [toolchain]\n{}\ncomponents = [\"rustfmt\", \"clippy\"]\ntargets = [\"{}\"]\nprofile = \"minimal\"\n",
        channel.unwrap_or("channel = \"stable\""),
        tollway_build::TARGET
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(name: &str) -> Result<Template> {
        Template::new(name, Source::of(Some("https://example.org/tollway.git"))?)
    }

    #[test]
    fn names_are_those_of_crates() {
        for name in ["jar", "tip-jar", "a1_b"] {
            assert!(template(name).is_ok(), "{name}");
        }
        for name in ["", "Jar", "1jar", "a b", "a/b", "test", "proc-macro", "self", "ä"] {
            let error = template(name).err().expect("it is no name").to_string();
            assert!(error.contains("is no name for a contract"), "{name}: {error}");
        }
    }

    #[test]
    fn files_bear_the_name_and_no_holes() {
        let files = template("tip-jar").expect("it is a name").files();
        let text = |path| &files.iter().find(|(found, _)| *found == path).expect("it is there").1;
        assert!(text("Cargo.toml").contains("name = \"tip-jar\""));
        let sdk = "tollway-sdk = { git = \"https://example.org/tollway.git\" }";
        assert!(text("Cargo.toml").contains(sdk), "{}", text("Cargo.toml"));
        assert!(text("src/lib.rs").contains("pub mod tip_jar {"));
        assert!(text("budget.toml").contains("[tip_jar.sign]"));
        assert!(text("rust-toolchain.toml").contains("channel = \"1."));
        for (path, text) in &files {
            for hole in ["{name}", "{module}", "{sdk}", "{testkit}", "{source}"] {
                assert!(!text.contains(hole), "{path} has {hole}");
            }
        }
    }
}
