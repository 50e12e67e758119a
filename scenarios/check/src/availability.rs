//! Availability: the share of wanted time slices in which the lock was served.
//!
//! True time until healing is divided into slices of 100 ms. A slice is *wanted* if a client that no fault hinders waits
//! for more than 0 ns of it. A wanted slice is *served* if a client believes for some of it that it holds the lock, or if
//! a grant comes in it. So a slice in which the lock changes hands is served, and one in which all clients wait for the
//! lease of a dead holder to expire is not.

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
    /// Also fills the spans of a run phase of this length.
    pub(crate) fn with_spans(run_for: Duration) -> Self {
        let slices = (run_for.as_nanos() as u64).div_ceil(SLICE_NS);
        let slices_per_span = slices.div_ceil(SPANS as u64).max(1);
        Availability { slices_per_span, ..Availability::default() }
    }

    /// Counts the time until `at`, during which nothing changed.
    pub(crate) fn pass_time(&mut self, at: SimTime, wanted: bool, served: bool) {
        if at <= self.until {
            return;
        }
        self.mark(wanted, served);
        let (whole, last) = ((at.0 - 1) / SLICE_NS, at.0 / SLICE_NS);
        if whole > self.slice {
            self.close_slice();
            let between = whole - self.slice - 1;
            self.wanted += between * u64::from(wanted);
            self.served += between * u64::from(wanted && served);
            if self.slices_per_span > 0 {
                let slice = Span::slice(wanted, wanted && served, self.faults > 0);
                (self.slice + 1..whole).for_each(|at| self.add_to_span(at, slice));
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

    pub(crate) fn grant_came(&mut self) {
        self.served_in_slice = true;
    }

    /// A fault began or ended.
    pub(crate) fn fault(&mut self, began: bool) {
        self.faults = if began { self.faults + 1 } else { self.faults.saturating_sub(1) };
        self.faulty_in_slice |= began;
    }

    /// The numbers of wanted slices and of served ones.
    pub(crate) fn finish(&mut self) -> (u64, u64) {
        self.close_slice();
        (self.wanted, self.served)
    }

    /// The spans of the run phase, up to the end of the case.
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
        let place = (slice / self.slices_per_span) as usize;
        if place < SPANS {
            self.spans.resize(self.spans.len().max(place + 1), Span::default());
            self.spans[place].add(&counts);
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
    fn a_slice_counts_from_its_first_nanosecond() {
        let mut availability = Availability::default();
        availability.pass_time(ms(150), false, false);
        availability.pass_time(ms(450), true, false);
        availability.grant_came();
        availability.pass_time(ms(650), false, true);
        assert_eq!(availability.finish(), (4, 1));
    }

    #[test]
    fn spans_divide_the_run_phase() {
        let mut availability = Availability::with_spans(Duration::from_secs(8));
        availability.pass_time(ms(100), true, true);
        availability.fault(true);
        availability.pass_time(ms(450), true, false);
        availability.fault(false);
        availability.pass_time(ms(600), false, false);
        availability.finish();
        let span = |slices, wanted, served, faulty| Span { slices, wanted, served, faulty };
        assert_eq!(availability.take_spans(), [span(2, 2, 1, 1), span(2, 2, 0, 2), span(2, 1, 0, 1), span(1, 0, 0, 0)]);
    }

    #[test]
    fn a_change_at_the_edge_of_a_slice_does_not_count_in_the_next() {
        let mut availability = Availability::default();
        availability.pass_time(ms(100), true, false);
        availability.pass_time(ms(200), false, true);
        availability.pass_time(ms(400), true, true);
        assert_eq!(availability.finish(), (3, 2));
    }
}
