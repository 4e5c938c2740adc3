//! Links host functions to modules: one trait and one function, both generated from the table in
//! `host-api`, so that an implementation cannot drift from it.

use wasmtime::{Caller, Linker, Result};

macro_rules! define_trait {
    ($(
        $(#[doc = $doc:literal])*
        fn $name:ident($($param:ident: $ty:ident),*) $(-> $result:ident)? = $base:literal + $byte:literal;
    )*) => {
        /// Store data that implements every host function. An `Err` stops the call.
        pub trait HostFunctions: Sized + 'static {
            $(
                $(#[doc = $doc])*
                ///
                /// # Errors
                /// Whatever stops the call.
                fn $name(caller: &mut Caller<'_, Self> $(, $param: $ty)*) -> Result<result_type!($($result)?)>;
            )*
        }

        /// Adds every host function of `T` to `linker`.
        ///
        /// # Errors
        /// If one is there already.
        pub fn link<T: HostFunctions>(linker: &mut Linker<T>) -> Result<()> {
            $(
                linker.func_wrap(
                    tollway_host_api::functions::HOST_MODULE,
                    stringify!($name),
                    |mut caller: Caller<'_, T> $(, $param: $ty)*| T::$name(&mut caller $(, $param)*),
                )?;
            )*
            Ok(())
        }

        /// The gas of each host function, by name: base, and for every byte.
        pub mod host_gas {
            $(
                #[doc = concat!("Gas of `", stringify!($name), "`: base, and for every byte.")]
                #[allow(non_upper_case_globals, reason = "named like the host function")]
                pub const $name: (u64, u64) = ($base, $byte);
            )*
        }
    };
}

macro_rules! result_type {
    () => {
        ()
    };
    ($ty:ident) => {
        $ty
    };
}

tollway_host_api::for_each_host_function!(define_trait);
