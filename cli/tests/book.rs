//! The book's walks, taken as a reader takes them: in an empty folder, from the top of the page to
//! its end. Blocks that name a file are written to it, commands are typed into a shell, and what
//! they print is held against the page.
//!
//! ```text
//! rust,file=src/lib.rs      written to src/lib.rs
//! console                   after "$ ", a command that must succeed
//! console,fails             …that must fail
//!                           then its output: "…" is any text in a line, or any lines on one of its own
//! ```
//!
//! One thing differs from what a reader does: Cargo shares this workspace's target folder and
//! profile, so that the engine is not compiled once more.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::Scratch;
use tollway_book::page::{Block, blocks};
use tollway_book::{WALKED, pages_folder};

/// In place of Cargo: tests are built in the release profile, as these were.
const CARGO: &str = "#!/bin/sh\n\
    case \"$1\" in\n\
    test) shift; exec \"$BOOK_CARGO\" test --release \"$@\" ;;\n\
    *) exec \"$BOOK_CARGO\" \"$@\" ;;\n\
    esac\n";

/// A reader at a page.
struct Reader {
    page: &'static str,
    /// Where `tollway` and `cargo` are.
    programs: PathBuf,
    folder: PathBuf,
}

impl Reader {
    fn new(page: &'static str, scratch: &Scratch) -> Self {
        let [programs, folder] = ["programs", "work"].map(|name| PathBuf::from(scratch.path(name)));
        for folder in [&programs, &folder] {
            fs::create_dir_all(folder).expect("the folder can be made");
        }
        let cargo = programs.join("cargo");
        fs::write(&cargo, CARGO).expect("the file can be written");
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let tollway = programs.join("tollway");
        let _ = fs::remove_file(&tollway);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tollway"), tollway).expect("it is new");
        Self { page, programs, folder }
    }

    fn read(&mut self, block: &Block) {
        if let Some(file) = block.attribute("file") {
            let path = self.folder.join(file);
            let parent = path.parent().expect("files lie in folders");
            fs::create_dir_all(parent).expect("the folder can be made");
            fs::write(path, &block.text).expect("the file can be written");
        }
        if block.language == "console" {
            let fails = block.attributes.iter().any(|attribute| attribute == "fails");
            for (command, expected) in commands(&block.text) {
                self.type_in(block.line, &command, &expected, fails);
            }
        }
    }

    fn type_in(&mut self, line: usize, command: &str, expected: &[&str], fails: bool) {
        if let Some(folder) = command.strip_prefix("cd ") {
            self.folder.push(folder);
            return;
        }
        let (output, is_success) = self.shell(command);
        let place = format!("src/{}, the block at line {line}: `{command}`", self.page);
        assert!(is_success != fails, "{place} ended the other way:\n{output}");
        if let Err(missing) = compare(expected, &output) {
            panic!("{place} does not print what the page shows. Missing: {missing:?} in\n{output}");
        }
    }

    fn shell(&self, command: &str) -> (String, bool) {
        let path = std::env::var("PATH").unwrap_or_default();
        let tollway = Path::new(env!("CARGO_BIN_EXE_tollway"));
        let target = tollway.ancestors().nth(2).expect("<target>/release/tollway");
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1\n{command}")])
            .current_dir(&self.folder)
            .env("PATH", format!("{}:{path}", self.programs.display()))
            .env("BOOK_CARGO", env!("CARGO"))
            .env("CARGO", self.programs.join("cargo"))
            .env("CARGO_TARGET_DIR", target)
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_TERM_COLOR", "never")
            // So that tests come in one order.
            .env("RUST_TEST_THREADS", "1")
            .env_remove("RUST_BACKTRACE")
            .env_remove("TOLLWAY_BUDGET")
            .output()
            .expect("there is a shell");
        (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success())
    }
}

/// The commands of a block, each with the lines that the page shows below it.
fn commands(text: &str) -> Vec<(String, Vec<&str>)> {
    let mut commands: Vec<(String, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.to_owned(), Vec::new())),
            (None, Some((_, expected))) => expected.push(line),
            (None, None) => panic!("{line:?} stands before the first command"),
        }
    }
    commands
}

/// Whether a page shows this output. If not, the first line that is not there.
fn compare<'p>(expected: &[&'p str], output: &str) -> Result<(), &'p str> {
    let mut lines = output.lines();
    let mut may_skip = false;
    for wanted in expected {
        if *wanted == "…" {
            may_skip = true;
            continue;
        }
        let mut fits = |line: &str| is_like(wanted, line.trim_end());
        let found = if may_skip { lines.any(fits) } else { lines.next().is_some_and(&mut fits) };
        if !found {
            return Err(wanted);
        }
        may_skip = false;
    }
    // A page that shows nothing says nothing of it.
    let is_whole = may_skip || expected.is_empty() || lines.next().is_none();
    if is_whole { Ok(()) } else { Err("… (there is more)") }
}

/// Whether a line is the wanted one, in which "…" is any text.
fn is_like(wanted: &str, line: &str) -> bool {
    let mut parts = wanted.trim_end().split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

fn walk(page: &'static str) {
    assert!(WALKED.contains(&page), "{page} is walked, and the book does not know");
    let text = fs::read_to_string(pages_folder().join(page)).expect("the page is there");
    let scratch = Scratch::new(&page.replace('.', "-"));
    let mut reader = Reader::new(page, &scratch);
    let blocks = blocks(&text);
    assert!(blocks.iter().any(|block| block.language == "console"), "{page} types nothing");
    blocks.iter().for_each(|block| reader.read(block));
}

#[test]
fn the_tutorial_leads_where_it_says() {
    walk("tutorial.md");
}

#[test]
fn tools_do_as_the_page_says() {
    walk("tools.md");
}

#[test]
fn conflicts_are_seen_as_the_page_says() {
    walk("seeing.md");
}

#[test]
fn output_is_compared_line_by_line() {
    let output = "one\ntwo  \nthree 3 of 4\nfour\n";
    for good in [
        &["one", "two", "three 3 of 4", "four"][..],
        &["…", "two", "…"],
        &["one", "…", "three … of …", "four"],
        &["…", "th…4", "four"],
        &["…"],
        &[],
    ] {
        assert_eq!(compare(good, output), Ok(()), "{good:?}");
    }
    for bad in [
        &["one"][..],
        &["two", "…"],
        &["…", "four", "five"],
        &["…", "two", "four"],
        &["…", "three … of 5", "…"],
        &["…", "ee 3 of 4", "…"],
    ] {
        assert!(compare(bad, output).is_err(), "{bad:?}");
    }
}

#[test]
fn a_command_that_ends_the_other_way_is_told() {
    let scratch = Scratch::new("book-other-way");
    let types = |block: &str| {
        let mut reader = Reader::new("made-up.md", &scratch);
        let blocks = blocks(block);
        blocks.iter().for_each(|block| reader.read(block));
    };
    types(
        "```text,file=a/b.txt\nhello\n```\n\n```console\n$ cat a/b.txt\nhello\n$ tollway --version\n…\n```\n",
    );
    types(
        "```console,fails\n$ tollway inspect nothing.wasm\nerror: cannot read nothing.wasm…\n```\n",
    );
    for wrong in [
        "console,fails\n$ true",
        "console\n$ false",
        "console\n$ echo a\nb",
        "console\n$ echo a; echo b\na",
    ] {
        let page = format!("```{wrong}\n```\n");
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| types(&page)));
        assert!(told.is_err(), "{wrong:?} passes");
    }
}
