use super::*;
use crate::resolve::Resolved;
use proptest::prelude::*;
use tollway_host_api::Mode;

/// A block in short: calls between `|`, in each the keys that it reads (`r:a`), writes (`w:a`) or
/// adds to (`+a`).
fn block(text: &str) -> Vec<Vec<(Vec<u8>, Mode)>> {
    let access = |word: &str| {
        let (mode, key) = match word.split_at(1) {
            ("+", key) => (Mode::Add, key),
            ("r", key) => (Mode::Read, &key[1..]),
            ("w", key) => (Mode::Write, &key[1..]),
            _ => panic!("{word} is no access"),
        };
        (key.as_bytes().to_vec(), mode)
    };
    text.split('|').map(|call| call.split_whitespace().map(access).collect()).collect()
}

fn plan_of(calls: &[Vec<(Vec<u8>, Mode)>], threads: usize) -> (Resolved, Plan) {
    let store = Arc::new(MemoryStore::new(1));
    let resolved = Resolved::of_keys(calls, &store);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    let plan = pool.install(|| plan(&resolved, &store, PlanMemory::default()));
    (resolved, plan)
}

/// Which call waits for which, sums left out.
fn waits(calls: &[Vec<(Vec<u8>, Mode)>], threads: usize) -> Vec<(u32, u32)> {
    let (_, plan) = plan_of(calls, threads);
    let mut found = Vec::new();
    for call in 0..calls.len() as u32 {
        let mut open = plan.graph.targets(call).to_vec();
        while let Some(node) = open.pop() {
            match plan.graph.sum(node) {
                Some(_) => open.extend(plan.graph.targets(node)),
                None => found.push((call, node)),
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The rule, as it is told: a read or write waits for the latest earlier write of the key and the
/// adds since; an add waits for nobody.
fn waits_by_rule(calls: &[Vec<(Vec<u8>, Mode)>]) -> Vec<(u32, u32)> {
    let mut found = Vec::new();
    for (later, keys) in calls.iter().enumerate() {
        for (key, _) in keys.iter().filter(|(_, mode)| *mode != Mode::Add) {
            for earlier in (0..later).rev() {
                match calls[earlier].iter().find(|(other, _)| other == key).map(|(_, mode)| *mode) {
                    Some(Mode::Add) => found.push((earlier as u32, later as u32)),
                    Some(Mode::Write) => {
                        found.push((earlier as u32, later as u32));
                        break;
                    }
                    Some(Mode::Read) | None => {}
                }
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn check(text: &str, expected: &[(u32, u32)]) {
    assert_eq!(waits(&block(text), 1), expected, "{text}");
}

#[test]
fn values_flow_as_in_the_drawing() {
    check("w:a | w:b | r:a w:c | r:b | +d | +d | r:d", &[(0, 2), (1, 3), (4, 6), (5, 6)]);
}

#[test]
fn readers_of_one_key_do_not_wait() {
    check("r:pool | r:pool | w:alice", &[]);
}

#[test]
fn writer_does_not_wait_for_earlier_reader() {
    check("r:a | w:a", &[]);
}

#[test]
fn adders_wait_for_nobody() {
    check("w:a | +a | +a", &[]);
    check("w:a | +a | r:a | +a | w:a", &[(0, 2), (0, 4), (1, 2), (1, 4), (3, 4)]);
}

#[test]
fn edges_are_linear() {
    // A hundred adders, then a hundred readers and adders in turn: by pairs, 10,000 waits.
    let text = vec!["+a"; 100].join("|") + "|" + &vec!["r:a | +a"; 100].join("|");
    let calls = block(&text);
    let (resolved, plan) = plan_of(&calls, 1);
    assert!(plan.graph.edge_count() <= 3 * resolved.access_count());
}

type Calls = Vec<Vec<(Vec<u8>, Mode)>>;

fn any_calls() -> impl Strategy<Value = Calls> {
    let mode = prop_oneof![Just(Mode::Read), Just(Mode::Write), Just(Mode::Add)];
    let call = prop::collection::btree_map(0u8..12, mode, 0..5)
        .prop_map(|keys| keys.into_iter().map(|(key, mode)| (vec![key], mode)).collect());
    prop::collection::vec(call, 0..40)
}

proptest! {
    #[test]
    fn waits_are_those_of_the_rule(calls in any_calls()) {
        prop_assert_eq!(waits(&calls, 1), waits_by_rule(&calls));
    }

    #[test]
    fn edges_point_back(calls in any_calls()) {
        prop_assert!(waits(&calls, 1).iter().all(|(earlier, later)| earlier < later));
    }

    #[test]
    fn reads_resolve(calls in any_calls()) {
        let (resolved, plan) = plan_of(&calls, 1);
        for (access, placement) in resolved.accesses().zip(plan.placements()) {
            if access.mode == Mode::Add || placement.source == PARENT {
                continue;
            }
            let source = placement.source as usize;
            let key = match resolved.access(source) {
                Some(writer) => {
                    prop_assert_eq!(writer.mode, Mode::Write);
                    prop_assert!(writer.call < access.call);
                    plan.placement(source).key
                }
                None => plan.sums[source - plan.access_count()].key,
            };
            prop_assert_eq!(key, placement.key);
        }
    }
}

#[test]
fn is_pure() {
    // Enough accesses for several shards.
    let calls: Calls = (0..4_000u32)
        .map(|call| {
            let key = |number: u32| (number % 700).to_be_bytes().to_vec();
            let mode = [Mode::Read, Mode::Write, Mode::Add][call as usize % 3];
            vec![(key(call * 7), mode), (key(call * 13 + 5000).repeat(2), Mode::Write)]
        })
        .collect();
    let expected = waits(&calls, 1);
    assert_eq!(waits_by_rule(&calls), expected);
    for threads in [2, 3, 4] {
        assert_eq!(waits(&calls, threads), expected);
    }
}
