//! Availability over time: the run phase divided into equal spans.

use serde::{Deserialize, Serialize};

/// The number of spans of a run phase.
pub const SPANS: usize = 40;

/// The number of 100 ms slices in one span of the run phase, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// All slices before healing.
    pub slices: u64,
    /// Slices in which a client that no fault affected wanted the lock.
    pub wanted: u64,
    /// Wanted slices in which the lock was held or granted.
    pub served: u64,
    /// Slices during which any fault was active.
    pub faulty: u64,
}

impl Span {
    /// Creates a span of one slice.
    pub fn slice(wanted: bool, served: bool, faulty: bool) -> Self {
        Span { slices: 1, wanted: wanted.into(), served: served.into(), faulty: faulty.into() }
    }

    /// Adds the slices of another span.
    pub fn add(&mut self, more: &Span) {
        self.slices += more.slices;
        self.wanted += more.wanted;
        self.served += more.served;
        self.faulty += more.faulty;
    }
}
