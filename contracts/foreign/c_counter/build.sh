#!/bin/sh
# Compiles counter.c to counter.wasm, with its ABI. Needs clang and lld (Debian: apt-get install clang lld)
# and the command tollway; CLANG and TOLLWAY name others.
set -eu
cd "$(dirname "$0")"
out=${1:-counter.wasm}
# No standard library, no start function; one page of memory, which is rewound after every call. Host
# functions are what is left undefined. Only what Wasm began with: engines agree on that.
"${CLANG:-clang}" --target=wasm32-unknown-unknown -mcpu=mvp -O2 -ffreestanding -nostdlib \
    -Wall -Wextra -Werror \
    -Wl,--no-entry -Wl,--strip-all -Wl,--stack-first -Wl,-z,stack-size=4096 \
    -Wl,--initial-memory=65536 -Wl,--max-memory=65536 \
    counter.c -o "$out"
"${TOLLWAY:-tollway}" abi "$out" --set counter.json --out "$out"
