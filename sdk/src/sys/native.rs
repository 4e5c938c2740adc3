//! Contracts run natively: the host functions as a trait, and the host of a thread.
//!
//! ```text
//! a contract, compiled for this machine ─▶ twin of an import ─▶ the thread's Host
//! ```
//!
//! Only tests have such hosts (`tollway-testkit` has one): a contract that runs like this can be
//! stepped through by a debugger, and print. What it does on a chain is what its Wasm does.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use tollway_host_api::Abi;

/// A contract's entry points, natively: what [`contract`](macro@crate::contract) adds to its module
/// as `NATIVE`.
#[derive(Debug)]
pub struct Native {
    /// What its Wasm carries, too.
    pub abi: &'static Abi,
    /// Names and functions, as the Wasm exports them.
    pub methods: &'static [(&'static str, EntryPoint)],
}

/// An entry point: the length of the arguments in, a [`MethodStatus`](crate::host_api::MethodStatus)
/// out.
pub type EntryPoint = fn(u32) -> i32;

impl Native {
    /// Runs an entry point of this name on `host`. `None` if there is none.
    ///
    /// # Panics
    /// If the contract traps, or the host stops it.
    pub fn run(&self, host: Rc<dyn Host>, method: &str, args_len: u32) -> Option<i32> {
        let (_, function) = self.methods.iter().find(|(name, _)| *name == method)?;
        let _entered = Entered::new(host);
        Some(function(args_len))
    }
}

std::thread_local! {
    static HOST: RefCell<Option<Rc<dyn Host>>> = const { RefCell::new(None) };
}

/// Puts back the host that a thread had before.
struct Entered(Option<Rc<dyn Host>>);

impl Entered {
    fn new(host: Rc<dyn Host>) -> Self {
        Self(HOST.with(|place| place.replace(Some(host))))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.0.take();
        HOST.with(|place| *place.borrow_mut() = before);
    }
}

/// The thread's host.
pub(super) fn host(function: &str) -> Rc<dyn Host> {
    let host = HOST.with(|place| place.borrow().clone());
    host.unwrap_or_else(|| panic!("host function `{function}` needs a host"))
}

/// What a twin of an import gets for a parameter: a number, or a place in the contract's memory,
/// which is that of the process.
#[derive(Clone, Copy, Debug)]
pub struct Word<'w>(Content<'w>);

#[derive(Clone, Copy, Debug)]
enum Content<'w> {
    Number(u64),
    Readable(&'w [u8]),
    Writable(Writable<'w>),
}

/// Bytes that a host may write, and nobody else looks at meanwhile.
#[derive(Clone, Copy, Debug)]
struct Writable<'w> {
    start: *mut u8,
    length: usize,
    borrow: PhantomData<&'w ()>,
}

impl Word<'_> {
    /// The number. A place has none that would mean anything: 0.
    pub fn number(self) -> u64 {
        match self.0 {
            Content::Number(number) => number,
            Content::Readable(_) | Content::Writable(_) => 0,
        }
    }

    /// The first `length` bytes at this place.
    ///
    /// # Panics
    /// If that is no place to read from, or has fewer.
    pub fn bytes(self, length: Word<'_>) -> Vec<u8> {
        let length = length.number() as usize;
        match self.0 {
            Content::Readable(bytes) if length <= bytes.len() => bytes[..length].to_vec(),
            _ => panic!("the SDK does not hand over {length} bytes to read"),
        }
    }

    /// The address at this place.
    ///
    /// # Panics
    /// As [`Self::bytes`].
    pub fn address(self) -> crate::Address {
        let bytes = self.bytes(Word(Content::Number(32)));
        crate::Address(bytes.try_into().expect("so many were asked for"))
    }

    /// Writes all of `bytes` to this place.
    ///
    /// # Panics
    /// If that is no place to write to, or has no room for them.
    pub fn put(self, bytes: &[u8]) {
        match self.0 {
            Content::Writable(place) if bytes.len() <= place.length => {
                // SAFETY: `at_mut` made the place of a slice that it borrowed for longer than this
                // word lives, of bytes that may hold anything; there is room, checked above.
                unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), place.start, bytes.len()) }
            }
            _ => panic!("the SDK has no room for {} bytes", bytes.len()),
        }
    }

    /// Writes `bytes` to this place if they fit into `capacity`, and returns their length either
    /// way.
    ///
    /// # Panics
    /// If they fit, as [`Self::put`].
    pub fn put_if_fits(self, capacity: Word<'_>, bytes: &[u8]) -> u32 {
        if bytes.len() as u64 <= capacity.number() {
            self.put(bytes);
        }
        bytes.len() as u32
    }
}

macro_rules! from_number {
    ($($ty:ident),*) => {$(
        impl From<$ty> for Word<'_> {
            fn from(number: $ty) -> Self {
                Self(Content::Number(number as u64))
            }
        }
    )*};
}
// Literals without a type are `i32`.
from_number!(u32, u64, i32);

/// A byte that may be written to.
pub(super) trait Byte {}
impl Byte for u8 {}
impl Byte for MaybeUninit<u8> {}

pub(super) fn at(bytes: &[u8]) -> Word<'_> {
    Word(Content::Readable(bytes))
}

pub(super) fn at_mut<T: Byte>(bytes: &mut [T]) -> Word<'_> {
    let (start, length) = (bytes.as_mut_ptr().cast(), bytes.len());
    Word(Content::Writable(Writable { start, length, borrow: PhantomData }))
}

macro_rules! result_type {
    () => {
        ()
    };
    ($ty:ident) => {
        $ty
    };
}

macro_rules! declare_host {
    ($(
        $(#[doc = $doc:literal])*
        fn $name:ident($($param:ident: $ty:ident),*) $(-> $result:ident)? = $base:literal + $byte:literal;
    )*) => {
        /// Every host function, by the table in `host-api`. A host that leaves one out has it panic.
        ///
        /// A contract that is running may be called again from inside of `call`, so hosts get
        /// themselves shared. One that stops a contract unwinds ([`std::panic::resume_unwind`]).
        ///
        /// [`std::panic::resume_unwind`]: https://doc.rust-lang.org/std/panic/fn.resume_unwind.html
        #[allow(clippy::too_many_arguments, reason = "as many as the host functions have")]
        pub trait Host {
            $(
                $(#[doc = $doc])*
                fn $name(&self $(, $param: Word<'_>)*) -> result_type!($($result)?) {
                    $(let _ = $param;)*
                    panic!(concat!("the native host has no host function `", stringify!($name), "` yet"))
                }
            )*
        }
    };
}
tollway_host_api::for_each_host_function!(declare_host);

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;
    impl Host for Nothing {}

    struct Heights(u64);
    impl Host for Heights {
        fn height(&self) -> u64 {
            self.0
        }

        fn caller(&self, out: Word<'_>) {
            out.put(&[self.0 as u8; 32]);
        }
    }

    static ABI: Abi = Abi {
        version: 1,
        name: alloc::borrow::Cow::Borrowed("heights"),
        immutables: alloc::borrow::Cow::Borrowed(&[]),
        storage: alloc::borrow::Cow::Borrowed(&[]),
        methods: alloc::borrow::Cow::Borrowed(&[]),
        events: alloc::borrow::Cow::Borrowed(&[]),
        error: alloc::borrow::Cow::Borrowed(&[]),
    };

    fn height(_: u32) -> i32 {
        crate::env::height() as i32
    }

    /// Runs inside of another contract, on another host.
    fn nested(_: u32) -> i32 {
        let inner = CONTRACT.run(Rc::new(Heights(7)), "height", 0).expect("it is there");
        inner * 100 + crate::env::height() as i32
    }

    fn caller(_: u32) -> i32 {
        i32::from(crate::env::caller().0[31])
    }

    static CONTRACT: Native = Native {
        abi: &ABI,
        methods: &[("height", height), ("nested", nested), ("caller", caller)],
    };

    #[test]
    fn contracts_ask_the_host_that_they_run_on() {
        assert_eq!(CONTRACT.run(Rc::new(Heights(5)), "nested", 0), Some(705));
        assert_eq!(CONTRACT.run(Rc::new(Heights(5)), "caller", 0), Some(5));
        assert_eq!(CONTRACT.run(Rc::new(Heights(5)), "nothing", 0), None);
    }

    #[test]
    #[should_panic(expected = "the native host has no host function `height` yet")]
    fn what_a_host_leaves_out_is_named() {
        CONTRACT.run(Rc::new(Nothing), "height", 0);
    }

    #[test]
    #[should_panic(expected = "host function `height` needs a host")]
    fn without_a_host_there_is_none() {
        let _ = CONTRACT.run(Rc::new(Heights(1)), "height", 0);
        crate::env::height();
    }

    #[test]
    #[should_panic(expected = "the SDK has no room for 5 bytes")]
    fn nothing_is_written_past_the_end() {
        let mut bytes = [0u8; 4];
        at_mut(&mut bytes).put(&[1; 5]);
    }
}
