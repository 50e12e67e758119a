//! How much work a scenario has: its workload's pace and its clients' orders, and the estimate that refuses too much.

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

/// A workload as a scenario sets it. The layer that runs it knows the type of its keys.
#[derive(Clone)]
pub struct WorkloadConfig {
    name: &'static str,
    pace: Pace,
    keys: Arc<dyn Any + Send + Sync>,
}

impl WorkloadConfig {
    /// The workload of this name with these keys.
    pub fn new(name: &'static str, pace: Pace, keys: impl Any + Send + Sync) -> Self {
        WorkloadConfig { name, pace, keys: Arc::new(keys) }
    }

    /// Its keys, if they are of this type.
    pub fn keys<T: Any>(&self) -> Option<&T> {
        self.keys.downcast_ref()
    }
}

impl fmt::Debug for WorkloadConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// How much there is to do, unless the scenario says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// This number of orders.
    Orders(u32),
    /// Orders until the run ends.
    UntilTheEnd,
    /// An event in each interval of this length, which every client receives.
    Every(Duration),
}

/// The number of distinct orders. An event is one order for all clients, and a unit of work for each of them.
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

/// The number of units of work.
pub(crate) fn total_units(clients: &Clients, pace: Pace, run_for: Duration) -> u32 {
    let orders = total_orders(clients, pace, run_for);
    match pace {
        Pace::Every(_) => orders.saturating_mul(clients.count.into()),
        Pace::Orders(_) | Pace::UntilTheEnd => orders,
    }
}

/// The most events of a case. A case that needs more ends there, and what it has not shown is unknown.
pub const MOST_EVENTS: u64 = 5_000_000;

/// A unit of work without contention sends and receives eight messages: to acquire, read, write and release. Each is an
/// event when it is sent and one when it arrives, and calls start timers. A higher figure would depend on the lock.
const EVENTS_PER_UNIT: f64 = 20.0;

/// Messages that follow each other while a unit of work has the lock.
const ROUNDS: f64 = 6.0;

/// Reports a demand that takes more events than a case may have.
pub(super) fn check_demand(
    report: &mut Report,
    span: Range<usize>,
    run_for: Duration,
    clients: &Clients,
    network: &Network,
    workload: &WorkloadConfig,
) {
    let turn = mean_seconds(&clients.hold) + mean_seconds(&clients.prepare) + ROUNDS * mean_seconds(&network.latency);
    let own = turn + mean_seconds(&clients.think);
    let in_time = |each: f64| run_for.as_secs_f64() / each.max(1e-9);
    // Clients take turns at the lock, and each has one unit of work at a time.
    let orders = f64::from(total_units(clients, workload.pace, run_for));
    let units = orders.min(in_time(turn)).min(in_time(own) * f64::from(clients.count));
    let events = units * EVENTS_PER_UNIT;
    if events > MOST_EVENTS as f64 {
        let message = format!(
            "this is too much for a case: about {units:.0} units of work in `{}`, which make at least {:.0} million \
             events, and {} million are the most",
            Span(run_for),
            events / 1e6,
            MOST_EVENTS / 1_000_000
        );
        let help = "shorten `run_for`, give fewer `orders` or a longer `think`: more seeds show more than longer cases";
        report.add(span, message, help);
    }
}
