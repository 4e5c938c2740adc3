//! Wasmi alone: a fresh instance for each call.

use super::plain::{self, Arguments, State};
use crate::engine::{Engine, Peer, Sample, Setup};
use anyhow::{Context, bail, ensure};
use std::time::Instant;
use tollway_benches::swaps::{Checksums, Swap, Variant};
use wasmi::{Caller, Config, Error, Extern, Linker, Memory, Module, Store};

const NOTE: &str = "\
the engine alone, as wasmtime's row: one translated module, a fresh Store and instance for each call,
  fuel on, wide arithmetic.";

pub(crate) fn peers() -> Vec<Peer> {
    vec![Peer {
        name: "wasmi",
        version: env!("VERSION_WASMI"),
        variant: Variant::Monolith,
        threads: 1,
        unit: "fuel",
        note: NOTE,
        open: |_, setup| Ok(Box::new(Wasmi::new(setup)?)),
    }]
}

struct Wasmi {
    module: Module,
    linker: Linker<Host>,
    /// In the store while a call runs.
    state: Option<Box<State>>,
}

/// What host functions see.
struct Host {
    state: Box<State>,
    memory: Option<Memory>,
}

impl Wasmi {
    fn new(setup: &Setup<'_>) -> anyhow::Result<Self> {
        let mut config = Config::default();
        config.consume_fuel(true).wasm_wide_arithmetic(true);
        let engine = wasmi::Engine::new(&config);
        let module = Module::new(&engine, plain::WASM)?;
        let linker = linker(&engine)?;
        Ok(Self { module, linker, state: Some(Box::new(State::new(setup))) })
    }

    /// Runs one call and returns what fuel it used.
    fn call(&mut self, arguments: Arguments) -> anyhow::Result<u64> {
        let state = self.state.take().context("the state is lost")?;
        let mut store = Store::new(self.module.engine(), Host { state, memory: None });
        let result = call(&self.linker, &self.module, &mut store, arguments);
        let fuel = store.get_fuel()?;
        let mut state = store.into_data().state;
        let is_done = matches!(result, Ok(1));
        if is_done {
            state.keep()
        } else {
            state.undo()
        }
        self.state = Some(state);
        match result {
            Ok(1) => Ok(plain::FUEL - fuel),
            Ok(_) => bail!("the swap was refused"),
            Err(error) => Err(error.into()),
        }
    }
}

fn call(
    linker: &Linker<Host>,
    module: &Module,
    store: &mut Store<Host>,
    arguments: Arguments,
) -> Result<u32, Error> {
    store.set_fuel(plain::FUEL)?;
    let instance = linker.instantiate_and_start(&mut *store, module)?;
    let memory = instance.get_export(&*store, "memory").and_then(Extern::into_memory);
    store.data_mut().memory = memory;
    instance.get_typed_func::<Arguments, u32>(&*store, "swap")?.call(store, arguments)
}

/// The guest's memory beside the state.
fn split<'a>(caller: &'a mut Caller<'_, Host>) -> Result<(&'a mut [u8], &'a mut State), Error> {
    let memory = caller.data().memory.ok_or_else(|| Error::new("no memory"))?;
    let (bytes, host) = memory.data_and_store_mut(caller);
    Ok((bytes, &mut host.state))
}

fn linker(engine: &wasmi::Engine) -> Result<Linker<Host>, Error> {
    let outside = || Error::new("outside of memory");
    let mut linker = Linker::new(engine);
    linker.func_wrap("host", "read", move |mut caller: Caller<'_, Host>, key: u32, to: u32| {
        let (memory, state) = split(&mut caller)?;
        let value = state.read(plain::at(memory, key).ok_or_else(outside)?);
        *plain::at_mut(memory, to).ok_or_else(outside)? = value;
        Ok::<_, Error>(())
    })?;
    linker.func_wrap(
        "host",
        "write",
        move |mut caller: Caller<'_, Host>, key: u32, from: u32| {
            let (memory, state) = split(&mut caller)?;
            let value = *plain::at(memory, from).ok_or_else(outside)?;
            state.write(plain::at(memory, key).ok_or_else(outside)?, value);
            Ok::<_, Error>(())
        },
    )?;
    linker.func_wrap("host", "emit", move |mut caller: Caller<'_, Host>, event: u32| {
        let (memory, state) = split(&mut caller)?;
        state.emit(*plain::at(memory, event).ok_or_else(outside)?);
        Ok::<_, Error>(())
    })?;
    Ok(linker)
}

impl Engine for Wasmi {
    fn run(&mut self, swaps: &[Swap]) -> anyhow::Result<Sample> {
        let calls: Vec<_> = swaps.iter().map(plain::arguments).collect();
        self.state.as_mut().context("the state is lost")?.start_block();
        let mut metered = 0;
        let clock = Instant::now();
        for arguments in calls {
            metered += self.call(arguments)?;
        }
        let elapsed = clock.elapsed();
        self.state.as_ref().context("the state is lost")?.check(swaps)?;
        ensure!(metered > 0, "nothing was metered");
        Ok(Sample { elapsed, metered })
    }

    fn checksums(&mut self) -> anyhow::Result<Checksums> {
        Ok(self.state.as_ref().context("the state is lost")?.checksums())
    }
}
