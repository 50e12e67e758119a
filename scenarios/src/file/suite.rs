//! Suites: sets of scenarios.

use fencepost_sim::stream::SEED_LIMIT;
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::catalog::Catalog;
use super::lock_list;
use super::problem::Report;
use super::scenario::file_name;
use super::table::Table;
use super::values::maybe_whole;
use super::words::quoted;

/// A set of scenarios to run together.
#[derive(Clone, Debug, PartialEq)]
pub struct Suite {
    /// The name; by default the file's name.
    pub name: String,
    /// The purpose.
    pub about: String,
    /// The number of seeds per cell, unless the command line overrides it.
    pub seeds: Option<u64>,
    /// The scenarios: shipped names, or paths that end in `.toml`.
    pub scenarios: Vec<String>,
    /// The locks; `None` means all.
    pub locks: Option<Vec<String>>,
}

/// A set of scenarios to run together.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SuiteKeys {
    /// The name; by default the file's name.
    #[schemars(with = "Option<String>")]
    name: Option<Spanned<String>>,
    /// The purpose.
    #[serde(default)]
    about: String,
    /// The number of seeds per cell, unless the command line overrides it.
    #[serde(default, deserialize_with = "maybe_whole::<_, _, 1, { SEED_LIMIT }>")]
    #[schemars(range(min = 1))]
    seeds: Option<u64>,
    /// The scenarios: shipped names, or paths that end in `.toml`.
    #[schemars(with = "Vec<String>")]
    scenarios: Spanned<Vec<Spanned<String>>>,
    /// The locks to run: names, classes such as `@lease`, and exclusions such as `!etcd`. The default is all.
    #[schemars(with = "Option<Vec<String>>")]
    locks: Option<Spanned<Vec<Spanned<String>>>>,
}

/// Reads a suite.
pub(super) fn suite(catalog: &Catalog, report: &mut Report, file: &str, root: Table<'_>) -> Option<Suite> {
    let keys = root.read_keys::<SuiteKeys>(report, &[])?;
    let (list, scenarios) = (keys.scenarios.span(), keys.scenarios.into_inner());
    if scenarios.is_empty() {
        report.add(list, "this suite has no scenarios", "name some: `fencepost list scenarios` lists the shipped ones");
    }
    let mut names: Vec<String> = Vec::new();
    for name in scenarios {
        let (span, name) = (name.span(), name.into_inner());
        if name.trim().is_empty() {
            report.add(span, "the name of a scenario is empty", "write a shipped name, or a path that ends in `.toml`");
        } else if names.contains(&name) {
            report.add(span, format!("{} is in this suite twice", quoted(&name)), "remove one");
        } else {
            names.push(name);
        }
    }
    Some(Suite {
        name: file_name(report, keys.name, file),
        about: keys.about,
        seeds: keys.seeds,
        scenarios: names,
        locks: keys.locks.map(|locks| lock_list::selection(catalog, report, locks.span(), locks.into_inner())),
    })
}
