//! The amount of work in a scenario: its workload's pace, its clients' orders, and the check against excessive demand.

use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use fencepost_sim::time::nanos;
use fencepost_sim::units::Span;

use super::problem::Report;
use super::settings::{Clients, Network};
use super::trigger::mean_seconds;

/// A workload as a scenario configures it. Only the layer that runs workloads knows the type of the keys.
#[derive(Clone)]
pub struct WorkloadConfig {
    name: &'static str,
    pace: Pace,
    keys: Arc<dyn Any + Send + Sync>,
}

impl WorkloadConfig {
    /// Creates a workload with this name and these keys.
    pub fn new(name: &'static str, pace: Pace, keys: impl Any + Send + Sync) -> Self {
        WorkloadConfig { name, pace, keys: Arc::new(keys) }
    }

    /// Returns the keys, if they have this type.
    pub fn keys<T: Any>(&self) -> Option<&T> {
        self.keys.downcast_ref()
    }
}

impl fmt::Debug for WorkloadConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The amount of work, unless the scenario sets `orders`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// This number of orders.
    Orders(u32),
    /// Orders until the run ends.
    UntilTheEnd,
    /// One event per interval of this length. Every client receives every event.
    Every(Duration),
}

/// Returns the number of distinct orders. An event is one order for all clients, and one unit of work for each client.
pub(crate) fn total_orders(clients: &Clients, pace: Pace, run_for: Duration) -> u32 {
    match pace {
        Pace::Orders(by_default) => clients.orders.unwrap_or(by_default),
        Pace::UntilTheEnd => clients.orders.unwrap_or(u32::MAX),
        Pace::Every(interval) => {
            let until_the_end = nanos(run_for).div_ceil(nanos(interval).max(1));
            let by_default = || u32::try_from(until_the_end).unwrap_or(u32::MAX);
            clients.orders.map_or_else(by_default, |orders| orders.div_ceil(clients.count.into()))
        }
    }
}

/// Returns the number of units of work.
pub(crate) fn total_units(clients: &Clients, pace: Pace, run_for: Duration) -> u32 {
    let orders = total_orders(clients, pace, run_for);
    match pace {
        Pace::Every(_) => orders.saturating_mul(clients.count.into()),
        Pace::Orders(_) | Pace::UntilTheEnd => orders,
    }
}

/// The maximum number of events of a case. A case that needs more stops there; undecided properties are then unknown.
pub const MOST_EVENTS: u64 = 5_000_000;

/// Events of a unit of work without contention. Acquire, read, write and release exchange eight messages; sending and
/// delivery are one event each, and calls start timers. A more exact number would depend on the lock.
const EVENTS_PER_UNIT: f64 = 20.0;

/// Sequential messages while a unit of work holds the lock.
const ROUNDS: f64 = 6.0;

/// Reports a demand that needs more events than a case may have.
pub(super) fn check_demand(
    report: &mut Report,
    span: Range<usize>,
    run_for: Duration,
    clients: &Clients,
    network: &Network,
    workload: &WorkloadConfig,
) {
    let held = mean_seconds(&clients.hold) + mean_seconds(&clients.prepare) + ROUNDS * mean_seconds(&network.latency);
    let own = held + mean_seconds(&clients.think);
    let in_time = |each: f64| run_for.as_secs_f64() / each.max(1e-9);
    // The lock serializes units of work, and each client has one unit of work at a time.
    let orders = f64::from(total_units(clients, workload.pace, run_for));
    let units = orders.min(in_time(held)).min(in_time(own) * f64::from(clients.count));
    let events = units * EVENTS_PER_UNIT;
    if events > MOST_EVENTS as f64 {
        let message = format!(
            "too many events for one case: about {units:.0} units of work in `{}` need at least {:.0} million \
             events, but the maximum is {} million",
            Span(run_for),
            events / 1e6,
            MOST_EVENTS / 1_000_000
        );
        let help = "shorten `run_for`, reduce `orders` or lengthen `think`: more seeds find more than longer cases";
        report.add(span, message, help);
    }
}
