//! The metrics of a case: integers, in a fixed order.

use std::borrow::Cow;
use std::time::Duration;

use fencepost_models::history::{Event, OrderEnd};
use fencepost_sim::time::SimTime;

use crate::availability::Availability;
use crate::check::CheckContext;
use crate::span::Span;
use crate::store_log::Order;
use crate::waiters::Wait;
use crate::workload::{WORKLOAD_SPECIFIC_METRICS, WorkloadSpec};

/// Declares the metrics, in the order and with the names used in reports.
macro_rules! tally {
    ($($(#[$about:meta])+ $name:ident,)+) => {
        /// The counts of one case. Each checker adds to its own.
        #[derive(Default)]
        pub(crate) struct Tally { $($(#[$about])+ pub(crate) $name: i64,)+ }

        impl Tally {
            fn all(&self) -> impl Iterator<Item = (&'static str, i64)> {
                [$((stringify!($name), self.$name),)+].into_iter()
            }

            /// Returns all metrics by name, except those of events that did not occur and of other workloads.
            pub(crate) fn rows(&self, workload: Option<WorkloadSpec>) -> Vec<(Cow<'static, str>, i64)> {
                let mut rows: Vec<_> = self.all().map(|(name, value)| (Cow::Borrowed(name), value)).collect();
                rows.retain(|(name, _)| match &**name {
                    "takeover_ns" => self.takeovers > 0,
                    "acquire_ns" | "acquire_ns_max" => self.acquires > 0,
                    name => applies(name, workload),
                });
                rows
            }
        }
    };
}

tally! {
    /// Acknowledged orders.
    acked_orders,
    /// Units of acknowledged orders, each order counted once.
    acked_units,
    /// The excess of `acked_units` over the initial stock.
    oversold_units,
    /// Orders that were rejected as sold out.
    sold_out_orders,
    /// Orders that clients abandoned without a write that may have been accepted.
    abandoned_orders,
    /// Orders whose client does not know whether they took effect.
    unknown_orders,
    /// Acknowledged orders that are missing at the end.
    lost_updates,
    /// Units of the lost updates.
    lost_units,
    /// Orders that were overwritten and never acknowledged.
    overwritten_unacked,
    /// Units of all accepted writes that were not rolled back, overwritten or not.
    applied_units,
    /// The absolute value of the lowest count, if that is negative; otherwise 0.
    negative_stock_units,
    /// Writes accepted for an order that had already taken effect.
    duplicate_effects,
    /// The difference between the final count and the initial stock less `applied_units`. It is 0 if the database
    /// computes the count. If clients compute it, the gap consists of the units whose writes were overwritten.
    conservation_gap_units,
    /// Events that clients picked up but that no client handled.
    missed_effects,
    /// Orders whose event turned out to be already handled.
    done_already_orders,
    /// Writes of a file that lacked records of the previous version.
    corrupted_writes,
    /// Acknowledged records that are missing at the end.
    lost_records,
    /// Acknowledged elements that are missing at the end.
    lost_elements,
    /// Elements that are in the set at the end without their client knowing.
    recovered_elements,
    /// The absolute difference between the final and the initial sum of the accounts.
    imbalance,
    /// The number of times that two clients waited for each other's lock.
    deadlocks,
    /// The longest time for which two clients waited for each other's lock.
    deadlock_longest_ns,
    /// The cost of the harm, in cents.
    harm_cents,
    /// The harm in the workload's unit. For an inventory: the larger of the units oversold and the units lost.
    harm,
    /// Acquire attempts.
    attempts,
    /// Grants with a rank.
    grants,
    /// Acquires of orders that returned a grant.
    acquires,
    /// The sum of the acquire times, each from an order's first attempt until its acquire returned a grant.
    acquire_ns_total,
    /// The mean acquire time.
    acquire_ns,
    /// The longest acquire time.
    acquire_ns_max,
    /// The longest wait for the lock, whether or not it ended with a grant.
    longest_wait_ns,
    /// The maximum number of grants to other clients during one wait. If grants follow the order of arrival, this is at
    /// most the number of other clients.
    overtaken_most,
    /// Waits that ended without a grant and were overtaken more often than any order of arrival allows.
    starved_waits,
    /// The longest time for which the lock had no Record, or only Records whose clients were not notified, although a
    /// client wanted it.
    idle_ns_max,
    /// The longest time for which the lock was on record for a holder that was gone, although a client wanted it.
    orphaned_ns_max,
    /// Progress violations in which the lock was free and a waiter was in the service's queue.
    lost_wakeups,
    /// Progress violations in which the lock was on record for a holder that was gone.
    stuck_locks,
    /// Pairs of overlapping Records.
    grant_overlaps,
    /// Pairs of overlapping Beliefs.
    belief_overlaps,
    /// The longest overlap of two Beliefs.
    belief_overlap_longest_ns,
    /// The sum of the overlaps of all pairs of Beliefs.
    belief_overlap_total_ns,
    /// Pairs of overlapping Validities.
    validity_overlaps,
    /// Writes accepted after an operation of a higher-ranked grant.
    stale_writes,
    /// Reads accepted after an operation of a higher-ranked grant.
    stale_reads,
    /// Operations that the store refused.
    refused_operations,
    /// Releases that ended a grant other than their own.
    foreign_releases,
    /// Grants that followed a holder's crash.
    takeovers,
    /// The longest time from a holder's crash to the next grant, or 0 without a takeover.
    takeover_ns,
    /// Slices of 100 ms before healing in which a client that no fault affected wanted the lock.
    wanted_slices,
    /// Wanted slices in which a client believed that it held the lock, or in which the lock was granted.
    served_slices,
    /// `served_slices` divided by `wanted_slices`, in ppm. 1,000,000 if no client wanted the lock.
    availability_ppm,
    /// The time from the start of the case to healing.
    run_ns,
}

/// Returns whether a metric applies to this workload.
fn applies(name: &str, workload: Option<WorkloadSpec>) -> bool {
    !WORKLOAD_SPECIFIC_METRICS.contains(&name)
        || workload.is_some_and(|workload| workload.oracle.metrics.contains(&name))
}

/// Measures everything that no property covers.
#[derive(Default)]
pub(crate) struct Meter {
    availability: Availability,
    healed: bool,
}

impl Meter {
    /// Divides a run phase of this length into spans.
    pub(crate) fn divide_into_spans(&mut self, run_for: Duration) {
        self.availability = Availability::with_spans(run_for);
    }

    /// Returns the spans so far.
    pub(crate) fn take_spans(&mut self) -> Vec<Span> {
        self.availability.take_spans()
    }

    /// Accounts for the time until `at`. Must be called before the context handles the event at that time.
    pub(crate) fn advance_to(&mut self, at: SimTime, context: &CheckContext) {
        if !self.healed {
            self.availability.advance_to(at, context.waiters.any_qualified(), context.obstacles.any_belief());
        }
    }

    pub(crate) fn observe(&mut self, context: &CheckContext, event: &Event, tally: &mut Tally) {
        if context.ledger.new_grant().is_some() {
            tally.grants += 1;
            if !self.healed {
                self.availability.record_grant();
            }
        }
        if let Some(wait) = context.waiters.just_ended() {
            measure_wait(context, wait, Some(event), tally);
        }
        match *event {
            Event::AcquireInvoked { .. } => tally.attempts += 1,
            Event::OrderResolved { end, .. } => match end {
                OrderEnd::Acked => {}
                OrderEnd::SoldOut => tally.sold_out_orders += 1,
                OrderEnd::Abandoned => tally.abandoned_orders += 1,
                OrderEnd::Unknown => tally.unknown_orders += 1,
                OrderEnd::DoneAlready => tally.done_already_orders += 1,
            },
            Event::WriteAccepted { based_on, version, .. } if based_on + 1 < version => tally.corrupted_writes += 1,
            Event::OperationRefused { .. } => tally.refused_operations += 1,
            Event::FaultBegan { .. } => self.availability.record_fault(true),
            Event::FaultEnded { .. } => self.availability.record_fault(false),
            Event::Healed => {
                self.healed = true;
                tally.run_ns = context.at.0 as i64;
            }
            _ => {}
        }
    }

    pub(crate) fn finish(&mut self, context: &CheckContext, tally: &mut Tally) {
        let store_log = &context.store_log;
        tally.acked_orders = store_log.orders().filter(|order| order.acked).count() as i64;
        tally.acked_units = store_log.acked_units;
        tally.applied_units = store_log.writes(0).iter().map(|write| i64::from(write.units)).sum();
        if let Some(stock) = store_log.workload.and_then(|workload| workload.stock()) {
            tally.negative_stock_units = (-store_log.lowest_count()).max(0);
            tally.conservation_gap_units = (stock - store_log.counts()[0] - tally.applied_units).abs();
        }
        tally.missed_effects = store_log.orders().filter(|order| order.is_missed()).count() as i64;
        let recovered = |order: &&Order| order.unknown && !order.acked && order.parts[0].in_effect;
        tally.recovered_elements = store_log.orders().filter(recovered).count() as i64;
        context.waiters.open_waits().for_each(|wait| measure_wait(context, wait, None, tally));
        let (wanted, served) = self.availability.finish();
        tally.wanted_slices = wanted as i64;
        tally.served_slices = served as i64;
        tally.availability_ppm = (served * 1_000_000).checked_div(wanted).unwrap_or(1_000_000) as i64;
    }
}

impl Tally {
    /// Derives metrics from others, after the checkers have finished.
    pub(crate) fn conclude(&mut self, workload: Option<WorkloadSpec>) {
        (self.lost_records, self.lost_elements) = (self.lost_updates, self.lost_updates);
        if let Some(WorkloadSpec { oracle, cost_cents, .. }) = workload {
            let harm = self.all().filter(|(name, _)| oracle.harm.contains(name)).map(|(_, value)| value).max();
            self.harm = harm.unwrap_or(0);
            self.harm_cents = self.harm * i64::from(cost_cents.unwrap_or(0));
        }
        self.acquire_ns = self.acquire_ns_total.checked_div(self.acquires).unwrap_or(0);
    }
}

/// Adds a wait to the metrics. `ended_by` is the event that ended it, or `None` if the case ended first.
fn measure_wait(context: &CheckContext, wait: Wait, ended_by: Option<&Event>, tally: &mut Tally) {
    let ns = (context.at.0 - wait.since.0) as i64;
    tally.longest_wait_ns = tally.longest_wait_ns.max(ns);
    tally.overtaken_most = tally.overtaken_most.max(wait.overtaken.into());
    let acquired = matches!(ended_by, Some(Event::Acquired { .. }));
    let crashed = matches!(ended_by, Some(Event::ClientCrashed { .. }));
    let unfair = wait.overtaken as usize >= context.waiters.clients();
    tally.starved_waits += i64::from(unfair && !wait.excused && !acquired && !crashed);
    if acquired && wait.in_order {
        tally.acquires += 1;
        tally.acquire_ns_total += ns;
        tally.acquire_ns_max = tally.acquire_ns_max.max(ns);
    }
}

#[cfg(test)]
mod tests {
    use crate::property::Property;
    use crate::testing::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn orders_are_counted_by_result() {
        let findings = history().acks(A, 0).sells_out(A, 1).abandons(B, 2).unknown(B, 3).unknown(C, 4).ends_at(1);
        let counts = ["acked_orders", "sold_out_orders", "abandoned_orders", "unknown_orders"];
        assert_eq!(counts.map(|name| findings.metric(name)), [1, 1, 1, 2]);
    }

    #[test]
    fn acquire_time_starts_at_the_first_attempt_of_the_order() {
        let history = history().at(1).starts(A, 0).at(2).requests(A, 1).at(3).fails(A, 1).at(4).requests(A, 2);
        let history = history.at(5).granted_later(2).acquired(A, 2).starts(B, 1).requests(B, 3).at(6).releases(A, 2);
        let findings =
            history.at(7).granted_later(3).acquired(B, 3).starts(C, 2).requests(C, 4).at(12).abandons(C, 2).ends_at(13);
        let names = ["attempts", "grants", "acquires", "acquire_ns_total", "acquire_ns_max", "longest_wait_ns"];
        assert_eq!(names.map(|name| findings.metric(name)), [4, 2, 2, 5 * SECOND, 3 * SECOND, 5 * SECOND]);
    }

    #[test]
    fn an_unfinished_wait_lasts_until_the_end_of_the_case() {
        let findings = history().at(2).requests(A, 1).ends_at(9);
        assert_eq!(findings.metric("longest_wait_ns"), 7 * SECOND);
        assert_eq!(findings.metric("acquires"), 0);
    }

    #[test]
    fn availability_is_the_share_of_wanted_slices_in_which_the_lock_was_held_or_granted() {
        let history = history().granted(A, 1).acquired(A, 1).requests(B, 2).at(3).crashes(A).at(4).granted_later(2);
        let findings = history.acquired(B, 2).at(9).healed().requests(A, 3).ends_at(20);
        assert_eq!(findings.metric("wanted_slices"), 40);
        assert_eq!(findings.metric("served_slices"), 30);
        assert_eq!(findings.metric("availability_ppm"), 750_000);
    }

    #[test]
    fn slices_in_which_faults_affect_every_waiter_are_not_wanted() {
        let findings =
            history().requests(B, 2).fault_begins(0, true).at(5).fault_ends(0, true).at(6).healed().ends_at(9);
        assert_eq!(findings.metric("wanted_slices"), 10);
        assert_eq!(findings.metric("availability_ppm"), 0);
    }

    #[test]
    fn records_are_counted_by_result() {
        let history = |oracle| {
            let history = history_of(records(oracle)).sets(1, 0, 0, 1, 1).acks(A, 0).sets(2, 1, 0, 2, 1).acks(B, 1);
            history.sets(3, 2, 2, 3, 2).unknown(C, 2).unknown(C, 3).ends_at(9)
        };
        let file = history(&FILE);
        assert_eq!(["corrupted_writes", "lost_records", "harm"].map(|name| file.metric(name)), [1, 1, 1]);
        let set = history(&SET);
        assert_eq!(["acked_orders", "lost_elements", "recovered_elements"].map(|name| set.metric(name)), [2, 1, 1]);
        set.assert_violated(Property::NoLostUpdate);
    }

    #[test]
    fn no_record_of_sequential_writes_is_lost() {
        let history = history_of(records(&FILE)).sets(1, 0, 0, 1, 1).acks(A, 0).sets(2, 1, 1, 2, 2).acks(B, 1);
        let findings = history.ends_at(9);
        findings.assert_holds(Property::NoLostUpdate);
        assert_eq!(["corrupted_writes", "lost_records", "harm"].map(|name| findings.metric(name)), [0, 0, 0]);
    }

    /// The lock is granted to other clients three times while B waits.
    fn overtaken_three_times(history: History) -> History {
        let history = history.starts(B, 1).requests(B, 2);
        let history = history.granted(A, 3).acquired(A, 3).released(3, 3).granted(C, 4).acquired(C, 4).released(4, 4);
        history.granted(A, 5).acquired(A, 5).released(5, 5)
    }

    #[test]
    fn a_client_that_gives_up_after_many_grants_to_others_starves() {
        let counts =
            |findings: crate::check::Findings| ["starved_waits", "overtaken_most"].map(|name| findings.metric(name));
        assert_eq!(counts(overtaken_three_times(history()).at(9).fails(B, 2).abandons(B, 1).ends_at(9)), [1, 3]);
        assert_eq!(counts(overtaken_three_times(history()).ends_at(9)), [1, 3]);
    }

    #[test]
    fn a_client_that_acquires_late_or_was_affected_by_a_fault_or_crashed_does_not_starve() {
        let starved = |history: History| history.ends_at(9).metric("starved_waits");
        assert_eq!(starved(overtaken_three_times(history()).granted_later(2).acquired(B, 2)), 0);
        assert_eq!(starved(overtaken_three_times(history().fault_begins(0b010, false)).fails(B, 2).abandons(B, 1)), 0);
        assert_eq!(starved(overtaken_three_times(history()).crashes(B)), 0);
    }

    #[test]
    fn a_client_that_gives_up_in_arrival_order_does_not_starve() {
        let history = history().starts(B, 1).requests(B, 2).granted(A, 3).acquired(A, 3).released(3, 3);
        let findings = history.granted(C, 4).acquired(C, 4).released(4, 4).fails(B, 2).abandons(B, 1).ends_at(9);
        assert_eq!((findings.metric("starved_waits"), findings.metric("overtaken_most")), (0, 2));
    }

    #[test]
    fn refused_operations_are_counted() {
        let findings = history().refused(1, fencepost_models::history::Refusal::StaleVersion).ends_at(1);
        assert_eq!(findings.metric("refused_operations"), 1);
    }

    #[test]
    fn every_case_has_the_same_metrics() {
        let names = |findings: crate::check::Findings| findings.metrics.into_iter().map(|(n, _)| n).collect::<Vec<_>>();
        assert_eq!(names(history().ends_at(0)), names(history().acks(A, 0).at(3).healed().ends_at(5)));
    }
}
