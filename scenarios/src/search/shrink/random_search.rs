//! Small changes at random, up to three at once: what no single step makes smaller may get there by two.

use std::time::Duration;

use fencepost_sim::stream::{SEED_LIMIT, Stream};
use toml::{Table, Value};

use super::clients::with_clients;
use super::draft::{Draft, DraftFault, span_value};
use super::faults::client_index;
use super::shrinker::Shrinker;
use super::size::Size;
use crate::file::STEPS as CLIENT_STEPS;

/// So many changes in vain are enough, where what there is can be read.
const IN_VAIN: u32 = 80;
/// So many changes at once, at most.
const AT_ONCE: u64 = 3;
/// Other seeds that are tried.
const SEEDS: u64 = 20;

/// A change, by choices of a stream. The length is the lock's lease, or what stands for it.
type Step = fn(&mut Draft, &mut Stream, Duration);

const STEPS: [Step; 13] = [
    strike_at_a_time,
    strike_at_an_event,
    strike_at_an_event,
    strike_at_an_event,
    last,
    last,
    work,
    work,
    deal,
    deal,
    retry_later,
    reseed,
    take_out,
];

/// Walks from the smallest so far until something smaller is found. Says whether it was. A step to a case that is as
/// large is taken, too, since it may lead further; after some time the walk begins anew.
pub(crate) fn run(shrinker: &mut Shrinker<'_>, stream: &mut Stream) -> bool {
    let (mut at, mut vain) = (shrinker.best().clone(), 0);
    while !shrinker.exhausted() && (vain < IN_VAIN || !shrinker.size().readable()) {
        vain += 1;
        if vain % IN_VAIN == 0 {
            at = shrinker.best().clone();
        }
        let draft = changed(&at, shrinker, stream);
        let Some(shown) = shrinker.try_out(&draft) else { continue };
        let (burden, least) = (Size::of(&draft, shown.events).burden(), shrinker.size().burden());
        if burden < least && shrinker.take(draft.clone(), shown) {
            return true;
        }
        if burden <= least {
            at = draft;
        }
    }
    false
}

fn changed(from: &Draft, shrinker: &Shrinker<'_>, stream: &mut Stream) -> Draft {
    let lease = shrinker.lease().unwrap_or(Duration::from_secs(1));
    let mut draft = from.clone();
    if stream.chance(500_000) {
        // What takes longer now has to have the time.
        draft.run_for = shrinker.longest_run();
    }
    for _ in 0..stream.between(1, AT_ONCE) {
        one_of(stream, &STEPS)(&mut draft, stream, lease);
    }
    draft
}

fn one_of<T: Copy>(stream: &mut Stream, choices: &[T]) -> T {
    choices[stream.between(0, choices.len() as u64 - 1) as usize]
}

/// A length: some part or multiple of the lease, or a short one.
fn length(stream: &mut Stream, lease: Duration) -> Duration {
    let tenths = one_of(stream, &[0, 0, 2, 5, 8, 10, 12, 15, 20, 30, 50]);
    let short = Duration::from_millis(one_of(stream, &[0, 0, 0, 1, 2, 5, 10, 50]));
    Duration::from_millis((lease * tenths / 10).as_millis() as u64) + short
}

/// Another moment for a fault: an event of a client, its own target if it has one.
fn strike_at_an_event(draft: &mut Draft, stream: &mut Stream, lease: Duration) {
    let client = format!("client-{}", stream.between(1, draft.clients().into()));
    let event = one_of(stream, &CLIENT_STEPS);
    let nth = one_of(stream, &[1, 1, 1, 1, 2]);
    let after = if stream.chance(500_000) { Duration::ZERO } else { length(stream, lease) };
    let Some(fault) = some_fault(draft, stream) else { return };
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

/// A time for a fault, whatever the clients are at.
fn strike_at_a_time(draft: &mut Draft, stream: &mut Stream, lease: Duration) {
    let at = length(stream, lease);
    let Some(fault) = some_fault(draft, stream) else { return };
    fault.remove("on");
    fault.insert("at".into(), span_value(at));
}

fn some_fault<'d>(draft: &'d mut Draft, stream: &mut Stream) -> Option<&'d mut Table> {
    let last = draft.faults.len().checked_sub(1)?;
    Some(&mut draft.faults[stream.between(0, last as u64) as usize].keys)
}

/// Another length for a fault.
fn last(draft: &mut Draft, stream: &mut Stream, lease: Duration) {
    let length = length(stream, lease).max(Duration::from_millis(1));
    let Some(fault) = some_fault(draft, stream) else { return };
    for key in ["lasts", "restart_after"] {
        if fault.contains_key(key) {
            fault.insert(key.into(), span_value(length));
        }
    }
}

/// Other times for thinking and working. Work that outlasts the lease by itself would be another story.
fn work(draft: &mut Draft, stream: &mut Stream, lease: Duration) {
    let (key, most) =
        one_of(stream, &[("hold", lease / 2), ("hold", lease / 2), ("prepare", lease / 4), ("think", 5 * lease)]);
    draft.table("clients").insert(key.into(), span_value(length(stream, lease).min(most)));
}

/// Fewer clients or another number of orders, and perhaps more time between them: a few may do what many did.
fn deal(draft: &mut Draft, stream: &mut Stream, lease: Duration) {
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
    // A stock that so few orders can sell.
    let stock = draft.table("workload").get_mut("inventory").and_then(|keys| keys.get_mut("stock"));
    if let Some(stock) = stock
        && stream.chance(500_000)
    {
        *stock = Value::Integer(stream.between(1, orders) as i64);
    }
}

/// Longer breaks between attempts: fewer of them are in vain.
fn retry_later(draft: &mut Draft, stream: &mut Stream, lease: Duration) {
    draft.table("clients").insert("retry_delay".into(), span_value(length(stream, lease)));
}

/// Another seed: other ties, and other delays of the lock's own.
fn reseed(draft: &mut Draft, stream: &mut Stream, _: Duration) {
    draft.seed = (draft.seed + stream.between(1, SEEDS)) % SEED_LIMIT;
}

fn at_a_server(fault: &DraftFault) -> bool {
    let target = fault.keys.get("target").and_then(Value::as_str);
    target.is_some_and(|target| client_index(target).is_none() && !["store", "client:all"].contains(&target))
}

/// One fault less; the same one at all servers, where several servers have one of their own.
fn take_out(draft: &mut Draft, stream: &mut Stream, _: Duration) {
    if draft.faults.len() < 2 {
        return;
    }
    let out = draft.faults.remove(stream.between(0, draft.faults.len() as u64 - 1) as usize);
    if let Some(twin) = draft.faults.iter_mut().find(|twin| twin.kind == out.kind)
        && [&*twin, &out].into_iter().all(at_a_server)
        && stream.chance(500_000)
    {
        twin.keys.insert("target".into(), Value::String("server:all".into()));
    }
}
