//! The host functions, natively. Of one that is missing here the trait says so when it is used.

use super::machine::{Frame, Machine, Stop, stop};
use std::ops::Deref;
use std::rc::Rc;
use tollway::crypto;
use tollway::host_api::abi::INIT_METHOD;
use tollway::host_api::key::KEY_BYTES_MAX;
use tollway::host_api::status::ABSENT;
use tollway::host_api::value::check_fields;
use tollway::host_api::{CallStatus, Mutability};
use tollway::state::storage_key;
use tollway::{Address, Event, Failure, Outcome};
use tollway_sdk::native::{Host, Word};

/// What contracts are told that they have left. A call that asks is not compared with its Wasm.
const GAS_LEFT: u64 = 1_000_000;

/// The host that a contract runs on: the machine, shared with all that it calls.
pub(super) struct Shared(pub(super) Rc<Machine>);

impl Deref for Shared {
    type Target = Machine;

    fn deref(&self) -> &Machine {
        &self.0
    }
}

impl Host for Shared {
    fn caller(&self, out: Word<'_>) {
        out.put(&self.running().top().caller.0);
    }

    fn this(&self, out: Word<'_>) {
        out.put(&self.running().top().contract.0);
    }

    fn height(&self) -> u64 {
        self.env.height
    }

    fn time_ms(&self) -> u64 {
        self.env.time_ms
    }

    fn call_index(&self) -> u32 {
        self.env.call_index
    }

    fn seed(&self, out: Word<'_>) {
        out.put(&self.env.seed);
    }

    fn args(&self, out: Word<'_>) {
        out.put(&self.running().top().args);
    }

    fn immutables(&self, out: Word<'_>, capacity: Word<'_>) -> u32 {
        let contract = self.running().top().contract;
        let twin = self.twins.get(&contract).and_then(Option::as_ref);
        out.put_if_fits(capacity, &twin.expect("it runs").immutables)
    }

    fn read(&self, key: Word<'_>, key_len: Word<'_>, out: Word<'_>, capacity: Word<'_>) -> u32 {
        let key = self.key(key, key_len, false);
        let mut running = self.running();
        let running = &mut *running;
        match running.undoable.changes.read(&running.state, &key) {
            Ok(Some(value)) => out.put_if_fits(capacity, &value),
            Ok(None) => ABSENT,
            Err(_) => stop(Stop::OutOfRange),
        }
    }

    fn write(&self, key: Word<'_>, key_len: Word<'_>, value: Word<'_>, value_len: Word<'_>) {
        let value = value.bytes(value_len);
        require(value.len() <= self.limits.value_bytes_max, "a value is too long");
        let key = self.key(key, key_len, true);
        self.running().undoable.changes.write(key, Some(value));
    }

    fn remove(&self, key: Word<'_>, key_len: Word<'_>) {
        let key = self.key(key, key_len, true);
        self.running().undoable.changes.write(key, None);
    }

    fn add(&self, key: Word<'_>, key_len: Word<'_>, low: Word<'_>, high: Word<'_>) {
        let key = self.key(key, key_len, true);
        let added = self.running().undoable.changes.add(key, amount(low, high));
        added.unwrap_or_else(|_| stop(Stop::OutOfRange));
    }

    fn sub(&self, key: Word<'_>, key_len: Word<'_>, low: Word<'_>, high: Word<'_>) -> u32 {
        let key = self.key(key, key_len, true);
        let mut running = self.running();
        let running = &mut *running;
        let taken = running.undoable.changes.sub(&running.state, key, amount(low, high));
        u32::from(taken.unwrap_or_else(|_| stop(Stop::OutOfRange)))
    }

    fn transient_read(
        &self,
        key: Word<'_>,
        key_len: Word<'_>,
        out: Word<'_>,
        capacity: Word<'_>,
    ) -> u32 {
        let key = (self.running().top().contract, key_bytes(key, key_len));
        match self.running().undoable.transient.get(&key) {
            Some(value) => out.put_if_fits(capacity, value),
            None => ABSENT,
        }
    }

    fn transient_write(
        &self,
        key: Word<'_>,
        key_len: Word<'_>,
        value: Word<'_>,
        value_len: Word<'_>,
    ) {
        let (value, limits) = (value.bytes(value_len), &self.limits);
        let mut running = self.running();
        let key = (running.top().contract, key_bytes(key, key_len));
        require(!running.top().view, "a view changes transient storage");
        require(value.len() <= limits.value_bytes_max, "a transient value is too long");
        let transient = &mut running.undoable.transient;
        let has_room = transient.contains_key(&key) || transient.len() < limits.transient_keys_max;
        require(has_room, "there are too many transient keys");
        transient.insert(key, value);
    }

    fn sequence(&self) -> u32 {
        let mut running = self.running();
        let number = running.sequence;
        require(number < u32::MAX, "the sequence is at its end");
        running.sequence += 1;
        number
    }

    fn emit(&self, event: Word<'_>, data: Word<'_>, data_len: Word<'_>) {
        let (event, data) = (event.number() as u32, data.bytes(data_len));
        let mut running = self.running();
        require(!running.top().view, "a view emits an event");
        require(data.len() <= self.limits.event_bytes_max, "an event is too long");
        require(
            running.undoable.events.len() < self.limits.events_max,
            "there are too many events",
        );
        let contract = running.top().contract;
        running.undoable.events.push(Event { contract, event, data: data.into() });
    }

    fn output(&self, data: Word<'_>, data_len: Word<'_>) {
        let data = data.bytes(data_len);
        require(data.len() <= self.limits.output_bytes_max, "the output is too long");
        self.running().top().output = data;
    }

    fn sha256(&self, data: Word<'_>, data_len: Word<'_>, out: Word<'_>) {
        out.put(&crypto::sha256(&data.bytes(data_len)));
    }

    fn keccak256(&self, data: Word<'_>, data_len: Word<'_>, out: Word<'_>) {
        out.put(&crypto::keccak256(&data.bytes(data_len)));
    }

    fn blake3(&self, data: Word<'_>, data_len: Word<'_>, out: Word<'_>) {
        out.put(&crypto::blake3(&data.bytes(data_len)));
    }

    fn ed25519_verify(
        &self,
        public_key: Word<'_>,
        message: Word<'_>,
        message_len: Word<'_>,
        signature: Word<'_>,
    ) -> u32 {
        let message = message.bytes(message_len);
        crypto::ed25519_verify(&array(public_key), &message, &array(signature)).into()
    }

    fn secp256k1_verify(&self, public_key: Word<'_>, digest: Word<'_>, signature: Word<'_>) -> u32 {
        crypto::secp256k1_verify(&array(public_key), &array(digest), &array(signature)).into()
    }

    fn secp256k1_recover(
        &self,
        digest: Word<'_>,
        signature: Word<'_>,
        recovery_id: Word<'_>,
        out: Word<'_>,
    ) -> u32 {
        let recovery_id = recovery_id.number() as u32;
        match crypto::secp256k1_recover(&array(digest), &array(signature), recovery_id) {
            Some(key) => {
                out.put(&key);
                1
            }
            None => 0,
        }
    }

    fn secp256r1_verify(&self, public_key: Word<'_>, digest: Word<'_>, signature: Word<'_>) -> u32 {
        crypto::secp256r1_verify(&array(public_key), &array(digest), &array(signature)).into()
    }

    fn revert(&self) {
        let (contract, error) = {
            let mut running = self.running();
            let frame = running.top();
            (frame.contract, std::mem::take(&mut frame.output))
        };
        stop(Stop::Outcome(Outcome::Reverted { contract, error }))
    }

    fn call(
        &self,
        address: Word<'_>,
        method: Word<'_>,
        method_len: Word<'_>,
        args: Word<'_>,
        args_len: Word<'_>,
        _gas: Word<'_>,
    ) -> u32 {
        let (target, method, args) =
            (address.address(), method.bytes(method_len), args.bytes(args_len));
        require(method.len() <= self.limits.name_bytes_max, "a method's name is too long");
        require(args.len() <= self.limits.args_bytes_max, "arguments are too long");
        let (contract, is_view) = {
            let mut running = self.running();
            (running.top().contract, running.top().view)
        };
        let outcome = match self.find_callee(target, &method, &args) {
            Ok((method, view)) => {
                let frame = Frame::new(target, contract, is_view || view, args);
                self.0.run_frame(frame, &method)
            }
            Err(status) => {
                let failure = Failure::CallRefused { contract, status: status as u32 };
                self.end_call(Some(Outcome::Failed(failure)), Vec::new());
                return status as u32;
            }
        };
        let (status, output) = match &outcome {
            Outcome::Returned(output) => (CallStatus::Ok, output.clone()),
            Outcome::Reverted { error, .. } => (CallStatus::Reverted, error.clone()),
            Outcome::Failed(Failure::OutOfGas) => (CallStatus::OutOfGas, Vec::new()),
            Outcome::Failed(_) => (CallStatus::Trapped, Vec::new()),
        };
        self.end_call((status != CallStatus::Ok).then_some(outcome), output);
        status as u32
    }

    fn call_output(&self, out: Word<'_>, capacity: Word<'_>) -> u32 {
        out.put_if_fits(capacity, &self.running().top().last_output)
    }

    fn forward_failure(&self) {
        let failure = self.running().top().last_failure.take();
        match failure {
            Some(outcome) => stop(Stop::Outcome(outcome)),
            None => trap("there is no failure to forward"),
        }
    }

    fn gas_left(&self) -> u64 {
        GAS_LEFT
    }
}

impl Machine {
    /// A key of the contract that runs, as it stands in the state.
    fn key(&self, key: Word<'_>, key_len: Word<'_>, is_change: bool) -> Vec<u8> {
        let key = key_bytes(key, key_len);
        let mut running = self.running();
        require(!is_change || !running.top().view, "a view changes the state");
        storage_key(&running.top().contract, &key)
    }

    /// The method that a contract wants to call, and whether it is a view; or why it can't.
    fn find_callee(
        &self,
        target: Address,
        method: &[u8],
        args: &[u8],
    ) -> Result<(String, bool), CallStatus> {
        let running = self.look();
        if running.stack.len() >= self.limits.call_depth_max {
            return Err(CallStatus::DepthExceeded);
        }
        let twin = self.twins.get(&target).ok_or(CallStatus::UnknownContract)?;
        let name = std::str::from_utf8(method).map_err(|_| CallStatus::UnknownMethod)?;
        // Without a twin, running it says so.
        let Some(twin) = twin else { return Ok((name.to_owned(), false)) };
        let found = twin.native.abi.method(name).filter(|_| name != INIT_METHOD);
        let found = found.ok_or(CallStatus::UnknownMethod)?;
        if !found.reentrant && running.stack.iter().any(|frame| frame.contract == target) {
            return Err(CallStatus::ReentrancyRefused);
        }
        let is_view = found.mutability == Mutability::View;
        if running.stack.last().is_some_and(|frame| frame.view) && !is_view {
            return Err(CallStatus::ViewViolated);
        }
        check_fields(&found.params, args).map_err(|_| CallStatus::BadArguments)?;
        Ok((name.to_owned(), is_view))
    }

    fn end_call(&self, failure: Option<Outcome>, output: Vec<u8>) {
        let mut running = self.running();
        let frame = running.top();
        frame.last_failure = failure;
        frame.last_output = output;
    }
}

fn key_bytes(key: Word<'_>, length: Word<'_>) -> Vec<u8> {
    let key = key.bytes(length);
    require((1..=KEY_BYTES_MAX).contains(&key.len()), "a key is empty or too long");
    key
}

fn amount(low: Word<'_>, high: Word<'_>) -> u128 {
    u128::from(high.number()) << 64 | u128::from(low.number())
}

fn require(condition: bool, otherwise: &str) {
    if !condition {
        trap(otherwise)
    }
}

/// A misuse: the contract stops, and the test's output says of what.
fn trap(what: &str) -> ! {
    panic!("the host stops the contract: {what}")
}

/// The bytes at a place that the SDK gives as an array of this size.
fn array<const N: usize>(place: Word<'_>) -> [u8; N] {
    let bytes = place.bytes((N as u32).into());
    bytes.try_into().expect("so many were asked for")
}
