//! The runtime's own schedule on any number of workers, simulated: what its lanes make of a block
//! when calls and the scheduler's steps cost so much.
//!
//! ```text
//! seek ──▶ own queue, newest first ────────────────┐
//!   │  └─▶ roots, a group at a time, block order ──┼─▶ run ─▶ tell who waits ─┬─▶ first made ready: run
//!   │  └─▶ another's queue, oldest first ──────────┘                          ├─▶ others: own queue
//!   └────▶ idle, until somebody's queue grows                                 └─▶ none: seek
//! ```
//!
//! # Invariants
//! 1. The same graph, costs and workers give the same run: events of one moment go by worker number
//!    (`tests::runs_repeat`).
//! 2. One worker takes the sum of all costs; no number of workers takes less than the critical path
//!    or an even share (`tests::runs_keep_their_bounds`).
//! 3. Nobody idles while a call lies in a queue, so without the costs of steps Graham's bound on
//!    greedy schedules holds (`tests::nobody_idles_beside_work`).
//!
//! More costs do not always mean a longer run: a greedy schedule has anomalies (R. L. Graham,
//! "Bounds on multiprocessing timing anomalies", 1969; `tests::costs_may_help_by_accident`). On one
//! worker, and on chains, they do.

use super::Graph;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};

/// So many roots a worker takes at once; see `runtime/src/execute`.
pub const ROOTS_AT_ONCE: usize = 8;

/// What the scheduler's steps cost, in the unit of the calls' costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepCosts {
    /// For each call: from the end of the one before to its start, nobody else concerned.
    pub next: u64,
    /// For each edge: one waiting node counted down, or one value added to a sum.
    pub edge: u64,
    /// Taking a group of roots where workers share the counter. One at a time can.
    pub grab: u64,
    /// Looking into the queue of a worker for something to steal.
    pub look: u64,
    /// From such a look that found a call, to having it.
    pub steal: u64,
}

/// What came of a simulated run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LanesRun {
    /// When the last worker was done.
    pub makespan: u64,
    /// Groups of roots taken.
    pub grabs: u64,
    /// Calls taken from another worker's queue.
    pub steals: u64,
}

impl Graph {
    /// Runs the graph in lanes on so many workers.
    ///
    /// # Panics
    /// If `workers` is 0.
    pub fn run_lanes(&self, steps: &StepCosts, workers: usize) -> LanesRun {
        assert!(workers > 0, "lanes need a worker");
        Lanes::new(self, *steps, workers).run()
    }

    /// How many edges are told after each of `order`, the calls in the order in which they end;
    /// values added to sums count too. What [`StepCosts::edge`] is paid for.
    ///
    /// # Panics
    /// If `order` has a call that is not in the graph.
    pub fn edges_told(&self, order: &[u32]) -> Vec<u64> {
        let mut lanes = Lanes::new(self, StepCosts::default(), 1);
        let calls = self.nodes.iter().filter_map(|node| node.call);
        // Not all of a block's calls are in the graph: some run after the lanes.
        let mut node_of = vec![None; calls.max().map_or(0, |last| last as usize + 1)];
        for (index, node) in (0u32..).zip(&self.nodes) {
            if let Some(call) = node.call {
                node_of[call as usize] = Some(index);
            }
        }
        let node = |call: &u32| {
            let found = node_of.get(*call as usize).copied().flatten();
            found.expect("the order has calls of the graph")
        };
        order.iter().map(|call| lanes.tell(node(call)).edges).collect()
    }
}

/// What a worker does until its next event.
enum State {
    /// It looks for a call, now.
    Seeking,
    /// It runs a call.
    Running(u32),
    /// It takes roots, or tells those that wait: then it runs `next`, and others see `ready`.
    Telling { next: Option<u32>, ready: Vec<u32> },
}

/// What the end of a call led to.
struct Told {
    edges: u64,
    next: Option<u32>,
    ready: Vec<u32>,
}

struct Lanes<'g> {
    graph: &'g Graph,
    steps: StepCosts,
    waits: Vec<u32>,
    roots: Vec<u32>,
    next_root: usize,
    /// When the worker that touches the counter of roots is done with it.
    counter_free: u64,
    /// Of each worker; the newest at the back.
    queues: Vec<VecDeque<u32>>,
    states: Vec<State>,
    idle: BTreeSet<usize>,
    events: BinaryHeap<Reverse<(u64, usize)>>,
    run: LanesRun,
}

impl<'g> Lanes<'g> {
    fn new(graph: &'g Graph, steps: StepCosts, workers: usize) -> Self {
        let nodes = 0..graph.nodes.len() as u32;
        Self {
            graph,
            steps,
            waits: graph.nodes.iter().map(|node| node.waits).collect(),
            // Sums always wait for something, so these are calls.
            roots: nodes.filter(|node| graph.nodes[*node as usize].waits == 0).collect(),
            next_root: 0,
            counter_free: 0,
            queues: vec![VecDeque::new(); workers],
            states: (0..workers).map(|_| State::Seeking).collect(),
            idle: BTreeSet::new(),
            events: (0..workers).map(|worker| Reverse((0, worker))).collect(),
            run: LanesRun::default(),
        }
    }

    fn run(mut self) -> LanesRun {
        while let Some(Reverse((now, worker))) = self.events.pop() {
            match std::mem::replace(&mut self.states[worker], State::Seeking) {
                State::Seeking => self.seek(worker, now),
                State::Running(node) => {
                    let Told { edges, next, ready } = self.tell(node);
                    let end = now + edges * self.steps.edge;
                    self.go_on(worker, State::Telling { next, ready }, end);
                }
                State::Telling { next, ready } => {
                    self.run.makespan = self.run.makespan.max(now);
                    self.wake(ready.len(), now);
                    self.queues[worker].extend(ready);
                    match next {
                        Some(node) => self.start(worker, node, now),
                        None => self.seek(worker, now),
                    }
                }
            }
        }
        self.run
    }

    fn go_on(&mut self, worker: usize, state: State, until: u64) {
        self.states[worker] = state;
        self.events.push(Reverse((until, worker)));
    }

    fn start(&mut self, worker: usize, node: u32, now: u64) {
        let end = now + self.steps.next + self.graph.nodes[node as usize].cost;
        self.go_on(worker, State::Running(node), end);
    }

    fn seek(&mut self, worker: usize, now: u64) {
        if let Some(node) = self.queues[worker].pop_back() {
            self.start(worker, node, now);
        } else if self.next_root < self.roots.len() {
            self.grab(worker, now);
        } else if let Some(victim) = self.queues.iter().position(|queue| !queue.is_empty()) {
            let cost = (victim as u64 + 1) * self.steps.look + self.steps.steal;
            if let Some(node) = self.queues[victim].pop_front() {
                self.run.steals += 1;
                self.start(worker, node, now + cost);
            }
        } else {
            self.idle.insert(worker);
        }
    }

    fn grab(&mut self, worker: usize, now: u64) {
        let end = (self.next_root + ROOTS_AT_ONCE).min(self.roots.len());
        let (first, others) = (self.roots[self.next_root], &self.roots[self.next_root + 1..end]);
        // Pushed backwards, so that they come out in block order.
        let ready = others.iter().rev().copied().collect();
        self.next_root = end;
        self.run.grabs += 1;
        // A worker alone has the counter in its own cache, where taking it is part of `next`.
        let until = match self.queues.len() {
            1 => now,
            _ => now.max(self.counter_free) + self.steps.grab,
        };
        self.counter_free = until;
        self.go_on(worker, State::Telling { next: Some(first), ready }, until);
    }

    /// Lets so many idle workers seek, those of the lowest numbers.
    fn wake(&mut self, count: usize, now: u64) {
        for _ in 0..count {
            let Some(worker) = self.idle.pop_first() else {
                return;
            };
            self.go_on(worker, State::Seeking, now);
        }
    }

    /// Counts down what waits for a call. Calls are told before sums, as in the runtime's lists.
    fn tell(&mut self, node: u32) -> Told {
        let graph = self.graph;
        let mut told = Told { edges: 0, next: None, ready: Vec::new() };
        let mut done = vec![node];
        while let Some(node) = done.pop() {
            for sums in [false, true] {
                for target in &graph.nodes[node as usize].dependants {
                    let waiting = &graph.nodes[*target as usize];
                    if waiting.call.is_none() != sums {
                        continue;
                    }
                    told.edges += 1;
                    let waits = &mut self.waits[*target as usize];
                    *waits -= 1;
                    match *waits {
                        1.. => {}
                        0 if sums => {
                            told.edges += u64::from(waiting.waits);
                            done.push(*target);
                        }
                        0 if told.next.is_none() => told.next = Some(*target),
                        0 => told.ready.push(*target),
                    }
                }
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{any_tasks, block};
    use super::*;
    use proptest::prelude::*;

    const FREE: StepCosts = StepCosts { next: 0, edge: 0, grab: 0, look: 0, steal: 0 };
    const DEAR: StepCosts = StepCosts { next: 1, edge: 2, grab: 4, look: 1, steal: 3 };

    /// Makespans on 1, 2, 3 and 8 workers.
    fn check(text: &str, steps: StepCosts, expected: [u64; 4]) {
        let graph = Graph::new(&block(text));
        let found = [1, 2, 3, 8].map(|workers| graph.run_lanes(&steps, workers).makespan);
        assert_eq!(found, expected, "{text}");
    }

    fn equal(calls: usize) -> Graph {
        Graph::of_waits(&vec![Some(10); calls], &vec![Vec::new(); calls])
    }

    #[test]
    fn chains_stay_on_their_worker() {
        check("3 w:a | 4 w:a | 5 w:a", FREE, [12; 4]);
        // Three calls at 1, two edges at 2; and the counter, which one worker has to itself.
        check("3 w:a | 4 w:a | 5 w:a", DEAR, [19, 23, 23, 23]);
    }

    #[test]
    fn roots_are_taken_in_groups() {
        let run = |steps: &StepCosts, workers| equal(16).run_lanes(steps, workers);
        assert_eq!(run(&FREE, 1), LanesRun { makespan: 160, grabs: 2, steals: 0 });
        assert_eq!(run(&FREE, 2), LanesRun { makespan: 80, grabs: 2, steals: 0 });
        // The counter is free at 4 for the first worker and at 8 for the second.
        assert_eq!(run(&DEAR, 2), LanesRun { makespan: 8 + 8 * 11, grabs: 2, steals: 0 });
    }

    #[test]
    fn groups_are_stolen_from() {
        // Worker 0 has all eight from 4 on and ends calls at 15, 26, 37, 48; worker 1 pays 4 for
        // each theft, and ends calls at 19, 34, 49. The last one is worker 0's, until 59.
        let run = equal(8).run_lanes(&DEAR, 2);
        assert_eq!(run, LanesRun { makespan: 59, grabs: 1, steals: 3 });
        assert_eq!(equal(8).run_lanes(&FREE, 8).makespan, 10);
    }

    #[test]
    fn looks_go_from_the_first_worker_on() {
        let look = StepCosts { look: 100, ..FREE };
        let run = |costs: [u64; 4], waits: [Vec<u32>; 4]| {
            let run = Graph::of_waits(&costs.map(Some), &waits).run_lanes(&look, 2);
            (run.makespan, run.steals)
        };
        // 0 makes 1, 2 and 3 ready; 3 is taken back at 20, 2 is stolen at 10, after one look.
        let fork = [vec![], vec![0], vec![0], vec![0]];
        assert_eq!(run([10; 4], fork), (120, 1));
        // 1 is stolen at once, runs from 100 to 110, and makes 2 and 3 ready. Worker 0, idle since
        // 50, looks into its own queue and then into the other: 3 runs from 310 on.
        let late = [vec![], vec![], vec![1], vec![1]];
        assert_eq!(run([50, 10, 10, 10], late), (320, 2));
    }

    #[test]
    fn diamonds_fork_and_join() {
        let diamond = "2 w:a | 3 r:a w:b | 5 r:a w:c | 4 r:b r:c";
        check(diamond, FREE, [14, 11, 11, 11]);
        // Alone: 14, four calls, four edges at 2. On two: 0 ends at 4 + 3 and has told two at 11;
        // 1 ends at 15, tells at 17, and idles; 2 is stolen at 15, ends at 21, tells at 23; then 3.
        check(diamond, DEAR, [26, 28, 28, 28]);
    }

    #[test]
    fn hot_keys_are_one_lane() {
        let hot = vec!["1 w:a"; 20].join(" | ");
        check(&hot, FREE, [20; 4]);
    }

    #[test]
    fn adders_run_side_by_side_and_readers_pay_for_the_sum() {
        let adders = "6 +a | 6 +a | 6 +a | 1 r:a";
        check(adders, FREE, [19, 13, 7, 7]);
        // Each adder tells the sum; the last one adds up three values and tells the reader.
        check(adders, StepCosts { edge: 1, ..FREE }, [19 + 3 + 3 + 1, 19, 12, 12]);
    }

    #[test]
    fn the_newest_of_the_own_queue_goes_first() {
        // 0 makes 1, 2 and 3 ready: 1 goes on, 2 and 3 are queued, and 3 is taken next. 4 waits for
        // 3 alone, and is a lane with it.
        let waits = [vec![], vec![0], vec![0], vec![0], vec![3]];
        let graph = Graph::of_waits(&[1, 1, 9, 1, 9].map(Some), &waits);
        assert_eq!(graph.run_lanes(&FREE, 1).makespan, 21);
        // The other worker steals the oldest, 2, at 1, and is done at 10; 3 at 2, 4 from 3 to 12.
        assert_eq!(graph.run_lanes(&FREE, 2).makespan, 12);
    }

    #[test]
    fn costs_may_help_by_accident() {
        let waits = [vec![], vec![0], vec![], vec![0], vec![0, 2]];
        let graph = Graph::of_waits(&[4, 3, 3, 4, 7].map(Some), &waits);
        // 0 ends at 4 and makes 1, 3 and 4 ready, as 2 ended at 3. The thief takes 3, the older
        // one, and the long 4 starts last, at 7.
        assert_eq!(graph.run_lanes(&FREE, 2).makespan, 14);
        // 2 is stolen later and ends last, so 4 is its worker's lane, and starts at 4.
        assert_eq!(graph.run_lanes(&StepCosts { steal: 1, ..FREE }, 2).makespan, 11);
    }

    #[test]
    fn edges_are_told_once() {
        let graph = Graph::new(&block("6 +a | 6 +a | 1 r:a | 1 r:a"));
        assert_eq!(graph.edges_told(&[0, 1, 2, 3]), [1, 1 + 2 + 2, 0, 0]);
    }

    #[test]
    fn calls_that_run_elsewhere_are_left_out() {
        let graph = Graph::of_waits(&[Some(5), None, Some(7)], &[vec![], vec![], vec![0]]);
        assert_eq!(graph.run_lanes(&FREE, 4).makespan, 12);
        assert_eq!(graph.edges_told(&[0, 2]), [1, 0]);
        assert_eq!(Graph::of_waits(&[], &[]).run_lanes(&DEAR, 4), LanesRun::default());
    }

    fn any_steps() -> impl Strategy<Value = StepCosts> {
        let cost = || 0u64..5;
        let steps = (cost(), cost(), cost(), cost(), cost());
        steps.prop_map(|(next, edge, grab, look, steal)| StepCosts {
            next,
            edge,
            grab,
            look,
            steal,
        })
    }

    proptest! {
        #[test]
        fn runs_keep_their_bounds(tasks in any_tasks(), steps in any_steps(), workers in 2usize..9) {
            let graph = Graph::new(&tasks);
            let calls: Vec<u32> = (0..tasks.len() as u32).collect();
            let edges: u64 = graph.edges_told(&calls).iter().sum();
            let total = graph.cost_total() + calls.len() as u64 * steps.next;
            let serial = graph.run_lanes(&steps, 1).makespan;
            prop_assert_eq!(serial, total + edges * steps.edge);
            let span = graph.run_lanes(&steps, workers).makespan;
            let chain = u64::from(graph.critical_path_calls()) * steps.next;
            prop_assert!(span >= graph.critical_path_cost());
            prop_assert!(span >= chain);
            prop_assert!(span >= serial.div_ceil(workers as u64));
        }

        #[test]
        fn nobody_idles_beside_work(tasks in any_tasks(), workers in 1usize..9) {
            let graph = Graph::new(&tasks);
            let (n, path) = (workers as u64, graph.critical_path_cost());
            let span = graph.run_lanes(&FREE, workers).makespan;
            prop_assert!(n * span <= graph.cost_total() + (n - 1) * path);
        }

        #[test]
        fn costs_never_help_one_worker_or_a_chain(
            tasks in any_tasks(), steps in any_steps(), more in any_steps(), workers in 1usize..9,
        ) {
            let dearer = StepCosts {
                next: steps.next + more.next,
                edge: steps.edge + more.edge,
                grab: steps.grab + more.grab,
                look: steps.look + more.look,
                steal: steps.steal + more.steal,
            };
            let span = |graph: &Graph, steps, workers| graph.run_lanes(steps, workers).makespan;
            let graph = Graph::new(&tasks);
            prop_assert!(span(&graph, &steps, 1) <= span(&graph, &dearer, 1));
            let costs: Vec<_> = tasks.iter().map(|task| Some(task.cost)).collect();
            let waits: Vec<_> = (0..costs.len() as u32).map(|at| at.checked_sub(1).into_iter().collect()).collect();
            let chain = Graph::of_waits(&costs, &waits);
            prop_assert!(span(&chain, &steps, workers) <= span(&chain, &dearer, workers));
        }

        #[test]
        fn runs_repeat(tasks in any_tasks(), steps in any_steps(), workers in 1usize..9) {
            let run = || Graph::new(&tasks).run_lanes(&steps, workers);
            prop_assert_eq!(run(), run());
        }
    }
}
