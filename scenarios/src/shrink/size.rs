//! How large a case is.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use fencepost_sim::SimTime;

use super::draft::ENDLESS;
use super::trial::Lab;
use crate::recorder::{Glance, Glimpse, Sighting, Watcher};

/// How large a case is, as far as somebody has to read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Its clients.
    pub clients: u16,
    /// Its faults.
    pub faults: usize,
    /// Its orders.
    pub orders: u32,
    /// The events of its history, up to the violation.
    pub events: usize,
}

impl Size {
    /// The size of the lab's smallest draft.
    pub(super) fn of(lab: &mut Lab<'_>) -> Self {
        let history = Rc::new(RefCell::new(History { until: lab.shown().at, events: 0 }));
        lab.watch(history.clone());
        let draft = lab.best();
        let events = history.borrow().events;
        Size { clients: draft.clients(), faults: draft.faults.len(), orders: draft.orders(), events }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Size { clients, faults, orders, events } = self;
        write!(f, "{clients} clients, ")?;
        if *orders != ENDLESS {
            write!(f, "{orders} orders, ")?;
        }
        write!(f, "{faults} faults, {events} events of history")
    }
}

/// Counts the events of a history.
struct History {
    until: SimTime,
    events: usize,
}

impl Watcher for History {
    fn see(&mut self, _: &Sighting<'_>) {}

    fn only_glances(&self) -> bool {
        true
    }

    fn glance(&mut self, glance: &Glance<'_>) {
        self.events += usize::from(matches!(glance.what, Glimpse::Event(_)) && glance.at <= self.until);
    }
}
