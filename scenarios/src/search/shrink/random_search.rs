//! Random search: up to three random changes together, because combined changes may succeed where single passes fail.

use std::time::Duration;

use fencepost_sim::stream::{SEED_LIMIT, Stream};
use toml::{Table, Value};

use super::clients::with_clients;
use super::draft::{Draft, DraftFault, span_value};
use super::faults::client_index;
use super::shrinker::Shrinker;
use super::size::Size;
use crate::file::STEPS as CLIENT_STEPS;

/// The search ends after this many failed attempts, if the case is readable.
const FAILED_ATTEMPTS: u32 = 80;
/// The maximum number of combined changes.
const CHANGES_AT_ONCE: u64 = 3;
/// The number of other seeds to try.
const SEEDS: u64 = 20;

/// A random change. The duration is the lock's lease, or 1 s for a lock without a lease.
type Step = fn(&mut Draft, &mut Stream, Duration);

const STEPS: [Step; 13] = [
    move_to_time,
    move_to_step,
    move_to_step,
    move_to_step,
    change_duration,
    change_duration,
    change_work,
    change_work,
    change_orders,
    change_orders,
    change_retry_delay,
    change_seed,
    remove_fault,
];

/// Searches from the best draft until a smaller one is found, and returns whether one was found. The search also moves
/// to drafts of equal cost, and restarts from the best after [`FAILED_ATTEMPTS`] attempts.
pub(crate) fn run(shrinker: &mut Shrinker<'_>, stream: &mut Stream) -> bool {
    let (mut at, mut failed) = (shrinker.best().clone(), 0);
    while !shrinker.exhausted() && (failed < FAILED_ATTEMPTS || !shrinker.size().readable()) {
        failed += 1;
        if failed % FAILED_ATTEMPTS == 0 {
            at = shrinker.best().clone();
        }
        let draft = changed(&at, shrinker, stream);
        let Some(violation) = shrinker.try_out(&draft) else { continue };
        let (cost, least) = (Size::new(&draft, violation.events).cost(), shrinker.size().cost());
        if cost < least && shrinker.take(draft.clone(), violation) {
            return true;
        }
        if cost <= least {
            at = draft;
        }
    }
    false
}

fn changed(from: &Draft, shrinker: &Shrinker<'_>, stream: &mut Stream) -> Draft {
    let lease = shrinker.lease().unwrap_or(Duration::from_secs(1));
    let mut draft = from.clone();
    if stream.chance(500_000) {
        // Changes may delay the violation.
        draft.run_for = shrinker.longest_run();
    }
    for _ in 0..stream.between(1, CHANGES_AT_ONCE) {
        one_of(stream, &STEPS)(&mut draft, stream, lease);
    }
    draft
}

fn one_of<T: Copy>(stream: &mut Stream, choices: &[T]) -> T {
    choices[stream.between(0, choices.len() as u64 - 1) as usize]
}

/// Draws a duration: a fraction or multiple of the lease, plus a short duration.
fn length(stream: &mut Stream, lease: Duration) -> Duration {
    let tenths = one_of(stream, &[0, 0, 2, 5, 8, 10, 12, 15, 20, 30, 50]);
    let short = Duration::from_millis(one_of(stream, &[0, 0, 0, 1, 2, 5, 10, 50]));
    Duration::from_millis((lease * tenths / 10).as_millis() as u64) + short
}

/// Moves a fault to a step of a client. If the fault targets a client, this client becomes the target.
fn move_to_step(draft: &mut Draft, stream: &mut Stream, lease: Duration) {
    let client = format!("client-{}", stream.between(1, draft.clients().into()));
    let event = one_of(stream, &CLIENT_STEPS);
    let nth = one_of(stream, &[1, 1, 1, 1, 2]);
    let after = if stream.chance(500_000) { Duration::ZERO } else { length(stream, lease) };
    let Some(fault) = random_fault(draft, stream) else { return };
    for key in ["target", "from", "to"] {
        if fault.get(key).and_then(Value::as_str).and_then(client_index).is_some() {
            fault.insert(key.into(), Value::String(client.clone()));
        }
    }
    let mut on = Table::new();
    on.insert("client".into(), Value::String(client));
    on.insert("event".into(), Value::String(event.into()));
    on.insert("nth".into(), Value::Integer(nth));
    if !after.is_zero() {
        on.insert("after".into(), span_value(after));
    }
    fault.remove("at");
    fault.insert("on".into(), Value::Table(on));
}

/// Moves a fault to a time, independent of the clients.
fn move_to_time(draft: &mut Draft, stream: &mut Stream, lease: Duration) {
    let at = length(stream, lease);
    let Some(fault) = random_fault(draft, stream) else { return };
    fault.remove("on");
    fault.insert("at".into(), span_value(at));
}

fn random_fault<'d>(draft: &'d mut Draft, stream: &mut Stream) -> Option<&'d mut Table> {
    let last = draft.faults.len().checked_sub(1)?;
    Some(&mut draft.faults[stream.between(0, last as u64) as usize].keys)
}

/// Changes the duration of a fault.
fn change_duration(draft: &mut Draft, stream: &mut Stream, lease: Duration) {
    let length = length(stream, lease).max(Duration::from_millis(1));
    let Some(fault) = random_fault(draft, stream) else { return };
    for key in ["lasts", "restart_after"] {
        if fault.contains_key(key) {
            fault.insert(key.into(), span_value(length));
        }
    }
}

/// Changes the think or work time. Work stays shorter than the lease, because longer work fails even without a fault.
fn change_work(draft: &mut Draft, stream: &mut Stream, lease: Duration) {
    let (key, most) =
        one_of(stream, &[("hold", lease / 2), ("hold", lease / 2), ("prepare", lease / 4), ("think", 5 * lease)]);
    draft.table("clients").insert(key.into(), span_value(length(stream, lease).min(most)));
}

/// Changes the number of clients and orders, and perhaps the time between them.
fn change_orders(draft: &mut Draft, stream: &mut Stream, lease: Duration) {
    let clients = stream.between(1, 3).min(draft.clients().into()) as u16;
    while clients < draft.clients() {
        let out = stream.between(1, draft.clients().into()) as u16 - 1;
        let kept: Vec<u16> = (0..draft.clients()).filter(|client| *client != out).collect();
        *draft = with_clients(draft, &kept).swap_remove(0);
    }
    let orders = stream.between(1, 2 * u64::from(clients));
    *draft = draft.with_orders(orders as u32);
    if stream.chance(500_000) {
        draft.table("clients").insert("think".into(), span_value(length(stream, lease)));
    }
    // Choose a stock that these orders can sell.
    let stock = draft.table("workload").get_mut("inventory").and_then(|keys| keys.get_mut("stock"));
    if let Some(stock) = stock
        && stream.chance(500_000)
    {
        *stock = Value::Integer(stream.between(1, orders) as i64);
    }
}

/// Changes the delay between attempts. With a longer delay, fewer attempts fail.
fn change_retry_delay(draft: &mut Draft, stream: &mut Stream, lease: Duration) {
    draft.table("clients").insert("retry_delay".into(), span_value(length(stream, lease)));
}

/// Changes the seed, and with it the order of simultaneous events and the lock's own delays.
fn change_seed(draft: &mut Draft, stream: &mut Stream, _: Duration) {
    draft.seed = (draft.seed + stream.between(1, SEEDS)) % SEED_LIMIT;
}

fn targets_a_server(fault: &DraftFault) -> bool {
    let target = fault.keys.get("target").and_then(Value::as_str);
    target.is_some_and(|target| client_index(target).is_none() && !["store", "client:all"].contains(&target))
}

/// Removes a fault. If a fault of the same kind remains at another server, it may target all servers instead.
fn remove_fault(draft: &mut Draft, stream: &mut Stream, _: Duration) {
    if draft.faults.len() < 2 {
        return;
    }
    let out = draft.faults.remove(stream.between(0, draft.faults.len() as u64 - 1) as usize);
    if let Some(other) = draft.faults.iter_mut().find(|other| other.kind == out.kind)
        && [&*other, &out].into_iter().all(targets_a_server)
        && stream.chance(500_000)
    {
        other.keys.insert("target".into(), Value::String("server:all".into()));
    }
}
