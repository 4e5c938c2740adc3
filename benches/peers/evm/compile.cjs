// Compiles the contracts of this folder to creation code, one .bin of hexadecimal digits each. See
// README.md.
const fs = require("fs");
const path = require("path");
const solc = require("solc");

const names = ["Dex", "Pair", "Token"];
const read = (name) => ({ content: fs.readFileSync(path.join(__dirname, `${name}.sol`), "utf8") });
const input = {
  language: "Solidity",
  sources: Object.fromEntries(names.map((name) => [`${name}.sol`, read(name)])),
  settings: {
    viaIR: true,
    evmVersion: "osaka",
    optimizer: { enabled: true, runs: 1000000 },
    metadata: { appendCBOR: false },
    outputSelection: { "*": { "*": ["evm.bytecode.object"] } },
  },
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));
for (const { severity, formattedMessage } of output.errors ?? []) {
  console.error(formattedMessage);
  if (severity === "error") process.exit(1);
}
for (const name of names) {
  const code = output.contracts[`${name}.sol`][name].evm.bytecode.object;
  fs.writeFileSync(path.join(__dirname, `${name}.bin`), `${code}\n`);
}
