//! A contract without storage.

#[tollway_sdk::contract]
mod sample {}

fn main() {}
