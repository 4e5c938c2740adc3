//! The settings under which contracts are compiled, all of them.

use std::path::{Path, PathBuf};

/// The profile's name.
pub(crate) const PROFILE: &str = "contract";

/// The profile. Whatever a manifest can set for all crates is set, because it inherits from the
/// release profile of a manifest that is not ours. Overflow checks stay on, in dependencies too: a
/// wrapped balance is theft. How fast dependencies are is not said: that would count for macros and
/// build scripts, which then take a minute.
const PROFILE_SETTINGS: [&str; 12] = [
    "inherits = \"release\"",
    "opt-level = 3",
    "lto = \"fat\"",
    "codegen-units = 1",
    "panic = \"abort\"",
    // Names of functions are for debuggers; they would also carry what is left of paths.
    "strip = \"symbols\"",
    "debug = false",
    "debug-assertions = false",
    "overflow-checks = true",
    "incremental = false",
    "rpath = false",
    "package.\"*\".overflow-checks = true",
];

/// What the linker is told. One page: the stack below, then constants, then the heap. The memory of a
/// contract is rewound after every call, so a small one is a fast one.
const LINK_ARGS: [&str; 4] = [
    "-zstack-size=16384",
    "--initial-memory=65536",
    "--max-memory=65536",
    "--keep-section=tollway.abi",
];

/// The profile as `--config` takes it.
pub(crate) fn profile() -> impl Iterator<Item = String> {
    PROFILE_SETTINGS.iter().map(|setting| format!("profile.{PROFILE}.{setting}"))
}

/// The compiler's flags. Where several folders hold a path, the last one counts.
pub(crate) fn rustc(mapped: &[(PathBuf, String)]) -> Vec<String> {
    let mut flags = vec![
        // Halves the work of 256-bit arithmetic. The compiler warns that it does not know the
        // feature by name; the code generator does.
        "-Ctarget-feature=+wide-arithmetic".to_owned(),
    ];
    let map = |(from, to): &(PathBuf, String)| {
        format!("--remap-path-prefix={}={to}", Path::new(from).display())
    };
    flags.extend(mapped.iter().map(map));
    flags.extend(LINK_ARGS.map(|arg| format!("-Clink-arg={arg}")));
    flags
}
