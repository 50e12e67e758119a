//! The faults of a scenario: `[[fault.KIND]]`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use fencepost_sim::faults::{DurationRule, Preset, TargetRule};
use fencepost_sim::schedule::{FaultPlan, MOST_INJECTIONS, Trigger};
use fencepost_sim::units::Span;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::catalog::{Catalog, FaultEntry};
use super::nodes::Nodes;
use super::problem::Report;
use super::table::{Entry, Table, kind_in_words};
use super::trigger::{COMMON, Common, Reading, allowed, mean_seconds};
use super::words::{kebab_case, nearest, quoted, remedy};

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
    catalog: &Catalog,
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
        match catalog.fault(kind.key.get_ref()) {
            Some(known) => written.extend(of_one_kind(report, known, kind)),
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

/// The most that all faults of a case may come to: injections, and what each of them does again and again.
const MOST_EFFORT: f64 = 1e6;

/// Refuses faults that would keep a case busy without end.
fn check_effort(report: &mut Report, plans: &[(Range<usize>, FaultPlan)], run_for: Duration) {
    let efforts: Vec<f64> = plans.iter().map(|(_, plan)| effort(plan, run_for)).collect();
    let sum: f64 = efforts.iter().sum();
    let most = plans.iter().zip(&efforts).max_by(|(_, a), (_, b)| a.total_cmp(b));
    if let Some(((header, plan), effort)) = most.filter(|_| sum > MOST_EFFORT) {
        let message = format!(
            "the faults of this scenario act about {sum:.0} times in `{}`, and {MOST_EFFORT:.0} are the most; `{}` \
             alone does {effort:.0} times",
            Span(run_for),
            plan.name
        );
        report.add(header.clone(), message, "let them act more rarely or for a shorter time, or shorten `run_for`");
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
    report.add(kind.key.span(), format!("no kind of fault is named {}", quoted(word)), remedy(word, &names));
}

fn of_one_kind<'a, 'i>(report: &mut Report, kind: &'a FaultEntry, entry: Entry<'i>) -> Vec<Written<'a, 'i>> {
    let header = format!("[[fault.{}]]", kind.info.name);
    let span = entry.value.span();
    let list = match entry.value.into_inner() {
        DeValue::Array(list) => list,
        DeValue::Table(_) => {
            let message = format!("faults are a list: `[fault.{}]` is only one table", kind.info.name);
            report.add(span, message, format!("write `{header}`, with two brackets"));
            return Vec::new();
        }
        other => {
            report.add(
                span,
                format!("`{}` must be a list of tables, not {}", kind.info.name, kind_in_words(&other)),
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
    catalog: &Catalog,
    report: &mut Report,
    world: &World<'_>,
    names: &mut BTreeSet<String>,
    fault: Written<'_, '_>,
) -> Option<FaultPlan> {
    let Written { kind, number, mut table } = fault;
    let preset_is_right = fill_in(catalog, report, kind, &mut table);
    let keys: BTreeMap<_, _> = table.items.keys().map(|key| (key.get_ref().to_string(), key.span())).collect();
    let header = table.span.clone();
    let common = table.split_off(&COMMON).read_keys::<Common>(report, &[]).unwrap_or_default();
    let split = table.items.get("split").cloned();
    let places_itself = keys.contains_key("split") || !keys.contains_key("shape");
    let problems = report.count();
    check_permanence(report, &table);
    let mut others = allowed(kind.info);
    others.extend(kind.info.presets.first().map(|_| "preset"));
    let own = table.read(report, &others, |keys| (kind.parse)(keys));
    let own_is_right = report.count() == problems;
    // What a preset would have given is not missing.
    if !preset_is_right {
        return None;
    }

    let misspelt = if own_is_right { BTreeSet::new() } else { misspelt(&keys) };
    let reading = Reading { kind: kind.info.name, header, keys, misspelt, nodes: world.nodes, run_for: world.run_for };
    reading.refuse_others(report, kind.info);
    let trigger = reading.trigger(report, &common);
    let aim = reading.aim(report, kind.info.target, &common);
    let lasts = reading.lasts(report, kind.info.duration, &common);
    let name = name(report, names, common.name, &reading.header, kind, number);
    let own = own?;
    if kind.info.target == TargetRule::Own && own_is_right && places_itself {
        let sound = split.as_ref().is_none_or(|split| check_split(report, world.nodes, split));
        if let Some(Err(reason)) = sound.then(|| own.place(world.nodes, 0)) {
            let span = split.map_or_else(|| reading.header.clone(), |split| split.span());
            report.add(span, reason, "write `split = [[\"client-1\"], [\"store\"]]`, or `shape = \"isolate\"`");
        }
    }
    let lasts = if kind.info.duration == DurationRule::Required { Some(lasts?) } else { None };
    Some(FaultPlan { name, kind: kind.info, fault: own, trigger: trigger?, aim: aim?, lasts })
}

/// Gives a fault the keys of its preset that it leaves out, and says whether there is nothing wrong with the preset.
fn fill_in(catalog: &Catalog, report: &mut Report, kind: &FaultEntry, table: &mut Table<'_>) -> bool {
    let Some(Entry { key, value }) = table.take("preset") else { return true };
    let names: Vec<&str> = kind.info.presets.iter().map(|preset| preset.name).collect();
    if names.is_empty() {
        report.add(
            key.span(),
            format!("a `{}` has no presets", kind.info.name),
            "take `preset` out, and write its keys",
        );
        return false;
    }
    let span = value.span();
    let Some(name) = value.get_ref().as_str() else {
        let message = format!("`preset` must be text in quotes, not {}", kind_in_words(value.get_ref()));
        report.add(span, message, "write the name of a preset: see `fencepost list faults`");
        return false;
    };
    let Some((owner, preset)) = catalog.preset(name) else {
        report.add(span, format!("no preset of `{}` is named {}", kind.info.name, quoted(name)), remedy(name, &names));
        return false;
    };
    if owner.info != kind.info {
        let message = format!("`{name}` is a preset of `{}`, not of `{}`", owner.info.name, kind.info.name);
        let help = format!("write `[[fault.{}]]`, or {}", owner.info.name, remedy(name, &names));
        report.add(span, message, help);
        return false;
    }
    let given = DeTable::parse(preset.keys).expect("a test parses all presets").into_inner();
    for (key, value) in given {
        let has = |key: &str| table.items.contains_key(key);
        let settled = kind.info.alternatives.iter().any(|(given, written)| key.get_ref() == given && has(written));
        if !has(key.get_ref()) && !settled {
            table
                .items
                .insert(Spanned::new(span.clone(), key.into_inner()), Spanned::new(span.clone(), value.into_inner()));
        }
    }
    true
}

/// The keys that a preset gives, as data.
///
/// # Panics
/// If they are not TOML.
pub fn preset_keys(preset: &Preset) -> serde_json::Value {
    toml::from_str(preset.keys).unwrap_or_else(|wrong| panic!("preset {}: {wrong}", preset.name))
}

/// What never comes back has no time after which it does.
fn check_permanence(report: &mut Report, table: &Table<'_>) {
    let permanent = table.items.get("permanent").is_some_and(|value| matches!(value.get_ref(), DeValue::Boolean(true)));
    if let Some(span) = table.key_span("restart_after").filter(|_| permanent) {
        let message =
            "`restart_after` beside `permanent = true`: what never comes back has no time after which it does";
        report.add(span, message, "take one of them out");
    }
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
        None => (format!("{}-{number}", kind.info.name), header.clone()),
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
