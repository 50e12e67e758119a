//! The faults of a scenario: `[[fault.KIND]]`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use fencepost_sim::faults::{DurationRule, Preset, TargetRule};
use fencepost_sim::schedule::{FaultPlan, MOST_INJECTIONS, Trigger};
use fencepost_sim::units::Span;
use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::catalog::{Catalog, FaultEntry};
use super::nodes::Nodes;
use super::problem::Report;
use super::reader::Reader;
use super::table::{Entry, Table, kind_in_words};
use super::trigger::{COMMON, Common, Reading, allowed, mean_seconds};
use super::words::{kebab_case, quoted, suggestion};

/// The parts of a scenario that its faults refer to.
pub(super) struct World<'a> {
    pub nodes: &'a Nodes,
    pub run_for: Option<Duration>,
}

/// One `[[fault.KIND]]` of the file.
struct Written<'a, 'i> {
    kind: &'a FaultEntry,
    /// The number among the faults of the same kind, from 1.
    number: usize,
    table: Table<'i>,
}

/// Reads all faults, in the order of the file.
pub(super) fn faults(
    catalog: &Catalog,
    report: &mut Report,
    entry: Option<Entry<'_>>,
    world: &World<'_>,
) -> Arc<[FaultPlan]> {
    let Some(entry) = entry else { return Arc::new([]) };
    if entry.value.get_ref().is_array() {
        let message = "a fault's kind belongs in its header";
        report.add(entry.key.span(), message, "write it as in `[[fault.pause]]`");
        return Arc::new([]);
    }
    let Some(mut kinds) = entry.table(report, "[[fault.KIND]]") else { return Arc::new([]) };
    let mut written = Vec::new();
    for kind in kinds.take_all() {
        match catalog.fault(kind.key.get_ref()) {
            Some(known) => written.extend(faults_of_kind(report, known, kind)),
            None => unknown_kind(catalog, report, &kind),
        }
    }
    written.sort_by_key(|fault| fault.table.span.start);
    let mut names = BTreeSet::new();
    let mut plans = Vec::new();
    for fault in written {
        let header = fault.table.span.clone();
        plans.extend(plan(catalog, report, world, &mut names, fault).map(|plan| (header, plan)));
    }
    if let Some(run_for) = world.run_for {
        check_effort(report, &plans, run_for);
    }
    plans.into_iter().map(|(_, plan)| plan).collect()
}

/// The maximum number of effects of all faults of a case: injections times the effects of each.
const MOST_EFFORT: f64 = 1e6;

/// Reports faults that would dominate the cost of a case.
fn check_effort(report: &mut Report, plans: &[(Range<usize>, FaultPlan)], run_for: Duration) {
    let efforts: Vec<f64> = plans.iter().map(|(_, plan)| effort(plan, run_for)).collect();
    let sum: f64 = efforts.iter().sum();
    let most = plans.iter().zip(&efforts).max_by(|(_, a), (_, b)| a.total_cmp(b));
    if let Some(((header, plan), effort)) = most.filter(|_| sum > MOST_EFFORT) {
        let message = format!(
            "the faults of this scenario act about {sum:.0} times in `{}`, but the maximum is {MOST_EFFORT:.0}; \
             `{}` alone acts {effort:.0} times",
            Span(run_for),
            plan.name
        );
        report.add(header.clone(), message, "make them less frequent or shorter, or shorten `run_for`");
    }
}

fn effort(plan: &FaultPlan, run_for: Duration) -> f64 {
    let injections = match &plan.trigger {
        Trigger::Every(gap) => (run_for.as_secs_f64() / mean_seconds(gap)).min(MOST_INJECTIONS as f64),
        Trigger::At(_) | Trigger::On(_) => 1.0,
    };
    let lasts = plan.lasts.map_or(0.0, |lasts| mean_seconds(&lasts)).min(run_for.as_secs_f64());
    injections * plan.fault.events(Duration::from_secs_f64(lasts)).max(1) as f64
}

fn unknown_kind(catalog: &Catalog, report: &mut Report, kind: &Entry<'_>) {
    let names: Vec<&str> = catalog.faults().iter().map(|fault| fault.info.name).collect();
    let word = kind.key.get_ref();
    report.add(kind.key.span(), format!("no kind of fault is named {}", quoted(word)), suggestion(word, &names));
}

fn faults_of_kind<'a, 'i>(report: &mut Report, kind: &'a FaultEntry, entry: Entry<'i>) -> Vec<Written<'a, 'i>> {
    let name = kind.info.name;
    let keys_below = format!("write `[[fault.{name}]]`, and the fault's keys on the lines below");
    let span = entry.value.span();
    let list = match entry.value.into_inner() {
        DeValue::Array(list) => list,
        DeValue::Table(_) => {
            let message = format!("faults form a list, but `[fault.{name}]` is a single table");
            report.add(span, message, format!("write `[[fault.{name}]]`, with double brackets"));
            return Vec::new();
        }
        other => {
            let message = format!("`{name}` must be a list of tables, not {}", kind_in_words(&other));
            report.add(span, message, keys_below);
            return Vec::new();
        }
    };
    let mut written = Vec::new();
    for (number, item) in (1..).zip(list) {
        let span = item.span();
        match item.into_inner() {
            DeValue::Table(items) => {
                let table = Table { name: format!("`[[fault.{name}]]`"), span, items };
                written.push(Written { kind, number, table });
            }
            other => {
                let message = format!("a fault must be a table, not {}", kind_in_words(&other));
                report.add(span, message, keys_below.clone());
            }
        }
    }
    written
}

fn plan(
    catalog: &Catalog,
    report: &mut Report,
    world: &World<'_>,
    names: &mut BTreeSet<String>,
    fault: Written<'_, '_>,
) -> Option<FaultPlan> {
    let Written { kind, number, mut table } = fault;
    let before = report.count();
    let is_complete = add_preset(catalog, report, kind, &mut table) && check_alternatives(report, kind, &table);
    let keys: BTreeMap<_, _> = table.items.keys().map(|key| (key.get_ref().to_string(), key.span())).collect();
    let header = table.span.clone();
    let common: Common = table.split_off(&COMMON).read_keys(report, &[]).unwrap_or_default();
    let split = table.items.get("split").cloned();
    let places_itself = split.is_some() || !keys.contains_key("shape");
    let mut others = allowed(kind.info);
    others.extend(kind.info.presets.first().map(|_| "preset"));
    let own = if is_complete { table.read(report, &others, |keys| (kind.parse)(keys)) } else { None };
    let is_sound = report.count() == before;
    let reading = Reading { kind: kind.info, header, keys, is_sound, nodes: world.nodes, run_for: world.run_for };
    reading.reject_others(report);
    let trigger = reading.trigger(report, &common);
    let aim = reading.aim(report, &common);
    let lasts = reading.lasts(report, &common);
    let name = name(report, names, common.name, &reading.header, kind, number);
    let own = own?;
    if kind.info.target == TargetRule::Own && is_sound && places_itself {
        let split_is_right = split.as_ref().is_none_or(|split| check_split(report, world.nodes, split));
        if let Some(Err(reason)) = split_is_right.then(|| own.place(world.nodes, 0)) {
            let span = split.map_or_else(|| reading.header.clone(), |split| split.span());
            report.add(span, reason, "write `split = [[\"client-1\"], [\"store\"]]`, or `shape = \"isolate\"`");
        }
    }
    let lasts = if kind.info.duration == DurationRule::Required { Some(lasts?) } else { None };
    Some(FaultPlan { name, kind: kind.info, fault: own, trigger: trigger?, aim: aim?, lasts })
}

/// Adds the keys of a fault's preset that the fault omits. Returns false if there is no such preset.
fn add_preset(catalog: &Catalog, report: &mut Report, kind: &FaultEntry, table: &mut Table<'_>) -> bool {
    let Some(Entry { key, value }) = table.take("preset") else { return true };
    let (kind, span) = (kind.info, value.span());
    let names: Vec<&str> = kind.presets.iter().map(|preset| preset.name).collect();
    let preset = match value.get_ref().as_str() {
        _ if names.is_empty() => {
            report.add(key.span(), format!("a `{}` has no presets", kind.name), "write its keys instead of `preset`");
            return false;
        }
        None => {
            let message = format!("`preset` must be text in quotes, not {}", kind_in_words(value.get_ref()));
            report.add(span, message, "write the name of a preset: see `fencepost list faults`");
            return false;
        }
        Some(name) => match catalog.preset(name) {
            None => {
                let message = format!("no preset of `{}` is named {}", kind.name, quoted(name));
                report.add(span, message, suggestion(name, &names));
                return false;
            }
            Some((owner, _)) if owner.info != kind => {
                let message = format!("`{name}` is a preset of `{}`, not of `{}`", owner.info.name, kind.name);
                let help = format!("write `[[fault.{}]]`, or {}", owner.info.name, suggestion(name, &names));
                report.add(span, message, help);
                return false;
            }
            Some((_, preset)) => preset,
        },
    };
    let given = DeTable::parse(preset.keys).expect("a test parses all presets").into_inner();
    for (key, value) in given {
        let has = |key: &str| table.items.contains_key(key);
        let is_replaced = kind.alternatives.iter().any(|(given, written)| key.get_ref() == given && has(written));
        if !has(key.get_ref()) && !is_replaced {
            let key = Spanned::new(span.clone(), key.into_inner());
            table.items.insert(key, Spanned::new(span.clone(), value.into_inner()));
        }
    }
    true
}

/// Returns the keys of a preset as JSON.
///
/// # Panics
/// If the keys are not TOML.
pub fn preset_keys(preset: &Preset) -> serde_json::Value {
    toml::from_str(preset.keys).unwrap_or_else(|wrong| panic!("preset {}: {wrong}", preset.name))
}

/// Reports pairs of mutually exclusive keys. Returns true if there are none.
fn check_alternatives(report: &mut Report, kind: &FaultEntry, table: &Table<'_>) -> bool {
    let is_on =
        |key: &str| table.items.get(key).is_some_and(|value| !matches!(value.get_ref(), DeValue::Boolean(false)));
    let before = report.count();
    for (one, other) in kind.info.alternatives {
        if let (Some(first), Some(second)) = (table.key_span(one), table.key_span(other).filter(|_| is_on(other))) {
            let later = if first.start < second.start { second } else { first };
            report.add(later, format!("`{one}` and `{other}` are mutually exclusive"), "remove one of them");
        }
    }
    report.count() == before
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
        None => (format!("{}-{number}", kind.info.name), header.clone()),
    };
    if let Err(help) = kebab_case(&name) {
        report.add(span.clone(), format!("{} is not a valid fault name", quoted(&name)), help);
    }
    if !names.insert(name.clone()) {
        let message = format!("two faults are named {}", quoted(&name));
        report.add(span, message, "give this fault a unique `name`: each name selects its own random stream");
    }
    name
}

/// Checks each name of a split. Returns whether all are valid and known for certain.
fn check_split(report: &mut Report, nodes: &Nodes, split: &Spanned<DeValue<'_>>) -> bool {
    // The fault's own keys report a value of another type.
    let Ok(groups) = Vec::<Spanned<Vec<Spanned<String>>>>::deserialize(Reader::value(split)) else { return false };
    let before = report.count();
    let mut seen = BTreeSet::new();
    let mut certain = true;
    for group in &groups {
        if group.get_ref().is_empty() {
            report.add(group.span(), "this group of the split is empty", "name its nodes, or remove the group");
        }
        for name in group.get_ref() {
            certain &= nodes.check(report, name.span(), name.get_ref());
            if !seen.insert(name.get_ref()) {
                let message = format!("{} is in the split twice", quoted(name.get_ref()));
                report.add(name.span(), message, "remove one: a node can be on only one side");
            }
        }
    }
    if groups.len() < 2 {
        let help = "write them as in `[[\"client-1\"], [\"store\"]]`";
        report.add(split.span(), "a split needs at least two groups", help);
    }
    certain && report.count() == before
}
