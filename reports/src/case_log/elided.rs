//! Counts the events that a log does not show.

use std::collections::{BTreeMap, BTreeSet};

use fencepost_models::history::{Ack, Event, OrderEnd};
use fencepost_sim::{NodeId, SimTime};

use crate::case_record::names::CaseNames;
use crate::text::{counted, seconds};

/// Counts of the events that were not shown since the last note.
#[derive(Default)]
pub(super) struct ElidedEvents {
    last: Option<SimTime>,
    /// Failed attempts by client.
    attempts: BTreeMap<NodeId, u32>,
    unknown: u32,
    holders: BTreeSet<NodeId>,
    grants: u32,
    orders_done: u32,
    orders_not_done: u32,
    faults: BTreeMap<String, u32>,
}

/// The number of failed attempts or orders that justifies a note.
const MANY: u32 = 10;

impl ElidedEvents {
    pub fn count(&mut self, at: SimTime, event: &Event) {
        match *event {
            Event::NotAcquired { client, ack, .. } => {
                *self.attempts.entry(client).or_default() += 1;
                self.unknown += u32::from(ack == Ack::Unknown);
            }
            Event::Acquired { client, .. } => {
                self.grants += 1;
                self.holders.insert(client);
            }
            Event::OrderResolved { end: OrderEnd::Acked, .. } => self.orders_done += 1,
            Event::OrderResolved { .. } => self.orders_not_done += 1,
            _ => return,
        }
        self.last = Some(at);
    }

    pub fn count_fault(&mut self, at: SimTime, name: &str) {
        *self.faults.entry(name.to_owned()).or_default() += 1;
        self.last = Some(at);
    }

    pub fn has_grants_or_faults(&self) -> bool {
        self.grants > 0 || !self.faults.is_empty()
    }

    pub fn has_many(&self) -> bool {
        self.attempts.values().sum::<u32>() >= MANY || self.orders_done + self.orders_not_done >= MANY
    }

    /// Returns the note for events between shown lines, with the time of the last event, and resets the counts.
    pub fn note_between_lines(&mut self, names: &CaseNames) -> Option<(SimTime, String)> {
        let elided = std::mem::take(self);
        let mut parts = Vec::new();
        if elided.grants > 0 {
            let holders = names.list(elided.holders.iter().copied());
            parts.push(format!("{holders} acquired {}", counted(elided.grants, "time")));
        }
        if !elided.attempts.is_empty() {
            let clients = names.list(elided.attempts.keys().copied());
            parts.push(format!("{} of {clients}", elided.attempts_text()));
        }
        parts.extend(elided.orders_text());
        parts.extend(elided.faults_text());
        Some((elided.last?, format!("meanwhile {}", parts.join("; "))))
    }

    /// Returns the note for an interval that is not shown, and resets the counts.
    pub fn note_for_interval(&mut self, from: SimTime, to: SimTime) -> Option<String> {
        let elided = std::mem::take(self);
        if to <= from {
            return None;
        }
        let mut parts = vec![format!("{} not shown", seconds(to.0 - from.0))];
        if elided.grants > 0 {
            parts.push(counted(elided.grants, "grant"));
        }
        if !elided.attempts.is_empty() {
            parts.push(elided.attempts_text());
        }
        parts.extend(elided.orders_text());
        parts.extend(elided.faults_text());
        Some(parts.join(", "))
    }

    fn attempts_text(&self) -> String {
        let attempts = counted(self.attempts.values().sum::<u32>(), "failed attempt");
        if self.unknown > 0 { format!("{attempts} ({} with unknown outcome)", self.unknown) } else { attempts }
    }

    fn orders_text(&self) -> Option<String> {
        match (self.orders_done, self.orders_not_done) {
            (0, 0) => None,
            (done, 0) => Some(format!("{} done", counted(done, "order"))),
            (done, not_done) => Some(format!("{} of {} done", done, counted(done + not_done, "order"))),
        }
    }

    fn faults_text(&self) -> Option<String> {
        let names: Vec<String> = self.faults.iter().map(|(name, count)| format!("{name} ×{count}")).collect();
        (!names.is_empty())
            .then(|| format!("{} ({})", counted(self.faults.values().sum::<u32>(), "fault"), names.join(", ")))
    }
}
