//! The course of a run phase, in parts.

use serde::{Deserialize, Serialize};

/// Into how many parts a run phase is cut to tell its course.
pub const SPANS: usize = 40;

/// Slices of 100 ms in one part of the run phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Slices there were before healing.
    pub slices: u64,
    /// Those in which a client that no fault hindered wanted the lock.
    pub wanted: u64,
    /// Those of the wanted in which the lock was held or granted.
    pub served: u64,
    /// Those in which a fault was on anywhere.
    pub faulty: u64,
}

impl Span {
    /// One slice.
    pub fn slice(wanted: bool, served: bool, faulty: bool) -> Self {
        Span { slices: 1, wanted: wanted.into(), served: served.into(), faulty: faulty.into() }
    }

    /// Adds slices.
    pub fn add(&mut self, more: &Span) {
        self.slices += more.slices;
        self.wanted += more.wanted;
        self.served += more.served;
        self.faulty += more.faulty;
    }
}
