//! One runtime with its blocks, in a process of its own.
//!
//! ```text
//! parent                          child: --worker 3 --dist hot …
//!   ◀─────────── {} ──────────────  set up
//!   ──────────── line ────────────▶ runs its next block
//!   ◀── what it took, checksums ──
//! ```
//!
//! In a process of its own, because runtimes disturb each other in one: a heap that another has cut
//! to pieces makes Tollway a fifth slower, and some install signal handlers.

use crate::args::Args;
use crate::engine::{Engine, Peer, Setup};
use crate::measure::Options;
use anyhow::{Context, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use tollway_benches::swaps::{Checksums, Distribution, Swap, Workload};

/// What a block took, and the state after it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Turn {
    /// Nanoseconds.
    pub(crate) elapsed_ns: u64,
    /// In the runtime's own unit.
    pub(crate) metered: u64,
    /// Of reserves and balances; there after a block whose state is published, and the last one.
    pub(crate) checksums: Option<[u64; 2]>,
}

impl Turn {
    /// The checksums, if there are any.
    pub(crate) fn checksums(&self) -> Option<Checksums> {
        self.checksums.map(|[reserves, balances]| Checksums { reserves, balances })
    }
}

/// What runs the next block when it is told to.
pub(crate) trait Worker {
    /// Runs the next block.
    ///
    /// # Errors
    /// If a swap does not give what it must, or there are no more blocks.
    fn turn(&mut self) -> anyhow::Result<Turn>;
}

/// A runtime in this process.
pub(crate) struct Local {
    engine: Box<dyn Engine>,
    distribution: Distribution,
    swaps: Vec<Vec<Swap>>,
    next: usize,
}

impl Local {
    /// Sets a runtime up for all its blocks.
    ///
    /// # Errors
    /// If that fails.
    pub(crate) fn new(
        peer: &Peer,
        distribution: Distribution,
        options: &Options,
    ) -> anyhow::Result<Self> {
        let mut workload = Workload::new(distribution);
        let swaps: Vec<_> =
            (0..=options.blocks).map(|_| workload.next_block(options.block_swaps)).collect();
        let bar = bar(&format!("{distribution}: {} {}", peer.name, peer.variant));
        let progress = |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        };
        let reserves = workload.initial_reserves();
        let engine = (peer.open)(peer, &Setup { reserves, swaps: &swaps, progress: &progress })?;
        bar.finish_and_clear();
        Ok(Self { engine, distribution, swaps, next: 0 })
    }
}

impl Worker for Local {
    fn turn(&mut self) -> anyhow::Result<Turn> {
        let swaps = self.swaps.get(self.next).context("no more blocks")?;
        self.next += 1;
        let sample = self.engine.run(swaps)?;
        let is_published = self.distribution.checksums(self.next, swaps.len()).is_some();
        let checksums = if is_published || self.next == self.swaps.len() {
            let Checksums { reserves, balances } = self.engine.checksums()?;
            Some([reserves, balances])
        } else {
            None
        };
        let elapsed_ns = u64::try_from(sample.elapsed.as_nanos())?;
        Ok(Turn { elapsed_ns, metered: sample.metered, checksums })
    }
}

/// Serves the parent: runs a block for every line, until there are no more.
///
/// # Errors
/// If a block fails, or the parent is gone.
pub(crate) fn serve(peer: &Peer, options: &Options) -> anyhow::Result<()> {
    let [distribution] = options.distributions[..] else {
        anyhow::bail!("a worker has one distribution");
    };
    let mut local = Local::new(peer, distribution, options)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{{}}")?;
    for line in std::io::stdin().lock().lines() {
        line?;
        let turn = local.turn()?;
        writeln!(out, "{}", serde_json::to_string(&turn)?)?;
    }
    Ok(())
}

/// A runtime in a child process.
pub(crate) struct Remote {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Remote {
    /// Starts the child and waits until it is set up.
    ///
    /// # Errors
    /// If it does not start, or its set-up fails.
    pub(crate) fn new(
        peer: &Peer,
        distribution: Distribution,
        options: &Options,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(Args::of_worker(peer, distribution, options));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let to = child.stdin.take();
        let from = BufReader::new(child.stdout.take().context("the child has no output")?);
        let mut this = Self { child, to, from };
        this.line()?;
        Ok(this)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        let size = self.from.read_line(&mut line)?;
        ensure!(size > 0, "the child ended; its reason is above");
        Ok(line)
    }
}

impl Worker for Remote {
    fn turn(&mut self) -> anyhow::Result<Turn> {
        let to = self.to.as_mut().context("the child has no input")?;
        writeln!(to)?;
        to.flush()?;
        Ok(serde_json::from_str(&self.line()?)?)
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // The end of its input is the child's end.
        self.to = None;
        // It has nothing to say any more.
        let _ = self.child.wait();
    }
}

/// A bar on stderr; not there when stderr is no terminal.
pub(crate) fn bar(label: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{prefix:>36} {bar:32} {percent:>3} %  {eta}");
    if let Ok(style) = style {
        bar.set_style(style.progress_chars("━━─"));
    }
    bar.set_prefix(label.to_owned());
    bar
}
