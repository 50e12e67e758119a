//! Spans: the availability over a run phase, in equal parts.

use serde::{Deserialize, Serialize};

/// The number of spans of a run phase.
pub const SPANS: usize = 40;

/// Slices of 100 ms in one part of the run phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// All slices before healing.
    pub slices: u64,
    /// Slices in which a client that no fault hindered wanted the lock.
    pub wanted: u64,
    /// Wanted slices in which the lock was held or granted.
    pub served: u64,
    /// Slices during which any fault was active.
    pub faulty: u64,
}

impl Span {
    /// A span of one slice.
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
