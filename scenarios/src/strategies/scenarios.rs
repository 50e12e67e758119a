//! Strategies for small scenarios.

use std::fmt;

use proptest::prelude::*;

use super::schedules::{FaultText, schedule};

/// A scenario file.
#[derive(Clone, PartialEq)]
pub struct ScenarioText {
    /// The number of clients.
    pub clients: u16,
    /// The duration of a holder's work, such as `"0ms..2s"`.
    pub hold: &'static str,
    /// How a client handles the lock after a write without a reply.
    pub after_unknown: &'static str,
    /// The lock's main timing.
    pub ttl: &'static str,
    /// The guard of the store.
    pub guard: &'static str,
    /// The faults.
    pub faults: Vec<FaultText>,
}

impl fmt::Display for ScenarioText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ScenarioText { clients, hold, after_unknown, ttl, guard, faults } = self;
        write!(
            f,
            "name = \"generated\"\nabout = \"Made up by a property test.\"\nrun_for = \"30s\"\n\n[clients]\n\
             count = {clients}\nthink = \"exp(200ms)\"\nhold = \"{hold}\"\nprepare = \"1ms..50ms\"\n\
             after_unknown = \"{after_unknown}\"\n\n[lock]\nttl = \"{ttl}\"\n\n[workload.inventory]\nstock = 30\n\
             guard = \"{guard}\"\n"
        )?;
        faults.iter().try_for_each(|fault| write!(f, "\n{fault}"))
    }
}

impl fmt::Debug for ScenarioText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl ScenarioText {
    /// Returns instructions to replay a case of the scenario: the file and the command.
    pub fn replay(&self, lock: &str, seed: u64) -> String {
        format!(
            "to reproduce, write\n\n{self}\nto generated.toml and run: fencepost replay generated.toml/{lock}/{seed}"
        )
    }
}

/// Returns scenarios of 30 seconds with two to four clients, no guard, and up to four faults of these kinds.
///
/// # Panics
/// If there is no strategy for one of the kinds.
pub fn scenario(kinds: &[&str]) -> impl Strategy<Value = ScenarioText> + use<> {
    scenario_with("none", kinds)
}

/// Returns the same scenarios as [`scenario`], with this guard of the store.
///
/// # Panics
/// If there is no strategy for one of the kinds.
pub fn scenario_with(guard: &'static str, kinds: &[&str]) -> impl Strategy<Value = ScenarioText> + use<> {
    let hold = prop::sample::select(vec!["0ms", "0ms..1s", "0ms..8s"]);
    let after_unknown = prop::sample::select(vec!["release", "keep"]);
    let ttl = prop::sample::select(vec!["2s", "5s"]);
    (2..=4_u16, hold, after_unknown, ttl, schedule(kinds, 4)).prop_map(
        move |(clients, hold, after_unknown, ttl, faults)| ScenarioText {
            clients,
            hold,
            after_unknown,
            ttl,
            guard,
            faults,
        },
    )
}
