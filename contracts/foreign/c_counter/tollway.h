/* What a contract in C imports from the host, and returns to it.
 * Generated from host-api/src/functions.rs: tollway reference --format c-header
 *
 * A range that does not lie inside the memory, a key longer than TOLLWAY_KEY_BYTES_MAX, or any
 * other misuse stops the call with a trap, which costs it its whole gas limit. */
#ifndef TOLLWAY_H
#define TOLLWAY_H

#include <stdint.h>

#define TOLLWAY_IMPORT(name) __attribute__((import_module("tollway"), import_name(#name)))
/* An entry point: int32_t f(uint32_t args_len), whose result is a method status. */
#define TOLLWAY_METHOD(name) __attribute__((export_name(#name)))

#define TOLLWAY_ABSENT 0xffffffffu
#define TOLLWAY_KEY_BYTES_MAX 128

/* What an entry point returns. */
#define TOLLWAY_OK 0
#define TOLLWAY_REVERTED 1

/* What `tollway_call` returns. */
#define TOLLWAY_CALL_OK 0
#define TOLLWAY_CALL_REVERTED 1
#define TOLLWAY_CALL_TRAPPED 2
#define TOLLWAY_CALL_OUT_OF_GAS 3
#define TOLLWAY_CALL_UNKNOWN_CONTRACT 4
#define TOLLWAY_CALL_UNKNOWN_METHOD 5
#define TOLLWAY_CALL_BAD_ARGUMENTS 6
#define TOLLWAY_CALL_REENTRANCY_REFUSED 7
#define TOLLWAY_CALL_DEPTH_EXCEEDED 8
#define TOLLWAY_CALL_VIEW_VIOLATED 9

/* Writes the 32-byte address of who calls this contract to out: an account, or the
 * contract that made this call.
 * Gas: 20, and 0 a byte. */
TOLLWAY_IMPORT(caller) void tollway_caller(void *out);

/* Writes this contract's 32-byte address to out.
 * Gas: 20, and 0 a byte. */
TOLLWAY_IMPORT(this) void tollway_this(void *out);

/* The height of the block.
 * Gas: 10, and 0 a byte. */
TOLLWAY_IMPORT(height) uint64_t tollway_height(void);

/* The block's time in milliseconds since the Unix epoch, as the host chain set it.
 * Gas: 10, and 0 a byte. */
TOLLWAY_IMPORT(time_ms) uint64_t tollway_time_ms(void);

/* The position of the top-level call in its block, from 0. With the height it makes an
 * identifier that needs no stored counter.
 * Gas: 10, and 0 a byte. */
TOLLWAY_IMPORT(call_index) uint32_t tollway_call_index(void);

/* Writes the block's seed for random numbers, 32 bytes, to out: all zeros if the host chain
 * has none, and in queries and init, which run outside of blocks.
 * Gas: 20, and 0 a byte. */
TOLLWAY_IMPORT(seed) void tollway_seed(void *out);

/* Writes this call's arguments to out, which has room for as many bytes as the entry
 * point was told.
 * Gas: 20, and 1 a byte. */
TOLLWAY_IMPORT(args) void tollway_args(void *out);

/* Writes this contract's immutables to out if they fit into capacity bytes, and
 * returns their length either way.
 * Gas: 20, and 1 a byte. */
TOLLWAY_IMPORT(immutables) uint32_t tollway_immutables(void *out, uint32_t capacity);

/* Reads a key. Returns the length of its value, or ABSENT (u32::MAX) if it holds
 * none; writes the value to out if it fits into capacity bytes.
 * Gas: 100, and 1 a byte. */
TOLLWAY_IMPORT(read) uint32_t tollway_read(const void *key, uint32_t key_len, void *out, uint32_t capacity);

/* Writes a value under a key.
 * Gas: 200, and 2 a byte. */
TOLLWAY_IMPORT(write) void tollway_write(const void *key, uint32_t key_len, const void *value, uint32_t value_len);

/* Removes a key. Removing an absent one does nothing.
 * Gas: 200, and 2 a byte. */
TOLLWAY_IMPORT(remove) void tollway_remove(const void *key, uint32_t key_len);

/* Adds the amount high · 2⁶⁴ + low to the counter under a key, without reading it.
 * An absent counter is 0. If the sum leaves the range of u128, or the key holds
 * something that is not 16 bytes long, the whole top-level call fails at its end.
 * Gas: 150, and 2 a byte. */
TOLLWAY_IMPORT(add) void tollway_add(const void *key, uint32_t key_len, uint64_t low, uint64_t high);

/* Takes the amount high · 2⁶⁴ + low from the counter under a key, if it holds as much
 * at this point of the call. Returns 1 if so; 0 if it holds less, and nothing is changed
 * then. Mode add is enough for it: the call learns no more of the counter than this
 * answer. Calls that add to a counter and take from it do not wait for each other; the
 * answer is the serial one all the same. A key that holds something that is not 16 bytes
 * long ends the running contract with the failure of an add that does not fit.
 * Gas: 150, and 2 a byte. */
TOLLWAY_IMPORT(sub) uint32_t tollway_sub(const void *key, uint32_t key_len, uint64_t low, uint64_t high);

/* Reads a key of the running contract's transient storage, which is empty when a
 * top-level call starts and gone at its end. Returns the length of its value, or ABSENT
 * if it holds none; writes the value to out if it fits into capacity bytes. Transient
 * keys are in no access set.
 * Gas: 40, and 1 a byte. */
TOLLWAY_IMPORT(transient_read) uint32_t tollway_transient_read(const void *key, uint32_t key_len, void *out, uint32_t capacity);

/* Writes a value under a key of the running contract's transient storage. What a failed
 * inner call wrote is undone. A trap in a view, as for every other change, and if the
 * whole call would have more such keys than the host's limit.
 * Gas: 60, and 1 a byte. */
TOLLWAY_IMPORT(transient_write) void tollway_transient_write(const void *key, uint32_t key_len, const void *value, uint32_t value_len);

/* A number that no other use of this function gets in the same top-level call: 0, 1, 2, …
 * in all its contracts together. Failures do not rewind it. With height and call index it
 * makes any number of identifiers that need no stored counter.
 * Gas: 10, and 0 a byte. */
TOLLWAY_IMPORT(sequence) uint32_t tollway_sequence(void);

/* Emits the event with this index in the ABI.
 * Gas: 100, and 2 a byte. */
TOLLWAY_IMPORT(emit) void tollway_emit(uint32_t event, const void *data, uint32_t data_len);

/* Sets this call's output: the return value, or the error if the entry point returns
 * MethodStatus::Reverted. The last one counts.
 * Gas: 20, and 1 a byte. */
TOLLWAY_IMPORT(output) void tollway_output(const void *data, uint32_t data_len);

/* Ends the call at once as reverted, with the error that output set. Does not return.
 * Gas: 0, and 0 a byte. */
TOLLWAY_IMPORT(revert) void tollway_revert(void);

/* Calls method of the contract whose address is at address, with gas at most, or
 * as much as may be given if gas is 0: a caller always keeps a 64th of what it has
 * left. Returns a CallStatus; unless it is Ok, nothing that the callee did remains,
 * and the gas that it used is charged.
 * Gas: 500, and 1 a byte. */
TOLLWAY_IMPORT(call) uint32_t tollway_call(const void *address, const void *method, uint32_t method_len, const void *args, uint32_t args_len, uint64_t gas);

/* Writes the output of the last call (return value or error) to out if it fits into
 * capacity bytes, and returns its length either way.
 * Gas: 20, and 1 a byte. */
TOLLWAY_IMPORT(call_output) uint32_t tollway_call_output(void *out, uint32_t capacity);

/* Ends the call at once with the failure of the last call, as if it were its own.
 * A trap if the last call did not fail. Does not return.
 * Gas: 0, and 0 a byte. */
TOLLWAY_IMPORT(forward_failure) void tollway_forward_failure(void);

/* The gas that this call has left.
 * Gas: 10, and 0 a byte. */
TOLLWAY_IMPORT(gas_left) uint64_t tollway_gas_left(void);

/* Writes the SHA-256 (FIPS 180-4) of data to out, 32 bytes.
 * Gas: 1000, and 10 a byte. */
TOLLWAY_IMPORT(sha256) void tollway_sha256(const void *data, uint32_t data_len, void *out);

/* Writes the Keccak-256 of data to out, 32 bytes: with the padding that Ethereum uses,
 * not that of SHA3-256.
 * Gas: 2000, and 12 a byte. */
TOLLWAY_IMPORT(keccak256) void tollway_keccak256(const void *data, uint32_t data_len, void *out);

/* Writes the BLAKE3 hash of data, without a key, to out, 32 bytes.
 * Gas: 500, and 8 a byte. */
TOLLWAY_IMPORT(blake3) void tollway_blake3(const void *data, uint32_t data_len, void *out);

/* Whether the 64 bytes at signature are an Ed25519 signature (RFC 8032: R, then s) of
 * the message, as it is, by the 32-byte public key: 1 or 0. The rules are the strict ones, so
 * that no two verifiers differ: the equation without the cofactor, s below the group's order,
 * public key and R in canonical form, neither of small order. Anything malformed is 0.
 * Gas: 200000, and 7 a byte. */
TOLLWAY_IMPORT(ed25519_verify) uint32_t tollway_ed25519_verify(uint32_t public_key, const void *message, uint32_t message_len, uint32_t signature);

/* Whether the 64 bytes at signature (r, then s, big-endian) are an ECDSA signature on the
 * curve secp256k1 of the 32-byte digest, which is the message's hash, by the 33-byte public key
 * (SEC 1, compressed): 1 or 0. A signature has one form: s is at most half of the group's
 * order, which a signer reaches by n - s. Anything malformed is 0.
 * Gas: 300000, and 0 a byte. */
TOLLWAY_IMPORT(secp256k1_verify) uint32_t tollway_secp256k1_verify(uint32_t public_key, uint32_t digest, uint32_t signature);

/* Finds the public key by which signature is a valid one of the digest for
 * secp256k1_verify, and writes its coordinates (x, then y, big-endian) to out, 64 bytes: 1;
 * 0 if there is none, and nothing is written. recovery_id is 0 or 1, the parity of y of the
 * point that was signed with, and 2 more if its x was not below the group's order; any other
 * number is malformed. Ethereum's v is this and 27. The last 20 bytes of the coordinates'
 * Keccak-256 are the Ethereum address.
 * Gas: 300000, and 0 a byte. */
TOLLWAY_IMPORT(secp256k1_recover) uint32_t tollway_secp256k1_recover(uint32_t digest, uint32_t signature, uint32_t recovery_id, void *out);

/* Like secp256k1_verify, also its rule for s, on the curve secp256r1, which is P-256 and that
 * of passkeys. Many signers there give either s: take the smaller one of s and n - s.
 * Gas: 850000, and 0 a byte. */
TOLLWAY_IMPORT(secp256r1_verify) uint32_t tollway_secp256r1_verify(uint32_t public_key, uint32_t digest, uint32_t signature);

#endif
