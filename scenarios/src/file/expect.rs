//! What a scenario is expected to show, and the case that a reproducer pins: `[expect]`, `[case]`.

use std::collections::BTreeMap;
use std::ops::Range;

use fencepost_sim::stream::SEED_LIMIT;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::locks::unknown_lock;
use super::problem::Report;
use super::table::{Entry, Table, kind_in_words};
use super::values::whole;
use super::words::{quoted, remedy};
use crate::property::Property;
use crate::registry::Registry;

/// What is expected of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// It is violated in at least one case.
    Violated,
    /// It holds in every case.
    Holds,
}

impl Expectation {
    const WORDS: [(&str, Expectation); 2] = [("violated", Expectation::Violated), ("holds", Expectation::Holds)];
}

/// The case that a reproducer pins.
#[derive(Clone, Debug, PartialEq)]
pub struct CasePin {
    /// The lock.
    pub lock: String,
    /// The seed, below 2⁵³.
    pub seed: u64,
    /// The bug switches that are on.
    pub bugs: Vec<String>,
    /// The layout under which the trace was hashed.
    pub layout: u32,
    /// The hash of the trace.
    pub trace: Option<String>,
    /// What the case showed.
    pub expect: BTreeMap<Property, Expectation>,
}

/// The case that a reproducer pins; `[case.expect]` says what it showed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseKeys {
    /// The lock.
    #[schemars(with = "String")]
    lock: Spanned<String>,
    /// The seed.
    #[serde(deserialize_with = "whole::<_, _, 0, { SEED_LIMIT - 1 }>")]
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    seed: u64,
    /// The bug switches that are on.
    #[serde(default)]
    bugs: Vec<String>,
    /// The layout under which the trace was hashed: hashes are compared only under the same one.
    #[serde(deserialize_with = "whole::<_, _, 0, { u32::MAX as u64 }>")]
    layout: u32,
    /// The hash of the trace, such as "xxh3:0123…".
    #[schemars(with = "Option<String>")]
    trace: Option<Spanned<String>>,
}

/// What is expected of each lock.
pub(super) type Expected = BTreeMap<String, BTreeMap<Property, Expectation>>;

/// Which locks are expected to keep a property, and which to break it.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ByProperty {
    /// The locks that violate it in at least one case.
    #[schemars(with = "Vec<String>")]
    violated: Vec<Spanned<String>>,
    /// The locks that hold it in every case.
    #[schemars(with = "Vec<String>")]
    holds: Vec<Spanned<String>>,
}

/// Reads `[expect]`, by lock or by property. A lock that `selected` leaves out is refused: what is expected of it would
/// never be judged.
pub(super) fn expectations(
    registry: &Registry,
    report: &mut Report,
    entry: Option<Entry<'_>>,
    selected: Option<&[String]>,
) -> Expected {
    let mut expected = Expected::new();
    let Some(mut table) = entry.and_then(|entry| entry.table(report, "[expect]")) else { return expected };
    for entry in table.take_all() {
        let name = entry.key.get_ref().clone();
        let own = format!("[expect.{name}]");
        if let Some(property) = Property::named(&name) {
            if let Some(table) = entry.by_property(report, &own) {
                expect_of_locks(registry, report, &mut expected, selected, property, table);
            }
        } else if check_lock(registry, report, entry.key.span(), &name, selected)
            && let Some(table) = entry.table(report, &own)
        {
            expected.entry(name).or_default().extend(properties(report, table));
        }
    }
    expected
}

impl<'i> Entry<'i> {
    fn by_property(self, report: &mut Report, name: &str) -> Option<Table<'i>> {
        if !self.value.get_ref().is_str() {
            return self.table(report, name);
        }
        let property = self.key.get_ref();
        let help = format!(
            "name the locks: `{property} = {{ holds = [\"LOCK\"] }}`, or `LOCK = {{ {property} = \"holds\" }}`"
        );
        report.add(self.key.span(), format!("{} is expected of no lock", quoted(property)), help);
        None
    }
}

/// Reads what is expected of a property.
fn expect_of_locks(
    registry: &Registry,
    report: &mut Report,
    expected: &mut Expected,
    selected: Option<&[String]>,
    property: Property,
    table: Table<'_>,
) {
    let ByProperty { violated, holds } = table.read(report, &[], ByProperty::deserialize).unwrap_or_default();
    for (locks, verdict) in [(violated, Expectation::Violated), (holds, Expectation::Holds)] {
        for lock in locks {
            let (span, name) = (lock.span(), lock.into_inner());
            if !check_lock(registry, report, span.clone(), &name, selected) {
                continue;
            }
            if expected.entry(name.clone()).or_default().insert(property, verdict).is_some() {
                let message = format!("{} is expected twice of {}", quoted(property.name()), quoted(&name));
                report.add(span, message, "keep the one you mean");
            }
        }
    }
}

/// Whether there is such a lock here; reported if not.
fn check_lock(
    registry: &Registry,
    report: &mut Report,
    span: Range<usize>,
    name: &str,
    selected: Option<&[String]>,
) -> bool {
    if registry.lock(name).is_none() {
        let names: Vec<&str> = registry.locks().iter().map(|lock| lock.name()).collect();
        unknown_lock(report, span, name, &names);
        return false;
    }
    if selected.is_some_and(|selected| !selected.contains(&name.to_string())) {
        let message = format!("{} is expected to show something, but `locks` does not select it", quoted(name));
        report.add(span, message, "add it to `locks`, or take it out of `[expect]`");
    }
    true
}

fn properties(report: &mut Report, mut table: Table<'_>) -> BTreeMap<Property, Expectation> {
    let mut expected = BTreeMap::new();
    let names: Vec<&str> = Property::ALL.iter().map(|property| property.name()).collect();
    let words = Expectation::WORDS.map(|(word, _)| word);
    for entry in table.take_all() {
        let name = entry.key.get_ref();
        let property = Property::named(name);
        if property.is_none() {
            report.add(entry.key.span(), format!("no property is named {}", quoted(name)), remedy(name, &names));
        }
        let word = entry.value.get_ref().as_str();
        let verdict = Expectation::WORDS.iter().find(|(known, _)| word == Some(known)).map(|(_, verdict)| *verdict);
        if verdict.is_none() {
            let message = match word {
                Some(word) => format!("{} is no verdict that can be expected", quoted(word)),
                None => format!("{} must be a verdict, not {}", quoted(name), kind_in_words(entry.value.get_ref())),
            };
            report.add(entry.value.span(), message, remedy(word.unwrap_or_default(), &words));
        }
        if let (Some(property), Some(verdict)) = (property, verdict) {
            expected.insert(property, verdict);
        }
    }
    expected
}

/// Reads `[case]`.
pub(super) fn case_pin(registry: &Registry, report: &mut Report, entry: Option<Entry<'_>>) -> Option<CasePin> {
    let mut table = entry?.table(report, "[case]")?;
    let expect = table.take("expect").and_then(|expect| expect.table(report, "[case.expect]"));
    let expect = expect.map(|expect| properties(report, expect)).unwrap_or_default();
    let keys = table.read(report, &["expect"], CaseKeys::deserialize)?;
    if registry.lock(keys.lock.get_ref()).is_none() {
        let names: Vec<&str> = registry.locks().iter().map(|lock| lock.name()).collect();
        unknown_lock(report, keys.lock.span(), keys.lock.get_ref(), &names);
    }
    if let Some(trace) = keys.trace.as_ref().filter(|trace| !trace.get_ref().starts_with("xxh3:")) {
        let message = format!("{} is no hash of a trace", quoted(trace.get_ref()));
        report.add(trace.span(), message, "write \"xxh3:\" and its digits, as `fencepost replay` prints it");
    }
    Some(CasePin {
        lock: keys.lock.into_inner(),
        seed: keys.seed,
        bugs: keys.bugs,
        layout: keys.layout,
        trace: keys.trace.map(Spanned::into_inner),
        expect,
    })
}
