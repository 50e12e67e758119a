//! The locks that fencepost tests, and the stores they stand on and guard.
//!
//! A lock is one file in [`locks`]: its documented parameters, the servers it deploys, its client code, its bounds. What
//! it claims about itself stands in its [`LockInfo`], with sources.

mod class;
pub mod guarded;
pub mod history;
mod info;
mod lock;
pub mod locks;
pub mod servers;
mod site;
mod wire;

pub use self::class::Class;
pub use self::info::{Answer, BugInfo, Expiry, Family, LockInfo, Promise, Reentrancy, Requirement, Verification};
pub use self::lock::{Attempt, Grant, Lock, LockError, Params, Reason, ResourceId};
pub use self::site::Site;
pub use self::wire::{Ctx, Env, Wire};
