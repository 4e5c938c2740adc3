//! The table of host functions, the one place where each is described: guest stubs, the runtime's
//! linking, the validator's allow-list, gas and the reference page all come from it.
//!
//! Every function is an import from module [`HOST_MODULE`]. Pointers and lengths are `u32` offsets
//! into the caller's memory, whose export is named `memory`. A range that does not lie wholly
//! inside it, a key longer than [`crate::key::KEY_BYTES_MAX`] or any other misuse stops the call
//! with a trap, which costs it its whole gas limit. Lengths are charged before ranges are checked,
//! so a length that the gas left does not cover ends as out of gas.
//!
//! Hashes and signatures cost five gas for each nanosecond that they take a Zen 4 server core,
//! rounded up, which is dear beside most Wasm: a block full of them takes no longer than others.

/// The import module of every host function.
pub const HOST_MODULE: &str = "tollway";

/// The type of a parameter or result: Wasm's `i32` or `i64`, always unsigned here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordType {
    /// `i32` in Wasm.
    U32,
    /// `i64` in Wasm.
    U64,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct HostFunction {
    /// The import's name.
    pub name: &'static str,
    /// Names and types of its parameters.
    pub params: &'static [(&'static str, WordType)],
    /// The type of its result, if it has one.
    pub result: Option<WordType>,
    /// Gas for every use.
    pub gas_base: u64,
    /// Gas for every byte of keys, values and data that crosses the border.
    pub gas_byte: u64,
    /// What it does, a line each.
    pub doc: &'static [&'static str],
}

/// Hands the whole table to the macro named as its argument, one `fn` a row:
///
/// ```text
/// /// What it does.
/// fn name(param: u32, …) -> u32 = gas_base + gas_byte / byte;
/// ```
#[macro_export]
macro_rules! for_each_host_function {
    ($callback:ident) => {
        $callback! {
            /// Writes the 32-byte address of who calls this contract to `out`: an account, or the
            /// contract that made this call.
            fn caller(out: u32) = 20 + 0;
            /// Writes this contract's 32-byte address to `out`.
            fn this(out: u32) = 20 + 0;
            /// The height of the block.
            fn height() -> u64 = 10 + 0;
            /// The block's time in milliseconds since the Unix epoch, as the host chain set it.
            fn time_ms() -> u64 = 10 + 0;
            /// The position of the top-level call in its block, from 0. With the height it makes an
            /// identifier that needs no stored counter.
            fn call_index() -> u32 = 10 + 0;
            /// Writes the block's seed for random numbers, 32 bytes, to `out`: all zeros if the host chain
            /// has none, and in queries and `init`, which run outside of blocks.
            fn seed(out: u32) = 20 + 0;
            /// Writes this call's arguments to `out`, which has room for as many bytes as the entry
            /// point was told.
            fn args(out: u32) = 20 + 1;
            /// Writes this contract's immutables to `out` if they fit into `capacity` bytes, and
            /// returns their length either way.
            fn immutables(out: u32, capacity: u32) -> u32 = 20 + 1;
            /// Reads a key. Returns the length of its value, or `ABSENT` (`u32::MAX`) if it holds
            /// none; writes the value to `out` if it fits into `capacity` bytes.
            fn read(key: u32, key_len: u32, out: u32, capacity: u32) -> u32 = 100 + 1;
            /// Writes a value under a key.
            fn write(key: u32, key_len: u32, value: u32, value_len: u32) = 200 + 2;
            /// Removes a key. Removing an absent one does nothing.
            fn remove(key: u32, key_len: u32) = 200 + 2;
            /// Adds the amount `high` · 2⁶⁴ + `low` to the counter under a key, without reading it.
            /// An absent counter is 0. If the sum leaves the range of `u128`, or the key holds
            /// something that is not 16 bytes long, the whole top-level call fails at its end.
            fn add(key: u32, key_len: u32, low: u64, high: u64) = 150 + 2;
            /// Takes the amount `high` · 2⁶⁴ + `low` from the counter under a key, if it holds as much
            /// at this point of the call. Returns 1 if so; 0 if it holds less, and nothing is changed
            /// then. Mode `add` is enough for it: the call learns no more of the counter than this
            /// answer. Calls that add to a counter and take from it do not wait for each other; the
            /// answer is the serial one all the same. A key that holds something that is not 16 bytes
            /// long ends the running contract with the failure of an `add` that does not fit.
            fn sub(key: u32, key_len: u32, low: u64, high: u64) -> u32 = 150 + 2;
            /// Reads a key of the running contract's transient storage, which is empty when a
            /// top-level call starts and gone at its end. Returns the length of its value, or `ABSENT`
            /// if it holds none; writes the value to `out` if it fits into `capacity` bytes. Transient
            /// keys are in no access set.
            fn transient_read(key: u32, key_len: u32, out: u32, capacity: u32) -> u32 = 40 + 1;
            /// Writes a value under a key of the running contract's transient storage. What a failed
            /// inner call wrote is undone. A trap in a view, as for every other change, and if the
            /// whole call would have more such keys than the host's limit.
            fn transient_write(key: u32, key_len: u32, value: u32, value_len: u32) = 60 + 1;
            /// A number that no other use of this function gets in the same top-level call: 0, 1, 2, …
            /// in all its contracts together. Failures do not rewind it. With height and call index it
            /// makes any number of identifiers that need no stored counter.
            fn sequence() -> u32 = 10 + 0;
            /// Emits the event with this index in the ABI.
            fn emit(event: u32, data: u32, data_len: u32) = 100 + 2;
            /// Sets this call's output: the return value, or the error if the entry point returns
            /// `MethodStatus::Reverted`. The last one counts.
            fn output(data: u32, data_len: u32) = 20 + 1;
            /// Ends the call at once as reverted, with the error that `output` set. Does not return.
            fn revert() = 0 + 0;
            /// Calls `method` of the contract whose address is at `address`, with `gas` at most, or
            /// as much as may be given if `gas` is 0: a caller always keeps a 64th of what it has
            /// left. Returns a `CallStatus`; unless it is `Ok`, nothing that the callee did remains,
            /// and the gas that it used is charged.
            fn call(address: u32, method: u32, method_len: u32, args: u32, args_len: u32, gas: u64) -> u32 = 500 + 1;
            /// Writes the output of the last `call` (return value or error) to `out` if it fits into
            /// `capacity` bytes, and returns its length either way.
            fn call_output(out: u32, capacity: u32) -> u32 = 20 + 1;
            /// Ends the call at once with the failure of the last `call`, as if it were its own.
            /// A trap if the last `call` did not fail. Does not return.
            fn forward_failure() = 0 + 0;
            /// The gas that this call has left.
            fn gas_left() -> u64 = 10 + 0;
            /// Writes the SHA-256 (FIPS 180-4) of `data` to `out`, 32 bytes.
            fn sha256(data: u32, data_len: u32, out: u32) = 1_000 + 10;
            /// Writes the Keccak-256 of `data` to `out`, 32 bytes: with the padding that Ethereum uses,
            /// not that of SHA3-256.
            fn keccak256(data: u32, data_len: u32, out: u32) = 2_000 + 12;
            /// Writes the BLAKE3 hash of `data`, without a key, to `out`, 32 bytes.
            fn blake3(data: u32, data_len: u32, out: u32) = 500 + 8;
            /// Whether the 64 bytes at `signature` are an Ed25519 signature (RFC 8032: `R`, then `s`) of
            /// the message, as it is, by the 32-byte public key: 1 or 0. The rules are the strict ones, so
            /// that no two verifiers differ: the equation without the cofactor, `s` below the group's order,
            /// public key and `R` in canonical form, neither of small order. Anything malformed is 0.
            fn ed25519_verify(public_key: u32, message: u32, message_len: u32, signature: u32) -> u32 = 200_000 + 7;
            /// Whether the 64 bytes at `signature` (`r`, then `s`, big-endian) are an ECDSA signature on the
            /// curve secp256k1 of the 32-byte digest, which is the message's hash, by the 33-byte public key
            /// (SEC 1, compressed): 1 or 0. A signature has one form: `s` is at most half of the group's
            /// order, which a signer reaches by `n - s`. Anything malformed is 0.
            fn secp256k1_verify(public_key: u32, digest: u32, signature: u32) -> u32 = 300_000 + 0;
            /// Finds the public key by which `signature` is a valid one of the digest for
            /// `secp256k1_verify`, and writes its coordinates (x, then y, big-endian) to `out`, 64 bytes: 1;
            /// 0 if there is none, and nothing is written. `recovery_id` is 0 or 1, the parity of y of the
            /// point that was signed with, and 2 more if its x was not below the group's order; any other
            /// number is malformed. Ethereum's `v` is this and 27. The last 20 bytes of the coordinates'
            /// Keccak-256 are the Ethereum address.
            fn secp256k1_recover(digest: u32, signature: u32, recovery_id: u32, out: u32) -> u32 = 300_000 + 0;
            /// Like `secp256k1_verify`, also its rule for `s`, on the curve secp256r1, which is P-256 and that
            /// of passkeys. Many signers there give either `s`: take the smaller one of `s` and `n - s`.
            fn secp256r1_verify(public_key: u32, digest: u32, signature: u32) -> u32 = 850_000 + 0;
        }
    };
}

macro_rules! word_type {
    (u32) => {
        WordType::U32
    };
    (u64) => {
        WordType::U64
    };
}

macro_rules! result_type {
    () => {
        None
    };
    ($ty:ident) => {
        Some(word_type!($ty))
    };
}

macro_rules! define_table {
    ($(
        $(#[doc = $doc:literal])*
        fn $name:ident($($param:ident: $ty:ident),*) $(-> $result:ident)? = $base:literal + $byte:literal;
    )*) => {
        /// All host functions, in the order of the reference page.
        pub const HOST_FUNCTIONS: &[HostFunction] = &[$(HostFunction {
            name: stringify!($name),
            params: &[$((stringify!($param), word_type!($ty))),*],
            result: result_type!($($result)?),
            gas_base: $base,
            gas_byte: $byte,
            doc: &[$($doc),*],
        }),*];
    };
}
for_each_host_function!(define_table);

/// The row of the host function of this name.
pub fn host_function(name: &str) -> Option<&'static HostFunction> {
    HOST_FUNCTIONS.iter().find(|function| function.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_docs_and_unique_names() {
        for (index, function) in HOST_FUNCTIONS.iter().enumerate() {
            assert!(!function.doc.is_empty(), "{} has no doc", function.name);
            assert!(
                HOST_FUNCTIONS[..index].iter().all(|earlier| earlier.name != function.name),
                "{} stands twice",
                function.name
            );
        }
    }
}
