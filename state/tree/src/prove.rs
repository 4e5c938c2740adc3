//! Proofs for one key or many.

use crate::node::{Shape, View};
use crate::tree::Tree;
use tollway_state_verify::{Hash, Pair, Path, Proof};

impl Tree {
    /// A proof for all of `keys`, in any order: of their values, or that they are absent. Values
    /// are not in it.
    pub fn prove(&self, keys: &[&[u8]]) -> Proof {
        self.prove_paths(keys.iter().map(|key| Path::of(key)).collect())
    }

    /// A proof for all keys that have one of these paths.
    pub fn prove_paths(&self, mut paths: Vec<Path>) -> Proof {
        paths.sort_unstable();
        let mut parts = Parts::default();
        if !paths.is_empty() {
            parts.add(self.top.view(), 0, &paths);
        }
        Proof::from_parts(parts.leaves, parts.siblings).expect("leaves of a tree are well formed")
    }
}

#[derive(Default)]
struct Parts<'a> {
    leaves: Vec<(u8, &'a [Pair])>,
    siblings: Vec<Hash>,
}

impl<'a> Parts<'a> {
    /// Adds what lies below the node at `depth`, where all of `paths` lie.
    fn add(&mut self, view: View<'a>, depth: u8, paths: &[Path]) {
        let sides = match view.shape() {
            Shape::Leaf(pairs) => return self.leaves.push((depth, pairs)),
            Shape::Branch(sides) => sides,
        };
        let (left, right) = paths.split_at(paths.partition_point(|path| !path.bit(depth)));
        for (side, paths) in sides.into_iter().zip([left, right]) {
            if paths.is_empty() {
                self.siblings.push(side.hash());
            } else {
                self.add(side.view, depth + 1, paths);
            }
        }
    }
}
