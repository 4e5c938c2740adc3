//! Which functions can be on the stack twice, and how long the others can chain.
//!
//! ```text
//! functions   f0 ──▶ f1 ──▶ f2 ◀──┐        nodes: functions, and one for each type that is
//!                     └──▶ (i32)->i32      called through the table
//! ```
//!
//! An indirect call may reach any function of its type that any segment names. Going through a
//! node for the type keeps edges to one for each call and each table function, where call sites
//! times functions would be quadratic.

use super::frames::Frame;
use crate::engine::validate::Shape;
use hashbrown::HashMap;
use wasmparser::FuncType;

/// The call graph of a module.
pub(super) struct CallGraph {
    /// The component of each node. A component's callees have lower numbers.
    components: Vec<u32>,
    component_count: u32,
    edges: Vec<Vec<u32>>,
    /// Whether each function can be on the stack twice.
    pub(super) cyclic: Vec<bool>,
}

/// The longest chain of frames, each cycle counted once with its largest frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chain {
    /// The function where it begins.
    pub(super) function: u32,
    /// The units of its frames.
    pub(super) units: u64,
}

impl CallGraph {
    pub(super) fn of(shape: &Shape, frames: &[Frame]) -> Self {
        let functions = frames.len();
        let mut edges: Vec<Vec<u32>> = frames.iter().map(|frame| frame.calls.clone()).collect();
        // Types with the same parameters and results are one type, whatever their indices.
        let mut type_nodes: HashMap<&FuncType, u32> = HashMap::new();
        for (caller, frame) in frames.iter().enumerate() {
            for ty in frame.indirect_calls.iter().filter_map(|ty| shape.types.get(*ty as usize)) {
                let node = *type_nodes.entry(ty).or_insert_with(|| {
                    edges.push(Vec::new());
                    edges.len() as u32 - 1
                });
                edges[caller].push(node);
            }
        }
        for function in &shape.table_functions {
            let node = shape.function_type(*function).and_then(|ty| type_nodes.get(ty));
            if let Some(node) = node {
                edges[*node as usize].push(*function);
            }
        }
        let (components, component_count) = components(&edges);
        let cyclic = cyclic(&edges, &components, component_count, functions);
        Self { components, component_count, edges, cyclic }
    }

    /// The longest chain. Each cycle counts with its largest frame: the one that is entered when
    /// the counter finds the budget exceeded.
    pub(super) fn longest_chain(&self, frames: &[Frame]) -> Chain {
        let count = self.component_count as usize;
        let mut own = vec![0u64; count];
        let mut first = vec![u32::MAX; count];
        for (node, component) in self.components.iter().enumerate() {
            let component = *component as usize;
            let units = frames.get(node).map_or(0, |frame| frame.units);
            own[component] = own[component].max(units);
            first[component] = first[component].min(node as u32);
        }
        // Callees' components have lower numbers, so when a component's turn comes, all that it
        // calls is known.
        let mut order: Vec<u32> = (0..self.components.len() as u32).collect();
        order.sort_by_key(|node| self.components[*node as usize]);
        let mut below = vec![0u64; count];
        for node in order {
            let component = self.components[node as usize] as usize;
            for callee in &self.edges[node as usize] {
                let callee = self.components[*callee as usize] as usize;
                if callee != component {
                    below[component] = below[component].max(own[callee] + below[callee]);
                }
            }
        }
        let chains = (0..count).map(|c| Chain { function: first[c], units: own[c] + below[c] });
        chains
            .reduce(|a, b| if b.units > a.units { b } else { a })
            .unwrap_or(Chain { function: 0, units: 0 })
    }
}

/// Which functions lie on a cycle: in a component with others, or calling themselves.
fn cyclic(edges: &[Vec<u32>], components: &[u32], count: u32, functions: usize) -> Vec<bool> {
    let mut sizes = vec![0u32; count as usize];
    components.iter().for_each(|component| sizes[*component as usize] += 1);
    (0..functions)
        .map(|node| sizes[components[node] as usize] > 1 || edges[node].contains(&(node as u32)))
        .collect()
}

/// Strongly connected components by Tarjan's algorithm, with a stack of its own: a chain of calls
/// may be as long as a module has functions. Returns each node's component and their number; all
/// that a component reaches has lower numbers.
fn components(edges: &[Vec<u32>]) -> (Vec<u32>, u32) {
    const UNSEEN: u32 = u32::MAX;
    let mut order = vec![UNSEEN; edges.len()];
    let mut low = vec![0u32; edges.len()];
    let mut component = vec![UNSEEN; edges.len()];
    let mut seen = 0u32;
    let mut components = 0u32;
    let mut open: Vec<u32> = Vec::new();
    // Nodes on the way down, each with the number of its edges that were followed.
    let mut path: Vec<(u32, usize)> = Vec::new();
    for root in 0..edges.len() as u32 {
        if order[root as usize] != UNSEEN {
            continue;
        }
        path.push((root, 0));
        while let Some((node, followed)) = path.last_mut() {
            let at = *node as usize;
            if *followed == 0 {
                order[at] = seen;
                low[at] = seen;
                seen += 1;
                open.push(at as u32);
            }
            if let Some(next) = edges[at].get(*followed) {
                *followed += 1;
                let next = *next as usize;
                if order[next] == UNSEEN {
                    path.push((next as u32, 0));
                } else if component[next] == UNSEEN {
                    low[at] = low[at].min(order[next]);
                }
                continue;
            }
            path.pop();
            if let Some((parent, _)) = path.last() {
                let parent = *parent as usize;
                low[parent] = low[parent].min(low[at]);
            }
            if low[at] == order[at] {
                while let Some(member) = open.pop() {
                    component[member as usize] = components;
                    if member as usize == at {
                        break;
                    }
                }
                components += 1;
            }
        }
    }
    (component, components)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn graph(edges: Vec<Vec<u32>>) -> CallGraph {
        let (components, component_count) = components(&edges);
        let cyclic = cyclic(&edges, &components, component_count, edges.len());
        CallGraph { components, component_count, edges, cyclic }
    }

    fn frames(units: &[u64]) -> Vec<Frame> {
        units.iter().map(|units| Frame { units: *units, ..Frame::default() }).collect()
    }

    #[test]
    fn cycles_are_found() {
        let graph = graph(vec![vec![1], vec![2, 3], vec![1], vec![3], vec![0]]);
        assert_eq!(graph.cyclic, [false, true, true, true, false]);
    }

    #[test]
    fn a_cycle_counts_once_with_its_largest_frame() {
        let graph = graph(vec![vec![1], vec![2], vec![1, 3], vec![]]);
        let chain = graph.longest_chain(&frames(&[1, 10, 200, 3_000]));
        assert_eq!(chain, Chain { function: 0, units: 3_201 });
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        const LENGTH: u32 = 1_000_000;
        let edges = (1..=LENGTH).map(|next| vec![next % LENGTH]).collect();
        assert!(graph(edges).cyclic.iter().all(|is_cyclic| *is_cyclic));
        let edges = (1..=LENGTH).map(|next| if next < LENGTH { vec![next] } else { vec![] });
        let graph = graph(edges.collect());
        let chain = graph.longest_chain(&frames(&vec![1; LENGTH as usize]));
        assert_eq!(chain, Chain { function: 0, units: u64::from(LENGTH) });
    }

    /// Whether `to` can be reached from `from` by at least one edge.
    fn reaches(edges: &[Vec<u32>], from: u32, to: u32) -> bool {
        let mut seen = vec![false; edges.len()];
        let mut left = vec![from];
        while let Some(node) = left.pop() {
            for next in &edges[node as usize] {
                if *next == to {
                    return true;
                }
                if !std::mem::replace(&mut seen[*next as usize], true) {
                    left.push(*next);
                }
            }
        }
        false
    }

    proptest! {
        #[test]
        fn components_are_right(
            edges in (1usize..12).prop_flat_map(|count| {
                let node = 0..count as u32;
                prop::collection::vec(prop::collection::vec(node, 0..4), count)
            }),
        ) {
            let graph = graph(edges.clone());
            for a in 0..edges.len() as u32 {
                prop_assert_eq!(graph.cyclic[a as usize], reaches(&edges, a, a));
                for b in 0..edges.len() as u32 {
                    let (of_a, of_b) = (graph.components[a as usize], graph.components[b as usize]);
                    let together = reaches(&edges, a, b) && reaches(&edges, b, a);
                    prop_assert_eq!(of_a == of_b, a == b || together);
                    if reaches(&edges, a, b) {
                        prop_assert!(of_b <= of_a);
                    }
                }
            }
        }
    }
}
