//! The faults of a scenario: `[[fault.KIND]]`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use fencepost_sim::fault::{FaultKind, Lasting, Partition};
use fencepost_sim::schedule::FaultPlan;
use serde::Deserialize;
use toml::Spanned;
use toml::de::DeValue;

use super::nodes::Nodes;
use super::problem::Report;
use super::table::{Entry, Table, kind_in_words};
use super::trigger::{COMMON, Common, Reading, allowed};
use super::words::{kebab_case, nearest, quoted, remedy};
use crate::registry::{FaultEntry, Registry};

/// What the faults of a scenario are read against.
pub(super) struct World<'a> {
    pub nodes: &'a Nodes,
    pub run_for: Option<Duration>,
}

/// One `[[fault.KIND]]` as written.
struct Written<'a, 'i> {
    kind: &'a FaultEntry,
    /// Its place among its kind, from 1.
    number: usize,
    table: Table<'i>,
}

/// Reads all faults, in the order of the file.
pub(super) fn faults(
    registry: &Registry,
    report: &mut Report,
    entry: Option<Entry<'_>>,
    world: &World<'_>,
) -> Arc<[FaultPlan]> {
    let Some(entry) = entry else { return Arc::new([]) };
    if entry.value.get_ref().is_array() {
        let message = "a fault's kind stands in its header";
        report.add(entry.key.span(), message, "write `[[fault.pause]]`, say");
        return Arc::new([]);
    }
    let Some(mut kinds) = entry.table(report, "[[fault.KIND]]") else { return Arc::new([]) };
    let mut written = Vec::new();
    for kind in kinds.take_all() {
        match registry.fault(kind.key.get_ref()) {
            Some(known) => written.extend(of_one_kind(report, known, kind)),
            None => unknown_kind(registry, report, &kind),
        }
    }
    written.sort_by_key(|fault| fault.table.span.start);
    let mut names = BTreeSet::new();
    written.into_iter().filter_map(|fault| plan(report, world, &mut names, fault)).collect()
}

fn unknown_kind(registry: &Registry, report: &mut Report, kind: &Entry<'_>) {
    let names: Vec<&str> = registry.faults().iter().map(|fault| fault.name).collect();
    let word = kind.key.get_ref();
    report.add(kind.key.span(), format!("no kind of fault is named {}", quoted(word)), remedy(word, &names));
}

fn of_one_kind<'a, 'i>(report: &mut Report, kind: &'a FaultEntry, entry: Entry<'i>) -> Vec<Written<'a, 'i>> {
    let header = format!("[[fault.{}]]", kind.name);
    let span = entry.value.span();
    let list = match entry.value.into_inner() {
        DeValue::Array(list) => list,
        DeValue::Table(_) => {
            let message = format!("faults are a list: `[fault.{}]` is only one table", kind.name);
            report.add(span, message, format!("write `{header}`, with two brackets"));
            return Vec::new();
        }
        other => {
            report.add(
                span,
                format!("`{}` must be a list of tables, not {}", kind.name, kind_in_words(&other)),
                format!("write `{header}`, and the fault's keys on the lines below"),
            );
            return Vec::new();
        }
    };
    let mut written = Vec::new();
    for (index, item) in list.into_iter().enumerate() {
        let span = item.span();
        match item.into_inner() {
            DeValue::Table(items) => {
                let table = Table { name: format!("`{header}`"), span, items };
                written.push(Written { kind, number: index + 1, table });
            }
            other => report.add(
                span,
                format!("a fault must be a table, not {}", kind_in_words(&other)),
                format!("write `{header}`, and the fault's keys on the lines below"),
            ),
        }
    }
    written
}

fn plan(
    report: &mut Report,
    world: &World<'_>,
    names: &mut BTreeSet<String>,
    fault: Written<'_, '_>,
) -> Option<FaultPlan> {
    let Written { kind, number, mut table } = fault;
    let keys: BTreeMap<_, _> = table.items.keys().map(|key| (key.get_ref().to_string(), key.span())).collect();
    let header = table.span.clone();
    let common = table.split_off(&COMMON).read(report, &[], Common::deserialize).unwrap_or_default();
    let split = table.items.get("split").cloned();
    let places_itself = keys.contains_key("split") || !keys.contains_key("shape");
    let problems = report.count();
    let own = table.read(report, &allowed(kind.place, kind.lasts), |keys| (kind.parse)(keys));
    let own_is_right = report.count() == problems;

    let misspelt = if own_is_right { BTreeSet::new() } else { misspelt(&keys) };
    let reading = Reading { kind: kind.name, header, keys, misspelt, nodes: world.nodes, run_for: world.run_for };
    reading.refuse_others(report, kind.place, kind.lasts);
    let trigger = reading.trigger(report, &common);
    let aim = reading.aim(report, kind.place, &common);
    let lasts = reading.lasts(report, kind.lasts, &common);
    let name = name(report, names, common.name, &reading.header, kind, number);
    let own = own?;
    if kind.name == Partition::NAME && own_is_right && places_itself {
        let sound = split.as_ref().is_none_or(|split| check_split(report, world.nodes, split));
        if let Some(Err(reason)) = sound.then(|| own.place(world.nodes, 0)) {
            let span = split.map_or_else(|| reading.header.clone(), |split| split.span());
            report.add(span, reason, "write `split = [[\"client-1\"], [\"store\"]]`, or `shape = \"isolate\"`");
        }
    }
    let lasts = if kind.lasts == Lasting::Required { Some(lasts?) } else { None };
    Some(FaultPlan { name, kind: kind.name, fault: own, trigger: trigger?, aim: aim?, lasts })
}

/// The shared keys that other keys come near to.
fn misspelt(keys: &BTreeMap<String, Range<usize>>) -> BTreeSet<&'static str> {
    keys.keys().filter(|key| !COMMON.contains(&key.as_str())).filter_map(|key| nearest(key, &COMMON)).collect()
}

fn name(
    report: &mut Report,
    names: &mut BTreeSet<String>,
    given: Option<Spanned<String>>,
    header: &Range<usize>,
    kind: &FaultEntry,
    number: usize,
) -> String {
    let (name, span) = match given {
        Some(name) => (name.get_ref().clone(), name.span()),
        None => (format!("{}-{number}", kind.name), header.clone()),
    };
    if let Err(help) = kebab_case(&name) {
        report.add(span.clone(), format!("{} is no name for a fault", quoted(&name)), help);
    }
    if !names.insert(name.clone()) {
        let message = format!("two faults are named {}", quoted(&name));
        report.add(span, message, "give this one a `name` of its own: names key the faults' randomness");
    }
    name
}

/// Checks a split name by name, so that each mistake is shown where it is.
fn check_split(report: &mut Report, nodes: &Nodes, split: &Spanned<DeValue<'_>>) -> bool {
    let before = report.count();
    let groups = split.get_ref().as_array().map(|groups| groups.iter()).into_iter().flatten();
    let mut seen = BTreeSet::new();
    let mut groups_given = 0;
    let mut certain = true;
    for group in groups {
        groups_given += 1;
        let names = group.get_ref().as_array().map(|names| names.iter()).into_iter().flatten();
        let mut empty = true;
        for name in names {
            empty = false;
            let Some(word) = name.get_ref().as_str() else { continue };
            certain &= nodes.check(report, name.span(), word);
            if !seen.insert(word.to_string()) {
                let message = format!("{} stands twice in the split", quoted(word));
                report.add(name.span(), message, "take one out: a node can be on one side only");
            }
        }
        if empty {
            report.add(group.span(), "this group of the split is empty", "name its nodes, or take the group out");
        }
    }
    if groups_given < 2 {
        report.add(split.span(), "a split needs at least two groups", "write `[[\"client-1\"], [\"store\"]]`, say");
    }
    certain && report.count() == before
}
