//! Aimed cases: a few faults of the scenario's kinds, each at a step of a client, and about as long as a lease.

use std::time::Duration;

use fencepost_sim::stream::{Stream, Streams};
use fencepost_sim::units::Span;
use toml::{Table, Value};

use super::Hunt;
use crate::file::STEPS;
use crate::search::shrink::{Draft, DraftFault, base, written_faults};

/// The maximum number of faults.
const MOST_FAULTS: u64 = 3;
/// A fault begins when its client reaches the step for the nth time, with n up to this.
const MOST_TIMES: u64 = 4;
/// Durations of a fault, in tenths of the lock's expiry.
const TENTHS: [u64; 7] = [2, 5, 9, 11, 15, 20, 30];
/// The expiry assumed for a lock without expiry.
const NO_EXPIRY: Duration = Duration::from_secs(3);

/// Returns the case of this seed, and its faults as text.
pub(super) fn draft(hunt: &Hunt<'_>, seed: u64) -> (Draft, String) {
    let mut stream = Streams::new(seed).stream("hunt aimed");
    let mut draft = base(hunt.cell, seed, hunt.bugs, hunt.wanted[0]);
    let kinds: Vec<(String, Table)> = written_faults(hunt.cell);
    if kinds.is_empty() {
        return (draft, String::new());
    }
    let mut choice = Vec::new();
    for number in 1..=stream.between(1, MOST_FAULTS) {
        let (kind, keys) = &kinds[stream.between(0, kinds.len() as u64 - 1) as usize];
        let fault = aimed(hunt, &mut stream, kind, keys, number);
        choice.push(fault.keys.iter().filter(|(key, _)| *key != "name").fold(kind.clone(), append_key));
        draft.faults.push(fault);
    }
    (draft, choice.join("; "))
}

fn append_key(text: String, (key, value): (&String, &Value)) -> String {
    format!("{text} {key} = {value}")
}

fn aimed(hunt: &Hunt<'_>, stream: &mut Stream, kind: &str, keys: &Table, number: u64) -> DraftFault {
    let clients = hunt.cell.scenario.clients.count;
    let client = format!("client-{}", stream.between(1, clients.into()));
    let step = STEPS[stream.between(0, STEPS.len() as u64 - 1) as usize];
    let expiry = hunt.cell.header.effective_expiry.unwrap_or(NO_EXPIRY);
    let length = expiry * TENTHS[stream.between(0, TENTHS.len() as u64 - 1) as usize] as u32 / 10;
    let mut on = Table::new();
    on.insert("client".into(), Value::String(client.clone()));
    on.insert("event".into(), Value::String(step.into()));
    on.insert("nth".into(), Value::Integer(nth(hunt, stream)));
    // Immediately, while a message is in flight, or within a lease.
    let latest = [Duration::ZERO, Duration::from_millis(10), expiry][stream.between(0, 2) as usize];
    on.insert("after".into(), span(Duration::from_millis(stream.between(0, latest.as_millis() as u64))));
    let mut keys = keys.clone();
    ["every", "at"].iter().for_each(|key| drop(keys.remove(*key)));
    keys.insert("name".into(), Value::String(format!("{kind}-{number}")));
    keys.insert("on".into(), Value::Table(on));
    // Half of the faults keep the scenario's duration.
    if keys.contains_key("lasts") && stream.chance(500_000) {
        keys.insert("lasts".into(), span(length));
    }
    for key in ["target", "from", "to"] {
        let names_client = keys.get(key).and_then(Value::as_str).is_some_and(|target| target.starts_with("client"));
        if names_client {
            keys.insert(key.into(), Value::String(client.clone()));
        }
    }
    DraftFault { kind: kind.into(), keys }
}

/// Draws `nth`: low numbers more often than high ones, and at most a client's share of the orders.
fn nth(hunt: &Hunt<'_>, stream: &mut Stream) -> i64 {
    let clients = hunt.cell.scenario.clients.count;
    let share = hunt.cell.scenario.clients.orders.map_or(MOST_TIMES, |n| u64::from(n).div_ceil(clients.into()));
    let most = share.clamp(1, MOST_TIMES);
    stream.between(1, most).min(stream.between(1, most)) as i64
}

fn span(length: Duration) -> Value {
    Value::String(Span(length).to_string())
}
