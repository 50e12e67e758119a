//! The expected verdicts of a scenario, and the case of a reproducer: `[expect]`, `[case]`.

use std::collections::BTreeMap;

use fencepost_sim::stream::SEED_LIMIT;
use schemars::JsonSchema;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::catalog::Catalog;
use super::lock_list;
use super::problem::Report;
use super::table::{Entry, Table, kind_in_words};
use super::values::whole;
use super::words::{quoted, suggestion};
use crate::property::Property;

/// The expected verdict of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// At least one case violates the property.
    Violated,
    /// No case violates the property.
    Holds,
}

impl Expectation {
    const ALL: [Expectation; 2] = [Expectation::Violated, Expectation::Holds];

    const fn name(self) -> &'static str {
        match self {
            Expectation::Violated => "violated",
            Expectation::Holds => "holds",
        }
    }
}

/// The case of a reproducer.
#[derive(Clone, Debug, PartialEq)]
pub struct CasePin {
    /// The lock.
    pub lock: String,
    /// The seed, below 2⁵³.
    pub seed: u64,
    /// The enabled bugs.
    pub bugs: Vec<String>,
    /// The layout under which the trace was hashed.
    pub layout: u32,
    /// The hash of the trace.
    pub trace: Option<String>,
    /// The verdicts of the case.
    pub expect: BTreeMap<Property, Expectation>,
}

/// The case of a reproducer; `[case.expect]` has its verdicts.
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
    /// The enabled bugs.
    #[serde(default)]
    bugs: Vec<String>,
    /// The layout under which the trace was hashed. Hashes are compared only under the same layout.
    #[serde(deserialize_with = "whole::<_, _, 0, { u32::MAX as u64 }>")]
    layout: u32,
    /// The hash of the trace, such as "xxh3:0123…".
    #[serde(default, deserialize_with = "maybe_trace")]
    trace: Option<String>,
}

fn maybe_trace<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let trace = String::deserialize(deserializer)?;
    if !trace.starts_with("xxh3:") {
        let help = "write \"xxh3:\" and the digits that `fencepost replay` prints";
        return Err(D::Error::custom(format!("{} is not a trace hash: {help}", quoted(&trace))));
    }
    Ok(Some(trace))
}

/// The expected verdicts, by lock.
pub(super) type Expected = BTreeMap<String, BTreeMap<Property, Expectation>>;

/// The locks that are expected to violate a property, and those for which the property holds: names, classes such as
/// `@lease`, and exclusions such as `!etcd`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ByProperty {
    /// The locks that violate the property in at least one case.
    #[schemars(with = "Vec<String>")]
    violated: Vec<Spanned<String>>,
    /// The locks for which the property holds in every case.
    #[schemars(with = "Vec<String>")]
    holds: Vec<Spanned<String>>,
}

/// Reads `[expect]` of the scenario with this name. A lock's own expectation overrides a class in the scenario, and a
/// lock's name in the scenario overrides both. A scenario without the table has no expectations.
pub(super) fn expectations(
    catalog: &Catalog,
    report: &mut Report,
    scenario: &str,
    entry: Option<Entry<'_>>,
    selected: Option<&[String]>,
) -> Expected {
    let Some(mut table) = entry.and_then(|entry| entry.table(report, "[expect]")) else { return Expected::new() };
    let mut read = Reading { catalog, report, selected, by_class: Expected::new(), by_name: Expected::new() };
    for entry in table.take_all() {
        match Property::named(entry.key.get_ref()) {
            Some(property) => read.property(property, entry),
            None => read.lock(entry),
        }
    }
    let Reading { by_class: mut expected, by_name, .. } = read;
    match catalog.expectations() {
        Ok(of_locks) => {
            let runs = |lock: &str| selected.is_none_or(|selected| selected.iter().any(|name| name == lock));
            for own in of_locks.of_scenario(scenario).iter().filter(|own| runs(own.lock)) {
                let of_lock = expected.entry(own.lock.into()).or_default();
                match own.expected {
                    Some(expectation) => of_lock.insert(own.property, expectation),
                    None => of_lock.remove(&own.property),
                };
            }
        }
        Err(problems) => problems.iter().for_each(|problem| report.adopt(problem.clone())),
    }
    for (lock, properties) in by_name {
        expected.entry(lock).or_default().extend(properties);
    }
    expected.retain(|_, properties| !properties.is_empty());
    expected
}

/// The state of reading `[expect]`.
struct Reading<'a> {
    catalog: &'a Catalog,
    report: &'a mut Report,
    selected: Option<&'a [String]>,
    by_class: Expected,
    by_name: Expected,
}

impl Reading<'_> {
    /// Reads `[expect.PROPERTY]`.
    fn property(&mut self, property: Property, entry: Entry<'_>) {
        let name = property.name();
        if entry.value.get_ref().is_str() {
            let help =
                format!("name the locks: `{name} = {{ holds = [\"@all\"] }}`, or `LOCK = {{ {name} = \"holds\" }}`");
            self.report.add(entry.key.span(), format!("{} has no expected locks", quoted(name)), help);
            return;
        }
        let table = entry.table(self.report, &format!("[expect.{name}]"));
        let Some(keys) = table.and_then(|table| table.read_keys::<ByProperty>(self.report, &[])) else { return };
        for (list, expectation) in [(keys.violated, Expectation::Violated), (keys.holds, Expectation::Holds)] {
            for lock in lock_list::resolve(self.catalog, self.report, list, self.selected) {
                let known = [&self.by_class, &self.by_name].into_iter().filter_map(|all| all.get(&lock.lock));
                if known.into_iter().any(|properties| properties.contains_key(&property)) {
                    let message = format!("{} has two expectations for {}", quoted(name), quoted(&lock.lock));
                    let help = format!("keep one of them; `!{}` excludes the lock from a class", lock.lock);
                    self.report.add(lock.span, message, help);
                }
                let all = if lock.by_name { &mut self.by_name } else { &mut self.by_class };
                all.entry(lock.lock).or_default().insert(property, expectation);
            }
        }
    }

    /// Reads `[expect.LOCK]`.
    fn lock(&mut self, entry: Entry<'_>) {
        let (name, span) = (entry.key.get_ref().clone(), entry.key.span());
        if self.catalog.find_lock(&name).is_none() {
            return lock_list::unknown(self.catalog, self.report, span, &name);
        }
        lock_list::resolve(self.catalog, self.report, vec![Spanned::new(span, name.clone())], self.selected);
        if let Some(table) = entry.table(self.report, &format!("[expect.{name}]")) {
            let properties = properties(self.report, table);
            self.by_name.entry(name).or_default().extend(properties);
        }
    }
}

/// Reads a table of properties, each mapped to `"violated"` or `"holds"`.
fn properties(report: &mut Report, mut table: Table<'_>) -> BTreeMap<Property, Expectation> {
    let mut expected = BTreeMap::new();
    for entry in table.take_all() {
        let (name, value) = (entry.key.get_ref(), entry.value.get_ref());
        let property = Property::named(name);
        if property.is_none() {
            let names = Property::ALL.map(Property::name);
            report.add(entry.key.span(), format!("no property is named {}", quoted(name)), suggestion(name, &names));
        }
        let expectation = Expectation::ALL.into_iter().find(|known| value.as_str() == Some(known.name()));
        if expectation.is_none() {
            let message = match value.as_str() {
                Some(word) => format!("{} is not a valid expected verdict", quoted(word)),
                None => format!("{} must be a verdict, not {}", quoted(name), kind_in_words(value)),
            };
            let names = Expectation::ALL.map(Expectation::name);
            report.add(entry.value.span(), message, suggestion(value.as_str().unwrap_or_default(), &names));
        }
        expected.extend(property.zip(expectation));
    }
    expected
}

/// Reads `[case]`.
pub(super) fn case_pin(catalog: &Catalog, report: &mut Report, entry: Option<Entry<'_>>) -> Option<CasePin> {
    let mut table = entry?.table(report, "[case]")?;
    let expect = table.take("expect").and_then(|expect| expect.table(report, "[case.expect]"));
    let expect = expect.map(|expect| properties(report, expect)).unwrap_or_default();
    let keys = table.read_keys::<CaseKeys>(report, &["expect"])?;
    if catalog.find_lock(keys.lock.get_ref()).is_none() {
        lock_list::unknown(catalog, report, keys.lock.span(), keys.lock.get_ref());
    }
    let CaseKeys { lock, seed, bugs, layout, trace } = keys;
    Some(CasePin { lock: lock.into_inner(), seed, bugs, layout, trace, expect })
}
