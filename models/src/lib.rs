//! The locks that fencepost tests, their servers, and the store that they guard.
//!
//! Each lock is one folder in [`locks`], with its documented parameters, servers, client code and bounds. [`LockInfo`]
//! declares the facts about the lock and the promises of its documentation, with sources. [`servers`] contains the
//! servers that several locks share, and [`guarded`] contains the store.

mod class;
mod grant;
pub mod guarded;
pub mod history;
mod info;
mod lock;
pub mod locks;
pub mod servers;
mod site;
mod wire;

pub use self::class::Class;
pub use self::grant::{Attempt, Grant, LockError, Reason};
pub use self::history::ResourceId;
pub use self::info::{
    Answer, BugInfo, Expiry, Family, LockInfo, Offers, Promise, Reentrancy, Requirement, VariantInfo, Verification,
};
pub use self::lock::{Lock, NoParams, POLL, Params, server_names};
pub use self::site::Site;
pub use self::wire::{Ctx, Env, Wire};
