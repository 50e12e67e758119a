//! Strategies of [`proptest`] for histories, schedules and scenarios: for tests of your own lock, specification or
//! checker. They come with the feature `proptest`.
//!
//! ```
//! use std::sync::Arc;
//!
//! use fencepost_scenarios::run::cell::Cell;
//! use fencepost_scenarios::property::{Property, Verdict};
//! use fencepost_scenarios::registry::Registry;
//! use fencepost_scenarios::strategies::scenario;
//! use fencepost_scenarios::{run::case, file};
//! use proptest::prelude::*;
//! use proptest::test_runner::TestRunner;
//!
//! let mut runner = TestRunner::new(ProptestConfig { cases: 8, failure_persistence: None, ..Default::default() });
//! let result = runner.run(&(scenario(&["pause", "crash"]), 0..1_000_u64), |(text, seed)| {
//!     let registry = Registry::standard();
//!     let read = file::scenario(&registry, "scenario.toml", &text.to_string()).expect("it is right");
//!     let cell = Cell::new(&Arc::new(read), registry.lock("lease-server").expect("it is there"), &[]);
//!     let result = case::run(&cell, seed, None).result;
//!     prop_assert_ne!(result.verdict(Property::GrantExclusion), Verdict::Violated, "{}", text.replay("lease-server", seed));
//!     Ok(())
//! });
//! result.expect("one server grants a lease to one client at a time");
//! ```
//!
//! What they make prints as what one would write oneself, a scenario as its file, so that a failure can be replayed as
//! it stands: [`ScenarioText::replay`] says how.

mod histories;
mod scenarios;
mod schedules;

pub use self::histories::{History, broken, history};
pub use self::scenarios::{ScenarioText, scenario, scenario_with};
pub use self::schedules::{FaultText, fault, schedule};
