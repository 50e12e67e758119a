//! Routine that is counted instead of told.

use std::collections::{BTreeMap, BTreeSet};

use fencepost_models::history::{Ack, Event, OrderEnd};
use fencepost_sim::{NodeId, SimTime};

use super::cast::Cast;
use super::clocks::seconds;

/// What happened and was not told since the last time that it was said.
#[derive(Default)]
pub(super) struct Fold {
    since: Option<SimTime>,
    until: SimTime,
    /// How often each client that was not told tried in vain.
    tries: BTreeMap<NodeId, u32>,
    in_doubt: u32,
    winners: BTreeSet<NodeId>,
    grants: u32,
    sold: u32,
    unsold: u32,
    faults: BTreeMap<String, u32>,
}

/// From so many attempts on it is worth saying that there were any.
const LONG: u32 = 10;

impl Fold {
    pub fn count(&mut self, at: SimTime, event: &Event) {
        match *event {
            Event::NotAcquired { client, ack, .. } => {
                *self.tries.entry(client).or_default() += 1;
                self.in_doubt += u32::from(ack == Ack::Unknown);
            }
            Event::Acquired { client, .. } => {
                self.grants += 1;
                self.winners.insert(client);
            }
            Event::OrderResolved { end: OrderEnd::Acked, .. } => self.sold += 1,
            Event::OrderResolved { .. } => self.unsold += 1,
            _ => return,
        }
        self.stretch(at);
    }

    pub fn count_fault(&mut self, at: SimTime, name: &str) {
        *self.faults.entry(name.to_owned()).or_default() += 1;
        self.stretch(at);
    }

    fn stretch(&mut self, at: SimTime) {
        self.since.get_or_insert(at);
        self.until = at;
    }

    /// Whether something happened that tried more than somebody's patience.
    pub fn is_weighty(&self) -> bool {
        self.grants > 0 || !self.faults.is_empty()
    }

    /// Whether patience was tried for long.
    pub fn is_long(&self) -> bool {
        self.tries.values().sum::<u32>() >= LONG || self.sold + self.unsold >= LONG
    }

    /// What was counted within a stretch that is told.
    pub fn meanwhile(&mut self, cast: &Cast) -> Option<(SimTime, String)> {
        let fold = std::mem::take(self);
        fold.since?;
        let mut parts = Vec::new();
        if fold.grants > 0 {
            let winners = cast.list(fold.winners.iter().copied());
            let verb = if fold.winners.len() == 1 { "gets" } else { "get" };
            parts.push(format!("{winners} {verb} the lock {}", times(fold.grants)));
        }
        parts.extend(fold.orders());
        if !fold.tries.is_empty() {
            parts.push(fold.tries_words(cast));
        }
        parts.extend(fold.fault_words());
        Some((fold.until, format!("meanwhile {}", parts.join("; "))))
    }

    /// What was counted in a stretch that was left out.
    pub fn left_out(&mut self, from: SimTime, to: SimTime) -> Option<String> {
        let fold = std::mem::take(self);
        if to <= from {
            return None;
        }
        let mut parts = vec![format!("{} left out", seconds(to.0 - from.0))];
        if fold.grants > 0 {
            parts.push(plural(fold.grants, "grant"));
        }
        parts.extend(fold.orders());
        let tries: u32 = fold.tries.values().sum();
        if tries > 0 {
            parts.push(format!("{} in vain", plural(tries, "attempt")));
        }
        parts.extend(fold.fault_words());
        if parts.len() == 1 {
            parts.push("nothing of interest".to_owned());
        }
        Some(parts.join(", "))
    }

    fn orders(&self) -> Option<String> {
        let orders = [(self.sold, "sold"), (self.unsold, "not")];
        let told: Vec<String> = orders.iter().filter(|(n, _)| *n > 0).map(|(n, how)| format!("{n} {how}")).collect();
        match (self.sold, self.unsold) {
            (0, 0) => None,
            (sold, 0) => Some(format!("{} sold", plural(sold, "order"))),
            (0, unsold) => Some(format!("{} not sold", plural(unsold, "order"))),
            (sold, unsold) => Some(format!("{} ({})", plural(sold + unsold, "order"), told.join(", "))),
        }
    }

    fn tries_words(&self, cast: &Cast) -> String {
        let total: u32 = self.tries.values().sum();
        let who = cast.list(self.tries.keys().copied());
        let verb = if self.tries.len() == 1 { "keeps" } else { "keep" };
        let doubt = if self.in_doubt > 0 { format!(", {} with no answer", self.in_doubt) } else { String::new() };
        format!("{who} {verb} trying: {} in vain{doubt}", plural(total, "attempt"))
    }

    fn fault_words(&self) -> Option<String> {
        let total: u32 = self.faults.values().sum();
        let names: Vec<String> = self.faults.iter().map(|(name, n)| format!("{name} ×{n}")).collect();
        (total > 0).then(|| format!("{} ({})", plural(total, "fault"), names.join(", ")))
    }
}

/// `1 order`, `31 orders`.
pub(super) fn plural(n: u32, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn times(n: u32) -> String {
    match n {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        n => format!("{n} times"),
    }
}
