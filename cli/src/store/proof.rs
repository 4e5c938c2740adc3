//! Proofs in files: JSON with everything that is proven, and the proof in its encoding.
//!
//! ```text
//! { "height": 11, "root": "…",
//!   "entries": [ { "key": "…", "value": "…" }, { "key": "…", "value": null } ],
//!   "proof": "…" }
//! ```
//!
//! Only the crate `tollway-state-verify` decides what holds; a height is in the file for people, as
//! nothing ties it to the root.

use super::{Key, hex, hex_bytes};
use anyhow::{Context, Result, anyhow, ensure};
use serde::{Deserialize, Serialize};
use std::path::Path;
use tollway_state_verify::{Proof, Root};

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// What a file with a proof says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProofFile {
    /// The height of the state, as whoever made the file says.
    pub(crate) height: u64,
    root: String,
    entries: Vec<Entry>,
    proof: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    key: String,
    /// Of a key that is not in the state, `null`. No field is something else: a file that was cut
    /// by hand.
    #[serde(deserialize_with = "value")]
    value: Option<String>,
}

/// With a function of its own a field that may be `null` has to be there.
fn value<'de, D: serde::Deserializer<'de>>(reader: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(reader)
}

/// An entry that a proof proves: its value, or `None` if it is not in the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    /// The key.
    pub(crate) key: Vec<u8>,
    /// Its value.
    pub(crate) value: Option<Vec<u8>>,
}

impl ProofFile {
    /// What is to be written about a proof.
    pub(crate) fn new(
        height: u64,
        root: &Root,
        entries: &[(Key, Option<Vec<u8>>)],
        proof: &Proof,
    ) -> Self {
        let entry = |(key, value): &(Key, Option<Vec<u8>>)| Entry {
            key: key.to_string(),
            value: value.as_deref().map(hex),
        };
        Self {
            height,
            root: root.to_string(),
            entries: entries.iter().map(entry).collect(),
            proof: hex(&proof.to_bytes()),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Names the file, and where in it something is wrong.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let name = || path.display().to_string();
        let bytes = std::fs::metadata(path).with_context(name)?.len();
        ensure!(bytes <= FILE_BYTES_MAX, "{}: larger than {FILE_BYTES_MAX} bytes", name());
        let text = std::fs::read_to_string(path).with_context(name)?;
        serde_json::from_str(&text).with_context(|| format!("{} is no proof", name()))
    }

    /// The root that the file itself names.
    ///
    /// # Errors
    /// If it is none.
    pub(crate) fn root(&self) -> Result<Root> {
        let bytes = field("root", &self.root)?;
        let bytes: [u8; 32] = (bytes.try_into())
            .map_err(|_| anyhow!("root: {} characters, not 64", self.root.len()))?;
        Ok(Root(bytes))
    }

    /// Checks that in the state of `root` each entry is as the file says, and gives them.
    ///
    /// # Errors
    /// Says what does not hold; then nothing of the file does.
    pub(crate) fn check(&self, root: &Root) -> Result<Vec<Checked>> {
        let named = self.root()?;
        ensure!(named == *root, "the proof is for root {named}, not for {root}");
        let entries = (0..).zip(&self.entries).map(|(index, entry)| {
            let key = field(&format!("entries[{index}].key"), &entry.key)?;
            let value = entry.value.as_ref();
            let value = value.map(|text| field(&format!("entries[{index}].value"), text));
            Ok(Checked { key, value: value.transpose()? })
        });
        let entries = entries.collect::<Result<Vec<_>>>()?;
        let proof = Proof::from_bytes(&field("proof", &self.proof)?)
            .map_err(|error| anyhow!("proof: {error}"))?;
        let claims: Vec<(&[u8], Option<&[u8]>)> =
            entries.iter().map(|entry| (&entry.key[..], entry.value.as_deref())).collect();
        proof.verify(root, &claims)?;
        Ok(entries)
    }
}

fn field(name: &str, text: &str) -> Result<Vec<u8>> {
    hex_bytes(text).map_err(|error| anyhow!("{name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollway_state_verify::{Pair, leaf_hash};

    /// A state with one value, and a proof of it and of another key's absence.
    fn file() -> ProofFile {
        let [present, absent] = [vec![2; 40], vec![2; 41]].map(Key::new).map(Result::unwrap);
        let pair = Pair::of(present.bytes(), b"7");
        let proof = Proof::from_parts([(0, &[pair][..])], vec![]).expect("a leaf");
        let root = Root(leaf_hash(&[pair]).0);
        ProofFile::new(3, &root, &[(present, Some(b"7".to_vec())), (absent, None)], &proof)
    }

    fn wrong(change: impl FnOnce(&mut ProofFile), expected: &str) {
        let (mut file, root) = (file(), file().root().expect("a root"));
        change(&mut file);
        let error = format!("{:#}", file.check(&root).expect_err("not as in the state"));
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn what_was_proven_holds() {
        let file = file();
        let text = serde_json::to_string(&file).expect("a file");
        let read: ProofFile = serde_json::from_str(&text).expect("the file again");
        let entries = read.check(&file.root().expect("a root")).expect("it holds");
        assert_eq!(entries.len(), 2);
        assert_eq!((&entries[0].value, &entries[1].value), (&Some(b"7".to_vec()), &None));
    }

    #[test]
    fn whatever_is_changed_does_not_hold() {
        wrong(|file| file.entries[0].value = Some("38".into()), "does not have this value");
        wrong(|file| file.entries[0].value = None, "is present");
        wrong(|file| file.entries[1].value = Some("37".into()), "does not have this value");
        wrong(|file| file.entries[0].key = "03".repeat(40), "does not have this value");
        wrong(|file| file.root = "00".repeat(32), "the proof is for root 0000");
        wrong(|file| file.root = "00".repeat(31), "root: 62 characters, not 64");
        wrong(|file| file.entries.clear(), "for no key");
        wrong(|file| file.proof.truncate(20), "proof: the proof ends within a field");
        wrong(|file| file.proof = "0x1".into(), "proof: 1 hexadecimal digits");
        let digits = file().proof.len();
        for at in (0..digits).step_by(2) {
            let flip = |file: &mut ProofFile| {
                let digit = if &file.proof[at..=at] == "f" { "e" } else { "f" };
                file.proof.replace_range(at..=at, digit);
            };
            wrong(flip, "");
        }
    }

    #[test]
    fn entries_without_values_are_no_entries() {
        let text = serde_json::to_string(&file()).expect("a file").replace(",\"value\":null", "");
        let error = serde_json::from_str::<ProofFile>(&text).expect_err("a field is missing");
        assert!(error.to_string().contains("missing field `value`"), "{error}");
    }
}
