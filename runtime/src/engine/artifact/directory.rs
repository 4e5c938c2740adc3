//! The directory of a cache: who may write it, its secret, and its files as whole bytes.
//!
//! ```text
//! secret                   32 random bytes, for the owner's eyes
//! <64 digits>.artifact     one artifact each
//! tmp-<16 digits>          being written; left over if it is old
//! ```
//!
//! Other files are left alone. See [`super`] for what is trusted, and why.

use super::file::Refusal;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const SECRET_NAME: &str = "secret";
const SECRET_BYTES: usize = 32;

/// What names of artifacts end in.
pub(super) const FILE_SUFFIX: &str = ".artifact";

const TEMP_PREFIX: &str = "tmp-";

/// A temporary file that is older was left by a process that died: writing takes milliseconds.
const TEMP_AGE_MAX: Duration = Duration::from_secs(3600);

/// Bytes of one file. Native code is some five times as large as Wasm, of which
/// [`Limits::module_bytes_max`](crate::Limits::module_bytes_max) is half a megabyte; what is larger
/// is not read into memory.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Why a directory cannot be used, or a file not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// The system refused something.
    #[error("artifacts: cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system has no random bytes.
    #[error("artifacts: no random bytes: {reason}")]
    Random {
        /// What it said.
        reason: String,
    },
    /// Others may write the directory, so they could run code in this process. Take the permission
    /// from them; if they may have used it, delete the directory.
    #[error("artifacts: {} is writable by others (mode {mode:03o})", .path.display())]
    OthersWrite {
        /// The directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Others may read or write the secret. Delete the directory.
    #[error("artifacts: secret {} is open to others (mode {mode:03o})", .path.display())]
    SecretOpen {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The directory, or the secret, belongs to an account that is neither this process's nor root.
    #[error("artifacts: {} belongs to user {owner}, this is user {user}", .path.display())]
    ForeignOwner {
        /// Which of them.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who makes files here.
        user: u32,
    },
    /// The secret is not one. Delete the directory: nothing is lost but time.
    #[error("artifacts: secret {} is not a file of {SECRET_BYTES} bytes", .path.display())]
    SecretDamaged {
        /// The file.
        path: PathBuf,
    },
    /// The artifact alone is larger than all may be together.
    #[error("artifacts: {size} bytes do not fit, limit is {limit}")]
    NoRoom {
        /// Bytes of the artifact.
        size: u64,
        /// Bytes that it may have.
        limit: u64,
    },
}

/// Says what was tried, where.
fn failed<'p>(
    action: &'static str,
    path: &'p Path,
) -> impl FnOnce(io::Error) -> DirectoryError + 'p {
    move |source| DirectoryError::Io { action, path: path.to_owned(), source }
}

/// A directory that only this account can write, and its secret.
pub(super) struct Directory {
    path: PathBuf,
    secret: [u8; SECRET_BYTES],
    bytes_max: u64,
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the secret.
        f.debug_struct("Directory").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Directory {
    /// Opens a directory for files of `bytes_max` bytes together. Makes it and its secret if they
    /// are missing.
    pub(super) fn open(path: &Path, bytes_max: u64) -> Result<Self, DirectoryError> {
        make_private_directory(path).map_err(failed("make", path))?;
        // Links are followed once, here: later ones could lead elsewhere.
        let path = fs::canonicalize(path).map_err(failed("find", path))?;
        let temp = Temp::create(&path)?;
        let user = temp.file.metadata().map_err(failed("look at", &temp.path))?;
        let metadata = fs::metadata(&path).map_err(failed("look at", &path))?;
        check_owner(&path, &metadata, &user)?;
        if let Some(mode) = mode_of(&metadata).filter(|mode| mode & 0o022 != 0) {
            return Err(DirectoryError::OthersWrite { path, mode });
        }
        let secret_path = path.join(SECRET_NAME);
        if !secret_path.exists() {
            publish_secret(temp, &secret_path)?;
        }
        let secret = read_secret(&secret_path, &user)?;
        let directory = Self { path, secret, bytes_max };
        directory.files().map_err(failed("list", &directory.path))?;
        Ok(directory)
    }

    pub(super) fn secret(&self) -> &[u8; SECRET_BYTES] {
        &self.secret
    }

    /// All bytes of a file, or `None` if it is not there.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Refusal> {
        let path = self.path.join(name);
        // Before opening: to open a pipe would wait for someone to write to it.
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if !metadata.is_file() {
            return Err(Refusal::NotAFile);
        }
        let (size, limit) = (metadata.len(), FILE_BYTES_MAX);
        if size > limit {
            return Err(Refusal::TooLarge { size, limit });
        }
        let mut bytes = Vec::with_capacity(size as usize);
        // It may have grown since.
        File::open(&path)?.take(limit).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Writes a file, whole or not at all, over what is there. Returns how many others were removed
    /// to make room.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<u64, DirectoryError> {
        let (size, limit) = (bytes.len() as u64, self.bytes_max.min(FILE_BYTES_MAX));
        if size > limit {
            return Err(DirectoryError::NoRoom { size, limit });
        }
        let removed = self.make_room(name, size)?;
        let mut temp = Temp::create(&self.path)?;
        temp.write(bytes)?;
        temp.rename(&self.path.join(name))?;
        Ok(removed)
    }

    /// Removes the oldest files until `size` more bytes fit beside those that stay.
    fn make_room(&self, name: &str, size: u64) -> Result<u64, DirectoryError> {
        let listed = self.files().map_err(failed("list", &self.path))?;
        let mut bytes = size.saturating_add(listed.temporary_bytes);
        let mut files = listed.artifacts;
        files.retain(|file| file.name != name);
        bytes = files.iter().fold(bytes, |sum, file| sum.saturating_add(file.size));
        // By name where ages agree, which on coarse clocks they do.
        files.sort_by(|a, b| (a.modified, &a.name).cmp(&(b.modified, &b.name)));
        let mut removed = 0;
        for file in files {
            if bytes <= self.bytes_max {
                break;
            }
            let path = self.path.join(&file.name);
            match fs::remove_file(&path) {
                Ok(()) => removed += 1,
                // Another process was first.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed("remove", &path)(error)),
            }
            bytes -= file.size;
        }
        if bytes > self.bytes_max {
            return Err(DirectoryError::NoRoom { size, limit: self.bytes_max });
        }
        Ok(removed)
    }

    /// The files of this cache. Removes temporary ones that were left over.
    fn files(&self) -> io::Result<Listed> {
        let mut listed = Listed { artifacts: Vec::new(), temporary_bytes: 0 };
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // Other processes remove files too.
            let Ok(metadata) = entry.metadata() else { continue };
            if !metadata.is_file() {
                continue;
            }
            let (size, modified) = (metadata.len(), metadata.modified()?);
            if is_file_name(&name) {
                listed.artifacts.push(Listing { name, size, modified });
            } else if is_temp_name(&name) {
                let age = SystemTime::now().duration_since(modified).unwrap_or_default();
                if age <= TEMP_AGE_MAX || fs::remove_file(entry.path()).is_err() {
                    listed.temporary_bytes += size;
                }
            }
        }
        Ok(listed)
    }
}

struct Listed {
    artifacts: Vec<Listing>,
    temporary_bytes: u64,
}

struct Listing {
    name: String,
    size: u64,
    modified: SystemTime,
}

/// Whether a file of this name is ours to remove.
pub(super) fn is_file_name(name: &str) -> bool {
    name.strip_suffix(FILE_SUFFIX).is_some_and(|digits| is_hexadecimal(digits, 64))
}

fn is_temp_name(name: &str) -> bool {
    name.strip_prefix(TEMP_PREFIX).is_some_and(|digits| is_hexadecimal(digits, 16))
}

fn is_hexadecimal(digits: &str, count: usize) -> bool {
    digits.len() == count && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A file that is being written; removed if it does not get its final name.
struct Temp {
    path: PathBuf,
    file: File,
}

impl Temp {
    fn create(directory: &Path) -> Result<Self, DirectoryError> {
        // Random, because process numbers repeat between containers.
        let number = u64::from_le_bytes(random()?);
        let path = directory.join(format!("{TEMP_PREFIX}{number:016x}"));
        let file = create_private_file(&path).map_err(failed("make", &path))?;
        Ok(Self { path, file })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DirectoryError> {
        self.file
            .write_all(bytes)
            // Else a crash might keep the name, and lose the bytes.
            .and_then(|()| self.file.sync_all())
            .map_err(failed("write", &self.path))
    }

    /// Gives the file its final name, over what has it. If that is refused, `drop` removes it.
    fn rename(self, name: &Path) -> Result<(), DirectoryError> {
        fs::rename(&self.path, name).map_err(failed("rename a file to", name))
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        // After a rename there is nothing; names do not repeat.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes a secret, unless another process is first.
fn publish_secret(mut temp: Temp, path: &Path) -> Result<(), DirectoryError> {
    temp.write(&random::<SECRET_BYTES>()?)?;
    // A link, because it replaces nothing: two processes that start at once end with one secret.
    match fs::hard_link(&temp.path, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(failed("make", path)(error))
        }
        _ => Ok(()),
    }
}

fn read_secret(path: &Path, user: &fs::Metadata) -> Result<[u8; SECRET_BYTES], DirectoryError> {
    let damaged = || DirectoryError::SecretDamaged { path: path.to_owned() };
    if !fs::metadata(path).map_err(failed("look at", path))?.is_file() {
        return Err(damaged());
    }
    let mut file = File::open(path).map_err(failed("read", path))?;
    let metadata = file.metadata().map_err(failed("look at", path))?;
    check_owner(path, &metadata, user)?;
    if let Some(mode) = mode_of(&metadata).filter(|mode| mode & 0o077 != 0) {
        return Err(DirectoryError::SecretOpen { path: path.to_owned(), mode });
    }
    let mut bytes = Vec::new();
    let limit = SECRET_BYTES as u64 + 1;
    Read::by_ref(&mut file).take(limit).read_to_end(&mut bytes).map_err(failed("read", path))?;
    bytes.try_into().map_err(|_| damaged())
}

fn random<const N: usize>() -> Result<[u8; N], DirectoryError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| DirectoryError::Random { reason: error.to_string() })?;
    Ok(bytes)
}

#[cfg(unix)]
fn make_private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(unix)]
fn create_private_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// The permissions of a file, where the system has such.
#[cfg(unix)]
fn mode_of(metadata: &fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    Some(metadata.permissions().mode() & 0o777)
}

/// `user` is a file that this process made: who owns it is whom it runs as.
#[cfg(unix)]
fn check_owner(
    path: &Path,
    metadata: &fs::Metadata,
    user: &fs::Metadata,
) -> Result<(), DirectoryError> {
    use std::os::unix::fs::MetadataExt;
    let (owner, user) = (metadata.uid(), user.uid());
    if owner == user || owner == 0 {
        return Ok(());
    }
    Err(DirectoryError::ForeignOwner { path: path.to_owned(), owner, user })
}

#[cfg(not(unix))]
fn make_private_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

#[cfg(not(unix))]
fn create_private_file(path: &Path) -> io::Result<File> {
    fs::OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(not(unix))]
fn mode_of(_: &fs::Metadata) -> Option<u32> {
    None
}

#[cfg(not(unix))]
fn check_owner(_: &Path, _: &fs::Metadata, _: &fs::Metadata) -> Result<(), DirectoryError> {
    Ok(())
}

#[cfg(test)]
mod tests;
