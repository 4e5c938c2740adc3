//! Types that have no fixed shape.

#[tollway_sdk::contract_type]
pub struct Generic<T> {
    pub value: T,
}

#[tollway_sdk::contract_type]
pub enum Numbered {
    One = 1,
}

#[tollway_sdk::contract_type(keys)]
pub struct Unknown;

fn main() {}
