//! Wasmtime alone: a fresh instance for each call, from its pool.

use super::plain::{self, Arguments, State};
use crate::engine::{Engine, Peer, Sample, Setup};
use anyhow::{Context, bail, ensure};
use std::time::Instant;
use tollway_benches::swaps::{Checksums, Swap, Variant};
use wasmtime::{
    Caller, Config, InstanceAllocationStrategy, InstancePre, Linker, Memory, Module, ModuleExport,
    PoolingAllocationConfig, Result, Store,
};

const NOTE: &str = "\
the engine alone: one compiled module, a fresh Store and instance for each call from the pooling
  allocator (memory kept resident, so no system calls), fuel on, wide arithmetic, host functions over
  one hash map with an undo list. No codecs, no accounts, no chain.";

pub(crate) fn peers() -> Vec<Peer> {
    vec![Peer {
        name: "wasmtime",
        version: env!("VERSION_WASMTIME"),
        variant: Variant::Monolith,
        threads: 1,
        unit: "fuel",
        note: NOTE,
        open: |_, setup| Ok(Box::new(Wasmtime::new(setup)?)),
    }]
}

struct Wasmtime {
    instance: InstancePre<Host>,
    memory: ModuleExport,
    swap: ModuleExport,
    /// In the store while a call runs.
    state: Option<Box<State>>,
}

/// What host functions see.
struct Host {
    state: Box<State>,
    memory: Option<Memory>,
}

impl Wasmtime {
    fn new(setup: &Setup<'_>) -> anyhow::Result<Self> {
        let mut pool = PoolingAllocationConfig::default();
        // A memory of one page is cleared by writing zeros, not by giving it back to the system.
        pool.total_core_instances(4)
            .total_memories(4)
            .total_tables(4)
            .max_unused_warm_slots(4)
            .max_memory_size(1 << 16)
            .linear_memory_keep_resident(1 << 16)
            .table_keep_resident(1 << 16);
        let mut config = Config::new();
        config
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
            .consume_fuel(true)
            .wasm_wide_arithmetic(true)
            .wasm_backtrace_max_frames(None);
        let engine = wasmtime::Engine::new(&config).map_err(plainly)?;
        let module = Module::new(&engine, plain::WASM).map_err(plainly)?;
        let export = |name| module.get_export_index(name).context("no such export");
        let (memory, swap) = (export("memory")?, export("swap")?);
        let linker = linker(&engine).map_err(plainly)?;
        let instance = linker.instantiate_pre(&module).map_err(plainly)?;
        Ok(Self { instance, memory, swap, state: Some(Box::new(State::new(setup))) })
    }

    /// Runs one call and returns what fuel it used.
    fn call(&mut self, arguments: Arguments) -> anyhow::Result<u64> {
        let state = self.state.take().context("the state is lost")?;
        let engine = self.instance.module().engine();
        let mut store = Store::new(engine, Host { state, memory: None });
        let result = call(&self.instance, &mut store, &self.memory, &self.swap, arguments);
        let fuel = store.get_fuel().map_err(plainly)?;
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
            Err(error) => Err(plainly(error)),
        }
    }
}

/// Wasmtime's error, with its causes, as the text that it prints.
fn plainly(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}

fn call(
    instance: &InstancePre<Host>,
    store: &mut Store<Host>,
    memory: &ModuleExport,
    swap: &ModuleExport,
    arguments: Arguments,
) -> Result<u32> {
    store.set_fuel(plain::FUEL)?;
    let instance = instance.instantiate(&mut *store)?;
    let missing = || wasmtime::Error::msg("no such export");
    let export = instance.get_module_export(&mut *store, memory).ok_or_else(missing)?;
    store.data_mut().memory = export.into_memory();
    let export = instance.get_module_export(&mut *store, swap).ok_or_else(missing)?;
    let swap = export.into_func().ok_or_else(missing)?;
    swap.typed::<Arguments, u32>(&*store)?.call(store, arguments)
}

/// The guest's memory beside the state.
fn split<'a>(caller: &'a mut Caller<'_, Host>) -> Result<(&'a mut [u8], &'a mut State)> {
    let memory = caller.data().memory.ok_or_else(|| wasmtime::Error::msg("no memory"))?;
    let (bytes, host) = memory.data_and_store_mut(caller);
    Ok((bytes, &mut host.state))
}

fn linker(engine: &wasmtime::Engine) -> Result<Linker<Host>> {
    let outside = || wasmtime::Error::msg("outside of memory");
    let mut linker = Linker::new(engine);
    linker.func_wrap("host", "read", move |mut caller: Caller<'_, Host>, key: u32, to: u32| {
        let (memory, state) = split(&mut caller)?;
        let value = state.read(plain::at(memory, key).ok_or_else(outside)?);
        *plain::at_mut(memory, to).ok_or_else(outside)? = value;
        Result::Ok(())
    })?;
    linker.func_wrap(
        "host",
        "write",
        move |mut caller: Caller<'_, Host>, key: u32, from: u32| {
            let (memory, state) = split(&mut caller)?;
            let value = *plain::at(memory, from).ok_or_else(outside)?;
            state.write(plain::at(memory, key).ok_or_else(outside)?, value);
            Result::Ok(())
        },
    )?;
    linker.func_wrap("host", "emit", move |mut caller: Caller<'_, Host>, event: u32| {
        let (memory, state) = split(&mut caller)?;
        state.emit(*plain::at(memory, event).ok_or_else(outside)?);
        Result::Ok(())
    })?;
    Ok(linker)
}

impl Engine for Wasmtime {
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
