// Holds the client against what a chain took and gave: vectors.json, by cli/tests/client.rs.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { args, echo, expected, refused, roundTrip } from "./out/usage.js";

const vectors = JSON.parse(readFileSync(new URL("vectors.json", import.meta.url), "utf8"));
const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
const hex = (bytes) => Buffer.from(bytes).toString("hex");
let checks = 0;
const equal = (found, wanted, what) => {
  assert.deepEqual(found, wanted, what);
  checks += 1;
};

// The bytes that the chain got from the client in Rust.
equal(Object.keys(args).sort(), Object.keys(vectors.args).sort(), "the same arguments on both sides");
for (const [name, encoded] of Object.entries(args)) equal(hex(encoded), vectors.args[name], name);

// What the chain gave.
const { methods, decodeEvent, decodeError, CodecError } = echo;
equal(methods.numbers.decode(bytes(vectors.returned.most)), expected.most);
equal(methods.numbers.decode(bytes(vectors.returned.least)), expected.least);
equal(methods.nested.decode(bytes(vectors.returned.full)), expected.full);
equal(methods.last.decode(bytes(vectors.returned.last)), expected.last);
equal(roundTrip, expected.full[0].pair[1]);
equal(vectors.events.map(({ event, data }) => decodeEvent(event, bytes(data))), expected.events);
equal(vectors.errors.map((data) => decodeError(bytes(data))), expected.errors);
equal([methods.last.isView, methods.numbers.isView, methods.last.name], [true, false, "last"]);

// Bytes that are not what they should be.
const wrong = (decode, message) => {
  assert.throws(decode, (error) => error instanceof CodecError && message.test(error.message));
  checks += 1;
};
const full = bytes(vectors.returned.full);
for (let length = 0; length < full.length; length++) {
  wrong(() => methods.nested.decode(full.slice(0, length)), /bytes end before|is no boolean|no variant/);
}
wrong(() => methods.nested.decode(Uint8Array.of(...full, 0)), /1 bytes go on after the value/);
wrong(() => decodeError(Uint8Array.of(2)), /EchoError has no variant 2/);
wrong(() => decodeError(Uint8Array.of(1, 4)), /Choice has no variant 4/);
wrong(() => decodeEvent(2, Uint8Array.of()), /the contract has no event 2/);
wrong(() => methods.last.decode(Uint8Array.of(2)), /2 is no boolean/);
// A count without values, and a text that is none.
wrong(() => decodeError(Uint8Array.of(1, 3, 255, 255, 255, 255)), /bytes end before the value does/);
wrong(() => decodeError(Uint8Array.of(1, 3, 1, 0, 0, 0, 255, 0)), /the bytes are no text/);

// Values that have no bytes.
for (const encode of refused) wrong(encode, /is no |expected |not well formed/);

console.log(`${checks} checks`);
