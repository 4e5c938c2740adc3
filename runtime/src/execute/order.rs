//! In which order calls that wait for nobody are started: whom others wait for first, and in both
//! groups code by code.
//!
//! ```text
//! block        pair  token  lend  pair→  token  vote  pair
//! started      pair→ │ token token  pair pair  lend  vote
//! ```
//!
//! A block is a mix of contracts, and a processor that goes from one to the next with every call has
//! their code, their memory and the turns that they take in no cache. Nothing but time depends on
//! the order: what a call reads is known, wherever it runs and when.

use crate::plan::Plan;
use crate::resolve::{Resolved, Target};

/// The declared calls of a block that wait for nobody, in the order in which they are to be started, and how
/// many declared calls there are.
pub(super) fn roots(resolved: &Resolved, plan: &Plan) -> (Vec<u32>, usize) {
    let mut declared = 0;
    let mut found: Vec<(u32, u32)> = Vec::with_capacity(resolved.call_count());
    // By code, how many roots come before its own; those that somebody waits for first.
    let mut starts: Vec<[u32; 2]> = Vec::new();
    for (call, target) in resolved.targets().enumerate() {
        let Target::Method { declared: true, code, .. } = target else { continue };
        declared += 1;
        if plan.graph.waits[call] > 0 {
            continue;
        }
        if starts.len() <= *code as usize {
            starts.resize(*code as usize + 1, [0; 2]);
        }
        let is_leaf = plan.graph.targets(call as u32).is_empty();
        starts[*code as usize][usize::from(is_leaf)] += 1;
        found.push((call as u32, code << 1 | u32::from(is_leaf)));
    }
    let mut start = 0;
    for group in 0..2 {
        for starts in &mut starts {
            let count = std::mem::replace(&mut starts[group], start);
            start += count;
        }
    }
    let mut roots = vec![0; found.len()];
    for (call, group) in found {
        let next = &mut starts[(group >> 1) as usize][(group & 1) as usize];
        roots[*next as usize] = call;
        *next += 1;
    }
    (roots, declared)
}
