//! Turns a case into a draft: each injection that began becomes a separate fault, with its time and target.

use std::collections::{BTreeMap, BTreeSet};

use fencepost_sim::NodeId;
use fencepost_sim::schedule::{Aim, FaultPlan, Placement, Trigger};
use toml::{Table, Value};

use super::draft::{Draft, DraftFault, span_value};
use crate::file::total_units;
use crate::property::Property;
use crate::run::case::{CaseReport, Injected};
use crate::run::cell::Cell;

/// Returns the draft of the case of this report.
pub(crate) fn resolve(cell: &Cell, seed: u64, bugs: &[String], property: Property, report: &CaseReport) -> Draft {
    let mut draft = base(cell, seed, bugs, property);
    draft.faults = faults(cell, report);
    draft
}

/// Returns the draft of a case without its faults.
pub(crate) fn base(cell: &Cell, seed: u64, bugs: &[String], property: Property) -> Draft {
    let scenario = &cell.scenario;
    let source = source(cell);
    let mut draft = Draft {
        name: scenario.name.clone(),
        about: scenario.about.clone(),
        run_for: scenario.run_for,
        lock: cell.lock.name().into(),
        seed,
        bugs: bugs.to_vec(),
        property,
        tables: Table::new(),
        faults: Vec::new(),
    };
    for name in ["clients", "lock", "workload", "network"] {
        if let Some(table) = source.get(name) {
            draft.tables.insert(name.into(), table.clone());
        }
    }
    drop_other_locks(&mut draft, cell.lock.name());
    draft.table("clients").insert("count".into(), Value::Integer(scenario.clients.count.into()));
    draft.with_orders(total_units(&scenario.clients, cell.workload().work.pace, scenario.run_for))
}

fn source(cell: &Cell) -> Table {
    toml::from_str(&cell.scenario.source).expect("the scenario was read from this text")
}

/// Removes the parameters of other locks.
fn drop_other_locks(draft: &mut Draft, lock: &str) {
    if let Some(Value::Table(locks)) = draft.tables.get_mut("lock") {
        locks.retain(|key, value| key == lock || !value.is_table());
    }
}

fn faults(cell: &Cell, report: &CaseReport) -> Vec<DraftFault> {
    let written: BTreeMap<String, Table> = by_name(&source(cell));
    let mut names = Names::new(cell.scenario.faults.iter().map(|plan| plan.name.clone()));
    let mut faults = Vec::new();
    for injected in &report.injections {
        let plan = &cell.scenario.faults[injected.fault];
        let own = written.get(&plan.name).cloned().unwrap_or_default();
        for target in target_keys(plan, &own, &report.nodes, &injected.placement) {
            let mut keys = own.clone();
            ["name", "target", "from", "to", "both_ways", "shape", "every", "at"].iter().for_each(|key| {
                keys.remove(*key);
            });
            keys.extend(target);
            fix(plan, injected, &mut keys);
            keys.insert("name".into(), Value::String(names.next(&plan.name)));
            faults.push(DraftFault { kind: plan.kind.name.into(), keys });
        }
    }
    faults
}

/// Returns the kind and keys of each fault in the scenario file, in file order. The keys include the name.
pub(crate) fn written_faults(cell: &Cell) -> Vec<(String, Table)> {
    let mut written = by_name(&source(cell));
    let plans = cell.scenario.faults.iter();
    plans.filter_map(|plan| Some((plan.kind.name.to_owned(), written.remove(&plan.name)?))).collect()
}

fn by_name(source: &Table) -> BTreeMap<String, Table> {
    let mut written = BTreeMap::new();
    for (kind, list) in source.get("fault").and_then(Value::as_table).into_iter().flatten() {
        for (index, keys) in list.as_array().into_iter().flatten().filter_map(Value::as_table).enumerate() {
            let given = keys.get("name").and_then(Value::as_str).map(String::from);
            let name = given.unwrap_or_else(|| format!("{kind}-{}", index + 1));
            let mut keys = keys.clone();
            keys.insert("name".into(), Value::String(name.clone()));
            written.insert(name, keys);
        }
    }
    written
}

/// Replaces distributions by the drawn values.
fn fix(plan: &FaultPlan, injected: &Injected, keys: &mut Table) {
    if !matches!(plan.trigger, Trigger::On(_)) {
        keys.insert("at".into(), span_value(injected.at.since(fencepost_sim::SimTime(0))));
    }
    if let Some(lasts) = injected.lasts {
        keys.insert("lasts".into(), span_value(lasts));
    }
    if let Some((key, value)) = plan.fault.fixed_key(injected.drawn) {
        keys.insert(key.into(), Value::String(value));
    }
}

/// Returns the target keys, one set for each fault that this injection becomes.
fn target_keys(plan: &FaultPlan, own: &Table, nodes: &[String], placement: &Placement) -> Vec<Table> {
    let name = |node: &NodeId| Value::String(nodes[node.index()].clone());
    let table = |keys: Vec<(&str, Value)>| keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    match &plan.aim {
        // A group of all nodes makes no random choice.
        Aim::Nodes(_) if group_of_all(own) => vec![Table::from_iter([("target".to_owned(), own["target"].clone())])],
        Aim::Nodes(_) => placement.nodes.iter().map(|node| table(vec![("target", name(node))])).collect(),
        Aim::LinksOf(_) => {
            let all =
                |node: &NodeId| placement.links.iter().filter(|(from, _)| from == node).count() + 1 == nodes.len();
            let mut whole: Vec<NodeId> = placement.links.iter().map(|(from, _)| *from).filter(all).collect();
            whole.dedup();
            // With two nodes, both have the same links.
            whole.truncate(if nodes.len() == 2 { 1 } else { nodes.len() });
            whole.iter().map(|node| table(vec![("target", name(node))])).collect()
        }
        Aim::Between { .. } => {
            let (both, single) = pairs(&placement.links);
            let both = both.iter().map(|(a, b)| table(vec![("from", name(a)), ("to", name(b))]));
            let one_way = |(a, b): &(NodeId, NodeId)| {
                table(vec![("from", name(a)), ("to", name(b)), ("both_ways", Value::Boolean(false))])
            };
            both.chain(single.iter().map(one_way)).collect()
        }
        Aim::Own if own.contains_key("shape") => cuts(nodes, &placement.links, own),
        Aim::Own | Aim::Leader => vec![Table::new()],
    }
}

fn group_of_all(keys: &Table) -> bool {
    keys.get("target").and_then(Value::as_str).is_some_and(|target| ALL.contains(&target))
}

/// The groups that make no random choice.
pub(super) const ALL: [&str; 2] = ["client:all", "server:all"];

type Links = Vec<(NodeId, NodeId)>;

/// Returns the links in both directions, once each, and the one-way links.
fn pairs(links: &[(NodeId, NodeId)]) -> (Links, Links) {
    let there: BTreeSet<(NodeId, NodeId)> = links.iter().copied().collect();
    let (both, single): (Vec<_>, Vec<_>) = there.iter().partition(|(a, b)| there.contains(&(*b, *a)));
    (both.into_iter().filter(|(a, b)| a < b).collect(), single)
}

/// Returns the splits that cut these links: one if they separate two groups, otherwise one for each pair.
fn cuts(nodes: &[String], links: &[(NodeId, NodeId)], own: &Table) -> Vec<Table> {
    let (both, single) = pairs(links);
    if !single.is_empty() || both.is_empty() {
        // A split would cut both directions. Keep the shape, because its stream draws the same links.
        return vec![own.iter().filter(|(key, _)| *key == "shape").map(|(k, v)| (k.clone(), v.clone())).collect()];
    }
    let beside = |node: NodeId| -> BTreeSet<NodeId> {
        both.iter().filter_map(|(a, b)| if *a == node { Some(*b) } else { (*b == node).then_some(*a) }).collect()
    };
    let right = beside(both[0].0);
    let left = beside(both[0].1);
    let whole = left.is_disjoint(&right) && left.len() * right.len() == both.len();
    let group = |nodes_in: &BTreeSet<NodeId>| {
        Value::Array(nodes_in.iter().map(|node| Value::String(nodes[node.index()].clone())).collect())
    };
    let split = |one: &BTreeSet<NodeId>, other: &BTreeSet<NodeId>| {
        Table::from_iter([("split".to_owned(), Value::Array(vec![group(one), group(other)]))])
    };
    match whole {
        true => vec![split(&left, &right)],
        false => both.iter().map(|(a, b)| split(&BTreeSet::from([*a]), &BTreeSet::from([*b]))).collect(),
    }
}

/// Generates unique names for faults.
struct Names {
    of_faults: BTreeSet<String>,
    given: BTreeSet<String>,
}

impl Names {
    fn new(of_faults: impl Iterator<Item = String>) -> Self {
        Names { of_faults: of_faults.collect(), given: BTreeSet::new() }
    }

    /// Returns the fault's own name the first time, then the name with a number.
    fn next(&mut self, name: &str) -> String {
        let numbered = (2..).map(|n| format!("{name}-{n}")).filter(|other| !self.of_faults.contains(other));
        let free = std::iter::once(name.to_owned()).chain(numbered).find(|name| !self.given.contains(name));
        let free = free.expect("the numbers are unbounded");
        self.given.insert(free.clone());
        free
    }
}
