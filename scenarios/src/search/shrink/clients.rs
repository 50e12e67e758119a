//! Passes for fewer clients and orders.

use toml::Value;

use super::draft::{Draft, DraftFault, ENDLESS};
use super::faults::client_index;
use super::round_values::first_of;
use super::shrinker::Shrinker;

/// Keeps only the clients that the violation or a fault names, then removes clients one by one.
pub(crate) fn fewer(shrinker: &mut Shrinker<'_>) {
    let count = shrinker.best().clients();
    let mut parties = shrinker.violation().clients.clone();
    parties.extend(shrinker.best().faults.iter().flat_map(named_clients));
    parties.sort_unstable();
    parties.dedup();
    parties.retain(|client| *client < count);
    let mut candidates = Vec::new();
    for more in 0..2 {
        // A second client must contend for the lock.
        let mut kept = parties.clone();
        let others = (0..count).filter(|client| !parties.contains(client));
        kept.extend(others.take(more + usize::from(parties.len() < 2)));
        kept.sort_unstable();
        if kept.len() < count.into() {
            candidates.extend(with_clients(shrinker.best(), &kept));
        }
    }
    first_of(shrinker, candidates);
    let mut out = shrinker.best().clients();
    while out > 0 && shrinker.best().clients() > 1 {
        out -= 1;
        let kept: Vec<u16> = (0..shrinker.best().clients()).filter(|client| *client != out).collect();
        let candidates = with_clients(shrinker.best(), &kept);
        first_of(shrinker, candidates);
    }
}

/// Returns drafts with only these clients, renumbered: one with their share of the orders, and one with all orders.
pub(crate) fn with_clients(draft: &Draft, kept: &[u16]) -> Vec<Draft> {
    let mut fewer = draft.clone();
    let new_name = |name: &str| -> Option<Option<String>> {
        let index = client_index(name)?;
        Some(kept.iter().position(|client| *client == index).map(|index| format!("client-{}", index + 1)))
    };
    fewer.faults.retain_mut(|fault| values_with_clients(fault).all(|value| rename(value, &new_name)));
    fewer.table("clients").insert("count".into(), Value::Integer(kept.len() as i64));
    let share = (u64::from(draft.orders()) * kept.len() as u64).div_ceil(u64::from(draft.clients().max(1)));
    let share = if draft.orders() == ENDLESS { ENDLESS } else { share as u32 };
    vec![fewer.with_orders(share), fewer]
}

/// Returns the drafts with rotated client numbers, because the order of clients may matter.
pub(crate) fn rotated(draft: &Draft) -> Vec<Draft> {
    let count = draft.clients();
    let by = |shift: u16| {
        let mut rotated = draft.clone();
        let new_name = |name: &str| -> Option<Option<String>> {
            client_index(name).map(|index| Some(format!("client-{}", (index + shift) % count + 1)))
        };
        for fault in &mut rotated.faults {
            for value in values_with_clients(fault) {
                rename(value, &new_name);
            }
        }
        rotated
    };
    // With more clients, the runs cost more than they save.
    if count > 3 { Vec::new() } else { (1..count).map(by).collect() }
}

/// Adds orders if more scheduling seeds then reproduce the violation. The order of clients then matters less.
pub(crate) fn more_orders(shrinker: &mut Shrinker<'_>) {
    let more = shrinker.best().orders().saturating_add(shrinker.best().clients().into());
    shrinker.offer_more_reproducing(shrinker.best().with_orders(more));
}

/// Returns the values of a fault that may name clients: all except its own name.
fn values_with_clients(fault: &mut DraftFault) -> impl Iterator<Item = &mut Value> {
    fault.keys.iter_mut().filter(|(key, _)| *key != "name").map(|(_, value)| value)
}

/// Renames clients. Returns false if the value names only removed clients; the fault must then be removed.
fn rename(value: &mut Value, new_name: &impl Fn(&str) -> Option<Option<String>>) -> bool {
    match value {
        Value::String(text) => match new_name(text) {
            Some(Some(new)) => {
                *text = new;
                true
            }
            Some(None) => false,
            None => true,
        },
        Value::Array(items) => {
            items.retain_mut(|item| rename(item, new_name));
            !items.is_empty()
        }
        Value::Table(table) => table.iter_mut().all(|(_, value)| rename(value, new_name)),
        _ => true,
    }
}

/// Returns the clients that a fault names.
fn named_clients(fault: &DraftFault) -> Vec<u16> {
    fn collect(value: &Value, found: &mut Vec<u16>) {
        match value {
            Value::String(text) => found.extend(client_index(text)),
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            Value::Table(table) => table.iter().for_each(|(_, value)| collect(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    fault.keys.iter().filter(|(key, _)| *key != "name").for_each(|(_, value)| collect(value, &mut found));
    found
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use toml::Table;

    use super::*;
    use crate::property::Property;

    fn draft_with(keys: &str) -> Draft {
        let keys: Table = toml::from_str(keys).expect("the text is valid TOML");
        Draft {
            name: "test".into(),
            about: String::new(),
            run_for: Duration::from_secs(1),
            lock: "none".into(),
            seed: 0,
            bugs: vec![],
            property: Property::NoLostUpdate,
            tables: toml::from_str("[clients]\ncount = 3\norders = 3").expect("the text is valid TOML"),
            faults: vec![DraftFault { kind: "pause".into(), keys }],
        }
    }

    #[test]
    fn only_the_target_of_a_fault_names_a_client() {
        let draft = draft_with("name = 'client-2'\ntarget = 'client-3'");
        let fewer = &with_clients(&draft, &[0, 2])[0];
        assert_eq!(fewer.faults, draft_with("name = 'client-2'\ntarget = 'client-2'").faults);
        let rotated_draft = &rotated(&draft)[0];
        assert_eq!(rotated_draft.faults, draft_with("name = 'client-2'\ntarget = 'client-1'").faults);
        assert!(with_clients(&draft, &[0, 1])[0].faults.is_empty());
    }
}
