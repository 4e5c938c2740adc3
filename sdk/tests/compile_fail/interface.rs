//! Interfaces that a client could not have.

#[tollway_sdk::interface]
pub trait WithSelf {
    fn transfer(&self);
}

#[tollway_sdk::interface]
pub trait Reserved {
    fn clone();
}

#[tollway_sdk::interface]
pub trait Body {
    fn transfer() {}
}

fn main() {}
