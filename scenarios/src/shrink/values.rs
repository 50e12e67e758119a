//! Simpler latencies, shorter waits, rounder numbers.

use std::time::Duration;

use fencepost_sim::SimTime;
use fencepost_sim::units::Dist;
use toml::{Table, Value};

use super::draft::{Draft, span_value};
use super::ladder::{counts_below, first_of, lengths_below, lower};
use super::trial::Lab;

/// A run that ends soon after the violation.
pub(crate) fn shorter_run(lab: &mut Lab<'_>) {
    let seen_by = lab.shown().at.since(SimTime(0));
    let set = |draft: &Draft, run_for: Duration| ends_by(draft, run_for);
    let just_after = Duration::from_secs(seen_by.as_secs() + 1);
    if just_after < lab.best().run_for {
        lab.offer(set(lab.best(), just_after));
    }
    let lengths = lengths_below(lab.best().run_for);
    // Bisecting from the violation on: what ends before it rarely shows it.
    let late: Vec<Duration> = lengths.into_iter().filter(|length| *length > seen_by).collect();
    lower(lab, &late, set);
}

/// The draft with a shorter run; what would begin after its end is taken out.
fn ends_by(draft: &Draft, run_for: Duration) -> Draft {
    let mut draft = draft.clone();
    draft.run_for = run_for;
    draft.faults.retain(|fault| fault.span("at").is_none_or(|at| at < run_for));
    draft
}

/// Constants where something was drawn: all at once, else one by one.
pub(crate) fn simpler_times(lab: &mut Lab<'_>) {
    let keys = [("network", "latency"), ("clients", "think"), ("clients", "hold"), ("clients", "prepare")];
    let mut all = lab.best().clone();
    for (table, key) in keys {
        all = typical(&all, table, key).unwrap_or(all);
    }
    let mut none = all.clone();
    for (table, key) in keys {
        none.table(table).remove(key);
    }
    none.table("network").insert("latency".into(), span_value(Duration::from_millis(1)));
    none.table("network").remove("loss");
    first_of(lab, [none, all]);
    for (table, key) in keys {
        let least = if key == "latency" { Duration::from_millis(1) } else { Duration::ZERO };
        let set = |draft: &Draft, length: Duration| {
            let mut draft = draft.clone();
            draft.table(table).insert(key.into(), span_value(length));
            draft
        };
        let candidates = [set(lab.best(), least)].into_iter().chain(typical(lab.best(), table, key));
        let candidates: Vec<Draft> = candidates.collect();
        first_of(lab, candidates);
        if key != "latency"
            && let Some(Dist::Constant(length)) = dist(lab.best(), table, key)
        {
            lower(lab, &lengths_below(length), set);
        }
    }
    let mut lossless = lab.best().clone();
    if lossless.table("network").remove("loss").is_some() {
        lab.offer(lossless);
    }
}

/// The draft with a typical value in place of what is drawn there.
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

/// Smaller numbers in the workload's own table: one unit where an order wanted several, a smaller stock.
pub(crate) fn smaller_workload(lab: &mut Lab<'_>) {
    let Some(Value::Table(workloads)) = lab.best().tables.get("workload").cloned() else { return };
    for (kind, keys) in &workloads {
        for (key, value) in keys.as_table().into_iter().flatten() {
            let set = |draft: &Draft, value: Value| with_workload_key(draft, kind, key, value);
            match value {
                Value::String(text) if text.contains("..=") => {
                    lab.offer(set(lab.best(), Value::Integer(1)));
                }
                Value::Integer(count) => {
                    let counts = counts_below(u32::try_from(*count).unwrap_or_default());
                    lower(lab, &counts, |draft, count| set(draft, Value::Integer(count.into())));
                }
                _ => {}
            }
        }
    }
}

fn with_workload_key(draft: &Draft, kind: &str, key: &str, value: Value) -> Draft {
    let mut draft = draft.clone();
    let own = draft.table("workload").entry(kind).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(own) = own {
        own.insert(key.into(), value);
    }
    draft
}
