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

#[tollway_sdk::interface(failure = u32)]
pub trait OtherArgument {
    fn transfer();
}

#[tollway_sdk::interface(error = 5)]
pub trait NoType {
    fn transfer();
}

fn main() {}
