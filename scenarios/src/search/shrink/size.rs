//! The size of a case.

use std::fmt;

use fencepost_sim::SimTime;
use fencepost_sim::text::counted;

use super::draft::{Draft, ENDLESS};
use crate::run::recorder::{TraceEvent, Watcher};

/// The size of a case, as a measure of readability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// The number of clients.
    pub clients: u16,
    /// The number of faults.
    pub faults: usize,
    /// The number of orders.
    pub orders: u32,
    /// The number of history events up to the violation.
    pub events: usize,
}

/// The largest readable case.
const READABLE: Size = Size { clients: 3, faults: 3, orders: ENDLESS, events: 40 };

/// The cost of one client or fault, in events.
const EVENTS_EACH: usize = 10;

impl Size {
    /// Returns the size of a draft whose history has this many events.
    pub(super) fn new(draft: &Draft, events: usize) -> Self {
        Size { clients: draft.clients(), faults: draft.faults.len(), orders: draft.orders(), events }
    }

    /// Returns the cost of reading the case, in events.
    pub(super) fn cost(&self) -> usize {
        self.events + EVENTS_EACH * (self.faults + usize::from(self.clients))
    }

    /// Returns whether the case has at most 3 clients, 3 faults and 40 events.
    pub fn readable(&self) -> bool {
        self.clients <= READABLE.clients && self.faults <= READABLE.faults && self.events <= READABLE.events
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Size { clients, faults, orders, events } = *self;
        write!(f, "{}, ", counted(clients, "client"))?;
        if orders != ENDLESS {
            write!(f, "{}, ", counted(orders, "order"))?;
        }
        write!(f, "{}, {events} events of history", counted(faults, "fault"))
    }
}

/// The times of the events of a history.
#[derive(Default)]
pub(super) struct History(Vec<SimTime>);

impl History {
    /// Returns the number of events up to this time.
    pub fn count_until(&self, moment: SimTime) -> usize {
        self.0.partition_point(|at| *at <= moment)
    }
}

impl Watcher for History {
    fn record(&mut self, event: &TraceEvent<'_>) {
        if event.event().is_some() {
            self.0.push(event.at);
        }
    }
}
