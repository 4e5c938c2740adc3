//! Hand-made traces for tests: runs without a runtime.

use tollway::{BlockTrace, CallTrace, HotKey, PhaseSpan, PlanSummary};

/// A call under construction.
pub(crate) struct Draft(pub(crate) CallTrace);

/// A call of `dex.swap` that waits for nobody and takes a microsecond.
pub(crate) fn call(index: u32) -> Draft {
    Draft(CallTrace {
        call: index,
        contract: "dex".into(),
        address: format!("{:064x}", 0xdeu8),
        method: "swap".into(),
        worker: 0,
        lane: index,
        start_ns: u64::from(index) * 1_000,
        end_ns: u64::from(index) * 1_000 + 1_000,
        waits_for: Vec::new(),
        waits_on: String::new(),
        gas: 1_000,
        outcome: "ok",
        repaired: false,
        missed: false,
    })
}

impl Draft {
    pub(crate) fn waiting(mut self, calls: &[u32]) -> Self {
        self.0.waits_for = calls.to_vec();
        self
    }
}

/// A run of `calls` calls on `workers` workers, where call i touches the key `key_of(i)` and so
/// waits for the call before it that does. Keys are named `dex.reserves[k]`; `None` waits for
/// nobody.
pub(crate) fn run(calls: u32, workers: u32, key_of: impl Fn(u32) -> Option<u32>) -> BlockTrace {
    const PLAN_NS: u64 = 150;
    const CALL_NS: u64 = 1_000;
    let start = u64::from(calls) * PLAN_NS;
    let mut free = vec![(start, None); workers as usize];
    let mut last: std::collections::BTreeMap<u32, (u32, u64, u32, u32)> = Default::default();
    let mut trace = BlockTrace { height: 7, threads: workers as usize, ..Default::default() };
    let mut lanes = 0;
    for index in 0..calls {
        let key = key_of(index);
        let source = key.and_then(|key| last.get(&key).copied());
        let worker = match source {
            Some((_, _, worker, _))
                if free[worker as usize].0 <= start + u64::from(index) * CALL_NS =>
            {
                worker
            }
            _ => (0..workers).min_by_key(|worker| free[*worker as usize].0).unwrap_or(0),
        };
        let ready = source.map_or(start, |(_, end, _, _)| end);
        let (free_at, previous) = free[worker as usize];
        let mut draft = call(index).0;
        draft.start_ns = ready.max(free_at) + 40;
        draft.end_ns = draft.start_ns + CALL_NS - 60 + u64::from(index * 37 % 120);
        draft.worker = worker;
        draft.lane = match source {
            Some((call, ..)) if previous == Some(call) => trace.calls[call as usize].lane,
            _ => {
                lanes += 1;
                lanes - 1
            }
        };
        if let Some((call, ..)) = source {
            draft.waits_for = vec![call];
            draft.waits_on = format!("dex.reserves[{}]", key.unwrap_or(0));
        }
        free[worker as usize] = (draft.end_ns, Some(index));
        if let Some(key) = key {
            let chain = source.map_or(0, |(.., chain)| chain) + 1;
            last.insert(key, (index, draft.end_ns, worker, chain));
        }
        trace.calls.push(draft);
    }
    let end = free.iter().map(|(end, _)| *end).max().unwrap_or(start);
    let phase = |name, start_ns, end_ns| PhaseSpan { name, start_ns, end_ns };
    trace.phases = vec![
        phase("resolve", 0, start * 2 / 3),
        phase("plan", start * 2 / 3, start),
        phase("execute", start, end),
        phase("repair", end, end + 500),
    ];
    trace.hot_keys = hot_keys(&last);
    trace.plan = summary(&trace);
    trace
}

fn hot_keys(last: &std::collections::BTreeMap<u32, (u32, u64, u32, u32)>) -> Vec<HotKey> {
    let mut keys: Vec<_> = last
        .iter()
        .map(|(key, (.., chain))| HotKey {
            name: format!("dex.reserves[{key}]"),
            calls: *chain,
            readers: 0,
            writers: *chain,
            adders: 0,
            waits: chain - 1,
            chain: *chain,
        })
        .filter(|key| key.waits > 0)
        .collect();
    keys.sort_by_key(|key| std::cmp::Reverse(key.chain));
    keys.truncate(32);
    keys
}

fn summary(trace: &BlockTrace) -> PlanSummary {
    let graph = crate::graph::Graph::new(&trace.calls);
    let chain = graph.critical_chain();
    let mut speedup_gas: Vec<_> =
        [1, 2, 4, 8, 16, 32].map(|n| (n, graph.speedup(n as usize))).into();
    speedup_gas.push((u32::MAX, graph.speedup_unbounded()));
    PlanSummary {
        calls: trace.calls.len() as u32,
        undeclared: 0,
        accesses: trace.calls.len() as u64 * 4,
        keys: trace.calls.len() as u64 * 2,
        edges: trace.calls.iter().map(|call| call.waits_for.len() as u64).sum(),
        critical_path_calls: chain.len() as u32,
        critical_path_gas: chain.iter().map(|index| trace.calls[*index].gas).sum(),
        gas_total: trace.calls.iter().map(|call| call.gas).sum(),
        speedup_gas,
    }
}

/// The key of a call under a Zipf law over `keys` keys, by a fixed pseudo-random draw.
pub(crate) fn zipf(keys: u32) -> impl Fn(u32) -> Option<u32> {
    let sums: Vec<f64> = (1..=keys)
        .scan(0.0, |sum, rank| {
            *sum += 1.0 / f64::from(rank);
            Some(*sum)
        })
        .collect();
    move |index| {
        let mut word = u64::from(index).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let unit = ((word ^ (word >> 31)) >> 11) as f64 / (1u64 << 53) as f64;
        let target = unit * sums.last().copied().unwrap_or(0.0);
        u32::try_from(sums.partition_point(|sum| *sum < target)).ok()
    }
}
