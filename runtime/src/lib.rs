//! A WebAssembly smart-contract runtime that runs a block's calls in parallel lanes, with the result of running them one by one.
