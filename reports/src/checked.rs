//! What became of a history that was held against a specification, as text and as data.

use std::fmt::Write;

use fencepost_scenarios::file::history_file::{CheckedLock, HistoryFile, Judged, StuckAt, Terms};
use fencepost_scenarios::property::Verdict;
use fencepost_scenarios::spec::{Call, Kind};
use serde_json::{Value, json};

use crate::text::visible;

/// How many operations before the one without a place are told.
const TOLD: usize = 8;

/// The judgement in words: every lock with its verdict, and where no order goes on, what came before it.
pub fn text(history: &HistoryFile, terms: Terms, judged: &Judged) -> String {
    let mut text = String::new();
    for lock in &judged.locks {
        text += &lock_text(history, terms, lock);
    }
    text
}

/// The judgement as JSON. Operations carry the numbers of their lines.
pub fn json(history: &HistoryFile, terms: Terms, judged: &Judged) -> Value {
    let locks = judged.locks.iter().map(|lock| {
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
        "spec": terms.spec.name(),
        "permits": (terms.spec == Kind::Semaphore).then_some(terms.permits),
        "budget": terms.budget,
        "verdict": judged.verdict().name(),
        "operations": history.entries.len(),
        "failed": history.failed,
        "steps": judged.steps(),
        "locks": locks.collect::<Vec<_>>(),
    })
}

fn lock_text(history: &HistoryFile, terms: Terms, lock: &CheckedLock) -> String {
    let name = if lock.lock.is_empty() { String::new() } else { format!("lock {}: ", visible(&lock.lock)) };
    let (spec, operations, steps) = (terms.spec.name(), counted(lock.operations as u64, "operation"), lock.steps);
    let verdict = match lock.verdict {
        Verdict::Holds => format!("linearizable: {operations} in an order that `{spec}` allows"),
        Verdict::Unknown => format!(
            "unknown: among {operations}, {} found neither an order that `{spec}` allows nor that there is none",
            counted(steps, "step")
        ),
        _ => format!("not linearizable: {operations} in no order that `{spec}` allows"),
    };
    let stuck = lock.stuck.as_ref().map(|stuck| stuck_text(history, stuck)).unwrap_or_default();
    format!("{name}{verdict}\n{stuck}")
}

fn stuck_text(history: &HistoryFile, stuck: &StuckAt) -> String {
    let mut text = format!("  no place for  {}\n", operation(history, stuck.entry));
    let skipped = stuck.order.len().saturating_sub(TOLD);
    if !stuck.order.is_empty() {
        let rest = if skipped > 0 { format!(", after {skipped} others") } else { String::new() };
        let _ = writeln!(text, "  the longest order up to there{rest}:");
    }
    for entry in &stuck.order[skipped..] {
        let _ = writeln!(text, "                {}", operation(history, *entry));
    }
    let _ = writeln!(text, "  then the lock is {}; what was under way could not come next:", visible(&stuck.state));
    for (entry, why) in &stuck.refused {
        let _ = writeln!(text, "                {}: {}", operation(history, *entry), visible(why));
    }
    text
}

/// `lines 3–5  client-1 acquires, token 7`.
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

fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
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

    fn terms(spec: Kind, budget: u64) -> Terms {
        Terms { spec, permits: 1, budget }
    }

    fn told(spec: Kind, budget: u64) -> (String, Value) {
        let history = read("h", HISTORY, Format::JsonLines, spec).expect("it is right");
        let judged = history.judge(terms(spec, budget));
        (text(&history, terms(spec, budget), &judged), json(&history, terms(spec, budget), &judged))
    }

    #[test]
    fn says_what_has_no_place_and_why() {
        let (text, json) = told(Kind::Fenced, 100);
        let wanted = "\
lock x: not linearizable: 3 operations in no order that `fenced` allows
  no place for  lines 4–5     b acquires, token 4
  the longest order up to there:
                lines 1–2     a acquires, token 3
  then the lock is held by a with token 3; highest token 3; what was under way could not come next:
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
    fn says_plainly_that_it_does_not_know() {
        let (text, json) = told(Kind::Owner, 1);
        let wanted = "lock x: unknown: among 3 operations, 1 step found neither an order that `owner` allows nor that \
                      there is none\n";
        assert_eq!(text, wanted);
        assert_eq!((&json["verdict"], &json["locks"][0]["stuck"]), (&json!("unknown"), &Value::Null));
    }

    #[test]
    fn says_that_it_holds() {
        let two = Terms { permits: 2, ..terms(Kind::Semaphore, 100) };
        let history = read("h", HISTORY, Format::JsonLines, Kind::Semaphore).expect("it is right");
        let judged = history.judge(two);
        let holds = "lock x: linearizable: 3 operations in an order that `semaphore` allows\n";
        assert_eq!(text(&history, two, &judged), holds);
        assert_eq!(json(&history, two, &judged)["permits"], 2);
    }
}
