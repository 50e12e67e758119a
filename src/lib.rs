//! A deterministic simulator of distributed locks.
//!
//! This crate is the facade for authors of locks. Its [`main`] runs the command line with an additional lock:
//!
//! ```text
//! fn main() -> std::process::ExitCode {
//!     fencepost::main(fencepost::Registry::standard().with::<MyLock>())
//! }
//! ```
//!
//! A lock consists of its documented parameters, its servers, its client and its bounds. The lock in this example grants
//! every acquire; one case of it runs in the shipped scenario `quiet`:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use fencepost::models::guarded::STORE_TIMEOUT;
//! use fencepost::models::{Attempt, Ctx, Grant, Lock, LockError, LockInfo, NoParams, ResourceId, Site};
//! use fencepost::sim::faults::BoundAllowance;
//! use fencepost::{Cell, Property, Registry, Verdict, case, file, shipped};
//! use serde::Serialize;
//!
//! struct AlwaysGrants {
//!     ctx: Ctx<NoMessage>,
//! }
//!
//! /// This lock has no servers and therefore no messages.
//! #[derive(Clone, Debug, Serialize)]
//! enum NoMessage {}
//!
//! impl Lock for AlwaysGrants {
//!     const INFO: LockInfo = LockInfo::new("always-grants", "grants every acquire");
//!     type Params = NoParams;
//!     type Message = NoMessage;
//!
//!     fn deploy(_: &NoParams, _: &mut Site<'_, NoMessage>) {}
//!
//!     fn connect(_: &NoParams, ctx: Ctx<NoMessage>, _: ResourceId) -> Self {
//!         AlwaysGrants { ctx }
//!     }
//!
//!     async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
//!         self.ctx.reach_step("acquire-sent").await;
//!         Ok(Grant { id: attempt.id, token: None, valid_until: None })
//!     }
//!
//!     async fn release(&mut self, _: &Grant) -> Result<(), LockError> {
//!         self.ctx.reach_step("release-sent").await;
//!         Ok(())
//!     }
//!
//!     fn takeover_bound(_: &NoParams, _: &BoundAllowance) -> Duration {
//!         STORE_TIMEOUT
//!     }
//!
//!     fn progress_bound(_: &NoParams, _: &BoundAllowance) -> Duration {
//!         2 * STORE_TIMEOUT
//!     }
//! }
//!
//! let registry = Registry::standard().with::<AlwaysGrants>();
//! let text = shipped::scenario("quiet").expect("a shipped scenario");
//! let scenario = Arc::new(file::scenario(&registry, "quiet.toml", text).expect("a valid scenario"));
//! let cell = Cell::new(&scenario, registry.lock("always-grants").expect("added above"), &[]);
//!
//! let report = case::run(&cell, 17, None);
//! assert_eq!(report.result.verdict(Property::BeliefExclusion), Verdict::Violated);
//! assert_eq!(report.result.trace, case::run(&cell, 17, None).result.trace);
//! ```

pub use fencepost_models as models;
pub use fencepost_reports as reports;
pub use fencepost_scenarios as scenarios;
pub use fencepost_sim as sim;

pub use fencepost_models::Lock;
pub use fencepost_scenarios::property::{Property, Verdict};
pub use fencepost_scenarios::registry::Registry;
pub use fencepost_scenarios::run::cell::Cell;
pub use fencepost_scenarios::{file, file::shipped, run::case};

#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "cli")]
pub use self::cli::main;
