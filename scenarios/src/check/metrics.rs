//! The metrics of a case: whole numbers, always the same ones in the same order.

use std::borrow::Cow;
use std::time::Duration;

use fencepost_models::history::{Event, GrantId, OrderEnd};
use fencepost_sim::NodeId;
use fencepost_sim::time::SimTime;

use super::Scene;
use super::availability::Availability;
use super::waiters::{Wait, Waiters};
use crate::outcome::Span;

/// Declares the metrics: their order is the order of reports, their names are the names there.
macro_rules! tally {
    ($($(#[$about:meta])+ $name:ident,)+) => {
        /// What is counted in one case. Every checker adds to its own numbers.
        #[derive(Default)]
        pub(super) struct Tally { $($(#[$about])+ pub(super) $name: i64,)+ }

        impl Tally {
            /// All metrics by name, but for those of what did not happen.
            pub(super) fn rows(&self) -> Vec<(Cow<'static, str>, i64)> {
                let mut rows = vec![$((Cow::Borrowed(stringify!($name)), self.$name),)+];
                rows.retain(|(name, _)| match &**name {
                    "takeover_ns" => self.takeovers > 0,
                    "acquire_ns" | "acquire_ns_max" => self.acquires > 0,
                    _ => true,
                });
                rows
            }
        }
    };
}

tally! {
    /// Orders whose customers were told "sold".
    acked_orders,
    /// Their units, each order counted once.
    acked_units,
    /// By how much these exceed the initial stock.
    oversold_units,
    /// Orders whose customers were told "sold out".
    sold_out_orders,
    /// Orders given up without a write that may have been accepted.
    abandoned_orders,
    /// Orders whose outcome their client does not know.
    unknown_orders,
    /// Acknowledged orders that are missing in the end.
    lost_updates,
    /// Their units.
    lost_units,
    /// Orders that were overwritten and never acknowledged.
    overwritten_unacked,
    /// Units of all accepted writes that were not rolled back, overwritten or not.
    applied_units,
    /// How far below zero the count ever went.
    negative_stock_units,
    /// Writes accepted for an order that had taken effect already.
    duplicate_effects,
    /// How far the final count is from the initial stock less `applied_units`. It is 0 where the database computes the
    /// count; where clients do, it is the units that the count forgot because they were overwritten.
    conservation_gap_units,
    /// What the shop is out of: units sold that were not there, or whose sale the count forgot.
    harm,
    /// Acquires invoked.
    attempts,
    /// Grants that got a rank.
    grants,
    /// Acquires of orders that returned a grant.
    acquires,
    /// From the first attempt for an order until its acquire returned, all of them together.
    acquire_ns_total,
    /// The mean of them.
    acquire_ns,
    /// The longest of them.
    acquire_ns_max,
    /// The longest wait for the lock, whether it came to a grant or not.
    longest_wait_ns,
    /// Pairs of overlapping Records.
    grant_overlaps,
    /// Pairs of overlapping Beliefs.
    belief_overlaps,
    /// The longest overlap of two Beliefs.
    belief_overlap_longest_ns,
    /// The overlaps of all pairs of Beliefs together.
    belief_overlap_total_ns,
    /// Pairs of overlapping Validities.
    validity_overlaps,
    /// Writes accepted after an operation of a higher-ranked grant.
    stale_writes,
    /// Reads accepted after an operation of a higher-ranked grant.
    stale_reads,
    /// Operations that the store refused.
    refused_operations,
    /// Releases that ended somebody else's grant.
    foreign_releases,
    /// How often a grant came after a holder's crash.
    takeovers,
    /// The longest time from a holder's crash to the next grant; 0 if there was none.
    takeover_ns,
    /// Slices of 100 ms before healing in which a client that no fault hindered wanted the lock.
    wanted_slices,
    /// Those of them in which somebody believed to hold it, or a grant came.
    served_slices,
    /// `served_slices` of `wanted_slices`, in parts per million; all of them if nobody wanted the lock.
    availability_ppm,
    /// From the start of the case to healing.
    run_ns,
}

/// Measures what belongs to no property.
#[derive(Default)]
pub(super) struct Meter {
    availability: Availability,
    healed: bool,
    beliefs: Vec<(GrantId, NodeId)>,
}

impl Meter {
    /// Follows the course of a run phase of this length.
    pub(super) fn follow(&mut self, run_for: Duration) {
        self.availability = Availability::with_spans(run_for);
    }

    /// The course so far.
    pub(super) fn take_spans(&mut self) -> Vec<Span> {
        self.availability.take_spans()
    }

    /// Accounts for the time until `at`. To be called before the books note what happens then.
    pub(super) fn pass_time(&mut self, at: SimTime, waiters: &Waiters) {
        if !self.healed {
            self.availability.pass_time(at, waiters.any_qualified(), !self.beliefs.is_empty());
        }
    }

    pub(super) fn observe(&mut self, scene: &Scene, event: &Event, tally: &mut Tally) {
        if scene.ledger.came().is_some() {
            tally.grants += 1;
            if !self.healed {
                self.availability.grant_came();
            }
        }
        if let Some(wait) = scene.waiters.just_ended() {
            measure_wait(scene.at, wait, matches!(event, Event::Acquired { .. }), tally);
        }
        match *event {
            Event::AcquireInvoked { .. } => tally.attempts += 1,
            Event::Acquired { client, grant, .. } => self.beliefs.push((grant, client)),
            Event::ReleaseInvoked { grant, .. } | Event::LossObserved { grant, .. } => {
                self.beliefs.retain(|(believed, _)| *believed != grant);
            }
            Event::ClientCrashed { client } => self.beliefs.retain(|(_, believer)| *believer != client),
            Event::OrderResolved { end, .. } => match end {
                OrderEnd::Acked => {}
                OrderEnd::SoldOut => tally.sold_out_orders += 1,
                OrderEnd::Abandoned => tally.abandoned_orders += 1,
                OrderEnd::Unknown => tally.unknown_orders += 1,
            },
            Event::OperationRefused { .. } => tally.refused_operations += 1,
            Event::FaultBegan { .. } => self.availability.fault(true),
            Event::FaultEnded { .. } => self.availability.fault(false),
            Event::Healed => {
                self.healed = true;
                tally.run_ns = scene.at.0 as i64;
            }
            _ => {}
        }
    }

    pub(super) fn finish(&mut self, scene: &Scene, tally: &mut Tally) {
        let book = scene.book;
        tally.acked_orders = book.orders().filter(|order| order.acked).count() as i64;
        tally.acked_units = book.acked_units;
        tally.applied_units = book.writes().iter().map(|write| i64::from(write.units)).sum();
        if let Some(stock) = book.stock {
            tally.negative_stock_units = (-book.lowest_count).max(0);
            tally.conservation_gap_units = (stock - book.count - tally.applied_units).abs();
        }
        if let Some(since) = scene.waiters.longest_waiting_since() {
            tally.longest_wait_ns = tally.longest_wait_ns.max((scene.at.0 - since.0) as i64);
        }
        let (wanted, served) = self.availability.finish();
        tally.wanted_slices = wanted as i64;
        tally.served_slices = served as i64;
        tally.availability_ppm = (served * 1_000_000).checked_div(wanted).unwrap_or(1_000_000) as i64;
    }
}

impl Tally {
    /// What follows from the other metrics, once the checkers have finished.
    pub(super) fn conclude(&mut self) {
        self.harm = self.oversold_units.max(self.lost_units);
        self.acquire_ns = self.acquire_ns_total.checked_div(self.acquires).unwrap_or(0);
    }
}

fn measure_wait(at: SimTime, wait: Wait, acquired: bool, tally: &mut Tally) {
    let ns = (at.0 - wait.since.0) as i64;
    tally.longest_wait_ns = tally.longest_wait_ns.max(ns);
    if acquired && wait.in_order {
        tally.acquires += 1;
        tally.acquire_ns_total += ns;
        tally.acquire_ns_max = tally.acquire_ns_max.max(ns);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn orders_are_counted_by_how_they_ended() {
        let findings = history().acks(A, 0).sells_out(A, 1).abandons(B, 2).unknown(B, 3).unknown(C, 4).ends_at(1);
        let counts = ["acked_orders", "sold_out_orders", "abandoned_orders", "unknown_orders"];
        assert_eq!(counts.map(|name| findings.metric(name)), [1, 1, 1, 2]);
    }

    #[test]
    fn an_acquire_takes_from_the_first_attempt_of_the_order() {
        let history = history().at(1).starts(A, 0).at(2).asks(A, 1).at(3).fails(A, 1).at(4).asks(A, 2);
        let history = history.at(5).granted_unasked(2).acquired(A, 2).starts(B, 1).asks(B, 3).at(6).releases(A, 2);
        let findings =
            history.at(7).granted_unasked(3).acquired(B, 3).starts(C, 2).asks(C, 4).at(12).abandons(C, 2).ends_at(13);
        let names = ["attempts", "grants", "acquires", "acquire_ns_total", "acquire_ns_max", "longest_wait_ns"];
        assert_eq!(names.map(|name| findings.metric(name)), [4, 2, 2, 5 * SECOND, 3 * SECOND, 5 * SECOND]);
    }

    #[test]
    fn a_wait_that_never_ended_counts_as_long_as_it_lasted() {
        let findings = history().at(2).asks(A, 1).ends_at(9);
        assert_eq!(findings.metric("longest_wait_ns"), 7 * SECOND);
        assert_eq!(findings.metric("acquires"), 0);
    }

    #[test]
    fn availability_is_the_share_of_wanted_slices_in_which_the_lock_was_held_or_granted() {
        let history = history().granted(A, 1).acquired(A, 1).asks(B, 2).at(3).crashes(A).at(4).granted_unasked(2);
        let findings = history.acquired(B, 2).at(9).healed().asks(A, 3).ends_at(20);
        assert_eq!(findings.metric("wanted_slices"), 40);
        assert_eq!(findings.metric("served_slices"), 30);
        assert_eq!(findings.metric("availability_ppm"), 750_000);
    }

    #[test]
    fn time_in_which_faults_hinder_every_waiter_is_not_wanted() {
        let findings = history().asks(B, 2).fault_begins(0, true).at(5).fault_ends(0, true).at(6).healed().ends_at(9);
        assert_eq!(findings.metric("wanted_slices"), 10);
        assert_eq!(findings.metric("availability_ppm"), 0);
    }

    #[test]
    fn refused_operations_are_counted() {
        let findings = history().refused(1, fencepost_models::history::Refusal::StaleVersion).ends_at(1);
        assert_eq!(findings.metric("refused_operations"), 1);
    }

    #[test]
    fn the_names_are_always_the_same() {
        let names = |findings: super::super::Findings| findings.metrics.into_iter().map(|(n, _)| n).collect::<Vec<_>>();
        assert_eq!(names(history().ends_at(0)), names(history().acks(A, 0).at(3).healed().ends_at(5)));
    }
}
