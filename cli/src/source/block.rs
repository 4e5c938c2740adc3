//! A block to look at, with the state that it runs on.

use super::Names;
use super::recorded::Recorded;
use crate::args::BlockArgs;
use crate::progress::with_bar;
use crate::scenario::Scenario;
use anyhow::{Result, bail, ensure};
use std::path::PathBuf;
use tollway::{Block, Config, Runtime};
use tollway_benches::swaps::exchange::{Exchange, Variant};
use tollway_benches::swaps::{Distribution, Workload};

/// Where a block comes from. The same source gives the same block and state as often as it is
/// asked, so that one block can run on several runtimes.
#[derive(Debug)]
pub(crate) enum Source {
    /// Generated swaps of an exchange.
    Swaps { distribution: Distribution, variant: Variant, calls: usize },
    /// The conflict pattern of a real block.
    Recorded(Box<Recorded>),
    /// A scenario file.
    File { path: PathBuf, scenario: Box<Scenario> },
}

impl Source {
    /// The source that the command line names.
    pub(crate) fn new(args: &BlockArgs) -> Result<Self> {
        if let Some(path) = &args.block {
            let scenario = Box::new(Scenario::read(path)?);
            return Ok(Self::File { path: path.clone(), scenario });
        }
        if let Some(dir) = &args.access {
            let Some(number) = args.number else {
                bail!("--access needs --number");
            };
            return Ok(Self::Recorded(Box::new(Recorded::read(dir, number, args.rule.into())?)));
        }
        let distribution = Distribution::from(args.dist);
        let (calls, pools) = (args.calls as usize, distribution.pools() as usize);
        ensure!(
            distribution != Distribution::Disjoint || calls <= pools,
            "a disjoint block has at most {pools} calls, one for each pool"
        );
        Ok(Self::Swaps { distribution, variant: args.variant.into(), calls })
    }

    /// What the block is, in a few words.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::Swaps { distribution, variant, .. } => {
                format!("swaps, {variant}, {distribution}")
            }
            Self::Recorded(recorded) => recorded.title(),
            Self::File { path, .. } => path.display().to_string(),
        }
    }

    /// A runtime in the state before the block, and the block.
    pub(crate) fn load(&self, config: Config) -> Result<Loaded> {
        Ok(match self {
            Self::Swaps { distribution, variant, calls } => {
                let mut workload = Workload::new(*distribution);
                let swaps = [workload.next_block(*calls)];
                let reserves = workload.initial_reserves();
                let exchange = with_bar("setting up", |progress| {
                    Exchange::new(*variant, reserves, &swaps, config, progress)
                })?;
                let block = exchange.block(&swaps[0]);
                let names = Names::traders(exchange.runtime().registry());
                Loaded { host: Host::Exchange(exchange), block, names }
            }
            Self::Recorded(recorded) => {
                let (runtime, block) = recorded.load(config)?;
                Loaded { host: Host::Runtime(runtime), block, names: recorded.names() }
            }
            Self::File { path, scenario } => {
                let (runtime, block, names) = scenario.load(path, config)?;
                Loaded { host: Host::Runtime(runtime), block, names: Names::of(&names) }
            }
        })
    }
}

/// A block, and the runtime that it can run on.
pub(crate) struct Loaded {
    host: Host,
    /// The block.
    pub(crate) block: Block,
    /// What its addresses are called.
    pub(crate) names: Names,
}

enum Host {
    Runtime(Runtime),
    Exchange(Exchange),
}

impl Loaded {
    /// The runtime, in the state before the block.
    pub(crate) fn runtime(&mut self) -> &mut Runtime {
        match &mut self.host {
            Host::Runtime(runtime) => runtime,
            Host::Exchange(exchange) => exchange.runtime_mut(),
        }
    }
}
