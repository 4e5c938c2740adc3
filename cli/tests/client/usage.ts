// The values of cli/tests/client.rs, as an author of an application writes them. That this compiles
// under `strict` is a part of the test.

import * as echo from "./echo.js";
import * as token from "./token.js";

const owner: echo.Address = `0x${"ab".repeat(32)}`;

const most: echo.Numbers = {
  tiny: 255,
  small: 65535,
  medium: 4294967295,
  large: 2n ** 64n - 1n,
  huge: 2n ** 128n - 1n,
  signed: -(2n ** 63n),
  signed_huge: -(2n ** 127n),
  flag: true,
};

const least: echo.Numbers = {
  tiny: 0,
  small: 0,
  medium: 0,
  large: 0n,
  huge: 0n,
  signed: 2n ** 63n - 1n,
  signed_huge: 2n ** 127n - 1n,
  flag: false,
};

const choices: echo.Choice[] = [
  { kind: "Nothing" },
  { kind: "One", value: [2n ** 64n - 1n] },
  { kind: "Two", value: [owner, [most, least]] },
  { kind: "Named", value: { type: "", new: null } },
  { kind: "Named", value: { type: "x", new: true } },
];

const full: echo.Nested = {
  maybe: { some: null },
  lists: [[], [1, 65535]],
  pair: [7, "grüße 🦀\0\ufeff"],
  raw: Uint8Array.of(0, 255),
  fixed: new Uint8Array(20).fill(3),
  choices,
};

const empty: echo.Nested = {
  maybe: null,
  lists: [],
  pair: [0, ""],
  raw: new Uint8Array(),
  fixed: new Uint8Array(20),
  choices: [],
};

const some: echo.Nested = { ...empty, maybe: { some: { some: 4294967295 }.some } };

/** Arguments by the name that the test has for them. */
export const args: Record<string, Uint8Array> = {
  immutables: echo.encode(echo.immutables, { owner, label: "étiquette" }),
  init: echo.methods.init.encode({ first: 2n ** 64n - 1n }),
  most: echo.methods.numbers.encode({ numbers: most }),
  least: echo.methods.numbers.encode({ numbers: least }),
  full: echo.methods.nested.encode({ nested: full, by: owner }),
  empty: echo.methods.nested.encode({ nested: empty, by: owner }),
  some: echo.methods.nested.encode({ nested: some, by: owner }),
  emit: echo.methods.emit.encode({ numbers: most, nested: full }),
  asked: echo.methods.fail.encode({ because: null }),
  because: echo.methods.fail.encode({ because: { kind: "Two", value: [owner, [most, least]] } }),
  last: echo.methods.last.encode(),
  transfer: token.methods.transfer.encode({ to: owner, amount: 2n ** 128n - 1n }),
};

/** What calls return, emit and revert with. */
export const expected = {
  most,
  least,
  full: [full, owner] as [echo.Nested, echo.Address],
  last: 2n ** 64n - 1n as bigint | null,
  events: [
    { name: "Silence", fields: undefined },
    { name: "Echoed", fields: { numbers: most, nested: full } },
  ] satisfies echo.ContractEvent[],
  errors: [
    { kind: "Asked" },
    { kind: "Because", value: [{ kind: "Two", value: [owner, [most, least]] }] },
  ] satisfies echo.EchoError[],
};

/** What has no bytes: each throws. */
export const refused: Array<() => Uint8Array> = [
  () => echo.methods.numbers.encode({ numbers: { ...most, tiny: 256 } }),
  () => echo.methods.numbers.encode({ numbers: { ...most, tiny: 0.5 } }),
  () => echo.methods.numbers.encode({ numbers: { ...most, medium: -1 } }),
  () => echo.methods.numbers.encode({ numbers: { ...most, large: 2n ** 64n } }),
  () => echo.methods.numbers.encode({ numbers: { ...most, signed: 2n ** 63n } }),
  () => echo.methods.nested.encode({ nested: { ...full, fixed: new Uint8Array(19) }, by: owner }),
  () => echo.methods.nested.encode({ nested: { ...full, pair: [0, "\ud800"] }, by: owner }),
  () => echo.methods.nested.encode({ nested: full, by: "0x12" }),
  () => echo.methods.fail.encode({ because: { kind: "Other" } as unknown as echo.Choice }),
];

// What does not compile.
// @ts-expect-error a field is missing
echo.methods.nested.encode.bind(null, { nested: full });
// @ts-expect-error a bigint, not a number
((): echo.Numbers => ({ ...most, large: 1 }));
// @ts-expect-error no such variant
((): echo.Choice => ({ kind: "Other" }));
// @ts-expect-error no such method
echo.methods.missing;

const returned: [echo.Nested, echo.Address] = echo.methods.nested.decode(args["full"] as Uint8Array);
export const roundTrip = returned[0].pair[1];

export { echo };
