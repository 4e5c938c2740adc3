//! Sample contract: pair.
#![cfg_attr(target_family = "wasm", no_std)]

use tollway_sdk as _;
