//! Swarm cases: each draws which of the scenario's faults it has, and some of its settings. What every case has hides
//! what only shows without it.
//!
//! After Groce and others, Swarm testing (ISSTA 2012).

use fencepost_sim::stream::Streams;
use toml::{Table, Value};

use super::Hunt;
use crate::shrink::{Draft, DraftFault, base, written_faults};

/// The case of this seed, and what was chosen for it.
pub(super) fn draft(hunt: &Hunt<'_>, seed: u64) -> (Draft, String) {
    let mut stream = Streams::new(seed).stream("hunt swarm");
    let mut draft = base(hunt.cell, seed, hunt.bugs, hunt.wanted[0]);
    let all: Vec<(String, Table)> = written_faults(hunt.cell);
    let mut chosen: Vec<&(String, Table)> = all.iter().filter(|_| stream.chance(500_000)).collect();
    if let (true, Some(last)) = (chosen.is_empty(), all.len().checked_sub(1)) {
        chosen.push(&all[stream.between(0, last as u64) as usize]);
    }
    draft.faults =
        chosen.into_iter().map(|(kind, keys)| DraftFault { kind: kind.clone(), keys: keys.clone() }).collect();
    let clients = stream.between(2, u64::from(draft.clients()).max(2)) as u16;
    let named = draft.faults.iter().any(|fault| fault.keys.to_string().contains("client-"));
    if !named {
        draft.table("clients").insert("count".into(), Value::Integer(clients.into()));
    }
    let mut settings = vec![format!("{} clients", draft.clients())];
    for key in ["think", "hold"] {
        if draft.client_key(key).is_some() && stream.chance(300_000) {
            draft.table("clients").remove(key);
            settings.push(format!("no {key}"));
        }
    }
    let names = draft.faults.iter().filter_map(|fault| fault.keys.get("name").and_then(Value::as_str));
    settings.extend(names.map(String::from));
    let choice = settings.join(", ");
    (draft, choice)
}
