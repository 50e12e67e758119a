//! Renders the result of `check` as text and JSON.

use std::fmt::Write;

use fencepost_scenarios::file::history_file::{CheckOptions, CheckedHistory, CheckedLock, HistoryFile, StuckAt};
use fencepost_scenarios::property::Verdict;
use fencepost_scenarios::spec::{Call, Kind};
use serde_json::{Value, json};

use crate::text::{counted, visible};

/// The maximum number of operations listed before the stuck one.
const MOST_LISTED: usize = 8;

/// Renders the result as text: each lock with its verdict, and the operations before the stuck one.
pub fn text(history: &HistoryFile, options: CheckOptions, checked: &CheckedHistory) -> String {
    let mut text = String::new();
    for lock in &checked.locks {
        text += &lock_text(history, options, lock);
    }
    text
}

/// Renders the result as JSON. Operations have their line numbers.
pub fn json(history: &HistoryFile, options: CheckOptions, checked: &CheckedHistory) -> Value {
    let locks = checked.locks.iter().map(|lock| {
        json!({
            "lock": lock.lock,
            "verdict": lock.verdict.name(),
            "operations": lock.operations,
            "steps": lock.steps,
            "stuck": lock.stuck.as_ref().map(|stuck| stuck_json(history, stuck)),
        })
    });
    json!({
        "schema_version": 1,
        "spec": options.spec.name(),
        "permits": (options.spec == Kind::Semaphore).then_some(options.permits),
        "budget": options.budget,
        "verdict": checked.verdict().name(),
        "operations": history.entries.len(),
        "failed": history.failed,
        "steps": checked.steps(),
        "locks": locks.collect::<Vec<_>>(),
    })
}

fn lock_text(history: &HistoryFile, options: CheckOptions, lock: &CheckedLock) -> String {
    let name = if lock.lock.is_empty() { String::new() } else { format!("lock {}: ", visible(&lock.lock)) };
    let (spec, operations, steps) = (options.spec.name(), counted(lock.operations, "operation"), lock.steps);
    let verdict = match lock.verdict {
        Verdict::Holds => format!("linearizable: `{spec}` allows an order of {operations}"),
        Verdict::Unknown => format!(
            "unknown: {} did not decide whether `{spec}` allows an order of {operations}",
            counted(steps, "step")
        ),
        _ => format!("not linearizable: `{spec}` allows no order of {operations}"),
    };
    let stuck = lock.stuck.as_ref().map(|stuck| stuck_text(history, stuck)).unwrap_or_default();
    format!("{name}{verdict}\n{stuck}")
}

fn stuck_text(history: &HistoryFile, stuck: &StuckAt) -> String {
    let mut text = format!("  stuck at      {}\n", operation(history, stuck.entry));
    let skipped = stuck.order.len().saturating_sub(MOST_LISTED);
    if !stuck.order.is_empty() {
        let rest = if skipped > 0 { format!(", after {skipped} others") } else { String::new() };
        let _ = writeln!(text, "  the longest legal order before it{rest}:");
    }
    for entry in &stuck.order[skipped..] {
        let _ = writeln!(text, "                {}", operation(history, *entry));
    }
    let _ = writeln!(text, "  then the lock is {}; no pending operation can come next:", visible(&stuck.state));
    for (entry, why) in &stuck.refused {
        let _ = writeln!(text, "                {}: {}", operation(history, *entry), visible(why));
    }
    text
}

/// Formats an operation: `lines 3–5  client-1 acquires, token 7`.
fn operation(history: &HistoryFile, entry: usize) -> String {
    let (_, operation) = history.entries[entry];
    let owner = visible(&history.owners[operation.operation.owner.0 as usize]);
    let process = visible(&history.processes[entry]);
    let lines = match operation.returned {
        Some(returned) => format!("lines {}–{returned}", operation.invoked),
        None => format!("lines {}–?", operation.invoked),
    };
    let who = if process == owner { owner.clone() } else { format!("{owner} (by {process})") };
    let token = |token: Option<u64>| token.map(|token| format!(", token {token}")).unwrap_or_default();
    let permits = |permits: u32| if permits == 1 { String::new() } else { format!(", {permits} permits") };
    let what = match operation.operation.call {
        Call::Acquire { token: t, permits: p } => format!("{who} acquires{}{}", permits(p), token(t)),
        Call::Release { token: t, permits: p } => format!("{who} releases{}{}", permits(p), token(t)),
        Call::Expire => format!("the grant of {who} ends"),
    };
    format!("{lines:<14}{what}")
}

fn stuck_json(history: &HistoryFile, stuck: &StuckAt) -> Value {
    let refused = stuck.refused.iter().map(|(entry, why)| {
        let mut operation = operation_json(history, *entry);
        operation["because"] = json!(why);
        operation
    });
    json!({
        "operation": operation_json(history, stuck.entry),
        "order": stuck.order.iter().map(|entry| operation_json(history, *entry)).collect::<Vec<_>>(),
        "state": stuck.state,
        "refused": refused.collect::<Vec<_>>(),
    })
}

fn operation_json(history: &HistoryFile, entry: usize) -> Value {
    let (_, operation) = history.entries[entry];
    let (f, token) = match operation.operation.call {
        Call::Acquire { token, .. } => ("acquire", token),
        Call::Release { token, .. } => ("release", token),
        Call::Expire => ("expire", None),
    };
    json!({
        "process": history.processes[entry],
        "owner": history.owners[operation.operation.owner.0 as usize],
        "f": f,
        "token": token,
        "invoked": operation.invoked,
        "returned": operation.returned,
    })
}

#[cfg(test)]
mod tests {
    use fencepost_scenarios::file::history_file::{Format, read};

    use super::*;

    const HISTORY: &str = r#"{"process":"a","type":"invoke","f":"acquire","lock":"x"}
{"process":"a","type":"ok","f":"acquire","token":3,"lock":"x"}
{"process":1,"type":"invoke","f":"expire","owner":"c","lock":"x"}
{"process":"b","type":"invoke","f":"acquire","lock":"x"}
{"process":"b","type":"ok","f":"acquire","token":4,"lock":"x"}
"#;

    fn options(spec: Kind, budget: u64) -> CheckOptions {
        CheckOptions { spec, permits: 1, budget }
    }

    fn results(spec: Kind, budget: u64) -> (String, Value) {
        let history = read("h", HISTORY, Format::JsonLines, spec).expect("the history is valid");
        let checked = history.check(options(spec, budget));
        (text(&history, options(spec, budget), &checked), json(&history, options(spec, budget), &checked))
    }

    #[test]
    fn the_stuck_operation_is_shown_with_reasons() {
        let (text, json) = results(Kind::Fenced, 100);
        let wanted = "\
lock x: not linearizable: `fenced` allows no order of 3 operations
  stuck at      lines 4–5     b acquires, token 4
  the longest legal order before it:
                lines 1–2     a acquires, token 3
  then the lock is held by a with token 3; highest token 3; no pending operation can come next:
                lines 4–5     b acquires, token 4: a holds the lock
";
        assert_eq!(text, wanted);
        assert_eq!((&json["verdict"], &json["permits"]), (&json!("violated"), &Value::Null));
        let stuck = &json["locks"][0]["stuck"];
        assert_eq!(
            stuck["operation"],
            json!({"process": "b", "owner": "b", "f": "acquire", "token": 4, "invoked": 4, "returned": 5})
        );
        assert_eq!(stuck["refused"][0]["because"], "a holds the lock");
        assert_eq!(stuck["order"][0]["invoked"], 1);
    }

    #[test]
    fn a_spent_budget_is_shown() {
        let (text, json) = results(Kind::Owner, 1);
        let wanted = "lock x: unknown: 1 step did not decide whether `owner` allows an order of 3 operations\n";
        assert_eq!(text, wanted);
        assert_eq!((&json["verdict"], &json["locks"][0]["stuck"]), (&json!("unknown"), &Value::Null));
    }

    #[test]
    fn a_legal_order_is_shown() {
        let two = CheckOptions { permits: 2, ..options(Kind::Semaphore, 100) };
        let history = read("h", HISTORY, Format::JsonLines, Kind::Semaphore).expect("the history is valid");
        let checked = history.check(two);
        let holds = "lock x: linearizable: `semaphore` allows an order of 3 operations\n";
        assert_eq!(text(&history, two, &checked), holds);
        assert_eq!(json(&history, two, &checked)["permits"], 2);
    }
}
