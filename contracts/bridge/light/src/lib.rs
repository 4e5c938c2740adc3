//! A light client of another chain: it keeps the state roots that a relayer posts, and tells what
//! that chain's state held, by proof.
//!
//! ```text
//! post(height, root)                write roots[height]    the relayer, once a height
//! check(height, key, value, proof)  read  roots[height]    anybody; nobody waits for anybody
//! ```
//!
//! A bridge calls [`check`](light::Light::check) before it pays: a check changes nothing, so calls
//! that need one run side by side. The keys are those of the other chain's state, such as
//! `02 ‖ address ‖ storage key` for a contract's value. Whether to believe the relayer is for whoever
//! sets up the contract to say.
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

/// The contract.
#[tollway_sdk::contract]
pub mod light {
    use tollway_sdk::env::caller;
    use tollway_sdk::{Address, Bytes, Item, Map};
    use tollway_state_verify::{Proof, Root};

    /// What is fixed when the contract is created.
    #[immutables]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Immutables {
        /// Who posts roots.
        pub relayer: Address,
    }

    /// The state.
    #[storage]
    pub struct Light {
        /// The other chain's state root after each height.
        roots: Map<u64, Item<[u8; 32]>>,
    }

    /// A root was posted.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Posted {
        /// The height.
        pub height: u64,
        /// The state root after it.
        pub root: [u8; 32],
    }

    /// Why a call reverts.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// Only the relayer posts roots.
        NotRelayer,
        /// The height has a root already.
        HeightTaken,
        /// No root was posted for the height.
        UnknownHeight,
        /// The bytes are no proof.
        BadProof,
        /// The proof does not show that the key has this value, or none, at that height.
        NotProven,
    }

    impl Light {
        /// Keeps the other chain's root after a height.
        #[call]
        pub fn post(&mut self, height: u64, root: [u8; 32]) -> Result<(), Error> {
            if caller() != self.imm.relayer {
                return Err(Error::NotRelayer);
            }
            let kept = self.roots.at(height);
            if kept.get().is_some() {
                return Err(Error::HeightTaken);
            }
            kept.set(&root);
            Posted { height, root }.emit();
            Ok(())
        }

        /// Succeeds if the other chain's state after `height` had `value` at `key`, or nothing there
        /// if that is `None`.
        #[view]
        pub fn check(
            &self,
            height: u64,
            key: Bytes,
            value: Option<Bytes>,
            proof: Bytes,
        ) -> Result<(), Error> {
            let root = self.roots.at(height).get().ok_or(Error::UnknownHeight)?;
            let proof = Proof::from_bytes(&proof.0).map_err(|_| Error::BadProof)?;
            let claim = (&key.0, value.as_ref().map(|value| &value.0));
            proof.verify(&Root(root), &[claim]).map_err(|_| Error::NotProven)
        }

        /// The root after a height, if it was posted.
        #[view]
        pub fn root(&self, height: u64) -> Option<[u8; 32]> {
            self.roots.at(height).get()
        }
    }
}
