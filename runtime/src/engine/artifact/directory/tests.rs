use super::*;

const PLENTY: u64 = 1 << 20;

/// A directory of its own that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let number = u64::from_le_bytes(random().unwrap());
        let path = std::env::temp_dir().join(format!("tollway-directory-{number:016x}"));
        Self(path)
    }

    fn open(&self, bytes_max: u64) -> Result<Directory, DirectoryError> {
        Directory::open(&self.0, bytes_max)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The name of an artifact.
fn name(number: u64) -> String {
    format!("{number:064x}{FILE_SUFFIX}")
}

/// Makes a file this many seconds older than it is.
fn age(path: &Path, seconds: u64) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

#[test]
fn what_was_written_is_read() {
    let scratch = Scratch::new();
    let directory = scratch.open(PLENTY).unwrap();
    assert_eq!(directory.read(&name(1)).unwrap(), None);
    assert_eq!(directory.write(&name(1), b"one").unwrap(), 0);
    assert_eq!(directory.write(&name(1), b"another").unwrap(), 0);
    assert_eq!(directory.read(&name(1)).unwrap().unwrap(), b"another");
    assert_eq!(scratch.names(), [name(1), SECRET_NAME.to_owned()]);
}

#[test]
fn a_directory_keeps_its_secret_and_shares_it_with_no_other() {
    let (here, there) = (Scratch::new(), Scratch::new());
    let secret = *here.open(PLENTY).unwrap().secret();
    assert_eq!(*here.open(PLENTY).unwrap().secret(), secret);
    assert_ne!(*there.open(PLENTY).unwrap().secret(), secret);
    // Nor is it told by accident.
    assert!(!format!("{:?}", here.open(PLENTY).unwrap()).contains("secret"));
}

#[test]
fn many_that_open_at_once_end_with_one_secret() {
    for _ in 0..20 {
        let scratch = Scratch::new();
        let open = || *scratch.open(PLENTY).unwrap().secret();
        let secrets: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..6).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(secrets.iter().all(|secret| *secret == secrets[0]));
        assert_eq!(scratch.names(), [SECRET_NAME]);
    }
}

#[test]
fn a_damaged_secret_is_an_error() {
    for bytes in [&b""[..], &[7; 31], &[7; 33]] {
        let scratch = Scratch::new();
        scratch.open(PLENTY).unwrap();
        // Keeps the permissions.
        fs::write(scratch.0.join(SECRET_NAME), bytes).unwrap();
        let error = scratch.open(PLENTY).unwrap_err();
        assert!(matches!(error, DirectoryError::SecretDamaged { .. }), "{error}");
    }
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.0.join(SECRET_NAME)).unwrap();
    let error = scratch.open(PLENTY).unwrap_err();
    assert!(matches!(error, DirectoryError::SecretDamaged { .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn what_others_could_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    scratch.open(PLENTY).unwrap();
    let secret = scratch.0.join(SECRET_NAME);
    let set = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&scratch.0), mode(&secret)), (0o700, 0o600));
    for bad in [0o720, 0o702, 0o777, 0o770] {
        set(&scratch.0, bad);
        let error = scratch.open(PLENTY).unwrap_err();
        assert!(
            matches!(error, DirectoryError::OthersWrite { mode, .. } if mode == bad),
            "{error}"
        );
    }
    // Others may look.
    set(&scratch.0, 0o755);
    scratch.open(PLENTY).unwrap();
    for bad in [0o640, 0o604, 0o620, 0o602, 0o666] {
        set(&secret, bad);
        let error = scratch.open(PLENTY).unwrap_err();
        assert!(matches!(error, DirectoryError::SecretOpen { mode, .. } if mode == bad), "{error}");
    }
    set(&secret, 0o400);
    scratch.open(PLENTY).unwrap();
}

#[cfg(unix)]
#[test]
fn what_another_account_owns_is_refused() {
    use std::os::unix::fs::{MetadataExt, chown};
    const STRANGER: u32 = 12_345;
    let scratch = Scratch::new();
    scratch.open(PLENTY).unwrap();
    if fs::metadata(&scratch.0).unwrap().uid() != 0 {
        // Only root can give files away; without it there is nothing to try but that.
        assert!(chown(&scratch.0, Some(STRANGER), None).is_err());
        return;
    }
    let is_foreign = |error| matches!(error, DirectoryError::ForeignOwner { owner: STRANGER, .. });
    chown(scratch.0.join(SECRET_NAME), Some(STRANGER), None).unwrap();
    assert!(is_foreign(scratch.open(PLENTY).unwrap_err()));
    chown(scratch.0.join(SECRET_NAME), Some(0), None).unwrap();
    chown(&scratch.0, Some(STRANGER), None).unwrap();
    assert!(is_foreign(scratch.open(PLENTY).unwrap_err()));
    assert_eq!(scratch.names(), [SECRET_NAME]);
}

#[test]
fn what_cannot_be_a_directory_is_an_error() {
    let scratch = Scratch::new();
    fs::write(&scratch.0, b"a file").unwrap();
    let error = scratch.open(PLENTY).unwrap_err();
    assert!(matches!(error, DirectoryError::Io { .. }), "{error}");
    fs::remove_file(&scratch.0).unwrap();
}

#[cfg(unix)]
#[test]
fn links_and_directories_are_no_artifacts() {
    let scratch = Scratch::new();
    let directory = scratch.open(PLENTY).unwrap();
    fs::create_dir(scratch.0.join(name(1))).unwrap();
    directory.write(&name(2), b"two").unwrap();
    std::os::unix::fs::symlink(scratch.0.join(name(2)), scratch.0.join(name(3))).unwrap();
    for number in [1, 3] {
        assert!(matches!(directory.read(&name(number)), Err(Refusal::NotAFile)), "{number}");
    }
    // A link is replaced, not followed.
    directory.write(&name(3), b"three").unwrap();
    assert_eq!(directory.read(&name(2)).unwrap().unwrap(), b"two");
    assert_eq!(directory.read(&name(3)).unwrap().unwrap(), b"three");
}

#[test]
fn what_fails_half_way_leaves_nothing() {
    let scratch = Scratch::new();
    let directory = scratch.open(PLENTY).unwrap();
    // A full directory cannot be replaced by a file, so the last step fails.
    fs::create_dir_all(scratch.0.join(name(1)).join("full")).unwrap();
    let error = directory.write(&name(1), b"one").unwrap_err();
    assert!(matches!(error, DirectoryError::Io { action: "rename a file to", .. }), "{error}");
    assert_eq!(scratch.names(), [name(1), SECRET_NAME.to_owned()]);
    fs::remove_dir_all(&scratch.0).unwrap();
    let error = directory.write(&name(1), b"one").unwrap_err();
    assert!(matches!(error, DirectoryError::Io { action: "list", .. }), "{error}");
}

#[test]
fn a_file_too_large_is_not_read() {
    let scratch = Scratch::new();
    let directory = scratch.open(PLENTY).unwrap();
    let file = File::create(scratch.0.join(name(1))).unwrap();
    file.set_len(1 << 40).unwrap();
    let refusal = directory.read(&name(1)).unwrap_err();
    assert!(matches!(refusal, Refusal::TooLarge { size: 0x100_0000_0000, .. }), "{refusal}");
}

#[test]
fn the_oldest_make_room() {
    let scratch = Scratch::new();
    let directory = scratch.open(1_000).unwrap();
    for number in 0..4 {
        assert_eq!(directory.write(&name(number), &[0; 250]).unwrap(), 0);
        age(&scratch.0.join(name(number)), 100 - number);
    }
    // One written again is young, and does not count twice.
    assert_eq!(directory.write(&name(0), &[1; 250]).unwrap(), 0);
    assert_eq!(directory.write(&name(9), &[0; 251]).unwrap(), 2);
    assert_eq!(scratch.names(), [name(0), name(3), name(9), SECRET_NAME.to_owned()]);
    // Never more than all of it.
    for (size, limit) in [(1_001, 1_000), (5_000, 1_000)] {
        let error = directory.write(&name(5), &vec![0; size]).unwrap_err();
        assert!(matches!(error, DirectoryError::NoRoom { limit: found, .. } if found == limit));
    }
    assert_eq!(directory.write(&name(5), &[0; 1_000]).unwrap(), 3);
    assert_eq!(scratch.names(), [name(5), SECRET_NAME.to_owned()]);
    // Also where ages agree, and where the bound has become smaller.
    let smaller = scratch.open(500).unwrap();
    assert_eq!(smaller.write(&name(6), &[0; 10]).unwrap(), 1);
}

#[test]
fn only_our_own_files_are_removed() {
    let scratch = Scratch::new();
    let directory = scratch.open(100).unwrap();
    let foreign = ["notes.txt", "tmp-x", "tmp-0123456789abcdeX", "1.artifact"];
    let (fresh, stale) = ("tmp-0123456789abcdef", "tmp-fedcba9876543210");
    for file in foreign.iter().chain([&fresh, &stale]) {
        fs::write(scratch.0.join(file), [0; 40]).unwrap();
        age(&scratch.0.join(file), 10_000);
    }
    age(&scratch.0.join(fresh), 10);
    let upper_case = format!("{}{FILE_SUFFIX}", "A".repeat(64));
    fs::write(scratch.0.join(&upper_case), [0; 40]).unwrap();
    directory.write(&name(1), &[0; 40]).unwrap();
    // What someone is writing counts.
    assert_eq!(directory.write(&name(2), &[0; 40]).unwrap(), 1);
    let error = directory.write(&name(2), &[0; 61]).unwrap_err();
    assert!(matches!(error, DirectoryError::NoRoom { size: 61, limit: 100 }), "{error}");
    let names = scratch.names();
    assert!(!names.contains(&stale.to_owned()));
    for file in foreign.iter().map(|name| (*name).to_owned()).chain([fresh.into(), upper_case]) {
        assert!(names.contains(&file), "{file}");
    }
}
