//! Passes for simpler latencies, shorter runs and leases, and fewer attempts.

use std::time::Duration;

use fencepost_sim::SimTime;
use fencepost_sim::units::Dist;
use toml::Value;

use super::clients::rotated;
use super::draft::{Draft, span_value};
use super::fields::shorter_work;
use super::round_values::{first_of, lengths_below, lower};
use super::shrinker::Shrinker;

/// Ends the run soon after the violation.
pub(crate) fn shorter_run(shrinker: &mut Shrinker<'_>) {
    let seen_by = shrinker.violation().at.since(SimTime(0));
    let set = |draft: &Draft, run_for: Duration| ends_by(draft, run_for);
    let just_after = Duration::from_secs(seen_by.as_secs() + 1);
    if just_after < shrinker.best().run_for {
        shrinker.offer(set(shrinker.best(), just_after));
    }
    let lengths = lengths_below(shrinker.best().run_for);
    // A run that ends before the violation rarely reproduces it, unless the violation follows the run phase anyway.
    let after_run = seen_by >= shrinker.best().run_for;
    let late: Vec<Duration> = lengths.into_iter().filter(|length| after_run || *length > seen_by).collect();
    lower(shrinker, &late, set);
}

/// Returns the draft with a shorter run, without the faults that begin after its end.
fn ends_by(draft: &Draft, run_for: Duration) -> Draft {
    let mut draft = draft.clone();
    draft.run_for = run_for;
    draft.faults.retain(|fault| fault.span("at").is_none_or(|at| at < run_for));
    draft
}

/// The shortest lease to try, which is still much longer than message latencies.
const SHORTEST_LEASE: Duration = Duration::from_millis(500);

/// The durations of a client's work under the lock.
const WORK: [&str; 2] = ["hold", "prepare"];

/// Shortens the lease, and work and faults in proportion. Waiting clients then retry less often.
pub(crate) fn shorter_lease(shrinker: &mut Shrinker<'_>) {
    let Some(lease) = shrinker.lease() else { return };
    // A lease that is shorter than the work fails even without a fault.
    let constant = |key| matches!(dist(shrinker.best(), "clients", key), Some(Dist::Constant(_)));
    if !WORK.into_iter().all(constant) {
        return;
    }
    let key = if lock_key(shrinker.best(), "ttl").is_some() { "ttl" } else { "effective" };
    let lengths: Vec<Duration> = lengths_below(lease).into_iter().filter(|length| *length >= SHORTEST_LEASE).collect();
    lower(shrinker, &lengths, |draft, length| {
        let mut draft = draft.clone();
        draft.table("lock").insert(key.into(), span_value(length));
        for work in WORK {
            if let Some(Dist::Constant(lasts)) = dist(&draft, "clients", work).filter(|lasts| !lasts.is_zero()) {
                draft.table("clients").insert(work.into(), span_value(scaled(lasts, length, lease)));
            }
        }
        for fault in &mut draft.faults {
            for key in ["lasts", "restart_after"] {
                if let Some(lasts) = fault.span(key) {
                    fault.set_span(key, scaled(lasts, length, lease));
                }
            }
        }
        draft
    });
}

/// Delays between attempts to try, in seconds.
const RETRY_DELAYS: [u64; 7] = [1, 5, 20, 60, 300, 1_200, 3_600];

/// Lengthens the delay between attempts if the history gets shorter.
pub(crate) fn fewer_attempts(shrinker: &mut Shrinker<'_>) {
    for seconds in RETRY_DELAYS {
        let mut draft = shrinker.best().clone();
        draft.table("clients").insert("retry_delay".into(), span_value(Duration::from_secs(seconds)));
        shrinker.offer_smaller(draft);
    }
    let mut without = shrinker.best().clone();
    if without.table("clients").remove("retry_delay").is_some() {
        shrinker.offer(without);
    }
}

/// Returns the duration times `to` / `from`, in whole milliseconds.
fn scaled(length: Duration, to: Duration, from: Duration) -> Duration {
    let ms = length.as_millis() * to.as_millis() / from.as_millis().max(1);
    Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX).max(1))
}

/// Returns a timing of all locks, if the scenario sets it.
fn lock_key<'d>(draft: &'d Draft, key: &str) -> Option<&'d str> {
    draft.tables.get("lock")?.get(key)?.as_str().filter(|length| *length != "default")
}

/// Replaces distributions by constants: all at once, or otherwise one by one.
pub(crate) fn simpler_times(shrinker: &mut Shrinker<'_>) {
    let keys = [("network", "latency"), ("clients", "think"), ("clients", "hold"), ("clients", "prepare")];
    let mut all = shrinker.best().clone();
    for (table, key) in keys {
        all = typical(&all, table, key).unwrap_or(all);
    }
    let mut none = all.clone();
    for (table, key) in keys {
        none.table(table).remove(key);
    }
    none.table("network").insert("latency".into(), span_value(Duration::from_millis(1)));
    none.table("network").remove("loss");
    let rotations = |draft: Draft| std::iter::once(draft.clone()).chain(rotated(&draft)).collect::<Vec<_>>();
    first_of(shrinker, [rotations(none), rotations(all)].concat());
    for (table, key) in keys {
        let least = if key == "latency" { Duration::from_millis(1) } else { Duration::ZERO };
        let mut shortest = shrinker.best().clone();
        shortest.table(table).insert(key.into(), span_value(least));
        let candidates: Vec<Draft> = [shortest].into_iter().chain(typical(shrinker.best(), table, key)).collect();
        first_of(shrinker, candidates);
        if table == "clients" {
            shorter_work(shrinker, key);
        }
    }
    let mut lossless = shrinker.best().clone();
    if lossless.table("network").remove("loss").is_some() {
        shrinker.offer(lossless);
    }
}

/// Returns the draft with a typical value in place of a distribution.
fn typical(draft: &Draft, table: &str, key: &str) -> Option<Draft> {
    let typical = match dist(draft, table, key)? {
        Dist::Constant(_) => return None,
        Dist::Uniform(low, high) => (low + high) / 2,
        Dist::Exponential(mean) => mean,
        Dist::LogNormal(median, _) => median,
    };
    let mut draft = draft.clone();
    draft.table(table).insert(key.into(), span_value(typical));
    Some(draft)
}

fn dist(draft: &Draft, table: &str, key: &str) -> Option<Dist> {
    let default = if key == "latency" { "1ms..5ms" } else { "0s" };
    let written = draft.tables.get(table).and_then(|table| table.get(key)).map_or(Some(default), Value::as_str);
    written.and_then(|text| text.parse().ok())
}
