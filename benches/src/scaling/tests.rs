//! Models that are known, and whether they come back. No time is measured here.

use super::traced::Gap;
use super::*;
use crate::quiet::Runs;
use crate::schedule::Task;
use std::time::Duration;
use tollway::BlockTrace;
use tollway::{CallTrace, PhaseSpan, PlanSummary};
use tollway_host_api::Mode;

const STEPS: MeasuredSteps =
    MeasuredSteps { clock_ns: 20.0, grab_ns: 40.0, look_ns: 5.0, steal_ns: 150.0 };

/// A model of round numbers: each part has some of everything.
fn known(threads: usize) -> CostModel {
    let part = |(number, part)| {
        let number = f64::from(number);
        let (serial_ns, parallel_ns) = (1_000.0 * number, 8_000.0 * (number + 1.0));
        PartCost { part, serial_ns, parallel_ns, shared_ns: 0.0, item: "", ns_per_item: 0.0 }
    };
    CostModel {
        fitted_threads: threads,
        call_ns: 1_000.0,
        busy_factor: 1.25,
        next_ns: 30.0,
        edge_ns: 4.0,
        grab_ns: STEPS.grab_ns,
        look_ns: STEPS.look_ns,
        steal_ns: STEPS.steal_ns,
        parts: (0..).zip(Part::ALL).map(part).collect(),
    }
}

/// What a run under a model would report for its parts.
fn times(model: &CostModel, threads: usize) -> BlockTimes {
    let mut times = BlockTimes::default();
    for part in &model.parts {
        times[part.part] = part.serial_ns + part.parallel_ns / threads as f64;
    }
    times
}

/// Calls of 1,000 ns each, with gaps as a model says.
fn block(shape: Shape, calls: usize, model: &CostModel) -> TracedBlock {
    let gap = |edges: u64| Gap { edges, ns: model.next_ns + model.edge_ns * edges as f64 };
    TracedBlock {
        shape,
        call_ns: vec![Some(1_000.0); calls],
        busy_factor: model.busy_factor,
        accesses: 4 * calls as u64,
        keys: calls as u64,
        gaps: (0..20).map(|number| gap(number % 3)).collect(),
    }
}

fn independent(calls: usize, model: &CostModel) -> TracedBlock {
    block(Shape::Waits(vec![Vec::new(); calls]), calls, model)
}

fn quiet<T, const N: usize>(runs: [T; N]) -> Runs<T> {
    Runs::new(runs.map(|run| (run, true)).into())
}

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-6 * expected.abs().max(1.0), "{found} {expected}");
}

fn check_fit(threads: usize) {
    let model = known(threads);
    let block = independent(64, &model);
    let samples = Samples {
        one: &quiet([times(&model, 1)]),
        many: &quiet([times(&model, threads)]),
        threads,
        traced: &[&block],
    };
    let found = CostModel::fit(&samples, &STEPS);
    close(found.next_ns, model.next_ns);
    close(found.edge_ns, model.edge_ns);
    close(found.busy_factor, model.busy_factor);
    close(found.call_ns, 1_000.0);
    for (found, part) in found.parts.iter().zip(&model.parts) {
        assert_eq!(found.part, part.part);
        close(found.serial_ns, part.serial_ns);
        close(found.parallel_ns, part.parallel_ns);
        close(found.shared_ns, 0.0);
    }
    // So it also says what the runs took that it was fitted to, and all others.
    for workers in WORKERS {
        close(found.block_ns(&block, workers), model.block_ns(&block, workers));
    }
    close(found.parts[0].ns_per_item, 8_000.0 / 64.0);
    close(found.parts[1].ns_per_item, 17_000.0 / 256.0);
}

#[test]
fn fits_recover_the_model() {
    check_fit(2);
    check_fit(4);
}

#[test]
fn slower_parts_cost_what_sharing_costs() {
    let model = known(2);
    let block = independent(8, &model);
    let (mut one, mut many) = (BlockTimes::default(), BlockTimes::default());
    (one[Part::Plan], many[Part::Plan]) = (5_000.0, 6_000.0);
    (one[Part::Commit], many[Part::Commit]) = (5_000.0, 1_000.0);
    let samples =
        Samples { one: &quiet([one]), many: &quiet([many]), threads: 2, traced: &[&block] };
    let found = CostModel::fit(&samples, &STEPS);
    let part = |part: Part| {
        let part = found.parts[part as usize];
        (part.serial_ns, part.parallel_ns, part.shared_ns)
    };
    assert_eq!(part(Part::Plan), (5_000.0, 0.0, 1_000.0));
    // Better than perfect is noise: no more than all of it can be shared.
    assert_eq!(part(Part::Commit), (0.0, 5_000.0, 0.0));
}

#[test]
fn quiet_runs_are_what_a_model_is_made_of() {
    let model = known(2);
    let block = independent(8, &model);
    let slow = |mut times: BlockTimes| {
        times[Part::Plan] *= 3.0;
        times
    };
    let runs = |threads, is_quiet| {
        let times = times(&model, threads);
        Runs::new(vec![(slow(times), is_quiet), (times, is_quiet), (times, is_quiet)])
    };
    let serial_ns = |is_quiet| {
        let (one, many) = (runs(1, is_quiet), runs(2, is_quiet));
        let samples = Samples { one: &one, many: &many, threads: 2, traced: &[&block] };
        CostModel::fit(&samples, &STEPS).parts[Part::Plan as usize].serial_ns
    };
    close(serial_ns(true), model.parts[Part::Plan as usize].serial_ns);
    close(serial_ns(false), model.parts[Part::Plan as usize].serial_ns);
}

/// The costs of a step and of an edge that these gaps, of (edges, ns), give.
fn check_steps(gaps: &[(u64, f64)], expected: (f64, f64)) {
    let model = known(2);
    let mut block = independent(8, &model);
    block.gaps = gaps.iter().map(|(edges, ns)| Gap { edges: *edges, ns: *ns }).collect();
    let times = quiet([times(&model, 1)]);
    let samples = Samples { one: &times, many: &times, threads: 2, traced: &[&block] };
    let found = CostModel::fit(&samples, &STEPS);
    close(found.next_ns, expected.0);
    close(found.edge_ns, expected.1);
}

#[test]
fn steps_and_edges_are_told_apart() {
    check_steps(&[], (0.0, 0.0));
    check_steps(&[(0, 30.0), (2, 38.0), (5, 50.0)], (30.0, 4.0));
    // Interrupts do not count.
    check_steps(&[(0, 30.0), (0, 31.0), (0, 4_000_000.0), (2, 39.0)], (31.0, 4.0));
    // The same number everywhere: who knows.
    check_steps(&[(1, 50.0), (1, 50.0)], (50.0, 0.0));
    // Noise must not make anything cost less than nothing.
    check_steps(&[(0, 40.0), (4, 20.0)], (30.0, 0.0));
    check_steps(&[(1, 10.0), (3, 90.0)], (0.0, 25.0));
}

#[test]
fn curves_of_independent_calls() {
    let mut model = CostModel { parts: Vec::new(), busy_factor: 1.0, ..known(2) };
    let block = independent(64, &model);
    close(model.block_ns(&block, 1), 64.0 * 1_030.0);
    // Two workers take groups in turn; the second starts a counter's time later.
    close(model.block_ns(&block, 2), 32.0 * 1_030.0 + 5.0 * 40.0);
    model.busy_factor = 1.25;
    close(model.block_ns(&block, 1), 64.0 * 1_030.0);
    close(model.block_ns(&block, 2), 32.0 * 1_280.0 + 5.0 * 40.0);
    let scaling = Scaling::new(known(2), Vec::new(), &[&block]);
    let curve = &scaling.curve;
    assert_eq!(curve.iter().map(|point| point.workers).collect::<Vec<_>>(), WORKERS);
    close(curve[0].speedup, 1.0);
    assert_eq!(
        curve.iter().map(|point| point.ideal_speedup).collect::<Vec<_>>()[..7],
        [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]
    );
    close(curve[7].ideal_speedup, 64.0);
    for point in curve {
        assert!(point.efficiency <= 1.0 + 1e-9 && point.speedup <= point.ideal_speedup + 1e-9);
        close(point.calls_per_s * point.block_ns, 64.0 * 1e9);
    }
}

#[test]
fn curves_of_chains_are_flat() {
    let model = CostModel { parts: Vec::new(), busy_factor: 1.0, ..known(2) };
    let task = Task { cost: 0, accesses: vec![(0, Mode::Write)] };
    let chain = block(Shape::Accesses(vec![task; 10]), 10, &model);
    let serial = 10.0 * 1_030.0 + 9.0 * 4.0;
    close(model.block_ns(&chain, 1), serial);
    for workers in [2, 128] {
        close(model.block_ns(&chain, workers), serial + 40.0);
    }
}

#[test]
fn curves_take_the_middle_block() {
    let model = CostModel { parts: Vec::new(), ..known(2) };
    let blocks = [8, 16, 640].map(|calls| independent(calls, &model));
    let blocks: Vec<_> = blocks.iter().collect();
    close(block_ns(&model, &blocks, 1), 16.0 * 1_030.0);
}

#[test]
fn quiet_runs_are_what_counts() {
    let check = Check::new(2, vec![(100.0, false), (110.0, true), (130.0, true)], 132.0);
    assert_eq!((check.runs, check.quiet_runs, check.measured_ns), (3, 2, 120.0));
    close(check.error, 0.1);
    assert_eq!(Check::new(2, vec![(100.0, false), (90.0, false)], 90.0).measured_ns, 90.0);
}

/// A trace of calls with these times and waits; every call is on the critical path that `chain`
/// says.
fn trace(spans: &[(u64, u64)], waits: &[&[u32]], chain: u32) -> BlockTrace {
    let call = |(call, (span, waits)): (u32, (&(u64, u64), &&[u32]))| CallTrace {
        call,
        contract: String::new(),
        address: String::new(),
        method: String::new(),
        worker: 0,
        lane: 0,
        start_ns: span.0,
        end_ns: span.1,
        waits_for: waits.to_vec(),
        waits_on: String::new(),
        gas: 0,
        outcome: "ok",
        repaired: false,
        missed: false,
    };
    let phase = |(name, start_ns, end_ns)| PhaseSpan { name, start_ns, end_ns };
    BlockTrace {
        threads: 1,
        phases: [
            ("resolve", 0, 50),
            ("plan", 50, 90),
            ("execute", 90, 2_000),
            ("repair", 2_000, 2_007),
        ]
        .map(phase)
        .into(),
        calls: (0..).zip(spans.iter().zip(waits)).map(call).collect(),
        plan: PlanSummary {
            calls: spans.len() as u32,
            critical_path_calls: chain,
            ..PlanSummary::default()
        },
        ..BlockTrace::default()
    }
}

#[test]
fn traces_become_blocks() {
    // In the second run, call 0 was interrupted.
    let waits: [&[u32]; 3] = [&[], &[0], &[]];
    let alone = [
        trace(&[(100, 220), (250, 470), (500, 620)], &waits, 2),
        trace(&[(100, 920), (950, 1_160), (1_200, 1_330)], &waits, 2),
    ];
    let beside = [trace(&[(100, 250), (300, 570), (100, 230)], &waits, 2)];
    // Runs that were not quiet: the fastest counts, call by call.
    let noisy = Runs::new(alone.clone().map(|trace| (trace, false)).into());
    let block = TracedBlock::new(&noisy, &quiet(beside.clone()), 20.0, None).unwrap();
    assert_eq!(block.call_ns, [Some(100.0), Some(190.0), Some(100.0)]);
    close(block.busy_factor, (130.0 + 250.0 + 110.0) / 390.0);
    let block = TracedBlock::new(&quiet(alone.clone()), &quiet(beside), 20.0, None).unwrap();
    assert_eq!(block.call_ns, [Some(450.0), Some(195.0), Some(105.0)]);
    close(block.busy_factor, 1.0);
    let gap = |edges, ns| Gap { edges, ns };
    assert_eq!(block.gaps, [gap(1, 10.0), gap(0, 10.0), gap(1, 10.0), gap(0, 20.0)]);

    let times =
        BlockTimes::outside_of_calls(Duration::from_nanos(3), &alone[0], Duration::from_nanos(11));
    let times = times.unwrap();
    let found = Part::ALL.map(|part| times[part]);
    assert_eq!(found, [3.0, 50.0, 40.0, 1_910.0 - 520.0, 7.0, 0.0, 11.0]);
}

#[test]
fn traces_that_leave_out_waits_are_refused() {
    let waits: [&[u32]; 2] = [&[], &[]];
    let traces = [trace(&[(100, 220), (250, 470)], &waits, 2)];
    let refused = |alone: &[BlockTrace], beside: &[BlockTrace]| {
        let [alone, beside] = [alone, beside]
            .map(|traces| Runs::new(traces.iter().map(|trace| (trace.clone(), true)).collect()));
        TracedBlock::new(&alone, &beside, 20.0, None).unwrap_err().to_string()
    };
    assert_eq!(
        refused(&traces, &traces),
        "the traced calls form a chain of 1, the planned ones of 2"
    );
    assert_eq!(refused(&traces, &[]), "a block was not traced");
    // Unless it is known better.
    let task = Task { cost: 0, accesses: vec![(0, Mode::Write)] };
    let shape = Some(Shape::Accesses(vec![task; 2]));
    let traces = quiet(traces);
    assert!(TracedBlock::new(&traces, &traces, 20.0, shape).is_ok());
}

#[test]
fn steps_can_be_measured() {
    let steps = measure_steps();
    println!("{steps:?}");
    let all = [steps.clock_ns, steps.look_ns, steps.steal_ns];
    assert!(all.into_iter().all(|ns| ns > 0.0 && ns.is_finite()));
    assert!(steps.grab_ns >= 0.0 && steps.grab_ns.is_finite());
}
