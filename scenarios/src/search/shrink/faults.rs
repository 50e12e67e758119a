//! Passes for fewer and shorter faults, and for faults that begin at a step instead of a time.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::{NodeId, Occurrence, SimTime};
use toml::{Table, Value};

use super::draft::{Draft, DraftFault, span_value};
use super::round_values::{first_of, lengths_above};
use super::shrinker::Shrinker;
use crate::file::STEPS;
use crate::run::recorder::{TraceEvent, Watcher};

/// Removes faults: first those without effect, then halves, quarters and so on.
pub(crate) fn fewer(shrinker: &mut Shrinker<'_>) {
    without_irrelevant(shrinker);
    let mut parts = 1;
    while !shrinker.best().faults.is_empty() && !shrinker.exhausted() {
        let count = shrinker.best().faults.len();
        let size = count.div_ceil(parts);
        let mut taken = false;
        let mut end = count;
        // Start from the end, because late faults matter least.
        while end > 0 {
            let start = end.saturating_sub(size);
            taken |= shrinker.offer(without(shrinker.best(), |index| (start..end).contains(&index)));
            end = start;
        }
        if size == 1 && !taken {
            break;
        }
        parts = (parts * 2).clamp(1, shrinker.best().faults.len().max(1));
    }
}

/// Removes faults that changed nothing, or at least those that began after the violation.
fn without_irrelevant(shrinker: &mut Shrinker<'_>) {
    let draft = shrinker.best();
    let count = draft.faults.len();
    let (mut began, mut touched) = (vec![false; count], vec![false; count]);
    for injected in shrinker.violation().injections.iter().filter(|injected| injected.at <= shrinker.violation().at) {
        began[injected.fault] = true;
        touched[injected.fault] |= injected.touched;
    }
    let candidates = [without(draft, |index| !touched[index]), without(draft, |index| !began[index])];
    first_of(shrinker, candidates);
}

fn without(draft: &Draft, out: impl Fn(usize) -> bool) -> Draft {
    let mut draft = draft.clone();
    let mut index = 0;
    draft.faults.retain(|_| {
        index += 1;
        !out(index - 1)
    });
    draft
}

/// Returns the draft with one changed fault.
fn with_fault(draft: &Draft, index: usize, change: impl FnOnce(&mut DraftFault)) -> Draft {
    let mut draft = draft.clone();
    change(&mut draft.faults[index]);
    draft
}

/// Lengthens faults if more scheduling seeds then reproduce the violation.
pub(crate) fn longer(shrinker: &mut Shrinker<'_>) {
    for index in 0..shrinker.best().faults.len() {
        let Some(length) = shrinker.best().faults[index].span("lasts") else { continue };
        for longer in lengths_above(length).into_iter().take(3) {
            if shrinker.needed() < shrinker.others() {
                shrinker.offer_more_reproducing(with_fault(shrinker.best(), index, |fault| {
                    fault.set_span("lasts", longer)
                }));
            }
        }
    }
}

/// Moves faults from a time to a step of a client. Such faults begin at the same step under other seeds too.
pub(crate) fn at_events(shrinker: &mut Shrinker<'_>) {
    if shrinker.best().faults.iter().all(|fault| !fault.keys.contains_key("at")) {
        return;
    }
    let steps = Rc::new(RefCell::new(Steps::default()));
    shrinker.watch(steps.clone());
    let steps = steps.take();
    for index in 0..shrinker.best().faults.len() {
        let Some(at) = shrinker.best().faults[index].span("at") else { continue };
        let near = steps.before(SimTime(0) + at, &parties(shrinker, index));
        let on = |reached: &Reached, nth: u32, after: Duration| {
            with_fault(shrinker.best(), index, |fault| {
                fault.keys.remove("at");
                fault.keys.insert("on".into(), Value::Table(reached.as_table(nth, after)));
            })
        };
        let at = SimTime(0) + at;
        let mut candidates: Vec<Draft> = near.iter().map(|reached| on(reached, 1, Duration::ZERO)).collect();
        candidates.extend(near.iter().map(|reached| on(reached, reached.nth, Duration::ZERO)));
        candidates.extend(near.iter().map(|reached| on(reached, 1, at.since(reached.at))));
        candidates.extend(near.iter().map(|reached| on(reached, reached.nth, at.since(reached.at))));
        first_of(shrinker, candidates);
    }
}

/// Tries one fault alone, at a critical step of a client and longer than a lease, in place of several faults.
pub(crate) fn alone(shrinker: &mut Shrinker<'_>) {
    if shrinker.best().faults.len() < 2 {
        return;
    }
    let long = shrinker.lease().unwrap_or_default() * 2;
    let mut candidates = Vec::new();
    for index in 0..shrinker.best().faults.len() {
        let only = without(shrinker.best(), |other| other != index);
        for client in parties(shrinker, index) {
            for step in CRITICAL_STEPS {
                let reached = Reached { at: SimTime(0), client, step, nth: 1 };
                let mut draft = with_fault(&only, 0, |fault| {
                    fault.keys.remove("at");
                    fault.keys.insert("on".into(), Value::Table(reached.as_table(1, Duration::ZERO)));
                });
                candidates.push(draft.clone());
                if draft.faults[0].span("lasts").is_some_and(|lasts| lasts < long) {
                    draft.faults[0].set_span("lasts", long);
                    candidates.push(draft);
                }
            }
        }
    }
    first_of(shrinker, candidates);
}

/// The most critical steps of a client.
const CRITICAL_STEPS: [&str; 5] = ["read", "acquired", "checked", "write-sent", "acquire-sent"];

/// Returns the clients at whose steps a fault may begin: its own target, or otherwise those that the violation names.
fn parties(shrinker: &Shrinker<'_>, index: usize) -> Vec<u16> {
    let own = shrinker.best().faults[index].keys.get("target").and_then(Value::as_str).and_then(client_index);
    match own {
        Some(client) => vec![client],
        None if shrinker.violation().clients.is_empty() => (0..shrinker.best().clients().min(3)).collect(),
        None => shrinker.violation().clients.clone(),
    }
}

/// Returns the index of a client by its name.
pub(crate) fn client_index(name: &str) -> Option<u16> {
    name.strip_prefix("client-")?.parse::<u16>().ok()?.checked_sub(1)
}

/// The steps that clients reached, which faults can wait for.
#[derive(Default)]
struct Steps(Vec<Reached>);

#[derive(Clone)]
struct Reached {
    at: SimTime,
    client: u16,
    step: &'static str,
    /// How many times the client has reached the step, from 1.
    nth: u32,
}

impl Steps {
    /// Returns the last step of each of these clients before this time, latest first.
    fn before(&self, moment: SimTime, clients: &[u16]) -> Vec<Reached> {
        let last = |client: &u16| self.0.iter().rev().find(|reached| reached.client == *client && reached.at <= moment);
        let mut near: Vec<Reached> = clients.iter().filter_map(last).cloned().collect();
        near.sort_by_key(|reached| std::cmp::Reverse(reached.at));
        near.dedup_by_key(|reached| reached.client);
        near
    }
}

impl Reached {
    fn as_table(&self, nth: u32, after: Duration) -> Table {
        let mut on = Table::new();
        on.insert("client".into(), Value::String(format!("client-{}", self.client + 1)));
        on.insert("event".into(), Value::String(self.step.into()));
        on.insert("nth".into(), Value::Integer(nth.into()));
        if !after.is_zero() {
            on.insert("after".into(), span_value(after));
        }
        on
    }
}

impl Watcher for Steps {
    fn record(&mut self, event: &TraceEvent<'_>) {
        let Occurrence::Step { node: NodeId(client), step } = event.what else { return };
        let Some(step) = STEPS.into_iter().find(|known| *known == step) else { return };
        let before = self.0.iter().filter(|reached| reached.client == client && reached.step == step).count();
        self.0.push(Reached { at: event.at, client, step, nth: before as u32 + 1 });
    }
}
