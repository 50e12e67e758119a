//! Availability: the share of wanted time slices in which the lock was served.
//!
//! True time until healing is divided into slices of 100 ms. A slice is *wanted* if a client that no fault affects
//! waits for more than 0 ns of it. A wanted slice is *served* if a client believes at any time in it that it holds the
//! lock, or if the lock is granted in it. A slice in which the lock changes hands is therefore served. A slice in which
//! all clients wait for the lease of a dead holder to expire is not.

use std::time::Duration;

use fencepost_sim::time::SimTime;

use crate::span::{SPANS, Span};

const SLICE_NS: u64 = 100_000_000;

#[derive(Default)]
pub(crate) struct Availability {
    /// The time up to which slices are counted.
    until: SimTime,
    slice: u64,
    wanted_in_slice: bool,
    served_in_slice: bool,
    wanted: u64,
    served: u64,
    /// The number of active faults.
    faults: u32,
    faulty_in_slice: bool,
    spans: Vec<Span>,
    slices_per_span: u64,
}

impl Availability {
    /// Creates an instance that also divides a run phase of this length into spans.
    pub(crate) fn with_spans(run_for: Duration) -> Self {
        let slices = (run_for.as_nanos() as u64).div_ceil(SLICE_NS);
        let slices_per_span = slices.div_ceil(SPANS as u64).max(1);
        Availability { slices_per_span, ..Availability::default() }
    }

    /// Accounts for the time until `at`, during which `wanted` and `served` did not change.
    pub(crate) fn advance_to(&mut self, at: SimTime, wanted: bool, served: bool) {
        if at <= self.until {
            return;
        }
        self.mark(wanted, served);
        let (whole, last) = ((at.0 - 1) / SLICE_NS, at.0 / SLICE_NS);
        if whole > self.slice {
            self.close_slice();
            let skipped = whole - self.slice - 1;
            self.wanted += skipped * u64::from(wanted);
            self.served += skipped * u64::from(wanted && served);
            if self.slices_per_span > 0 {
                let slice = Span::slice(wanted, wanted && served, self.faults > 0);
                (self.slice + 1..whole).for_each(|number| self.add_to_span(number, slice));
            }
            self.slice = whole;
            self.mark(wanted, served);
        }
        if last > self.slice {
            self.close_slice();
            self.slice = last;
        }
        self.until = at;
    }

    pub(crate) fn record_grant(&mut self) {
        self.served_in_slice = true;
    }

    pub(crate) fn record_fault(&mut self, began: bool) {
        self.faults = if began { self.faults + 1 } else { self.faults.saturating_sub(1) };
        self.faulty_in_slice |= began;
    }

    /// Returns the number of wanted slices and the number of served slices.
    pub(crate) fn finish(&mut self) -> (u64, u64) {
        self.close_slice();
        (self.wanted, self.served)
    }

    /// Returns the spans of the run phase, up to the end of the case.
    pub(crate) fn take_spans(&mut self) -> Vec<Span> {
        std::mem::take(&mut self.spans)
    }

    fn mark(&mut self, wanted: bool, served: bool) {
        self.wanted_in_slice |= wanted;
        self.served_in_slice |= served;
    }

    fn close_slice(&mut self) {
        self.wanted += u64::from(self.wanted_in_slice);
        self.served += u64::from(self.wanted_in_slice && self.served_in_slice);
        if self.slices_per_span > 0 {
            let served = self.wanted_in_slice && self.served_in_slice;
            self.add_to_span(self.slice, Span::slice(self.wanted_in_slice, served, self.faulty_in_slice));
        }
        self.faulty_in_slice = self.faults > 0;
        self.wanted_in_slice = false;
        self.served_in_slice = false;
    }

    fn add_to_span(&mut self, slice: u64, counts: Span) {
        let index = (slice / self.slices_per_span) as usize;
        if index < SPANS {
            self.spans.resize(self.spans.len().max(index + 1), Span::default());
            self.spans[index].add(&counts);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> SimTime {
        SimTime(ms * 1_000_000)
    }

    #[test]
    fn a_slice_is_wanted_after_one_nanosecond() {
        let mut availability = Availability::default();
        availability.advance_to(ms(150), false, false);
        availability.advance_to(ms(450), true, false);
        availability.record_grant();
        availability.advance_to(ms(650), false, true);
        assert_eq!(availability.finish(), (4, 1));
    }

    #[test]
    fn spans_divide_the_run_phase() {
        let mut availability = Availability::with_spans(Duration::from_secs(8));
        availability.advance_to(ms(100), true, true);
        availability.record_fault(true);
        availability.advance_to(ms(450), true, false);
        availability.record_fault(false);
        availability.advance_to(ms(600), false, false);
        availability.finish();
        let span = |slices, wanted, served, faulty| Span { slices, wanted, served, faulty };
        assert_eq!(availability.take_spans(), [span(2, 2, 1, 1), span(2, 2, 0, 2), span(2, 1, 0, 1), span(1, 0, 0, 0)]);
    }

    #[test]
    fn a_change_on_a_slice_boundary_does_not_affect_the_next_slice() {
        let mut availability = Availability::default();
        availability.advance_to(ms(100), true, false);
        availability.advance_to(ms(200), false, true);
        availability.advance_to(ms(400), true, true);
        assert_eq!(availability.finish(), (3, 2));
    }
}
