//! A block to look at, with the state that it runs on.

use crate::args::BlockArgs;
use crate::scenario::Scenario;
use anyhow::{Result, bail};
use std::path::PathBuf;
use tollway::{Block, Config, Runtime};

/// Where a block comes from. The same source gives the same block and state as often as it is
/// asked, so that one block can run on several runtimes.
#[derive(Debug)]
pub(crate) enum Source {
    /// A scenario file.
    File {
        /// Its path.
        path: PathBuf,
        /// What it says.
        scenario: Box<Scenario>,
    },
}

impl Source {
    /// The source that the command line names.
    pub(crate) fn new(args: &BlockArgs) -> Result<Self> {
        if let Some(path) = &args.block {
            let scenario = Box::new(Scenario::read(path)?);
            return Ok(Self::File { path: path.clone(), scenario });
        }
        bail!("not yet")
    }

    /// What the block is, in a few words.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::File { path, .. } => path.display().to_string(),
        }
    }

    /// A runtime in the state before the block, and the block.
    pub(crate) fn load(&self, config: Config) -> Result<(Runtime, Block)> {
        match self {
            Self::File { path, scenario } => scenario.load(path, config),
        }
    }
}
