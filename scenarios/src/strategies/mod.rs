//! [`proptest`] strategies for histories, schedules and scenarios, to test your own lock, specification or checker. The
//! feature `proptest` enables them.
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
//!     let read = file::scenario(&registry, "scenario.toml", &text.to_string()).expect("the scenario is valid");
//!     let cell = Cell::new(&Arc::new(read), registry.lock("lease-server").expect("the lock is registered"), &[]);
//!     let result = case::run(&cell, seed, None).result;
//!     prop_assert_ne!(result.verdict(Property::GrantExclusion), Verdict::Violated, "{}", text.replay("lease-server", seed));
//!     Ok(())
//! });
//! result.expect("one server grants a lease to one client at a time");
//! ```
//!
//! Generated values print in the form that a user would write, such as a scenario file. [`ScenarioText::replay`]
//! returns the instructions to replay a failure.

mod histories;
mod scenarios;
mod schedules;

pub use self::histories::{History, broken, history};
pub use self::scenarios::{ScenarioText, scenario, scenario_with};
pub use self::schedules::{FaultText, fault, schedule};
