//! How much work a case will be, estimated before it runs: what would take for ever is refused.

use std::ops::Range;
use std::time::Duration;

use fencepost_sim::units::Span;

use super::problem::Report;
use super::settings::{Clients, Network};
use super::trigger::mean_seconds;
use crate::run::case::MOST_EVENTS;

/// A unit of work that meets nobody sends and gets messages for acquiring, reading, writing and releasing: eight, each of
/// them an event when it is sent and one when it arrives, and starts timers for its calls. More would be a guess about
/// the lock.
const EVENTS_PER_UNIT: f64 = 20.0;

/// Messages of a unit of work that follow each other while it has the lock.
const ROUNDS: f64 = 6.0;

/// Refuses a demand that takes more events than a case may have. `orders` are all that there are.
pub(super) fn check_demand(
    report: &mut Report,
    run_for: Option<(Range<usize>, Duration)>,
    clients: &Clients,
    network: &Network,
    orders: u64,
) {
    let Some((span, run_for)) = run_for else { return };
    let units = units(run_for, clients, network, orders);
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

/// How many units of work there is time for: they take turns at the lock, and each client has one at a time.
fn units(run_for: Duration, clients: &Clients, network: &Network, orders: u64) -> f64 {
    let turn = mean_seconds(&clients.hold) + mean_seconds(&clients.prepare) + ROUNDS * mean_seconds(&network.latency);
    let own = turn + mean_seconds(&clients.think);
    let in_time = |each: f64| run_for.as_secs_f64() / each.max(1e-9);
    (orders as f64).min(in_time(turn)).min(in_time(own) * f64::from(clients.count))
}
